"""What an answer states, about what, and how long it claims to hold."""

from typing import Any

import pytest

from ledger.api.v1.answer_pb2 import NOT_CONFIRMED, REFERRED, STATED, AnswerGiven
from ledger.api.v1.core_pb2 import DAY, ObjectReference
from ledger.rules import FAMILIES
from ledger.rules.answer import STATED as STATES_SOMETHING
from ledger.rules.answer import AnswerState, object_scope, scope_of
from tests.build import at, event, timestamp

RULES = FAMILIES["answer"]
PARCEL = ObjectReference(type="parcel", value_mark=b"\1\2")


def answer(**fields: Any) -> AnswerState:
    header = {name: fields.pop(name) for name in ("precision", "occur", "subject") if name in fields}
    payload = AnswerGiven(**{"question_key": "runs", "answer_key": "no", "stance": STATED, **fields})
    state, applied = RULES.step(None, event(payload, **header))
    assert applied
    assert isinstance(state, AnswerState)
    return state


def test_answers_about_the_same_have_the_same_scope() -> None:
    mine = {"object": PARCEL, "subject": b"\1" * 16}
    scopes = [
        answer().scope,
        answer(request_id="r-1").scope,
        answer(object_key="train", request_id="r-1").scope,
        answer(**mine).scope,
        answer(**mine, request_id="r-2").scope,
        answer(object=PARCEL, subject=b"\2" * 16).scope,
    ]

    assert ["", "r r-1", "o train"] == scopes[:3]
    assert scopes[3] == scopes[4] != scopes[5]
    assert ("o train", "") == (object_scope("train"), object_scope(""))


def test_an_object_is_known_by_its_mark_not_by_its_number() -> None:
    one = event(AnswerGiven(question_key="runs", object=PARCEL), subject=b"\1" * 16)

    assert f"m {'01' * 16} parcel 0102" == scope_of(one)


@pytest.mark.parametrize(
    ("fields", "stated"),
    [({}, True), ({"answer_key": ""}, False), ({"stance": NOT_CONFIRMED}, False), ({"stance": REFERRED}, False)],
)
def test_an_answer_states_something_when_it_has_an_answer_and_claims_it(fields: dict[str, Any], stated: bool) -> None:
    assert stated == (answer(**fields).state == STATES_SOMETHING)


@pytest.mark.parametrize(("said", "policy", "until"), [(None, None, None), (9, None, 9), (None, 7, 7), (9, 7, 7), (5, 7, 5)])
def test_its_own_end_and_that_of_the_policy_the_first_counts(said: int | None, policy: int | None, until: int | None) -> None:
    ends = {"valid_until": said, "policy_valid_until": policy}
    state = answer(**{name: timestamp(at(minutes)) for name, minutes in ends.items() if minutes is not None})

    assert (None if until is None else at(until)) == state.claimed_until


def test_a_coarse_answer_may_have_been_given_at_the_beginning_of_its_day_and_stands_at_its_end() -> None:
    state = answer(precision=DAY, occur=at(0))

    assert (state.order_time + 1 - 86_400_000_000, at(0)) == (state.earliest_time, state.occur_time)


def test_an_answer_has_no_moves() -> None:
    state = answer()
    again = event(AnswerGiven(question_key="runs", stance=STATED))

    assert (state, False) == RULES.step(state, again)
    assert RULES.refusal(state, again) is not None
    assert RULES.refusal(None, again) is None
