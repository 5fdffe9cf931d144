"""Bytes of any kind are answered with a refusal that says so, and the server lives: nothing unforeseen, no exception's text."""

from __future__ import annotations

import random
import uuid

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from ledger.api.v1 import (
    admin_service_pb2,
    audit_service_pb2,
    handoff_service_pb2,
    history_service_pb2,
    identity_service_pb2,
    insight_service_pb2,
    ledger_service_pb2,
    promise_service_pb2,
    request_service_pb2,
)
from ledger.api.v1.consistency_pb2 import AsOf, Consistency, LedgerToken
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.history_service_pb2 import HistoryFilter, SearchHistoryRequest
from ledger.api.v1.ledger_service_pb2 import AppendRequest
from tests.appending import group, to_append
from tests.refusals import refusal_of

TIMEOUT = 20.0
TRIES = 40

MODULES = (
    admin_service_pb2,
    audit_service_pb2,
    handoff_service_pb2,
    history_service_pb2,
    identity_service_pb2,
    insight_service_pb2,
    ledger_service_pb2,
    promise_service_pb2,
    request_service_pb2,
)
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def good_bytes(method: MethodDescriptor) -> bytes:
    """Return a request that uses much of what a request can hold; most methods know only a part of it."""
    if method.name == "Append":
        contact = ContactReceived(contact_id=uuid.uuid4().hex, reason="x", customer=Identifier(type="email", value="a@example.org"))
        return AppendRequest(groups=[group(to_append(contact, channel="phone"))]).SerializeToString()
    return SearchHistoryRequest(
        consistency=Consistency(at_least=LedgerToken(value="abc")),
        as_of=AsOf(position=3),
        page_size=5,
        words="a b*",
        customer=CustomerReference(customer_id=str(uuid.uuid4())),
        filter=HistoryFilter(channels=["phone"]),
    ).SerializeToString()


def broken(content: bytes, chance: random.Random) -> bytes:
    """Return bytes with some of them changed, left out or added."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
    return bytes(changed)


@pytest.mark.parametrize("path", sorted(METHODS))
def test_bytes_of_any_kind_are_refused_and_nothing_unforeseen_happens(path: str, channel: grpc.Channel) -> None:
    chance = random.Random(path)
    method = METHODS[path]
    call = channel.unary_stream(path) if method.server_streaming else channel.unary_unary(path)
    good = good_bytes(method)

    for number in range(TRIES):
        content = chance.randbytes(chance.randint(0, 60)) if number % 2 else broken(good, chance)
        try:
            answer = call(content, timeout=TIMEOUT)
            if method.server_streaming:
                next(iter(answer), None)
                answer.cancel()
        except grpc.RpcError as error:
            refusal = refusal_of(error)
            assert refusal.reason != "INTERNAL_ERROR", f"{content!r}: {refusal.message}"
