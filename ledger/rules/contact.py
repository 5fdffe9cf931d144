"""The life cycle of a contact, and of the response targets it implies.

Pure. received → queued* → answered | abandoned; answered → messages, transfers → ended → wrapped up; ended without an answer is
legal; nothing answers an abandoned contact. A contact we make is ended and wrapped up likewise. The targets are fed by events of
other streams too: contact-made(in_reply_to) answers, promise-broken(contact_id) says that a due passed (domain rules 8.6, 9.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ledger.api.v1.contact_pb2 import ANSWERED_BY_AUTOMATIC, ANSWERED_BY_BOT, REACHED_YES
from ledger.api.v1.history_service_pb2 import (
    CONTACT_STATE_ABANDONED,
    CONTACT_STATE_ANSWERED,
    CONTACT_STATE_ENDED,
    CONTACT_STATE_MADE,
    CONTACT_STATE_RECEIVED,
)
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN
from ledger.event import Event
from ledger.rules import contact_course as course
from ledger.rules import target
from ledger.rules.contact_state import FIRST, NO_TARGETS
from ledger.rules.contact_state import ContactState as ContactState
from ledger.rules.instant import micros_or_none
from ledger.rules.target import TargetState

NO_ANSWER_NEEDED: Final = frozenset({"no_answer_needed", "spam"})
"""Dispositions that void a response target (domain rule 9.2)."""


def _received(state: ContactState | None, event: Event) -> ContactState | None:
    if state is not None:
        return None
    payload, header = event.payload, event.header
    contact_id, channel, department = payload.contact_id, header.channel, header.department
    targets = NO_TARGETS
    due = micros_or_none(payload, "response_due_time")
    if due is not None:
        setter = event.due_setter
        targets = {
            FIRST: TargetState(
                contact_id=contact_id,
                state=PROMISE_STATE_OPEN,
                due_time=due,
                due_set_by_event_id=setter.event_id,
                due_record_time=setter.record,
                due_import_run=setter.header.import_run,
                made_time=event.occur,
                channel=channel,
                department=department,
                subject=event.subject,
                party=event.subject,
            )
        }
    return ContactState(
        contact_id=contact_id,
        state=CONTACT_STATE_RECEIVED,
        outbound=False,
        channel=channel,
        department=department,
        reason=payload.reason,
        queue=payload.queue,
        opened_time=event.occur,
        subject=event.subject,
        identified=payload.HasField("customer"),
        position=event.position,
        bot_answers=payload.bot_answers,
        targets=targets,
        reply_to=payload.reply_to,
        party=event.subject,
        thread_id=payload.thread_id,
        skill_needed=payload.skill_needed or payload.skill_of_reason,
        current_department=department,
        channels=channel,
        unanswered_since=event.occur,
    )


def _made(state: ContactState | None, event: Event) -> ContactState | None:
    payload = event.payload
    if state is not None:
        foreign = payload.in_reply_to == state.contact_id != payload.contact_id
        return _answered_by_call_back(state, event) if foreign else None
    header = event.header
    return ContactState(
        contact_id=payload.contact_id,
        state=CONTACT_STATE_MADE,
        outbound=True,
        channel=header.channel,
        department=header.department,
        reason=payload.reason,
        queue="",
        opened_time=event.occur,
        subject=event.subject,
        identified=payload.HasField("customer"),
        position=event.position,
        in_reply_to=payload.in_reply_to,
        reached=payload.reached,
        party=event.subject,
        current_department=header.department,
        channels=header.channel,
        last_answer_time=event.occur,
    )


def _answered_by_call_back(state: ContactState, event: Event) -> ContactState:
    """Take in what another contact, made in reply, does for this one. It is never refused here: it has a stream of its own."""
    if event.payload.reached != REACHED_YES or state.state == CONTACT_STATE_ABANDONED:
        return state
    if state.unanswered_since is None and (state.outbound or (state.answered_time is not None and not state.answered_by_bot)):
        return state
    received = state.state == CONTACT_STATE_RECEIVED
    return course.answer(
        state, event, state.course, state=CONTACT_STATE_ANSWERED if received else state.state, answered_by_bot=False
    )


def waits(state: ContactState) -> bool:
    """True while the customer still waits for a person: not answered, or by a bot only."""
    return state.state == CONTACT_STATE_RECEIVED or (state.state == CONTACT_STATE_ANSWERED and state.answered_by_bot)


def _queued(state: ContactState, event: Event) -> ContactState | None:
    if not waits(state) and not (state.course.passed_on and state.state == CONTACT_STATE_ANSWERED):
        return None
    queued = event.occur if state.queued_time is None else state.queued_time
    return state._replace(queue=event.payload.queue, queued_time=queued)


def _answered(state: ContactState, event: Event) -> ContactState | None:
    if state.state not in (CONTACT_STATE_RECEIVED, CONTACT_STATE_ANSWERED):
        return None
    answered_by = event.payload.answered_by
    if answered_by == ANSWERED_BY_AUTOMATIC:
        return state
    by_bot = answered_by == ANSWERED_BY_BOT
    if not waits(state) and (by_bot or not state.course.passed_on):
        return None
    heard = course.spoke(state.course, answered_by)
    if by_bot and not state.bot_answers:
        return state if heard is state.course else state._replace(course=heard)
    department = event.header.department
    return course.answer(
        state,
        event,
        heard,
        state=CONTACT_STATE_ANSWERED,
        answered_by_bot=by_bot,
        department=state.department or department,
        current_department=state.current_department or department,
    )


def _abandoned(state: ContactState, event: Event) -> ContactState | None:
    if not waits(state):
        return None
    return course.nobody_waits(state, event)._replace(state=CONTACT_STATE_ABANDONED, ended_time=event.occur)


def _ended(state: ContactState, event: Event) -> ContactState | None:
    if state.state in (CONTACT_STATE_ABANDONED, CONTACT_STATE_ENDED):
        return None
    payload = event.payload
    disposition = payload.disposition
    ended = course.nobody_waits(state, event) if disposition in NO_ANSWER_NEEDED else state
    return ended._replace(
        course=course.with_leg(ended.course, payload),
        state=CONTACT_STATE_ENDED,
        ended_time=event.occur,
        disposition=disposition,
        completeness=payload.completeness,
        incomplete_cause=payload.incomplete_cause,
        reason=payload.reason or state.reason,
        request_ids=tuple(payload.request_ids),
    )


def _wrapped_up(state: ContactState, event: Event) -> ContactState | None:
    if state.state != CONTACT_STATE_ENDED or state.wrapped_up:
        return None
    wrap_up = course.longer(state.course.wrap_up, event.payload, "wrap_up")
    return state._replace(wrapped_up=True, course=state.course._replace(wrap_up=wrap_up))


def _same(state: ContactState, event: Event) -> ContactState | None:
    return state


def _target_broken(state: ContactState, event: Event) -> ContactState | None:
    key = target.message_of(event.payload.promise_id)
    broken = target.broken(state.targets.get(key), event) if key is not None else None
    return None if key is None or broken is None else state._replace(targets={**state.targets, key: broken})


_OPENERS: Final[dict[str, Callable[[ContactState | None, Event], ContactState | None]]] = {
    "contact-received": _received,
    "contact-made": _made,
}

_MOVES: Final[dict[str, Callable[[ContactState, Event], ContactState | None]]] = {
    "contact-queued": _queued,
    "contact-answered": _answered,
    "message-received": course.message_received,
    "message-sent": course.message_sent,
    "contact-transferred": course.transferred,
    "colleague-consulted": course.consulted,
    "authentication-checked": course.authentication_checked,
    "contact-attributed": course.attributed,
    "contact-abandoned": _abandoned,
    "contact-ended": _ended,
    "contact-wrapped-up": _wrapped_up,
    "note-added": _same,
    "event-confirmed": _same,
    "promise-broken": _target_broken,
}


def step(state: ContactState | None, event: Event) -> tuple[ContactState | None, bool]:
    """Return the contact after the event, and whether it applied."""
    new: ContactState | None = None
    opens = _OPENERS.get(event.topic)
    if opens is not None:
        new = opens(state, event)
    elif state is not None:
        move = _MOVES.get(event.topic)
        new = move(state, event) if move is not None else None
    return (state, False) if new is None else (new, True)
