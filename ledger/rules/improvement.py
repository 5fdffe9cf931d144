"""The life cycle of an improvement: proposed → closed.

Pure.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ledger.api.v1.improvement_service_pb2 import IMPROVEMENT_STATE_CLOSED, IMPROVEMENT_STATE_PROPOSED
from ledger.event import Event
from ledger.rules.verdict import Refusal, not_allowed, not_opened

STATE_WORDS: Final[dict[int, str]] = {IMPROVEMENT_STATE_PROPOSED: "proposed", IMPROVEMENT_STATE_CLOSED: "closed"}


class ImprovementState(NamedTuple):
    """An improvement. Times are microseconds UTC, unset strings empty."""

    improvement_id: str
    state: int
    """An ImprovementState of the API."""
    problem: str
    evidence_event_ids: tuple[str, ...]
    owner_departments: tuple[str, ...]
    step: str
    figure: str
    department: str
    """Who proposed it."""
    proposed_time: int
    position: int
    """Position of the opener, which holds the words."""
    closed_time: int | None = None
    outcome_position: int = 0
    """Position of the closing, which holds the words; 0: none."""
    effect: int = 0


class ImprovementRules:
    """The life cycle of improvements. See `Rules`."""

    def step(self, state: ImprovementState | None, event: Event) -> tuple[ImprovementState | None, bool]:
        """See `Rules.step`."""
        if state is None:
            return (_proposed(event), True) if event.topic == "improvement-proposed" else (None, False)
        if event.topic == "improvement-closed" and state.state == IMPROVEMENT_STATE_PROPOSED:
            closed = state._replace(
                state=IMPROVEMENT_STATE_CLOSED,
                closed_time=event.occur,
                outcome_position=event.position,
                effect=event.payload.effect,
            )
            return closed, True
        return state, event.topic == "event-confirmed"

    def evolve(self, state: ImprovementState | None, event: Event) -> ImprovementState | None:
        """See `Rules.evolve`."""
        return self.step(state, event)[0]

    def refusal(self, state: ImprovementState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN."""
        if self.step(state, event)[1]:
            return None
        if state is None:
            return not_opened("improvement", event.stream, event.topic, "improvement-proposed")
        open_ = state.state == IMPROVEMENT_STATE_PROPOSED
        moves = ("improvement-closed",) if open_ else ()
        cure = "Use another improvement id for another problem." if open_ else "It has ended: propose a new improvement."
        return not_allowed("improvement", state.improvement_id, STATE_WORDS[state.state], event.topic, moves, cure)

    def authority(self, state: ImprovementState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: ImprovementState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""


def _proposed(event: Event) -> ImprovementState:
    payload = event.payload
    return ImprovementState(
        improvement_id=payload.improvement_id,
        state=IMPROVEMENT_STATE_PROPOSED,
        problem=payload.problem,
        evidence_event_ids=tuple(dict.fromkeys(one.lower() for one in payload.evidence_event_ids)),
        owner_departments=tuple(dict.fromkeys(payload.owner_departments)),
        step=payload.step,
        figure=payload.figure,
        department=event.header.department,
        proposed_time=event.occur,
        position=event.position,
    )
