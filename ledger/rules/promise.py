"""The life cycle of a promise: open → kept | renegotiated → open | released | withdrawn | broken; broken → kept late | released |
withdrawn | replaced, still counted broken.

Pure. Kept or broken: occur time alone decides (domain rules 8.5 to 8.7, 9.4, 9.5). Coarse times compare at their own precision: one
that may have occurred by the due is in time, although it stands after the clock's event in the order, and then undoes it.

A disputed keep is not undone here: it leaves the fold (fold.py), so that the state is what it would be without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ledger.api.v1.promise_service_pb2 import (
    KEPT_CLAIMED,
    KEPT_EVIDENCE_UNSPECIFIED,
    KEPT_PROVEN,
    KEPT_RECORDED,
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_RELEASED,
    PROMISE_STATE_REPLACED,
    PROMISE_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules.instant import earliest, micros, micros_or_none, uuid_bytes
from ledger.rules.state import state_class

OWED: Final = frozenset({PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN})
"""States in which something is still owed."""

KEPT_STATES: Final = frozenset({PROMISE_STATE_KEPT, PROMISE_STATE_KEPT_LATE})

CALL_BACK: Final = "call_back"
"""Kind of promise that is not kept before its window opens."""


class Keep(NamedTuple):
    """What has to be known of a promise-kept to judge it, also anew."""

    event_id: bytes
    occur_time: int
    earliest_time: int
    """First instant at which it may have occurred."""
    record_time: int
    proof_time: int | None
    """Date of the outside reference that proves it."""
    proof_event_id: bytes
    """Event said to prove it: see `evidence_with_proof`. Empty: none."""


@state_class
class PromiseState(NamedTuple):
    """A promise. Times are microseconds UTC, unset strings empty."""

    promise_id: str
    state: int
    """A PromiseState of the API."""
    kind: str
    origin: int
    contact_id: str
    request_id: str
    promising_department: str
    owner_department: str
    assignee: str
    channel: str
    made_time: int
    subject: bytes
    position: int
    """Position of the opener, which holds the words."""
    replaces_promise_id: str
    told: bool
    first_due_time: int | None = None
    """First due said; None: none so far."""
    due_time: int | None = None
    """Due in force, inclusive; None: undated."""
    not_before: int | None = None
    due_ambiguous: bool = False
    """The due as said existed twice that night."""
    due_set_by_event_id: bytes = b""
    due_record_time: int = 0
    """When the event that set the due was recorded: the clock waits for it (domain rule 8.5)."""
    due_import_run: str = ""
    ended_time: int | None = None
    """When it was kept, released, withdrawn or replaced; None while something is owed."""
    broken_time: int | None = None
    """The due that passed, once the clock's event stands in the fold. It stays, whatever comes later."""
    kept_evidence: int = KEPT_EVIDENCE_UNSPECIFIED
    keep: Keep | None = None
    """The keep in force, once kept or kept late."""
    partial_kept_event_ids: tuple[bytes, ...] = ()
    renegotiated_count: int = 0
    """How often the customer asked for, or agreed to, another date in a named contact."""
    moved_by_us_count: int = 0
    """How often the date moved otherwise."""
    replaced_by_promise_id: str = ""
    early_keeps: bool = False
    """A call-back before its window keeps it too, by the policy when it was made."""

    @property
    def partly_kept(self) -> bool:
        """Whether a part was kept."""
        return bool(self.partial_kept_event_ids)


def evidence_with_proof(state: PromiseState, proof_record_time: int | None) -> int:
    """Return the evidence of the keep for a caller who looked up when the event named as proof was recorded.

    The fold alone cannot know it: a keep recorded late that names an event is claimed there, and proven if that event was itself
    recorded by the due.
    """
    if (
        state.kept_evidence == KEPT_CLAIMED
        and proof_record_time is not None
        and state.due_time is not None
        and proof_record_time <= state.due_time
    ):
        return KEPT_PROVEN
    return state.kept_evidence


