"""The life cycle of an exception: asked for and granted or denied, or granted at once, and ended."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.api.v1.errors_pb2 import FIELD_REQUIRED, MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.exception_pb2 import (
    EXCLUDED,
    EXTENDED,
    ExceptionDenied,
    ExceptionEnded,
    ExceptionGranted,
    ExceptionRequested,
    ExceptionScope,
)
from ledger.api.v1.exception_service_pb2 import (
    EXCEPTION_STATE_DENIED,
    EXCEPTION_STATE_ENDED,
    EXCEPTION_STATE_GRANTED,
    EXCEPTION_STATE_REQUESTED,
)
from ledger.rules import FAMILIES
from ledger.rules.exception import ExceptionState, Scope
from ledger.rules.fold import fold
from tests.build import at, event, timestamp

OF = {"exception_id": "x-1"}
RULES = FAMILIES["exception"]
REQUESTED = ExceptionRequested(**OF, rule="return_period", reason="goodwill")


def granted(**fields: Any) -> ExceptionGranted:
    said = {"from_time": timestamp(at(0)), "until_time": timestamp(at(9)), "approver": "s-1", "effect": EXCLUDED}
    return ExceptionGranted(**{**OF, **said, "scope": ExceptionScope(request_ids=["r-1"]), **fields})


def after(*payloads: Any) -> ExceptionState | None:
    state: ExceptionState | None = fold(RULES, [event(one, occur=at(minute)) for minute, one in enumerate(payloads)]).state
    return state


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ([REQUESTED], EXCEPTION_STATE_REQUESTED),
        ([REQUESTED, granted()], EXCEPTION_STATE_GRANTED),
        ([granted(rule="return_period")], EXCEPTION_STATE_GRANTED),
        ([REQUESTED, ExceptionDenied(**OF)], EXCEPTION_STATE_DENIED),
        ([REQUESTED, granted(), ExceptionEnded(**OF)], EXCEPTION_STATE_ENDED),
    ],
)
def test_moves_lead_here(moves: list[Any], state: int) -> None:
    found = after(*moves)

    assert found is not None
    assert state == found.state


def test_a_grant_says_what_counts_and_leaves_the_rest_as_asked_for() -> None:
    state = after(REQUESTED, granted(effect=EXTENDED, extended_to=timestamp(at(20))))

    assert state is not None
    assert ("return_period", "goodwill", "s-1") == (state.rule, state.reason, state.approver)
    assert (at(0), at(9), at(20), Scope(request_ids=("r-1",))) == (
        state.from_time,
        state.until_time,
        state.extended_to,
        state.scope,
    )


def test_an_exception_ends_at_the_time_of_its_end() -> None:
    state = after(granted(rule="a"), ExceptionEnded(**OF))

    assert state is not None
    assert (at(1), at(9)) == (state.ended_time, state.until_time)


@pytest.mark.parametrize(
    ("move", "before"),
    [
        (REQUESTED, [REQUESTED]),
        (granted(), [granted(rule="a")]),
        (granted(), [REQUESTED, ExceptionDenied(**OF)]),
        (ExceptionDenied(**OF), [granted(rule="a")]),
        (ExceptionEnded(**OF), [REQUESTED]),
        (ExceptionEnded(**OF), [granted(rule="a"), ExceptionEnded(**OF)]),
    ],
)
def test_what_does_not_apply_is_refused_with_the_cure(move: Any, before: list[Any]) -> None:
    refused = RULES.refusal(after(*before), event(move, occur=at(30)))

    assert refused is not None
    assert MOVE_NOT_ALLOWED == refused.reason


def test_a_grant_that_nobody_asked_for_needs_the_rule() -> None:
    refused = RULES.refusal(None, event(granted()))

    assert refused is not None
    assert FIELD_REQUIRED == refused.reason


def test_an_end_of_nothing_says_what_to_record_first() -> None:
    refused = RULES.refusal(None, event(ExceptionEnded(**OF)))

    assert refused is not None
    assert REFERENCE_UNKNOWN == refused.reason
