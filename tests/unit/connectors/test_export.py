"""What an exported log holds: clear fields, pseudonyms and marks, in the forms that process-mining tools read."""

from __future__ import annotations

import json
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from clients.connectors.export_event import ENVELOPE, attributes_of, exported, kind_of
from clients.connectors.export_forms import write_ocel_json, write_xes
from clients.connectors.export_store import ExportStore
from ledger.api.v1.contact_pb2 import ContactMade, ContactReceived
from ledger.api.v1.core_pb2 import MOVES, Fact, Identifier, ObjectReference
from ledger.api.v1.event_pb2 import EventEnvelope, Payload, RecordedEvent
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.catalogue import BY_FIELD
from tests.build import at, event_id_text, timestamp

SUBJECT = event_id_text("anna")
FIELDS = {kind.message: field for field, kind in BY_FIELD.items()}


def recorded(position: int, payload: Any, **envelope: Any) -> RecordedEvent:
    field = FIELDS[type(payload)]
    event_id = event_id_text(f"export {position}")
    return RecordedEvent(
        position=position,
        stream=BY_FIELD[field].stream_of(payload, event_id),
        revision=1,
        topic=BY_FIELD[field].topic,
        record_time=timestamp(at(60)),
        subject=SUBJECT,
        envelope=EventEnvelope(event_id=event_id, occur_time=timestamp(at(position)), **envelope),
        payload=Payload(**{field: payload}),
    )


STORY = (
    recorded(
        1,
        ContactReceived(
            contact_id="c-1", customer=Identifier(type="email", subject=SUBJECT), reason="delivery", summary="Where is it?"
        ),
        channel="phone",
        department="desk",
    ),
    recorded(
        2,
        RequestOpened(
            request_id="r-1",
            contact_id="c-1",
            reason="delivery",
            owner_department="desk",
            objects=[ObjectReference(type="order", value="77", value_mark=b"\x01\x02")],
            intake_facts=[Fact(key="address", value="12 rue Haute")],
        ),
    ),
    recorded(
        3,
        HandoffOffered(request_id="r-1", handoff_id="h-1", from_department="desk", to_department="lab", ownership=MOVES),
        department="desk",
        actor="a-7",
    ),
    recorded(4, ContactMade(contact_id="c-2", in_reply_to="c-1", reached=1)),  # type: ignore[arg-type]
)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with ExportStore(tmp_path / "log.sqlite") as store:
        store.add(exported(event) for event in STORY)
        yield store


def test_an_event_names_its_objects_with_their_roles_its_own_first() -> None:
    opened, offered, made = (exported(event) for event in STORY[1:])

    assert [
        ("request:r-1", "request", "request"),
        ("contact:c-1", "contact", "contact"),
        ("order:0102", "object order", "about"),
        (f"customer:{SUBJECT}", "customer", "customer"),
    ] == [tuple(one) for one in opened.objects]
    assert ("handoff:r-1/h-1", "handoff", "handoff") == offered.objects[0]
    assert [("contact:c-2", "contact"), ("contact:c-1", "in reply to")] == [(one.id, one.role) for one in made.objects[:2]]


def test_attributes_are_what_stands_clear() -> None:
    received, opened = exported(STORY[0]), exported(STORY[1])

    assert "desk" == received.attributes["department"]
    assert "delivery" == received.attributes["reason"]
    assert not {"summary", "customer", "contact_id"} & received.attributes.keys()
    assert not any("Haute" in str(value) or "77" == value for value in opened.attributes.values())
    assert {"channel": "phone", "reason": "delivery"} == received.object_attributes


def test_an_enum_is_exported_by_its_name() -> None:
    assert "MOVES" == exported(STORY[2]).attributes["ownership"]


def test_every_event_type_has_its_attributes_and_each_of_them_one_type() -> None:
    for kind, event_type in BY_FIELD.items():
        names = [name for name, _ in attributes_of(kind)]

        assert len(names) == len(set(names)), kind
        assert {name for name, _ in ENVELOPE} <= set(names)
        assert kind == kind_of(event_type.topic)


def test_what_concerns_no_object_says_so() -> None:
    event = recorded(5, PolicyPublished(policy_id="p", policy_version=1))
    event.ClearField("subject")

    assert () == exported(event).objects


def test_sqlite_has_a_table_for_each_type_and_the_relations(store: ExportStore, tmp_path: Path) -> None:
    counts = store.counts()

    db = sqlite3.connect(tmp_path / "log.sqlite")
    types = dict(db.execute("SELECT ocel_type, ocel_type_map FROM event_map_type"))
    kept = db.execute('SELECT ocel_id, reason, owner_department FROM "object_Request"').fetchall()
    db.close()
    assert (4, 6) == counts[:2]
    assert "HandoffOffered" == types["handoff-offered"]
    assert [("request:r-1", "delivery", "desk")] == kept


def test_json_holds_events_objects_and_relations(store: ExportStore, tmp_path: Path) -> None:
    write_ocel_json(store, tmp_path / "log.json")

    log = json.loads((tmp_path / "log.json").read_text())
    request = next(one for one in log["objects"] if one["id"] == "request:r-1")
    assert {"contact", "customer", "handoff", "object order", "request"} == {one["name"] for one in log["objectTypes"]}
    assert {"objectId": "contact:c-1", "qualifier": "contact"} in request["relationships"]
    assert 4 == len(log["events"])
    assert {one["type"] for one in log["events"]} == {one["name"] for one in log["eventTypes"]}


def test_xes_has_a_trace_for_each_request(store: ExportStore, tmp_path: Path) -> None:
    traces = write_xes(store, tmp_path / "log.xes")

    space = "{http://www.xes-standard.org/}"
    (trace,) = ET.parse(tmp_path / "log.xes").getroot().findall(f"{space}trace")
    names = [one.attrib["value"] for one in trace.findall(f"{space}event/{space}string") if one.attrib["key"] == "concept:name"]
    assert 1 == traces
    assert ["request-opened", "handoff-offered"] == names


def test_an_empty_log_is_exported_in_every_form(tmp_path: Path) -> None:
    with ExportStore(tmp_path / "log.sqlite") as store:
        write_ocel_json(store, tmp_path / "log.json")
        traces = write_xes(store, tmp_path / "log.xes")

    assert {"eventTypes": [], "objectTypes": [], "events": [], "objects": []} == json.loads((tmp_path / "log.json").read_text())
    assert 0 == traces
