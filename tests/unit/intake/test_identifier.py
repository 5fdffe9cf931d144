from __future__ import annotations

import pytest

from ledger.api.v1.errors_pb2 import IDENTIFIER_INVALID
from ledger.errors import LedgerError
from ledger.intake.identifier import normalise


@pytest.mark.parametrize("typed", ["01 42 68 53 00", "+33 1 42 68 53 00", "0033142685300", "01.42.68.53.00"])
def test_a_phone_number_is_one_identifier_however_it_is_typed(typed: str) -> None:
    assert ("phone", "+33142685300") == normalise("phone", typed, "FR")


def test_a_mobile_number_is_the_same_identifier_as_a_phone_number() -> None:
    assert normalise("phone", "+33612345678", "FR") == normalise("mobile", "06 12 34 56 78", "FR")


def test_the_region_reads_numbers_without_a_prefix() -> None:
    assert ("phone", "+16172534567") == normalise("phone", "(617) 253-4567", "US")


def test_an_email_address_is_lower_case() -> None:
    assert ("email", "anne.martin@example.org") == normalise("email", " Anne.Martin@Example.ORG ", "FR")


def test_other_identifiers_keep_their_case_and_lose_outer_spaces() -> None:
    assert ("account", "AB 12") == normalise("account", "  AB   12 ", "FR")


@pytest.mark.parametrize(
    ("type_", "value"), [("phone", "12"), ("phone", "hello"), ("email", "nobody"), ("email", "a@"), ("account", "   ")]
)
def test_an_impossible_identifier_is_refused_without_showing_it(type_: str, value: str) -> None:
    with pytest.raises(LedgerError) as refused:
        normalise(type_, value, "FR")

    assert IDENTIFIER_INVALID == refused.value.reason
    assert not value.strip() or value not in str(refused.value)
