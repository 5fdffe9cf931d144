"""The life cycle of a contact, and of the response target it implies.

Pure. received → queued* → answered | abandoned; answered → ended → wrapped up; ended without an answer is legal; nothing answers an
abandoned contact. A contact we make is ended and wrapped up likewise. The target is fed by events of other streams too:
contact-made(in_reply_to) answers it, promise-broken(contact_id) says that its due passed (domain rules 8.6, 9.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

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
from ledger.rules import target
from ledger.rules.instant import micros_or_none
from ledger.rules.target import TargetState

NO_ANSWER_NEEDED: Final = frozenset({"no_answer_needed", "spam"})
"""Dispositions that void a response target (domain rule 9.2)."""


class ContactState(NamedTuple):
    """A contact. Times are microseconds UTC, unset strings empty."""

    contact_id: str
    state: int
    """A ContactState of the API."""
    outbound: bool
    channel: str
    department: str
    """The first one it was with."""
    reason: str
    """As understood last."""
    queue: str
    opened_time: int
    subject: bytes
    identified: bool
    position: int
    """Position of the opener, which holds the summary."""
    in_reply_to: str = ""
    reached: int = 0
    bot_answers: bool = False
    """A bot's answer counts, by the policy in force when it was received."""
    answered_time: int | None = None
    """First answer that counts: by a person, by a bot where the policy says so, or by a contact made in reply."""
    answered_by_bot: bool = False
    """So far only a bot answered: the customer may still queue, be answered by a person, or give up."""
    ended_time: int | None = None
    """When it ended or was given up."""
    disposition: str = ""
    completeness: int = 0
    wrapped_up: bool = False
    target: TargetState | None = None
    """None: untargeted or unmeasured."""

    @property
    def response_due_time(self) -> int | None:
        """When it had to be answered; None when it has no target."""
        return self.target.due_time if self.target else None


def _received(state: ContactState | None, event: Event) -> ContactState | None:
    if state is not None:
        return None
    payload, header = event.payload, event.header
    contact_id, channel, department = payload.contact_id, header.channel, header.department
    implied = None
    due = micros_or_none(payload, "response_due_time")
    if due is not None:
        implied = TargetState(
            contact_id=contact_id,
            state=PROMISE_STATE_OPEN,
            due_time=due,
            due_set_by_event_id=event.event_id,
            due_record_time=event.record,
            due_import_run=header.import_run,
            made_time=event.occur,
            channel=channel,
            department=department,
            subject=event.subject,
        )
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
        target=implied,
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
    )


def _answered_by_call_back(state: ContactState, event: Event) -> ContactState:
    """Take in what another contact, made in reply, does for this one. It is never refused here: it has a stream of its own."""
    if event.payload.reached != REACHED_YES or state.outbound or state.state == CONTACT_STATE_ABANDONED:
        return state
    if state.answered_time is not None and not state.answered_by_bot:
        return state
    return state._replace(
        state=CONTACT_STATE_ANSWERED if state.state == CONTACT_STATE_RECEIVED else state.state,
        answered_time=event.occur if state.answered_time is None else state.answered_time,
        answered_by_bot=False,
        target=target.answered(state.target, event),
    )


def waits(state: ContactState) -> bool:
    """True while the customer still waits for a person: not answered, or by a bot only."""
    return state.state == CONTACT_STATE_RECEIVED or (state.state == CONTACT_STATE_ANSWERED and state.answered_by_bot)


def _queued(state: ContactState | None, event: Event) -> ContactState | None:
    if state is None or not waits(state):
        return None
    return state._replace(queue=event.payload.queue)


def _answered(state: ContactState | None, event: Event) -> ContactState | None:
    if state is None or state.state not in (CONTACT_STATE_RECEIVED, CONTACT_STATE_ANSWERED):
        return None
    answered_by = event.payload.answered_by
    if answered_by == ANSWERED_BY_AUTOMATIC:
        return state
    by_bot = answered_by == ANSWERED_BY_BOT
    if by_bot and not state.bot_answers:
        return state if waits(state) else None
    if not waits(state):
        return None
    return state._replace(
        state=CONTACT_STATE_ANSWERED,
        answered_time=event.occur if state.answered_time is None else state.answered_time,
        answered_by_bot=by_bot,
        department=state.department or event.header.department,
        target=target.answered(state.target, event),
    )


def _abandoned(state: ContactState | None, event: Event) -> ContactState | None:
    if state is None or not waits(state):
        return None
    return state._replace(state=CONTACT_STATE_ABANDONED, ended_time=event.occur, target=target.no_longer_owed(state.target, event))


def _ended(state: ContactState | None, event: Event) -> ContactState | None:
    if state is None or state.state in (CONTACT_STATE_ABANDONED, CONTACT_STATE_ENDED):
        return None
    payload = event.payload
    disposition = payload.disposition
    void = disposition in NO_ANSWER_NEEDED
    return state._replace(
        state=CONTACT_STATE_ENDED,
        ended_time=event.occur,
        disposition=disposition,
        completeness=payload.completeness,
        reason=payload.reason or state.reason,
        target=target.no_longer_owed(state.target, event) if void else state.target,
    )


def _wrapped_up(state: ContactState | None, event: Event) -> ContactState | None:
    if state is None or state.state != CONTACT_STATE_ENDED or state.wrapped_up:
        return None
    return state._replace(wrapped_up=True)


def _same(state: ContactState | None, event: Event) -> ContactState | None:
    return state


def _target_broken(state: ContactState | None, event: Event) -> ContactState | None:
    if state is None:
        return None
    broken = target.broken(state.target, event)
    return None if broken is None else state._replace(target=broken)


_MOVES: Final[dict[str, Callable[[ContactState | None, Event], ContactState | None]]] = {
    "contact-received": _received,
    "contact-made": _made,
    "contact-queued": _queued,
    "contact-answered": _answered,
    "contact-abandoned": _abandoned,
    "contact-ended": _ended,
    "contact-wrapped-up": _wrapped_up,
    "note-added": _same,
    "event-confirmed": _same,
    "promise-broken": _target_broken,
}


def step(state: ContactState | None, event: Event) -> tuple[ContactState | None, bool]:
    """Return the contact after the event, and whether it applied."""
    move = _MOVES.get(event.topic)
    new = move(state, event) if move is not None else None
    return (state, False) if new is None else (new, True)
