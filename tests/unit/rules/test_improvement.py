"""The life cycle of improvements: proposed, closed."""

from typing import Any

from ledger.api.v1.errors_pb2 import MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.improvement_pb2 import EFFECT_BETTER, EFFECT_WORSE, ImprovementClosed, ImprovementProposed
from ledger.api.v1.improvement_service_pb2 import IMPROVEMENT_STATE_CLOSED
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold
from tests.build import at, event, event_id_text

RULES = FAMILIES["improvement"]


def proposed(minutes: float = 0, **fields: Any) -> Event:
    return event(ImprovementProposed(improvement_id="i-1", problem="address_lost", **fields), occur=at(minutes), department="desk")


def closed(minutes: float = 1, effect: Any = EFFECT_BETTER) -> Event:
    return event(ImprovementClosed(improvement_id="i-1", effect=effect), occur=at(minutes), position=77)


def test_an_improvement_names_its_evidence_and_who_solves_it_each_once() -> None:
    shown_by = event_id_text("returned")

    state = fold(RULES, [proposed(evidence_event_ids=[shown_by.upper(), shown_by], owner_departments=["b", "a", "b"])]).state

    assert ((shown_by,), ("b", "a")) == (state.evidence_event_ids, state.owner_departments)  # type: ignore[union-attr]


def test_a_closed_improvement_says_what_came_of_it() -> None:
    state = fold(RULES, [proposed(), closed(3)]).state

    assert state is not None
    assert (IMPROVEMENT_STATE_CLOSED, EFFECT_BETTER, at(3), 77) == (
        state.state,
        state.effect,
        state.closed_time,
        state.outcome_position,
    )


def test_it_is_closed_once() -> None:
    state = fold(RULES, [proposed(), closed()]).state

    refusal = RULES.refusal(state, closed(2, EFFECT_WORSE))

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert "Improvement i-1 is closed: improvement-closed does not apply. Allowed now: nothing." in refusal.message


def test_it_is_proposed_once() -> None:
    refusal = RULES.refusal(fold(RULES, [proposed()]).state, proposed(1))

    assert refusal is not None
    assert "Use another improvement id for another problem." in refusal.message


def test_what_was_not_proposed_is_not_closed() -> None:
    refusal = RULES.refusal(None, closed())

    assert refusal is not None
    assert REFERENCE_UNKNOWN == refusal.reason
