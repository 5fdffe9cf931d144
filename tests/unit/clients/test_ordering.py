from __future__ import annotations

import pytest
from google.protobuf.descriptor import FieldDescriptor

from clients.python import event, group, identifier
from clients.python.core.batching import BatchCall
from clients.python.core.ordering import keys_of
from ledger.api.v1.contact_pb2 import ContactMade, ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.fact_pb2 import FactConfirmed, FactGiven
from ledger.api.v1.governance_pb2 import EventConfirmed, ImportFinished, ImportStarted
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.identity_pb2 import IdentityLinked, IdentityUnlinked
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.request_pb2 import CustomerInformed, RequestMerged, RequestOpened
from ledger.catalogue import BY_FIELD

A, B = identifier("email:a@example.org"), identifier("phone:+33142000000")
FACT = event(FactGiven(fact=Fact(key="size"), customer=A))
LINK = event(IdentityLinked(left=A, right=B))


def conflict(first: EventToAppend, second: EventToAppend) -> bool:
    def overtakes(one: EventToAppend, other: EventToAppend) -> bool:
        call: BatchCall[str] = BatchCall()
        call.block(keys_of([one]))
        return call.conflicts(keys_of([other]))

    assert overtakes(first, second) == overtakes(second, first)
    return overtakes(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (event(ContactReceived(contact_id="1")), event(NoteAdded(contact_id="1"))),
        (event(ContactReceived(thread_id="1")), event(ContactReceived(thread_id="1"))),
        (event(ContactReceived(contact_id="1")), event(RequestOpened(request_id="1", contact_id="1"))),
        (event(ContactReceived(contact_id="1")), event(ContactMade(contact_id="2", in_reply_to="1"))),
        (event(RequestOpened(request_id="1")), event(RequestOpened(request_id="2", follows_request_id="1"))),
        (event(RequestOpened(request_id="1")), event(RequestMerged(request_id="2", into_request_id="1"))),
        (event(RequestOpened(request_id="1")), event(HandoffOffered(request_id="1", handoff_id="1"))),
        (event(RequestOpened(request_id="1")), event(PromiseMade(promise_id="1", request_id="1"))),
        (event(PromiseMade(promise_id="1")), event(PromiseMade(promise_id="2", replaces_promise_id="1"))),
        (event(PromiseMade(promise_id="1")), event(HandoffOffered(request_id="1", handoff_id="1", promise_ids=["2", "1"]))),
        (event(PromiseMade(promise_id="1")), event(CustomerInformed(request_id="1", promise_id="1"))),
        (event(ContactReceived(contact_id="1")), event(PromiseKept(promise_id="response-1"))),
        (event(ImportStarted(run_id="1")), event(ContactReceived(contact_id="1"), import_run="1")),
        (event(ContactReceived(contact_id="1"), import_run="1"), event(ImportFinished(run_id="1"))),
        (event(NoteAdded(contact_id="1")), event(EventConfirmed(stream="contact-1"))),
        (FACT, event(FactGiven(fact=Fact(key="colour"), customer=identifier("email: A@example.org ")))),
        (FACT, event(FactConfirmed(fact_event_id=FACT.envelope.event_id))),
        (event(RequestOpened(request_id="1")), event(FactGiven(request_id="1"))),
        (LINK, event(IdentityUnlinked(link_event_id=LINK.envelope.event_id))),
        (LINK, event(IdentityLinked(left=B, right=identifier("account:7")))),
        (FACT, event(ContactReceived(contact_id="1"), causation_id=FACT.envelope.event_id)),
    ],
    ids=lambda one: one.payload.WhichOneof("kind"),
)
def test_one_must_not_overtake_the_other(first: EventToAppend, second: EventToAppend) -> None:
    assert conflict(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (event(ContactReceived(contact_id="1")), event(ContactReceived(contact_id="2"))),
        (event(ContactReceived(thread_id="1")), event(ContactReceived(thread_id="2"))),
        (event(ContactReceived(contact_id="1", customer=A)), event(ContactReceived(contact_id="2", customer=A))),
        (event(RequestOpened(request_id="1", contact_id="1")), event(RequestOpened(request_id="2", contact_id="1"))),
        (event(ContactReceived(contact_id="1")), event(RequestOpened(request_id="1"))),
        (event(ContactReceived(contact_id="1"), import_run="1"), event(ContactReceived(contact_id="2"), import_run="1")),
        (FACT, event(FactGiven(fact=Fact(key="size"), customer=B))),
    ],
    ids=lambda one: one.payload.WhichOneof("kind"),
)
def test_both_may_go_at_once(first: EventToAppend, second: EventToAppend) -> None:
    assert not conflict(first, second)


def test_a_group_has_the_keys_of_all_its_events_and_expectations() -> None:
    both = group(event(ContactReceived(contact_id="1")), event(RequestOpened(request_id="1")), expectations={"promise-1": "exists"})

    made = keys_of(both.events, both.expectations)

    assert {"contact-1", "request-1"} <= set(made.changes)
    assert ["promise-1"] == made.refers


@pytest.mark.parametrize("name", BY_FIELD)
def test_what_an_event_changes_is_what_the_catalogue_calls_its_stream(name: str) -> None:
    kind = BY_FIELD[name]
    payload = kind.message()
    for field in payload.DESCRIPTOR.fields:
        if f"{{{field.name}}}" in kind.stream:
            value: object = "contact-x" if field.name == "stream" else "x"
            setattr(payload, field.name, 7 if field.cpp_type == FieldDescriptor.CPPTYPE_INT64 else value)
    made = event(payload)

    changes = keys_of([made]).changes

    if "{event_id}" in kind.stream:
        assert f"event-{made.envelope.event_id}" in changes
    else:
        assert kind.stream_of(payload, made.envelope.event_id) in changes
