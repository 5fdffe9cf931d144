"""The life cycle of opportunities: no one is approached without the consent that a person noted. Two topics open one."""

from typing import Any

import pytest

from ledger.api.v1.core_pb2 import AUTOMATION
from ledger.api.v1.errors_pb2 import MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.opportunity_pb2 import (
    CROSS_SELL,
    RETENTION,
    OpportunityDismissed,
    OpportunityNoted,
    OpportunitySuggested,
    OpportunityTaken,
)
from ledger.api.v1.opportunity_service_pb2 import (
    OPPORTUNITY_STATE_DISMISSED,
    OPPORTUNITY_STATE_NOTED,
    OPPORTUNITY_STATE_SUGGESTED,
    OPPORTUNITY_STATE_TAKEN,
)
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold, in_order, judge
from ledger.rules.opportunity import OpportunityState
from tests.build import at, event

RULES = FAMILIES["opportunity"]
OWN: dict[str, Any] = {"opportunity_id": "o-1"}


def suggested(minutes: float = 0, **fields: Any) -> Event:
    payload = OpportunitySuggested(**OWN, kind=CROSS_SELL, product="warranty", **fields)
    return event(payload, occur=at(minutes), department="sales", actor_kind=AUTOMATION)


def noted(minutes: float = 1, consent: bool = True, **fields: Any) -> Event:
    return event(OpportunityNoted(**OWN, consent=consent, **fields), occur=at(minutes), department="support")


def taken(minutes: float = 2) -> Event:
    return event(OpportunityTaken(**OWN, contact_id="c-9"), occur=at(minutes))


def dismissed(minutes: float = 2) -> Event:
    return event(OpportunityDismissed(**OWN, reason="not_interested"), occur=at(minutes))


def state_of(*events: Event) -> OpportunityState:
    state = fold(RULES, list(events)).state
    assert isinstance(state, OpportunityState)
    return state


def refused(state: OpportunityState | None, one: Event) -> str:
    refusal = RULES.refusal(state, one)
    assert refusal is not None
    assert refusal.reason == (REFERENCE_UNKNOWN if state is None else MOVE_NOT_ALLOWED)
    return refusal.message


def test_a_suggestion_has_nobodys_consent() -> None:
    state = state_of(suggested(contact_id="c-1"))

    assert (OPPORTUNITY_STATE_SUGGESTED, False, AUTOMATION, "sales") == (
        state.state,
        state.consent,
        state.actor_kind,
        state.department,
    )


def test_a_suggestion_is_noted_and_then_taken() -> None:
    state = state_of(suggested(), noted(1, kind=RETENTION, request_id="r-1"), taken(2))

    assert (OPPORTUNITY_STATE_TAKEN, RETENTION, "warranty", "r-1") == (state.state, state.kind, state.product, state.request_id)
    assert (at(0), at(1), at(2), "c-9") == (state.opened_time, state.noted_time, state.ended_time, state.taken_contact_id)


@pytest.mark.parametrize("before", [[suggested()], [suggested(), noted(consent=False)], [noted(), noted(1.5, consent=False)]])
def test_nothing_is_taken_without_the_consent_noted_last(before: list[Event]) -> None:
    state = state_of(*before)

    message = refused(state, taken())

    assert (state, False) == RULES.step(state, taken())
    assert "Allowed now: opportunity-noted, opportunity-dismissed." in message
    assert "Note first that the customer consents (opportunity-noted with consent)." in message


def test_a_person_may_note_what_nobody_suggested() -> None:
    state = state_of(noted(3))

    assert (OPPORTUNITY_STATE_NOTED, True, at(3), "support") == (state.state, state.consent, state.opened_time, state.department)


@pytest.mark.parametrize("before", [[suggested()], [noted()]])
def test_an_open_one_may_be_dismissed(before: list[Event]) -> None:
    state = state_of(*before, dismissed())

    assert (OPPORTUNITY_STATE_DISMISSED, "not_interested") == (state.state, state.dismissed_reason)


@pytest.mark.parametrize("end", [taken(), dismissed()], ids=lambda one: one.topic)
@pytest.mark.parametrize("move", [suggested(5), noted(5), taken(5), dismissed(5)], ids=lambda one: one.topic)
def test_one_that_has_ended_takes_no_move(end: Event, move: Event) -> None:
    state = state_of(noted(), end)

    assert "It has ended: note a new opportunity." in refused(state, move)


def test_nothing_is_suggested_twice() -> None:
    assert "Use another opportunity id" in refused(state_of(suggested()), suggested(1))


def test_without_an_opener_nothing_applies() -> None:
    assert "Record opportunity-suggested or opportunity-noted first." in refused(None, taken())


# Two topics open an opportunity: the one recorded first does, the other one is a move at its own place.


def test_an_opener_of_another_type_is_a_move_at_its_own_place() -> None:
    first, early_move, second = suggested(0), taken(3), noted(5)

    assert [first, early_move, second] == in_order([second, early_move, first][::-1])
    folded = fold(RULES, [first, early_move, second])
    assert (OPPORTUNITY_STATE_NOTED, [early_move]) == (folded.state.state, folded.ineffective)  # type: ignore[union-attr]


def test_a_noting_recorded_first_opens_and_a_suggestion_after_it_does_not_apply() -> None:
    opening, later_recorded = noted(5), suggested(1)

    folded = fold(RULES, [opening, later_recorded])

    assert (OPPORTUNITY_STATE_NOTED, [later_recorded]) == (folded.state.state, folded.ineffective)  # type: ignore[union-attr]


def test_a_second_opener_is_judged_at_its_place_among_the_others() -> None:
    story = [suggested(0), noted(4), taken(6)]

    assert judge(RULES, story, noted(5)).refusal is None
    assert judge(RULES, story, noted(7)).refusal is not None
    assert (story[2],) == judge(RULES, story, noted(5, consent=False)).overtakes
