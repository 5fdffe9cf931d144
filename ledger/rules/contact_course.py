"""The course of a contact: messages, transfers, consults, checks of who the customer is, and whose contact it is.

Pure. The opening, the first answer and the end stand in contact.py. Each move takes a contact and an event, and returns the
contact after it, or None where the event does not apply.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.api.v1.contact_pb2 import ANSWERED_BY_AUTOMATIC, ANSWERED_BY_BOT, ANSWERED_BY_HUMAN, COLD, TEPID, WARM
from ledger.api.v1.history_service_pb2 import CONTACT_STATE_ANSWERED, CONTACT_STATE_MADE, CONTACT_STATE_RECEIVED
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN
from ledger.event import Event
from ledger.rules import target
from ledger.rules.contact_state import ANSWERED, NOT_NEEDED, WAITING, AuthenticationState, ContactState, CourseState, MessageState
from ledger.rules.instant import earliest, micros_or_none, uuid_bytes
from ledger.rules.target import NEXT_RESPONSE, TargetState

GOES_ON: Final = frozenset({CONTACT_STATE_RECEIVED, CONTACT_STATE_ANSWERED, CONTACT_STATE_MADE})
"""States of a contact that has not ended."""

_TALKED: Final = frozenset({CONTACT_STATE_ANSWERED, CONTACT_STATE_MADE})
_LEG: Final = {WARM: "warm", TEPID: "tepid", COLD: "cold"}


def talks(state: ContactState) -> bool:
    """True while somebody of ours is in it, a bot included: only then it can be passed on, or a colleague asked."""
    return state.state in _TALKED or (state.state == CONTACT_STATE_RECEIVED and state.course.bot_spoke)


# Answers


def answer(state: ContactState, event: Event, course: CourseState, /, **more: Any) -> ContactState:
    """Return the contact after an answer that counts: it answers all that the customer wrote before (domain rule 9.2).

    `course`: what else became of it; `more`: other fields to set.
    """
    targets = state.targets
    if targets:
        targets = {key: target.answered(one, event) or one for key, one in targets.items()}
    if course.messages:
        course = course._replace(messages={key: _message_answered(one, event) for key, one in course.messages.items()})
    return state._replace(
        answered_time=event.occur if state.answered_time is None and not state.outbound else state.answered_time,
        last_answer_time=event.occur,
        unanswered_since=None,
        targets=targets,
        channels=_channels(state, event),
        course=course,
        **more,
    )


def nobody_waits(state: ContactState, event: Event) -> ContactState:
    """Return the contact after the customer waits for no answer any more: given up, or none needed."""
    targets = {key: target.no_longer_owed(one, event) or one for key, one in state.targets.items()} or state.targets
    course = state.course
    if course.messages:
        unneeded = {key: one._replace(state=NOT_NEEDED) if one.state == WAITING else one for key, one in course.messages.items()}
        course = course._replace(messages=unneeded)
    return state._replace(targets=targets, unanswered_since=None, course=course)


def _message_answered(message: MessageState, event: Event) -> MessageState:
    if message.state != WAITING:
        return message
    in_time = message.due_time is not None and earliest(event) <= message.due_time
    return message._replace(state=ANSWERED, answered_time=event.occur, in_time=in_time)


def spoke(course: CourseState, by: int) -> CourseState:
    """Return the course after a bot or a person of ours spoke: a person after a bot took over from it (requirement S3-8)."""
    if by == ANSWERED_BY_BOT:
        return course if course.bot_spoke else course._replace(bot_spoke=True)
    if by == ANSWERED_BY_HUMAN and (course.passed_on or (course.bot_spoke and not course.bot_to_human)):
        return course._replace(bot_to_human=course.bot_spoke, passed_on=False)
    return course


def _channels(state: ContactState, event: Event) -> str:
    channel = event.header.channel
    if not channel or channel == state.channels or channel in state.channels.split():
        return state.channels
    return f"{state.channels} {channel}".strip()


# Messages


def message_received(state: ContactState, event: Event) -> ContactState | None:
    """The customer wrote again: it waits for an answer, with a target of its own where the policy has one."""
    if state.state not in GOES_ON:
        return None
    due = micros_or_none(event.payload, "response_due_time")
    message = MessageState(
        position=event.position,
        received_time=event.occur,
        channel=event.header.channel or state.channel,
        department=state.current_department or event.header.department,
        subject=state.party,
        due_time=due,
    )
    targets = state.targets
    if due is not None:
        targets = {**targets, event.event_id: _next_response(state, event, message, due)}
    return state._replace(
        targets=targets,
        unanswered_since=event.occur if state.unanswered_since is None else state.unanswered_since,
        channels=_channels(state, event),
        course=state.course._replace(messages={**state.course.messages, event.event_id: message}),
    )


def _next_response(state: ContactState, event: Event, message: MessageState, due: int) -> TargetState:
    setter = event.due_setter
    return TargetState(
        contact_id=state.contact_id,
        state=PROMISE_STATE_OPEN,
        due_time=due,
        due_set_by_event_id=setter.event_id,
        due_record_time=setter.record,
        due_import_run=setter.header.import_run,
        made_time=event.occur,
        channel=message.channel,
        department=message.department,
        subject=state.subject,
        kind=NEXT_RESPONSE,
        message_event_id=event.event_id,
        message_position=event.position,
        party=state.party,
    )


def message_sent(state: ContactState, event: Event) -> ContactState | None:
    """We wrote: an answer, unless it is automatic, or a bot's where these do not count."""
    if state.state not in GOES_ON:
        return None
    by = event.payload.sent_by
    course = spoke(state.course, by)._replace(message_out_count=state.course.message_out_count + 1)
    if by == ANSWERED_BY_AUTOMATIC or (by == ANSWERED_BY_BOT and not state.bot_answers):
        return state._replace(course=course, channels=_channels(state, event))
    first = state.state == CONTACT_STATE_RECEIVED
    return answer(
        state,
        event,
        course,
        state=CONTACT_STATE_ANSWERED if first else state.state,
        answered_by_bot=by == ANSWERED_BY_BOT and (first or state.answered_by_bot),
        department=state.department or event.header.department,
        current_department=state.current_department or event.header.department,
    )


