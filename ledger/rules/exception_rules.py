"""Which moves of exceptions are refused, in words.

Pure. The life cycle itself stands in exception.py.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.api.v1.errors_pb2 import FIELD_REQUIRED
from ledger.api.v1.exception_service_pb2 import (
    EXCEPTION_STATE_DENIED,
    EXCEPTION_STATE_ENDED,
    EXCEPTION_STATE_GRANTED,
    EXCEPTION_STATE_REQUESTED,
)
from ledger.event import Event
from ledger.rules import exception
from ledger.rules.exception import ExceptionState
from ledger.rules.verdict import Refusal, not_allowed, not_opened

STATE_WORDS: Final[dict[int, str]] = {
    EXCEPTION_STATE_REQUESTED: "requested",
    EXCEPTION_STATE_GRANTED: "granted",
    EXCEPTION_STATE_DENIED: "denied",
    EXCEPTION_STATE_ENDED: "ended",
}

_OPENERS: Final = "exception-requested or exception-granted"


def allowed_moves(state: ExceptionState) -> tuple[str, ...]:
    """Return the moves that apply now, as topics."""
    return tuple(topic for topic, states in exception.FROM.items() if state.state in states)


class ExceptionRules:
    """The life cycle of exceptions. See `Rules`."""

    def step(self, state: ExceptionState | None, event: Event) -> tuple[ExceptionState | None, bool]:
        """See `Rules.step`."""
        return exception.step(state, event)

    def evolve(self, state: ExceptionState | None, event: Event) -> ExceptionState | None:
        """See `Rules.evolve`."""
        return exception.step(state, event)[0]

    def refusal(self, state: ExceptionState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN, FIELD_REQUIRED."""
        if exception.step(state, event)[1]:
            return None
        topic = event.topic
        if state is not None:
            moves = tuple(move for move in allowed_moves(state) if move != topic)
            return not_allowed("exception", state.exception_id, STATE_WORDS[state.state], topic, moves, _cure(state, topic))
        if topic != "exception-granted":
            return not_opened("exception", event.stream, topic, _OPENERS)
        return Refusal(
            FIELD_REQUIRED,
            f"Nobody asked for exception {event.payload.exception_id}, so its grant must name the rule: set `rule`.",
            {"exception_id": event.payload.exception_id, "topic": topic, "field": "rule"},
        )

    def authority(self, state: ExceptionState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may; who approved it is named in it."""
        return None

    def complete(self, state: ExceptionState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""


def _cure(state: ExceptionState, topic: str) -> str:
    if topic == "exception-granted" and state.state == EXCEPTION_STATE_GRANTED:
        return "End it, and grant another one with another id."
    if topic == "exception-ended" and state.state == EXCEPTION_STATE_REQUESTED:
        return "It was never granted: deny it."
    return "Use another exception id for another exception."