def _made(state: PromiseState | None, event: Event) -> PromiseState | None:
    payload = event.payload
    if state is not None:
        return _replaced(state, event) if payload.replaces_promise_id == state.promise_id else None
    header = event.header
    promising = payload.promising_department or header.department
    contact_id = payload.contact_id
    new = PromiseState(
        promise_id=payload.promise_id,
        state=PROMISE_STATE_OPEN,
        kind=payload.kind,
        origin=payload.origin,
        contact_id=contact_id,
        request_id=payload.request_id,
        promising_department=promising,
        owner_department=payload.owner_department or promising,
        assignee=payload.assignee,
        channel=header.channel,
        made_time=event.occur,
        subject=event.subject,
        position=event.position,
        replaces_promise_id=payload.replaces_promise_id,
        told=bool(contact_id),
        early_keeps=payload.early_keeps,
    )
    due = payload.due
    if due.HasField("due_time"):
        return new._replace(**_dating(due, event, first=True))
    if payload.HasField("default_due_time"):
        # Nobody said this date: it is no first date, and a date said later is one.
        return new._replace(**_dating(due, event, first=False) | {"due_time": micros(payload.default_due_time)})
    return new


def _dating(due: Any, event: Event, *, first: bool) -> dict[str, Any]:
    """Return what an event that sets a due changes. `first`: no due was said before."""
    due_time = micros(due.due_time)
    setter = event.due_setter
    changed = {
        "due_time": due_time,
        "not_before": micros_or_none(due, "not_before"),
        "due_ambiguous": due.ambiguous,
        "due_set_by_event_id": setter.event_id,
        "due_record_time": setter.record,
        "due_import_run": setter.header.import_run,
    }
    if first:
        changed["first_due_time"] = due_time
    return changed


def _replaced(state: PromiseState, event: Event) -> PromiseState | None:
    if state.state != PROMISE_STATE_BROKEN:
        return None
    return state._replace(state=PROMISE_STATE_REPLACED, ended_time=event.occur, replaced_by_promise_id=event.payload.promise_id)


def _dated(state: PromiseState, event: Event) -> PromiseState | None:
    due = event.payload.due
    if state.state != PROMISE_STATE_OPEN or state.due_time is not None or not due.HasField("due_time"):
        return None
    return state._replace(**_dating(due, event, first=state.first_due_time is None))


def _reassigned(state: PromiseState, event: Event) -> PromiseState | None:
    if state.state not in OWED:
        return None
    payload = event.payload
    return state._replace(owner_department=payload.owner_department or state.owner_department, assignee=payload.assignee)


def _kept(state: PromiseState, event: Event) -> PromiseState | None:
    if state.state not in OWED or keeps_too_early(state, event):
        return None
    payload = event.payload
    if payload.partial:
        return state._replace(partial_kept_event_ids=(*state.partial_kept_event_ids, event.event_id))
    keep = Keep(
        event.event_id,
        event.occur,
        earliest(event),
        event.record,
        micros_or_none(payload, "proof_time"),
        uuid_bytes(payload.proof_event_id) if payload.proof_event_id else b"",
    )
    return _judged(state, keep)


def keeps_too_early(state: PromiseState, event: Event) -> bool:
    """True when a call-back is kept before its window opens (domain rule 9.5)."""
    return state.kind == CALL_BACK and not state.early_keeps and state.not_before is not None and event.order < state.not_before


def _judged(state: PromiseState, keep: Keep) -> PromiseState:
    """Return the promise kept, in time or late for the due in force."""
    due = state.due_time
    if due is not None and keep.earliest_time > due:
        return state._replace(state=PROMISE_STATE_KEPT_LATE, ended_time=keep.occur_time, keep=keep)
    if due is None or keep.record_time <= due:
        evidence = KEPT_RECORDED
    elif keep.proof_time is not None and keep.proof_time <= due:
        evidence = KEPT_PROVEN
    else:
        evidence = KEPT_CLAIMED
    return state._replace(state=PROMISE_STATE_KEPT, ended_time=keep.occur_time, broken_time=None, kept_evidence=evidence, keep=keep)


