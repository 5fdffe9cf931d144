"""Derived targets: dues that follow from a policy, not from what somebody said. Their ids, and what meets, voids and breaks one.

Pure. A derived target is part of the entity it is about and has no stream of its own; the clock's promise-broken names it by its id
(domain rules 8.5, 8.6, 8.9). What is met, void or broken is judged by occur time alone, coarse times at their own precision.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.api.v1.promise_service_pb2 import (
    KEPT_CLAIMED,
    KEPT_EVIDENCE_UNSPECIFIED,
    KEPT_RECORDED,
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_VOID,
)
from ledger.event import Event
from ledger.rules.instant import earliest, uuid_bytes
from ledger.rules.state import state_class

RESOLUTION: Final = "resolution"
COMPLAINT_ACKNOWLEDGE: Final = "complaint_acknowledge"
COMPLAINT_RESPOND: Final = "complaint_respond"
"""Kinds of derived targets, as promises are listed by kind."""

NEXT_RESPONSE_PREFIX: Final = "next-response-"
"""What the id of the target of a message begins with; the id of its message-received event follows (target.py)."""

RESOLUTION_PREFIX: Final = "resolution-"
ACKNOWLEDGE_PREFIX: Final = "acknowledge-"
RESPOND_PREFIX: Final = "respond-"
"""What the ids of derived targets begin with; the id of the request or complaint follows."""

PREFIXES: Final = (NEXT_RESPONSE_PREFIX, RESOLUTION_PREFIX, ACKNOWLEDGE_PREFIX, RESPOND_PREFIX)
"""Promise ids that begin so are refused from callers, and their streams have no life cycle of their own."""

STREAMS: Final = tuple(f"promise-{prefix}" for prefix in PREFIXES)
"""What the streams of the clock's events on derived targets begin with."""

_OWED: Final = frozenset({PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN})


@state_class
class DerivedTarget(NamedTuple):
    """A derived target. Times are microseconds UTC, unset strings empty."""

    target_id: str
    kind: str
    state: int
    """A PromiseState: open, kept, kept late, broken or void."""
    due_time: int | None
    """Inclusive. None while it is paused, and beyond the horizon of its calendar."""
    due_set_by_event_id: bytes
    """The event that the due follows from: what started it, classified it anew, or ended the last pause."""
    due_record_time: int
    """When that event was recorded: the clock waits for it (domain rule 8.5)."""
    due_import_run: str
    made_time: int
    """When it began to run."""
    channel: str
    department: str
    """Who answered for it when it began."""
    subject: bytes
    first_due_time: int | None = None
    """The due as it was first."""
    ended_time: int | None = None
    """When it was met or became void."""
    broken_time: int | None = None
    """Its due, once the clock's event stands in the fold; it stays."""
    kept_evidence: int = KEPT_EVIDENCE_UNSPECIFIED
    within: int = 0
    """Of a target that may pause: its duration, microseconds."""
    hours: bytes = b""
    """Key of the hours that measure it (hours_book.py); empty: by the clock."""
    pausing: bool = False
    """It pauses while the customer is waited for."""
    pauses: tuple[tuple[int, int], ...] = ()
    """Pauses that ended, in order: [from, until)."""
    paused_since: int | None = None
    due_before_pause: int | None = None
    """While it is paused, the due it had before."""


def met(target: DerivedTarget | None, event: Event) -> DerivedTarget | None:
    """Return the target after what it asks for was done: kept by its due, else kept late. One that is decided stays as it is."""
    if target is None or target.state not in _OWED:
        return target
    due = target.broken_time if target.state == PROMISE_STATE_BROKEN else target.due_time
    if due is None or earliest(event) <= due:
        # A coarse time stands at the end of its unit, after the clock's event, and is in time all the same.
        evidence = KEPT_RECORDED if due is None or event.record <= due else KEPT_CLAIMED
        return target._replace(
            state=PROMISE_STATE_KEPT, ended_time=event.occur, due_time=due, broken_time=None, kept_evidence=evidence
        )
    return target._replace(state=PROMISE_STATE_KEPT_LATE, ended_time=event.occur)


def void(target: DerivedTarget | None, event: Event) -> DerivedTarget | None:
    """Return the target after nobody waits for it any more: void before the due; after it broken, as it is."""
    if target is None or target.state not in _OWED:
        return target
    due = target.broken_time if target.state == PROMISE_STATE_BROKEN else target.due_time
    if due is None or earliest(event) <= due:
        return target._replace(state=PROMISE_STATE_VOID, ended_time=event.occur, broken_time=None)
    return target


def broken(target: DerivedTarget | None, event: Event) -> DerivedTarget | None:
    """Return the target after the clock said that its due passed; None where that does not apply."""
    if (
        target is None
        or target.state != PROMISE_STATE_OPEN
        or target.due_time is None
        or event.payload.promise_id != target.target_id
        or event.occur != target.due_time
        or uuid_bytes(event.payload.set_by_event_id) != target.due_set_by_event_id
    ):
        return None
    return target._replace(state=PROMISE_STATE_BROKEN, broken_time=target.due_time)
