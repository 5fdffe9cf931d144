"""What is passed between processes: groups arrive as intake left them, whatever the event type."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Due, Identifier
from ledger.api.v1.event_pb2 import EventCorrected, EventEnvelope, Payload
from ledger.api.v1.ledger_service_pb2 import EventGroup, StreamExpectation
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.catalogue import BY_TOPIC
from ledger.commit.decision import IncomingGroup
from ledger.commit.passing import pack, unpack
from ledger.commit.reception import receive_groups
from ledger.intake.receive import Incoming
from ledger.internal.v1.passing_pb2 import PassedAppend
from tests.appending import group, to_append
from tests.golden.record import FOLDER


def received(*groups: EventGroup, internal: bool = False) -> list[IncomingGroup]:
    found = receive_groups(groups, internal=internal, home_zone="Europe/Paris", default_region="FR")
    taken = [one for one in found if isinstance(one, IncomingGroup)]
    assert len(found) == len(taken), found
    return taken


def passed(groups: list[IncomingGroup], *, internal: bool = False) -> list[IncomingGroup]:
    message = PassedAppend.FromString(pack(7, groups, internal=internal))
    assert 7 == message.number
    return unpack(message)


def normal(groups: list[IncomingGroup]) -> list[IncomingGroup]:
    """Return the groups with the identifiers of their divisions in normal form: as given, nobody needs them after intake."""
    return [
        group._replace(
            events=[
                event if event.plain is None else event._replace(plain=event.plain._replace(identifiers=event.identifiers))
                for event in group.events
            ]
        )
        for group in groups
    ]


def test_identifiers_dues_and_expectations_arrive_in_normal_form() -> None:
    contact = ContactReceived(
        contact_id="c-1", reason="delivery", customer=Identifier(type="email", value=" A@Example.ORG "), summary="Où est-il ?"
    )
    promise = PromiseMade(promise_id="p-1", kind="delivery", contact_id="c-1", due=Due(local="2026-03-28T14:30"))
    groups = received(
        group(to_append(contact, channel="email", occur=1_770_000_000_000_001), to_append(promise, department="support")),
        group(to_append(contact), expect=StreamExpectation(stream="contact-c-1", revision=3)),
    )

    arrived = passed(groups)

    assert all(event.plain is not None for one in arrived for event in one.events)
    assert normal(groups) == arrived
    assert ("customer", "email", "a@example.org") in arrived[0].events[0].identifiers
    assert 1_770_000_000_000_001 == arrived[0].events[0].occur
    assert [] == list(arrived[0].expectations)


def test_an_id_that_the_ledger_made_arrives_beside_the_envelope_that_has_none() -> None:
    one = to_append(ContactReceived(contact_id="c-1", reason="delivery"))
    one.envelope.ClearField("event_id")
    groups = received(group(one))

    (arrived,) = passed(groups)[0].events

    assert groups[0].events[0].event_id == arrived.event_id
    assert not arrived.envelope.HasField("event_id")


def test_a_correction_arrives_with_what_the_event_should_have_said_inside_its_payload() -> None:
    said = ContactReceived(contact_id="c-1", reason="delivery", customer=Identifier(type="phone", value="01 42 68 53 00"))
    corrected = EventCorrected(
        stream="contact-c-1",
        reason="typing",
        corrected_event_id="01980000-0000-7000-8000-000000000001",
        payload=Payload(contact_received=said),
    )
    groups = received(group(to_append(corrected)))

    (arrived,) = passed(groups)[0].events

    assert groups[0].events[0].corrected == arrived.corrected
    assert arrived.corrected is not None
    arrived.corrected.payload.reason = "invoice"
    assert "invoice" == arrived.payload.payload.contact_received.reason


@pytest.mark.parametrize("internal", [False, True])
def test_it_arrives_whether_a_part_of_the_ledger_appends(internal: bool) -> None:
    groups = received(group(to_append(ContactReceived(contact_id="c-1", reason="delivery"))), internal=internal)

    assert internal == passed(groups, internal=internal)[0].events[0].internal


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_every_event_type_arrives_as_it_left(topic: str) -> None:
    kind = BY_TOPIC[topic]
    golden: dict[str, Any] = json.loads((FOLDER / f"{topic}.json").read_text())["means"]
    payload = ParseDict(golden, kind.message())
    event_id = "01980000-0000-7000-8000-000000000001"
    identifiers = [(name, getattr(payload, name)) for name in kind.identifiers if payload.HasField(name)]
    left = Incoming(
        kind=kind,
        envelope=EventEnvelope(event_id=event_id, channel="email"),
        payload=payload,
        event_id=bytes.fromhex(event_id.replace("-", "")),
        stream=kind.stream_of(payload, event_id),
        occur=None,
        identifiers=tuple((name, one.type, one.value) for name, one in identifiers),
        internal=True,
    )

    (arrived,) = passed([IncomingGroup([left], [])], internal=True)[0].events

    assert left == arrived._replace(corrected=None)
