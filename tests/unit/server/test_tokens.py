"""Tokens: good on their own branch and with their own arguments, refused when anything about them is not so."""

from __future__ import annotations

import pytest

from ledger.api.v1.consistency_pb2 import AsOf, Consistency, LedgerToken
from ledger.api.v1.errors_pb2 import (
    PAGE_TOKEN_INVALID,
    TOKEN_MALFORMED,
    TOKEN_OF_OTHER_INCARNATION,
    TOKEN_OF_OTHER_LEDGER,
)
from ledger.api.v1.handoff_service_pb2 import HandoffFilter, ListHandoffsRequest
from ledger.api.v1.request_service_pb2 import ListRequestsRequest
from ledger.errors import LedgerError
from ledger.internal.v1.stored_pb2 import PageCursor
from ledger.tokens import (
    Branch,
    arguments_digest,
    read_keys,
    read_page_token,
    read_token,
    write_keys,
    write_page_token,
    write_token,
)

HERE = Branch(b"h" * 16, 1)
DIGEST = b"d" * 16


def cursor(**changes: object) -> PageCursor:
    values = {
        "ledger_id": HERE.ledger_id,
        "incarnation": HERE.incarnation,
        "position": 9,
        "known_position": 7,
        "evaluated_time_micros": 5,
        "arguments_digest": DIGEST,
    }
    return PageCursor(**(values | changes))  # type: ignore[arg-type]


def reason_of(call: object, *arguments: object) -> int:
    with pytest.raises(LedgerError) as refused:
        call(*arguments)  # type: ignore[operator]
    return refused.value.reason


@pytest.mark.parametrize("position", [0, 1, 2**40])
def test_a_token_gives_back_its_position(position: int) -> None:
    token = write_token(HERE, position)

    assert position == read_token(HERE, token)


def test_a_token_of_another_ledger_is_refused() -> None:
    token = write_token(Branch(b"x" * 16, 1), 3)

    assert reason_of(read_token, HERE, token) == TOKEN_OF_OTHER_LEDGER


def test_a_token_of_another_incarnation_is_refused() -> None:
    token = write_token(Branch(HERE.ledger_id, 2), 3)

    assert reason_of(read_token, HERE, token) == TOKEN_OF_OTHER_INCARNATION


@pytest.mark.parametrize("value", ["", "abc", "ü", "a b", "=", "AAAAAAAAAAAA", "x" * 200])
def test_a_text_that_is_no_token_is_refused(value: str) -> None:
    assert reason_of(read_token, HERE, LedgerToken(value=value)) == TOKEN_MALFORMED


def test_a_token_with_one_character_changed_is_refused_wherever_it_is() -> None:
    value = write_token(HERE, 300).value

    for place, old in enumerate(value[:-1]):
        damaged = value[:place] + ("A" if old != "A" else "B") + value[place + 1 :]
        assert reason_of(read_token, HERE, LedgerToken(value=damaged)) == TOKEN_MALFORMED


def test_a_page_token_gives_back_its_cursor() -> None:
    before = cursor(after=write_keys([3, "x", None]), occurred_before_micros=0)

    after = read_page_token(HERE, write_page_token(before), DIGEST)

    assert before == after
    assert read_keys(after.after) == (3, "x", None)
    assert after.HasField("occurred_before_micros")


def test_a_page_token_with_other_arguments_is_refused() -> None:
    assert reason_of(read_page_token, HERE, write_page_token(cursor()), b"e" * 16) == PAGE_TOKEN_INVALID


def test_a_damaged_page_token_is_refused() -> None:
    text = write_page_token(cursor())

    assert reason_of(read_page_token, HERE, text[:-2], DIGEST) == PAGE_TOKEN_INVALID
    assert reason_of(read_page_token, HERE, text + "!", DIGEST) == PAGE_TOKEN_INVALID


def test_a_page_token_of_another_ledger_is_refused() -> None:
    assert reason_of(read_page_token, HERE, write_page_token(cursor(ledger_id=b"x" * 16)), DIGEST) == TOKEN_OF_OTHER_LEDGER


def test_a_ledger_token_is_no_page_token_and_the_other_way_round() -> None:
    assert reason_of(read_page_token, HERE, write_token(HERE, 3).value, DIGEST) == PAGE_TOKEN_INVALID
    assert reason_of(read_token, HERE, LedgerToken(value=write_page_token(cursor()))) == TOKEN_MALFORMED


def test_a_page_token_whose_known_position_is_beyond_its_snapshot_is_refused() -> None:
    assert reason_of(read_page_token, HERE, write_page_token(cursor(known_position=10)), DIGEST) == PAGE_TOKEN_INVALID


def test_the_digest_changes_with_the_arguments_and_the_call() -> None:
    plain = arguments_digest(ListHandoffsRequest())

    assert plain != arguments_digest(ListHandoffsRequest(filter=HandoffFilter(pending=True)))
    assert plain != arguments_digest(ListHandoffsRequest(as_of=AsOf(position=3)))
    assert plain != arguments_digest(ListRequestsRequest())


def test_the_digest_leaves_out_what_the_first_page_pins() -> None:
    plain = arguments_digest(ListHandoffsRequest())

    later = ListHandoffsRequest(page_token="x", page_size=7, consistency=Consistency(any=True))

    assert plain == arguments_digest(later)
