import pytest

from clients.cli.customers import parse_customer
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("email:a@example.org", "email", "a@example.org"),
        ("a@example.org", "email", "a@example.org"),
        ("phone:01 42 00 00 00", "phone", "01 42 00 00 00"),
        ("+33 1 42 00 00 00", "phone", "+33 1 42 00 00 00"),
        ("account:K:7", "account", "K:7"),
    ],
)
def test_a_customer_is_named_by_an_identifier(text: str, type_: str, value: str) -> None:
    assert CustomerReference(identifier=Identifier(type=type_, value=value)) == parse_customer(text)


def test_a_uuid_is_a_customer_id() -> None:
    id_ = "019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00"

    assert CustomerReference(customer_id=id_) == parse_customer(id_)


@pytest.mark.parametrize("text", ["", "somebody", "Email:a@example.org", "email:", ":x", "0142000000"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is nobody: write email:"):
        parse_customer(text)