# Legs


def transferred(state: ContactState, event: Event) -> ContactState | None:
    """The live contact was passed on: another department has it now, and answers there."""
    if not talks(state):
        return None
    payload = event.payload
    leg = _LEG.get(payload.kind, "cold")
    transfers = state.course.transfers
    transfers = transfers._replace(**{leg: getattr(transfers, leg) + 1})
    return state._replace(
        current_department=payload.to_department,
        queue=payload.to_queue or state.queue,
        course=with_leg(state.course, payload)._replace(transfers=transfers, passed_on=True),
    )


def with_leg(course: CourseState, payload: Any) -> CourseState:
    """Return the course with talk and hold of a leg added; what nobody said stays unknown."""
    if not payload.HasField("talk") and not payload.HasField("hold"):
        return course
    return course._replace(talk=longer(course.talk, payload, "talk"), hold=longer(course.hold, payload, "hold"))


def longer(sum_so_far: int | None, payload: Any, field: str) -> int | None:
    """Return a sum of microseconds with a duration of an event added; None as long as none was said."""
    if not payload.HasField(field):
        return sum_so_far
    said = getattr(payload, field)
    return (sum_so_far or 0) + int(said.seconds * 1_000_000 + said.nanos // 1000)


def consulted(state: ContactState, event: Event) -> ContactState | None:
    """A colleague was asked while the customer stayed: not a transfer."""
    if not talks(state):
        return None
    return state._replace(course=state.course._replace(consult_count=state.course.consult_count + 1))


# Who it is


def authentication_checked(state: ContactState, event: Event) -> ContactState | None:
    """It was checked who the customer is; the last check counts, passed or not."""
    if state.state not in GOES_ON:
        return None
    payload = event.payload
    check = AuthenticationState(
        event_id=event.event_id,
        checked_time=event.occur,
        method=payload.method,
        level=payload.level,
        passed=payload.passed,
        valid_until=micros_or_none(payload, "valid_until"),
    )
    return state._replace(course=state.course._replace(authentication=check))


def attributed(state: ContactState, event: Event) -> ContactState | None:
    """It became known whose contact it is: whatever its state, and from its beginning. The one recorded last counts (fold.py)."""
    party = uuid_bytes(event.payload.customer.subject)
    targets = {key: one._replace(party=party) for key, one in state.targets.items()} or state.targets
    course = state.course
    if course.messages:
        course = course._replace(messages={key: one._replace(subject=party) for key, one in course.messages.items()})
    return state._replace(party=party, attributed=True, targets=targets, course=course)