def _renegotiated(state: PromiseState, event: Event) -> PromiseState | None:
    # A keep after the due may stand before a coarse renegotiation that was in time: it is judged anew by the new due.
    if state.state not in (PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN, PROMISE_STATE_KEPT_LATE):
        return None
    payload = event.payload
    if not in_time(state, event) or not sets_a_later_due(event):
        return None
    by_customer = (payload.customer_asked or payload.customer_agreed) and bool(payload.contact_id)
    new = state._replace(
        state=PROMISE_STATE_OPEN,
        broken_time=None,
        renegotiated_count=state.renegotiated_count + by_customer,
        moved_by_us_count=state.moved_by_us_count + (not by_customer),
        told=state.told or by_customer or payload.customer_told,
        **_dating(payload.due, event, first=state.first_due_time is None),
    )
    return new if state.keep is None else _judged(new, state.keep)


def in_time(state: PromiseState, event: Event) -> bool:
    """True when the event occurred by the due in force, inclusive; an undated promise has all the time."""
    return state.due_time is None or earliest(event) <= state.due_time


def sets_a_later_due(event: Event) -> bool:
    """True when the new due lies after the renegotiation itself."""
    due = event.payload.due
    return bool(due.HasField("due_time")) and micros(due.due_time) > earliest(event)


def _released(state: PromiseState, event: Event) -> PromiseState | None:
    return state._replace(state=PROMISE_STATE_RELEASED, ended_time=event.occur) if state.state in OWED else None


def _withdrawn(state: PromiseState, event: Event) -> PromiseState | None:
    return state._replace(state=PROMISE_STATE_WITHDRAWN, ended_time=event.occur) if state.state in OWED else None


def _disputed(state: PromiseState, event: Event) -> PromiseState | None:
    kept = uuid_bytes(event.payload.kept_event_id)
    named = (state.keep is not None and kept == state.keep.event_id) or kept in state.partial_kept_event_ids
    return state if named else None


def _broken(state: PromiseState, event: Event) -> PromiseState | None:
    due = state.due_time
    if (
        state.state != PROMISE_STATE_OPEN
        or due is None
        or event.occur != due
        or uuid_bytes(event.payload.set_by_event_id) != state.due_set_by_event_id
    ):
        return None
    return state._replace(state=PROMISE_STATE_BROKEN, broken_time=due)


def _travelled(state: PromiseState, event: Event) -> PromiseState | None:
    # What has ended keeps the owner it had: figures ask who answered for it then.
    department = event.payload.to_department
    if state.state not in OWED or not department or department == state.owner_department:
        return state
    return state._replace(owner_department=department, assignee="")


def _told(state: PromiseState, event: Event) -> PromiseState | None:
    return state if state.told else state._replace(told=True)


def _same(state: PromiseState, event: Event) -> PromiseState | None:
    return state


_MOVES: Final[dict[str, Callable[[PromiseState, Event], PromiseState | None]]] = {
    "promise-made": _made,
    "promise-dated": _dated,
    "promise-reassigned": _reassigned,
    "promise-kept": _kept,
    "promise-renegotiated": _renegotiated,
    "promise-released": _released,
    "promise-withdrawn": _withdrawn,
    "promise-disputed": _disputed,
    "promise-broken": _broken,
    "handoff-accepted": _travelled,
    "handoff-returned": _travelled,
    "customer-informed": _told,
    "event-confirmed": _same,
}


def step(state: PromiseState | None, event: Event) -> tuple[PromiseState | None, bool]:
    """Return the promise after the event, and whether it applied."""
    topic = event.topic
    if state is None:
        new = _made(None, event) if topic == "promise-made" else None
        return new, new is not None
    move = _MOVES.get(topic)
    new = move(state, event) if move is not None else None
    return (state, False) if new is None else (new, True)
