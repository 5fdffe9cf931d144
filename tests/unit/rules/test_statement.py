"""The life cycle of official statements: published, replaced, withdrawn, past; who has read them."""

from typing import Any

import pytest

from ledger.api.v1.answer_pb2 import StatementAcknowledged, StatementAnnounced, StatementPublished, StatementWithdrawn
from ledger.api.v1.answer_service_pb2 import (
    STATEMENT_STATE_PAST,
    STATEMENT_STATE_PUBLISHED,
    STATEMENT_STATE_REPLACED,
    STATEMENT_STATE_WITHDRAWN,
)
from ledger.api.v1.core_pb2 import DAY
from ledger.api.v1.errors_pb2 import MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold
from ledger.rules.statement import Announced, StatementState
from tests.build import at, event, timestamp

RULES = FAMILIES["statement"]
OWN: dict[str, Any] = {"statement_id": "s-1"}


def published(minutes: float = 0, name: str = "s-1", **fields: Any) -> Event:
    return event(StatementPublished(statement_id=name, question_key="runs", answer_key="no", **fields), occur=at(minutes))


def replaced(minutes: float, **fields: Any) -> Event:
    return published(minutes, "s-2", replaces_statement_id="s-1", **fields)


def withdrawn(minutes: float) -> Event:
    return event(StatementWithdrawn(**OWN), occur=at(minutes))


def read_by(desk: str, minutes: float = 1) -> Event:
    return event(StatementAcknowledged(**OWN), occur=at(minutes), department=desk)


def state_of(*events: Event) -> StatementState:
    state = fold(RULES, list(events), "statement-s-1").state
    assert isinstance(state, StatementState)
    return state


def refused(state: StatementState | None, one: Event) -> str:
    refusal = RULES.refusal(state, one)
    assert refusal is not None
    assert refusal.reason == (REFERENCE_UNKNOWN if state is None else MOVE_NOT_ALLOWED)
    return refusal.message


def test_a_statement_holds_from_its_publication_where_it_says_nothing_else() -> None:
    assert (at(3), None) == (state_of(published(3)).valid_from, state_of(published(3)).valid_until)
    assert (at(9), at(11)) == state_of(published(3, valid_from=timestamp(at(9)), valid_until=timestamp(at(11))))[8:10]


def test_a_statement_published_on_some_day_holds_from_the_end_of_it() -> None:
    one = event(StatementPublished(**OWN, question_key="runs", answer_key="no"), occur=at(0), precision=DAY)

    assert one.order == state_of(one).valid_from


def test_each_desk_is_listed_once_with_the_first_time_it_read_it() -> None:
    state = state_of(published(), read_by("counter", 2), read_by("web", 3), read_by("counter", 4))

    assert (("counter", at(2)), ("web", at(3))) == state.acknowledged


def test_who_reads_it_has_to_be_a_desk() -> None:
    message = refused(state_of(published()), read_by(""))

    assert "Name the department of the desk in the envelope." in message


def test_announcements_are_kept_in_order_with_channel_and_number() -> None:
    mail = event(StatementAnnounced(**OWN, audience="passengers", recipient_count=7), occur=at(2), channel="email")
    sms = event(StatementAnnounced(**OWN), occur=at(1), channel="sms")

    assert (Announced(at(1), "sms", "", 0), Announced(at(2), "email", "passengers", 7)) == state_of(
        published(), mail, sms
    ).announced


def test_another_one_replaces_it_from_its_own_validity_on() -> None:
    state = state_of(published(), replaced(5, valid_from=timestamp(at(8))), read_by("counter", 7))

    assert (STATEMENT_STATE_REPLACED, at(8), "s-2") == (state.state, state.replaced_time, state.replaced_by_statement_id)
    assert (("counter", at(7)),) == state.acknowledged
    assert (0, STATEMENT_STATE_REPLACED) == (state.over(at(8) - 1), state.over(at(8)))
    assert "Statement s-2 replaces it: go on with that one." in refused(state, read_by("web", 8))


def test_one_that_is_replaced_later_may_still_be_withdrawn_before() -> None:
    state = state_of(published(), replaced(5, valid_from=timestamp(at(8))), withdrawn(6))

    assert (STATEMENT_STATE_WITHDRAWN, at(6)) == (state.state, state.withdrawn_time)
    assert STATEMENT_STATE_WITHDRAWN == state.over(at(9))


def test_a_statement_that_names_another_as_replaced_leaves_this_one_alone() -> None:
    other = published(5, "s-3", replaces_statement_id="s-2")

    assert STATEMENT_STATE_PUBLISHED == fold(RULES, [published(), other], "statement-s-1").state.state  # type: ignore[union-attr]


@pytest.mark.parametrize("move", [read_by("counter", 5), withdrawn(5), replaced(5)], ids=lambda one: one.topic)
def test_nothing_moves_a_withdrawn_statement(move: Event) -> None:
    state = state_of(published(), withdrawn(5))

    assert (state, False) == RULES.step(state, move)
    assert "Statement s-1 is withdrawn" in refused(state, move)


def test_a_statement_past_its_validity_takes_no_move_and_no_event_says_so() -> None:
    state = state_of(published(valid_until=timestamp(at(5))))

    assert (0, STATEMENT_STATE_PAST) == (state.over(at(5) - 1), state.over(at(5)))
    assert STATEMENT_STATE_PUBLISHED == state.state
    assert "is past: statement-withdrawn does not apply" in refused(state, withdrawn(5))
    assert RULES.refusal(state, withdrawn(4)) is None


def test_the_same_id_is_published_once() -> None:
    assert "Use another statement id" in refused(state_of(published()), published(1))


def test_without_its_publication_nothing_applies() -> None:
    assert "Record statement-published first." in refused(None, read_by("counter"))
