from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Attachment, Fact, Identifier, ObjectReference
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.catalogue import put_back_bytes, take_sealed


@pytest.mark.parametrize(
    "payload",
    [
        FactGiven(fact=Fact(key="size", value="XL"), contact_id="c-1"),
        ContactReceived(
            contact_id="c-1", customer=Identifier(type="phone", value="+33142000000"), reason="x", summary="s", body="b"
        ),
        ContactReceived(contact_id="c-1", reason="x", attachments=[Attachment(name="a", sha256=b"1"), Attachment(name="b")]),
        RequestOpened(
            request_id="r-1",
            wish="w",
            objects=[ObjectReference(type="order", value="1"), ObjectReference(type="parcel", value="2")],
            intake_facts=[Fact(key="size", value="XL"), Fact(key="asked")],
        ),
    ],
)
def test_a_sealed_part_put_back_as_bytes_gives_the_payload_it_was_taken_from(payload: Any) -> None:
    clear = type(payload)()
    clear.CopyFrom(payload)
    part = take_sealed(clear)
    assert isinstance(part, Message)
    assert payload != clear

    put_back_bytes(clear, part.SerializeToString())

    assert payload == clear
