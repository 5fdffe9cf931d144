"""The life cycle of a complaint: which moves apply, what each one leaves, and its two targets."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.api.v1.complaint_pb2 import (
    COMPLAINT_ACCEPTED,
    COMPLAINT_NOT_ACCEPTED,
    ESCALATED_INSIDE,
    ESCALATED_TO_MEDIATOR,
    NOT_UPHELD,
    UPHELD,
    ComplaintAcknowledged,
    ComplaintAssessed,
    ComplaintClosed,
    ComplaintContested,
    ComplaintEscalated,
    ComplaintInvestigated,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResponded,
    ComplaintWithdrawn,
)
from ledger.api.v1.complaint_service_pb2 import (
    COMPLAINT_STATE_ACKNOWLEDGED,
    COMPLAINT_STATE_ASSESSED,
    COMPLAINT_STATE_CLOSED,
    COMPLAINT_STATE_CONTESTED,
    COMPLAINT_STATE_INVESTIGATED,
    COMPLAINT_STATE_RECEIVED,
    COMPLAINT_STATE_REOPENED,
    COMPLAINT_STATE_RESPONDED,
    COMPLAINT_STATE_WITHDRAWN,
)
from ledger.api.v1.errors_pb2 import MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_VOID,
)
from ledger.rules import FAMILIES
from ledger.rules.complaint import STEPS_MAX, ComplaintState, Step
from ledger.rules.fold import fold
from tests.build import at, event, event_id_text, timestamp

OF = {"complaint_id": "k-1"}
RULES = FAMILIES["complaint"]
RESPONDED = ComplaintResponded(**OF, decision=UPHELD)
APPEAL = ComplaintResponded(**OF, decision=NOT_UPHELD, appeal_told=True)


def received(**fields: Any) -> ComplaintReceived:
    return ComplaintReceived(**{**OF, "owner_department": "desk", **fields})


def after(*payloads: Any) -> ComplaintState:
    events = [event(one, occur=at(minute), position=minute + 1, name=f"event {minute}") for minute, one in enumerate(payloads)]
    folded = fold(RULES, events)
    assert folded.ineffective == []
    state: ComplaintState = folded.state
    return state


def refusal(payload: Any, *before: Any) -> Any:
    state = after(*before) if before else None
    return RULES.refusal(state, event(payload, occur=at(30)))


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ([], COMPLAINT_STATE_RECEIVED),
        ([ComplaintAcknowledged(**OF)], COMPLAINT_STATE_ACKNOWLEDGED),
        ([ComplaintAssessed(**OF)], COMPLAINT_STATE_ASSESSED),
        ([ComplaintInvestigated(**OF)], COMPLAINT_STATE_INVESTIGATED),
        ([ComplaintInvestigated(**OF), ComplaintAcknowledged(**OF)], COMPLAINT_STATE_INVESTIGATED),
        ([ComplaintAssessed(**OF), ComplaintInvestigated(**OF), ComplaintAcknowledged(**OF)], COMPLAINT_STATE_INVESTIGATED),
        ([RESPONDED], COMPLAINT_STATE_RESPONDED),
        ([RESPONDED, ComplaintContested(**OF)], COMPLAINT_STATE_CONTESTED),
        ([RESPONDED, ComplaintContested(**OF), ComplaintInvestigated(**OF)], COMPLAINT_STATE_CONTESTED),
        ([RESPONDED, ComplaintContested(**OF), RESPONDED], COMPLAINT_STATE_RESPONDED),
        ([RESPONDED, ComplaintClosed(**OF, closing=COMPLAINT_ACCEPTED)], COMPLAINT_STATE_CLOSED),
        ([APPEAL, ComplaintContested(**OF), ComplaintClosed(**OF, closing=COMPLAINT_NOT_ACCEPTED)], COMPLAINT_STATE_CLOSED),
        ([ComplaintWithdrawn(**OF)], COMPLAINT_STATE_WITHDRAWN),
        ([RESPONDED, ComplaintWithdrawn(**OF)], COMPLAINT_STATE_WITHDRAWN),
        ([ComplaintWithdrawn(**OF), ComplaintReopened(**OF)], COMPLAINT_STATE_REOPENED),
        ([ComplaintWithdrawn(**OF), ComplaintReopened(**OF), RESPONDED], COMPLAINT_STATE_RESPONDED),
    ],
)
def test_stages_come_in_any_order_and_lead_here(moves: list[Any], state: int) -> None:
    assert state == after(received(), *moves).state


@pytest.mark.parametrize(
    ("move", "before"),
    [
        (received(), []),
        (ComplaintContested(**OF), []),
        (ComplaintClosed(**OF, closing=COMPLAINT_ACCEPTED), []),
        (ComplaintReopened(**OF), []),
        (ComplaintReopened(**OF), [RESPONDED]),
        (ComplaintClosed(**OF, closing=COMPLAINT_NOT_ACCEPTED), [RESPONDED]),
        (ComplaintAcknowledged(**OF), [ComplaintWithdrawn(**OF)]),
        (ComplaintWithdrawn(**OF), [RESPONDED, ComplaintClosed(**OF, closing=COMPLAINT_ACCEPTED)]),
        (ComplaintClosed(**OF, closing=COMPLAINT_ACCEPTED), [ComplaintWithdrawn(**OF), ComplaintReopened(**OF)]),
        (PromiseBroken(promise_id="respond-k-1", complaint_id="k-1", set_by_event_id=event_id_text("event 0")), []),
    ],
)
def test_what_does_not_apply_is_refused_with_the_state_the_moves_and_the_cure(move: Any, before: list[Any]) -> None:
    refused = refusal(move, received(), *before)

    assert MOVE_NOT_ALLOWED == refused.reason
    assert {"complaint_id", "state", "topic", "allowed"} == refused.metadata.keys()


def test_a_move_of_an_unknown_complaint_says_what_to_record_first() -> None:
    refused = refusal(ComplaintAcknowledged(**OF))

    assert (REFERENCE_UNKNOWN, True) == (refused.reason, "complaint-received" in refused.message)


def test_every_step_is_kept_with_its_time_and_department_up_to_a_limit() -> None:
    many = after(received(), *[ComplaintAssessed(**OF)] * (STEPS_MAX + 5))

    assert STEPS_MAX == len(many.steps)
    assert (Step("complaint-received", at(0), ""), Step("complaint-assessed", at(1), "")) == many.steps[:2]


def test_it_is_in_the_hands_of_the_owner_or_of_whom_it_was_escalated_to_inside() -> None:
    inside = ComplaintEscalated(**OF, escalation=ESCALATED_INSIDE, to_department="quality")
    outside = ComplaintEscalated(**OF, escalation=ESCALATED_TO_MEDIATOR)

    assert "desk" == after(received()).hands
    assert "quality" == after(received(), inside).hands
    assert "quality" == after(received(), inside, outside).hands
    assert "desk" == after(received(), inside, ComplaintWithdrawn(**OF), ComplaintReopened(**OF)).hands


def test_what_was_assessed_stays_until_it_is_assessed_anew() -> None:
    state = after(received(), ComplaintAssessed(**OF, severity="high", safety=True), ComplaintAssessed(**OF, impact="wide"))

    assert ("high", "wide", True) == (state.severity, state.impact, state.safety)


# Targets

DUE = {"acknowledge_due_time": timestamp(at(2)), "respond_due_time": timestamp(at(4))}


def targets(*payloads: Any) -> tuple[int, int]:
    state = after(received(**DUE), *payloads)
    assert state.acknowledge is not None
    assert state.respond is not None
    return state.acknowledge.state, state.respond.state


def clock(kind: str) -> PromiseBroken:
    return PromiseBroken(promise_id=f"{kind}-k-1", complaint_id="k-1", set_by_event_id=event_id_text("event 0"))


def test_without_a_policy_that_says_so_it_has_no_targets() -> None:
    assert {} == after(received()).targets


def test_an_acknowledgement_meets_the_one_and_a_response_both() -> None:
    assert (PROMISE_STATE_KEPT, PROMISE_STATE_OPEN) == targets(ComplaintAcknowledged(**OF))
    assert (PROMISE_STATE_KEPT, PROMISE_STATE_KEPT) == targets(RESPONDED)


def test_after_the_due_it_is_broken_and_then_late() -> None:
    filler = ComplaintAssessed(**OF)

    assert (PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN) == targets(filler, clock("acknowledge"))
    assert (PROMISE_STATE_KEPT_LATE, PROMISE_STATE_KEPT_LATE) == targets(
        filler, clock("acknowledge"), filler, clock("respond"), RESPONDED
    )


def test_withdrawn_before_the_due_it_is_void_and_after_it_broken() -> None:
    assert (PROMISE_STATE_VOID, PROMISE_STATE_VOID) == targets(ComplaintWithdrawn(**OF))
    assert (PROMISE_STATE_BROKEN, PROMISE_STATE_VOID) == targets(
        ComplaintAssessed(**OF), clock("acknowledge"), ComplaintWithdrawn(**OF)
    )
