"""Which moves of promises are refused, in words.

Pure. The life cycle itself stands in promise.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from ledger.api.v1.promise_service_pb2 import (
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_RELEASED,
    PROMISE_STATE_REPLACED,
    PROMISE_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules import promise
from ledger.rules.promise import PromiseState
from ledger.rules.verdict import Refusal, not_allowed, not_opened

STATE_WORDS: Final[dict[int, str]] = {
    PROMISE_STATE_OPEN: "open",
    PROMISE_STATE_KEPT: "kept",
    PROMISE_STATE_KEPT_LATE: "kept late",
    PROMISE_STATE_BROKEN: "broken",
    PROMISE_STATE_RELEASED: "released",
    PROMISE_STATE_WITHDRAWN: "withdrawn",
    PROMISE_STATE_REPLACED: "replaced",
}


def allowed_moves(state: PromiseState) -> tuple[str, ...]:
    """Return the moves that apply now, as topics."""
    disputed = ("promise-disputed",) if state.state in promise.KEPT_STATES or state.partly_kept else ()
    owed = ("promise-reassigned", "promise-kept", "promise-released", "promise-withdrawn")
    if state.state == PROMISE_STATE_OPEN:
        dated = () if state.due_time is not None else ("promise-dated",)
        return (*dated, "promise-renegotiated", *owed, *disputed)
    if state.state == PROMISE_STATE_BROKEN:
        return (*owed, "promise-made with replaces_promise_id", *disputed)
    return disputed


class PromiseRules:
    """The life cycle of promises. See `Rules`."""

    def step(self, state: PromiseState | None, event: Event) -> tuple[PromiseState | None, bool]:
        """See `Rules.step`."""
        return promise.step(state, event)

    def evolve(self, state: PromiseState | None, event: Event) -> PromiseState | None:
        """See `Rules.evolve`."""
        return promise.step(state, event)[0]

    def refusal(self, state: PromiseState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN."""
        if promise.step(state, event)[1]:
            return None
        if state is None:
            return not_opened("promise", event.stream, event.topic, "promise-made")
        moves = tuple(move for move in allowed_moves(state) if move != event.topic)
        return not_allowed("promise", state.promise_id, STATE_WORDS[state.state], event.topic, moves, _cure(state, event))

    def authority(self, state: PromiseState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: PromiseState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""


def _cure(state: PromiseState, event: Event) -> str:
    topic, payload = event.topic, event.payload
    if topic == "promise-made":
        if event.stream == f"promise-{state.promise_id}":
            return "Use another promise id for another promise."
        return "Only a broken promise is replaced: renegotiate an open one."
    if topic == "promise-broken":
        return "The clock's event has nothing to break: the promise has ended, or another event set its due."
    if topic == "promise-disputed":
        return "Name the promise-kept event in force."
    if topic == "promise-dated" and state.state == PROMISE_STATE_OPEN:
        return "Give the date." if state.due_time is None else f"It is due {_said(state.due_time)}: renegotiate it."
    if topic == "promise-kept" and state.state in promise.OWED and state.not_before is not None:
        return f"A call-back counts from {_said(state.not_before)} on: call in the window, or renegotiate it."
    if topic == "promise-renegotiated" and state.state in promise.OWED:
        return _renegotiation_cure(state, event)
    if payload.DESCRIPTOR.name.startswith("Promise") and state.state not in promise.OWED:
        return "It has ended: make a new promise."
    return "Make one of those moves."


def _renegotiation_cure(state: PromiseState, event: Event) -> str:
    if state.due_time is not None and not promise.in_time(state, event):
        return (
            f"It was due {_said(state.due_time)}, before this renegotiation: make a new promise with "
            f"replaces_promise_id {state.promise_id}."
        )
    return "Give a new date after the renegotiation itself."


def _said(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
