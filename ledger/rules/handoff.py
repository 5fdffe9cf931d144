"""The life cycle of a handoff inside its request.

offered → accepted | rejected | returned | withdrawn; returned → supplied | withdrawn; supplied = offered again;
accepted → completed | returned | withdrawn; rejected, and completed as impossible, → withdrawn (domain rule 9.3).
Expired and overdue are marks: every move stays open.

Pure. Knows the handoff alone; who owns the request, and what else is pending there, is request.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from ledger.api.v1.handoff_pb2 import HANDOFF_IMPOSSIBLE
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_STATE_ACCEPTED,
    HANDOFF_STATE_COMPLETED,
    HANDOFF_STATE_OFFERED,
    HANDOFF_STATE_REJECTED,
    HANDOFF_STATE_RETURNED,
    HANDOFF_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules.instant import earliest, micros_or_none, uuid_bytes

PENDING: Final = frozenset({HANDOFF_STATE_OFFERED, HANDOFF_STATE_RETURNED})
"""States in which somebody has to take it: offered (also again) or returned."""

UNFINISHED: Final = frozenset({HANDOFF_STATE_OFFERED, HANDOFF_STATE_RETURNED, HANDOFF_STATE_ACCEPTED})

STATE_WORDS: Final[dict[int, str]] = {
    HANDOFF_STATE_OFFERED: "offered",
    HANDOFF_STATE_RETURNED: "returned",
    HANDOFF_STATE_ACCEPTED: "accepted",
    HANDOFF_STATE_REJECTED: "rejected",
    HANDOFF_STATE_WITHDRAWN: "withdrawn",
    HANDOFF_STATE_COMPLETED: "completed",
}

BY_RECEIVER: Final = frozenset({"handoff-accepted", "handoff-rejected", "handoff-returned", "handoff-completed", "handoff-rated"})
"""Moves that belong to the receiving department."""

BY_SENDER: Final = frozenset({"handoff-supplied", "handoff-withdrawn"})
"""Moves that belong to the sending department."""

ALLOWED: Final[dict[int, tuple[str, ...]]] = {
    HANDOFF_STATE_OFFERED: ("handoff-accepted", "handoff-rejected", "handoff-returned", "handoff-withdrawn", "handoff-rated"),
    HANDOFF_STATE_RETURNED: ("handoff-supplied", "handoff-withdrawn", "handoff-rated"),
    HANDOFF_STATE_ACCEPTED: ("handoff-completed", "handoff-returned", "handoff-withdrawn", "handoff-rated"),
    HANDOFF_STATE_REJECTED: ("handoff-withdrawn", "handoff-rated"),
    HANDOFF_STATE_WITHDRAWN: ("handoff-rated",),
    HANDOFF_STATE_COMPLETED: ("handoff-rated",),
}
"""Moves that apply in each state, the marks of the clock apart."""


class HandoffState(NamedTuple):
    """A handoff. Times are microseconds UTC, unset strings empty."""

    handoff_id: str
    request_id: str
    state: int
    """A HandoffState of the API."""
    from_department: str
    to_department: str
    assignee: str
    """The person who took it, or is meant."""
    type: str
    ownership: int
    """An Ownership: MOVES or STAYS."""
    reason: str
    next_step: str
    offered_time: int
    since_time: int
    """Since when it is in this state, hence in these hands."""
    accept_by: int | None
    complete_by: int | None
    promise_ids: tuple[str, ...]
    fact_keys: tuple[str, ...]
    """Passed and supplied, each once, in that order."""
    subject: bytes
    position: int
    """Position of the offer."""
    fact_positions: tuple[int, ...]
    """Positions of the offer and of what was supplied: there the facts stand."""
    terms_set_by_event_id: bytes
    """The offer: it set both terms."""
    terms_record_time: int
    """When the offer was recorded: the clock waits for it (domain rule 8.5)."""
    terms_import_run: str
    expired: bool = False
    marked_overdue: bool = False
    returned_count: int = 0
    missing_keys: tuple[str, ...] = ()
    """Missing at the offer by the policy, or missing or wrong by the last return; empty once supplied."""
    ever_accepted: bool = False
    accepted_time: int | None = None
    """When it was first accepted."""
    ended_time: int | None = None
    """When it was rejected, withdrawn or completed."""
    outcome: int = 0
    """A HandoffOutcome, once completed."""
    missing_required: tuple[str, ...] = ()
    """Keys that the policy requires for the type, and that neither the offer nor a supply has passed."""
    accepted_without: tuple[str, ...] = ()
    """Those that were missing when it was first accepted: facts lost on the way."""
    required_count: int = 0
    """How many facts the policy requires for the type; 0 where it requires none, or nothing was measured."""
    authentication_event_id: bytes = b""
    """The check of who the customer is that travels with it; empty for none."""
    rated: bool = False
    rated_complete: bool = False
    rated_usable: bool = False

    @property
    def pending(self) -> bool:
        """Somebody has to take it: offered, also again, or returned."""
        return self.state in PENDING

    @property
    def hands(self) -> str:
        """Department in whose hands it is; empty once it is over."""
        if self.state == HANDOFF_STATE_RETURNED:
            return self.from_department
        return self.to_department if self.state in UNFINISHED else ""


def offered(event: Event) -> HandoffState:
    """Return the handoff that an offer opens."""
    payload = event.payload
    facts = payload.facts
    return HandoffState(
        handoff_id=payload.handoff_id,
        request_id=payload.request_id,
        state=HANDOFF_STATE_OFFERED,
        from_department=payload.from_department,
        to_department=payload.to_department,
        assignee=payload.to_assignee,
        type=payload.type,
        ownership=payload.ownership,
        reason=payload.reason,
        next_step=payload.next_step,
        offered_time=event.occur,
        since_time=event.occur,
        accept_by=_said_or_default(payload, "accept_by"),
        complete_by=_said_or_default(payload, "complete_by"),
        missing_keys=tuple(payload.missing_required_keys),
        promise_ids=tuple(payload.promise_ids),
        fact_keys=_each_once(fact.key for fact in facts) if facts else (),
        subject=event.subject,
        position=event.position,
        fact_positions=(event.position,) if facts else (),
        terms_set_by_event_id=event.due_setter.event_id,
        terms_record_time=event.due_setter.record,
        terms_import_run=event.due_setter.header.import_run,
        missing_required=tuple(payload.missing_required_keys),
        # Offers recorded before the count was say at least what is missing.
        required_count=max(payload.required_fact_count, len(payload.missing_required_keys)),
        authentication_event_id=uuid_bytes(payload.authentication_event_id),
    )


def _said_or_default(payload: Any, term: str) -> int | None:
    """Return a term as the offer says it, else as the policy of its type had it when it was offered."""
    said = micros_or_none(payload, term)
    return micros_or_none(payload, f"default_{term}") if said is None else said


def _accepted(state: HandoffState, event: Event) -> HandoffState | None:
    if state.state != HANDOFF_STATE_OFFERED:
        return None
    return state._replace(
        state=HANDOFF_STATE_ACCEPTED,
        since_time=event.occur,
        assignee=event.payload.assignee or state.assignee,
        # A coarse time stands at the end of its unit, after the clock's mark, and is in time all the same.
        expired=state.expired and not (state.accept_by is not None and earliest(event) <= state.accept_by),
        ever_accepted=True,
        accepted_time=event.occur if state.accepted_time is None else state.accepted_time,
        accepted_without=state.accepted_without if state.ever_accepted else state.missing_required,
    )


def _rejected(state: HandoffState, event: Event) -> HandoffState | None:
    if state.state != HANDOFF_STATE_OFFERED:
        return None
    return state._replace(state=HANDOFF_STATE_REJECTED, since_time=event.occur, ended_time=event.occur)


def _returned(state: HandoffState, event: Event) -> HandoffState | None:
    if state.state not in (HANDOFF_STATE_OFFERED, HANDOFF_STATE_ACCEPTED):
        return None
    payload = event.payload
    return state._replace(
        state=HANDOFF_STATE_RETURNED,
        since_time=event.occur,
        returned_count=state.returned_count + 1,
        missing_keys=_each_once((*payload.missing_keys, *payload.wrong_keys)),
    )


def _supplied(state: HandoffState, event: Event) -> HandoffState | None:
    if state.state != HANDOFF_STATE_RETURNED:
        return None
    facts = event.payload.facts
    keys = [fact.key for fact in facts]
    return state._replace(
        state=HANDOFF_STATE_OFFERED,
        since_time=event.occur,
        missing_keys=(),
        missing_required=tuple(key for key in state.missing_required if key not in keys),
        fact_keys=_each_once((*state.fact_keys, *keys)),
        fact_positions=(*state.fact_positions, event.position) if facts else state.fact_positions,
    )


def has_failed(state: HandoffState) -> bool:
    """True when the receiver did not take it, or could not do it."""
    return state.state == HANDOFF_STATE_REJECTED or (state.state == HANDOFF_STATE_COMPLETED and state.outcome == HANDOFF_IMPOSSIBLE)


def is_done(state: HandoffState) -> bool:
    """True when nothing is to be done about it any more: completed, and not as impossible, or withdrawn."""
    return state.state == HANDOFF_STATE_WITHDRAWN or (state.state == HANDOFF_STATE_COMPLETED and not has_failed(state))


def _withdrawn(state: HandoffState, event: Event) -> HandoffState | None:
    if state.state not in UNFINISHED and not has_failed(state):
        return None
    return state._replace(state=HANDOFF_STATE_WITHDRAWN, since_time=event.occur, ended_time=event.occur)


def _completed(state: HandoffState, event: Event) -> HandoffState | None:
    if state.state != HANDOFF_STATE_ACCEPTED:
        return None
    return state._replace(
        state=HANDOFF_STATE_COMPLETED,
        since_time=event.occur,
        ended_time=event.occur,
        outcome=event.payload.outcome,
        marked_overdue=state.marked_overdue and not (state.complete_by is not None and earliest(event) <= state.complete_by),
    )


def _rated(state: HandoffState, event: Event) -> HandoffState | None:
    payload = event.payload
    return state._replace(rated=True, rated_complete=payload.complete, rated_usable=payload.usable)


def _expired(state: HandoffState, event: Event) -> HandoffState | None:
    # Accepted once, the term to accept is met: a return does not start it again.
    if state.state not in PENDING or state.ever_accepted or state.expired or state.accept_by is None:
        return None
    return state._replace(expired=True) if _set_by_offer(state, event) else None


def _overdue(state: HandoffState, event: Event) -> HandoffState | None:
    if state.state not in UNFINISHED or state.marked_overdue or state.complete_by is None:
        return None
    return state._replace(marked_overdue=True) if _set_by_offer(state, event) else None


def _set_by_offer(state: HandoffState, event: Event) -> bool:
    return uuid_bytes(event.payload.set_by_event_id) == state.terms_set_by_event_id


def _each_once(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))


MOVES: Final[dict[str, Callable[[HandoffState, Event], HandoffState | None]]] = {
    "handoff-accepted": _accepted,
    "handoff-rejected": _rejected,
    "handoff-returned": _returned,
    "handoff-supplied": _supplied,
    "handoff-withdrawn": _withdrawn,
    "handoff-completed": _completed,
    "handoff-rated": _rated,
    "handoff-expired": _expired,
    "handoff-overdue": _overdue,
}
"""What each move makes of an offered handoff; None when it does not apply."""
