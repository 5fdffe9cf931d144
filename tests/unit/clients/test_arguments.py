from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import uuid_utils

from clients.python.core.arguments import AsOf, as_of_message, customer_reference, fill, identifier, timestamp
from clients.python.errors import InvalidError
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.handoff_service_pb2 import HANDOFF_BY_TO_DEPARTMENT, HANDOFF_STATE_OFFERED, CountHandoffsRequest, HandoffFilter

ID = "019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00"
EMAIL = CustomerReference(identifier=Identifier(type="email", value="a@example.org"))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("email:a@example.org", EMAIL),
        (("email", "a@example.org"), EMAIL),
        (Identifier(type="email", value="a@example.org"), EMAIL),
        (EMAIL, EMAIL),
        ("account:a:b", CustomerReference(identifier=Identifier(type="account", value="a:b"))),
        (ID, CustomerReference(customer_id=ID)),
        (ID.upper(), CustomerReference(customer_id=ID)),
        (uuid.UUID(ID), CustomerReference(customer_id=ID)),
        (uuid_utils.UUID(ID), CustomerReference(customer_id=ID)),
    ],
)
def test_a_customer_is_named_in_any_of_these_ways(given: Any, meant: CustomerReference) -> None:
    assert meant == customer_reference(given)


@pytest.mark.parametrize("given", ["a@example.org", "", ":x", "email:"])
def test_a_customer_that_is_neither_identifier_nor_id_is_refused(given: str) -> None:
    with pytest.raises(InvalidError, match="type:value"):
        customer_reference(given)


def test_an_identifier_keeps_what_stands_after_the_first_colon() -> None:
    assert Identifier(type="url", value="https://example.org") == identifier("url:https://example.org")


def test_an_as_of_looks_back_on_both_axes() -> None:
    made = as_of_message(AsOf(known=7, occurred_before=NOON, evaluated_time=NOON))

    assert (7, NOON, NOON) == (made.position, made.occurred_before.ToDatetime(UTC), made.evaluated_time.ToDatetime(UTC))


def test_a_number_is_a_position_and_a_time_a_record_time() -> None:
    assert 0 == as_of_message(0).position
    assert "position" == as_of_message(0).WhichOneof("known")
    assert NOON == as_of_message(NOON).record_time.ToDatetime(UTC)


def test_a_time_keeps_its_instant_and_its_microseconds() -> None:
    paris = datetime(2026, 3, 1, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))

    assert datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC) == timestamp(paris, "x").ToDatetime(UTC)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidError, match="zone"):
        as_of_message(datetime(2026, 3, 1))


def test_a_filter_takes_one_code_or_several_and_names_of_enums() -> None:
    filled = HandoffFilter()

    fill(filled, {"hands": "shipping", "to_departments": ["a", "b"], "states": ["offered", 2], "pending": True, "overdue": False})

    assert (["shipping"], ["a", "b"], [HANDOFF_STATE_OFFERED, 2]) == (filled.hands, filled.to_departments, filled.states)
    assert filled.pending
    assert not filled.HasField("overdue")


def test_a_group_may_be_named_by_the_end_of_its_name() -> None:
    request = CountHandoffsRequest()

    fill(request, {"group_by": "to_department"})

    assert [HANDOFF_BY_TO_DEPARTMENT] == request.group_by


def test_a_name_that_fits_several_values_or_none_is_refused_with_the_choices() -> None:
    for name in ("department", "nothing"):
        with pytest.raises(InvalidError, match="handoff_by_to_department"):
            fill(CountHandoffsRequest(), {"group_by": name})


def test_an_argument_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="handz"):
        fill(HandoffFilter(), {"handz": "shipping"})


def test_none_leaves_a_field_unset() -> None:
    filled = HandoffFilter()

    fill(filled, {"request_id": None, "customer": None})

    assert HandoffFilter() == filled
