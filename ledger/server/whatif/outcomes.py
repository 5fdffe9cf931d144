"""What became of each due of an entity, at the evaluated time: targets, promises, terms of handoffs. Pure.

The clock's events are left out of the fold: they record that the dues passed which were recorded, and would say nothing of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_COMPLETED
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
)
from ledger.api.v1.whatif_pb2 import (
    COMPARED_ACCEPT_TERM,
    COMPARED_COMPLETE_TERM,
    COMPARED_DEFAULT_DUE,
    COMPARED_OUTCOME_UNSPECIFIED,
    COMPARED_TARGET,
    OUTCOME_BROKEN,
    OUTCOME_MET,
    OUTCOME_OPEN,
    OUTCOME_VOID,
)
from ledger.event import Event
from ledger.rules.fold import fold
from ledger.rules.handoff import UNFINISHED
from ledger.rules.promise import PromiseState
from ledger.rules.request import RequestState
from ledger.rules.verdict import Rules

Key = tuple[int, str]
"""Kind of due, and what it is about."""

_BREACHES: Final = frozenset({"promise-broken", "handoff-expired", "handoff-overdue"})


class Due(NamedTuple):
    """A due, and what became of it."""

    time: int | None
    """Microseconds UTC; None: none, or paused."""
    outcome: int
    """A ComparedOutcome."""
    set_by: bytes
    """Event that it follows from."""


NONE: Final = Due(None, COMPARED_OUTCOME_UNSPECIFIED, b"")


def dues_of(rules: Rules, events: Iterable[Event], stream: str, evaluated: int) -> dict[Key, Due]:
    """Return every due of an entity by kind and what it is about."""
    state = fold(rules, [event for event in events if event.topic not in _BREACHES], stream).state
    if state is None:
        return {}
    found: dict[Key, Due] = {}
    for target in _targets(state):
        about = getattr(target, "promise_id", "") or getattr(target, "target_id", "")
        outcome = _outcome(target.state, target.due_time, evaluated)
        found[COMPARED_TARGET, about] = Due(target.due_time, outcome, target.due_set_by_event_id)
    if isinstance(state, PromiseState):
        outcome = _outcome(state.state, state.due_time, evaluated)
        found[COMPARED_DEFAULT_DUE, state.promise_id] = Due(state.due_time, outcome, state.due_set_by_event_id)
    if isinstance(state, RequestState):
        for handoff in state.handoffs.values():
            set_by, name = handoff.terms_set_by_event_id, handoff.handoff_id
            found[COMPARED_ACCEPT_TERM, name] = Due(handoff.accept_by, _accepted(handoff, evaluated), set_by)
            found[COMPARED_COMPLETE_TERM, name] = Due(handoff.complete_by, _completed(handoff, evaluated), set_by)
    return found


def _targets(state: Any) -> Iterator[Any]:
    """Yield the derived targets of a state, of whatever family."""
    targets = getattr(state, "targets", None)
    if isinstance(targets, Mapping):
        yield from targets.values()


def _outcome(state: int, due: int | None, evaluated: int) -> int:
    if state == PROMISE_STATE_KEPT:
        return OUTCOME_MET
    if state in (PROMISE_STATE_KEPT_LATE, PROMISE_STATE_BROKEN):
        return OUTCOME_BROKEN
    if state != PROMISE_STATE_OPEN:
        return OUTCOME_VOID
    return _running(due, evaluated)


def _running(due: int | None, evaluated: int) -> int:
    if due is None:
        return COMPARED_OUTCOME_UNSPECIFIED
    return OUTCOME_BROKEN if due < evaluated else OUTCOME_OPEN


def _accepted(handoff: Any, evaluated: int) -> int:
    due = handoff.accept_by
    if due is None:
        return COMPARED_OUTCOME_UNSPECIFIED
    if handoff.accepted_time is not None:
        return OUTCOME_MET if handoff.accepted_time <= due else OUTCOME_BROKEN
    return _ended(handoff, due, evaluated)


def _completed(handoff: Any, evaluated: int) -> int:
    due = handoff.complete_by
    if due is None:
        return COMPARED_OUTCOME_UNSPECIFIED
    if handoff.state == HANDOFF_STATE_COMPLETED:
        return OUTCOME_MET if handoff.ended_time <= due else OUTCOME_BROKEN
    return _ended(handoff, due, evaluated)


def _ended(handoff: Any, due: int, evaluated: int) -> int:
    """Return what became of a term that nobody met: void where the handoff was over before."""
    if handoff.state in UNFINISHED:
        return _running(due, evaluated)
    return OUTCOME_VOID if handoff.ended_time is not None and handoff.ended_time <= due else OUTCOME_BROKEN
