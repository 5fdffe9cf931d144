from __future__ import annotations

from pathlib import Path

import pytest
from eventsourcing.application import Application
from eventsourcing.utils import Environment, EnvType

from ledger.api.v1.contact_pb2 import ContactAnswered
from ledger.catalogue import UnknownTopicError
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.mapper import DomainEvent, LedgerMapper
from ledger.store.recorder import StoredEventRow
from ledger.store.stored_event import sealed_event, sealed_notification

# The tail stands apart, as the writer appends it: the same message serialised at once would be other bytes.
HEADER = (
    EventHeader(
        stream="contact-1", topic="contact-answered", payload=ContactAnswered(contact_id="1").SerializeToString()
    ).SerializeToString()
    + EventHeader(revision=2, record_time_micros=5).SerializeToString()
    + EventHeader(stream="contact-1").SerializeToString()
)
ROW = StoredEventRow(9, bytes(16), "contact-1", 2, "contact-answered", 5, HEADER, b"parts")


def test_a_header_is_stored_byte_for_byte() -> None:
    stored = LedgerMapper().to_stored_event(ROW)

    assert HEADER == stored.state
    assert ("contact-1", 2, "contact-answered", bytes(16), b"parts") == (
        stored.originator_id,
        stored.originator_version,
        stored.topic,
        stored.event_id,
        stored.parts,
    )


@pytest.mark.parametrize("stored", [sealed_event(ROW), sealed_notification(ROW)], ids=["event", "notification"])
def test_a_stored_event_is_read_with_its_place_payload_and_parts(stored: object) -> None:
    event = LedgerMapper().to_domain_event(stored)  # type: ignore[arg-type]

    assert (9, "contact-1", 2, "contact-answered", b"parts") == (
        event.position,
        event.originator_id,
        event.originator_version,
        event.topic,
        event.parts,
    )
    assert ContactAnswered(contact_id="1") == event.payload


def test_an_unknown_topic_is_named_with_its_position() -> None:
    header = EventHeader(topic="from-the-future").SerializeToString()

    with pytest.raises(UnknownTopicError, match="Event 9 is of the type from-the-future"):
        LedgerMapper().to_domain_event(sealed_event(ROW._replace(header=header)))


def test_an_event_without_header_bytes_is_not_stored() -> None:
    event = LedgerMapper().to_domain_event(sealed_event(ROW))

    with pytest.raises(TypeError, match="no header bytes"):
        LedgerMapper().to_stored_event(event)


def test_an_application_stores_rows_and_reads_events(tmp_path: Path) -> None:
    class Log(Application[str]):
        def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
            return Environment(name, env)

        def construct_mapper(self) -> LedgerMapper:
            return LedgerMapper()

    app = Log({"PERSISTENCE_MODULE": "ledger.store.sqlite", "LOG_PATH": str(tmp_path / "log.db")})
    app.save(ROW)
    (event,) = app.events.get("contact-1")
    (stored,) = app.recorder.select_notifications(None, 10)
    app.close()

    assert isinstance(event, DomainEvent)
    assert (1, 2, b"parts") == (event.position, event.revision, event.parts)
    assert HEADER == stored.state
