"""The life cycle of an official statement: published → replaced | withdrawn | past its own validity.

Pure. That a statement is past needs no event: it follows from its `valid_until` and the time asked about. Nothing moves a statement
that is over at the move's own time; one that is replaced from a later time on still holds until then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ledger.api.v1.answer_service_pb2 import (
    STATEMENT_STATE_PAST,
    STATEMENT_STATE_PUBLISHED,
    STATEMENT_STATE_REPLACED,
    STATEMENT_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules.instant import micros_or_none
from ledger.rules.verdict import Refusal, not_allowed, not_opened

ALLOWED: Final = (
    "statement-announced",
    "statement-acknowledged",
    "statement-withdrawn",
    "statement-published with replaces_statement_id",
)
"""Moves of a statement that is not over."""

STATE_WORDS: Final[dict[int, str]] = {
    STATEMENT_STATE_PUBLISHED: "published",
    STATEMENT_STATE_REPLACED: "replaced",
    STATEMENT_STATE_WITHDRAWN: "withdrawn",
    STATEMENT_STATE_PAST: "past",
}


class Announced(NamedTuple):
    """One sending out."""

    occur_time: int
    channel: str
    audience: str
    recipient_count: int


class StatementState(NamedTuple):
    """A statement. Times are microseconds UTC, unset strings empty."""

    statement_id: str
    state: int
    """A StatementState of the API, PAST apart: what was done to it last, also where that counts from a later time on."""
    question_key: str
    answer_key: str
    object_key: str
    """Empty: in general."""
    department: str
    """Who published it."""
    published_time: int
    record_time: int
    """When the opener was recorded: who answered before could not know it."""
    valid_from: int
    valid_until: int | None
    departments: tuple[str, ...]
    """Those it binds; empty: all."""
    channels: tuple[str, ...]
    """Those it holds on; empty: all."""
    replaces_statement_id: str
    position: int
    """Position of the opener, which holds the words."""
    withdrawn_time: int | None = None
    withdrawn_position: int = 0
    """Position of the withdrawal, which says why; 0: none."""
    replaced_time: int | None = None
    """From when another one replaces it."""
    replaced_by_statement_id: str = ""
    acknowledged: tuple[tuple[str, int], ...] = ()
    """Desks that have read it, and when each first said so."""
    announced: tuple[Announced, ...] = ()

    def over(self, order: int) -> int:
        """Return the state in which it is over at an instant; 0 while it is not. Of several ends the first counts."""
        ends = (
            (self.withdrawn_time, STATEMENT_STATE_WITHDRAWN),
            (self.replaced_time, STATEMENT_STATE_REPLACED),
            (self.valid_until, STATEMENT_STATE_PAST),
        )
        return min(((time, state) for time, state in ends if time is not None and time <= order), default=(0, 0))[1]


def published(event: Event) -> StatementState:
    """Return the statement that its opener makes."""
    payload = event.payload
    valid_from = micros_or_none(payload, "valid_from")
    return StatementState(
        statement_id=payload.statement_id,
        state=STATEMENT_STATE_PUBLISHED,
        question_key=payload.question_key,
        answer_key=payload.answer_key,
        object_key=payload.object_key,
        department=event.header.department,
        published_time=event.occur,
        record_time=event.record,
        valid_from=event.order if valid_from is None else valid_from,
        valid_until=micros_or_none(payload, "valid_until"),
        departments=tuple(dict.fromkeys(payload.departments)),
        channels=tuple(dict.fromkeys(payload.channels)),
        replaces_statement_id=payload.replaces_statement_id,
        position=event.position,
    )


def _announced(state: StatementState, event: Event) -> StatementState:
    payload = event.payload
    one = Announced(event.occur, event.header.channel, payload.audience, payload.recipient_count)
    return state._replace(announced=(*state.announced, one))


def _acknowledged(state: StatementState, event: Event) -> StatementState | None:
    desk = event.header.department
    if not desk:
        return None
    if any(known == desk for known, _ in state.acknowledged):
        return state
    return state._replace(acknowledged=(*state.acknowledged, (desk, event.occur)))


def _withdrawn(state: StatementState, event: Event) -> StatementState:
    return state._replace(state=STATEMENT_STATE_WITHDRAWN, withdrawn_time=event.order, withdrawn_position=event.position)


def _replaced(state: StatementState, event: Event) -> StatementState | None:
    payload = event.payload
    if event.stream == f"statement-{state.statement_id}" or payload.replaces_statement_id != state.statement_id:
        return None
    valid_from = micros_or_none(payload, "valid_from")
    return state._replace(
        state=STATEMENT_STATE_REPLACED,
        replaced_time=event.order if valid_from is None else valid_from,
        replaced_by_statement_id=payload.statement_id,
    )


_MOVES: Final[dict[str, Callable[[StatementState, Event], StatementState | None]]] = {
    "statement-published": _replaced,
    "statement-announced": _announced,
    "statement-acknowledged": _acknowledged,
    "statement-withdrawn": _withdrawn,
}


class StatementRules:
    """The life cycle of official statements. See `Rules`."""

    def step(self, state: StatementState | None, event: Event) -> tuple[StatementState | None, bool]:
        """See `Rules.step`."""
        if state is None:
            return (published(event), True) if event.topic == "statement-published" else (None, False)
        move = _MOVES.get(event.topic)
        if move is None:
            return state, event.topic == "event-confirmed"
        after = None if state.over(event.order) else move(state, event)
        return (state, False) if after is None else (after, True)

    def evolve(self, state: StatementState | None, event: Event) -> StatementState | None:
        """See `Rules.evolve`."""
        return self.step(state, event)[0]

    def refusal(self, state: StatementState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN."""
        if self.step(state, event)[1]:
            return None
        if state is None:
            return not_opened("statement", event.stream, event.topic, "statement-published")
        over = state.over(event.order)
        moves = () if over else tuple(move for move in ALLOWED if move != event.topic)
        word = STATE_WORDS[over or STATEMENT_STATE_PUBLISHED]
        return not_allowed("statement", state.statement_id, word, event.topic, moves, _cure(state, event, over))

    def authority(self, state: StatementState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: StatementState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""


def _cure(state: StatementState, event: Event, over: int) -> str:
    if event.topic == "statement-published" and event.stream == f"statement-{state.statement_id}":
        return "Use another statement id, with replaces_statement_id, for another statement."
    if over == STATEMENT_STATE_REPLACED:
        return f"Statement {state.replaced_by_statement_id} replaces it: go on with that one."
    if over == STATEMENT_STATE_PAST and state.valid_until is not None:
        said = datetime.fromtimestamp(state.valid_until / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"It held until {said}: publish a new one."
    if over:
        return "Publish a new one."
    return "Name the department of the desk in the envelope."
