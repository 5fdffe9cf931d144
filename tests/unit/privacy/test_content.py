from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils import uuid7

from ledger.api.v1.contact_pb2 import ContactAnswered, ContactReceived
from ledger.api.v1.core_pb2 import BOT, CLAIMED, DAY, Attachment, Identifier
from ledger.api.v1.event_pb2 import CONTENT_ERASED, CONTENT_SHOWN, CONTENT_STATE_UNSPECIFIED, RecordedEvent
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.catalogue import read_event, take_sealed
from ledger.event import Event
from ledger.internal.v1.stored_pb2 import EventHeader, SealedParts
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import MasterKey
from ledger.privacy.sealing import SealBrokenError, SubjectKey, seal
from ledger.privacy.vault import Vault, VaultUnavailableError
from ledger.store.recorder import StoredEventRow
from ledger.store.sqlite import open_recorder
from projections.folding import words_of

LEDGER_ID = b"L" * 16
TIME = 1_700_000_000_123_456
ANNA, BERT = ("email", "anna@example.com"), ("phone", "+33612345678")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = Vault(tmp_path / "vault.db", MasterKey(bytes(range(32))))
    yield opened
    opened.close()


def sealed_event(payload: Any, topic: str, parts: list[tuple[SubjectKey, Any]], **header_fields: Any) -> Event:
    """Return an event as it is read from the log; `payload` is clear, `parts` are messages of its type."""
    header = EventHeader(
        event_id=uuid7().bytes,
        ledger_id=LEDGER_ID,
        stream="contact-4711",
        topic=topic,
        schema_version=1,
        subject=parts[0][0].subject if parts else b"",
        occur_time_micros=TIME,
        actor_known=CLAIMED,
        payload=payload.SerializeToString(),
        revision=2,
        record_time_micros=TIME + 1_000_000,
        **header_fields,
    )
    stored = SealedParts()
    for number, (key, part) in enumerate(parts):
        entry, ciphertext = seal(key, LEDGER_ID, header.event_id, number, part.SerializeToString())
        header.parts.append(entry)
        stored.ciphertext.append(ciphertext)
    return read_event(7, header.SerializeToString(), stored.SerializeToString() if parts else None)


def received(vault: Vault) -> tuple[Event, ContactReceived]:
    """Return a recorded contact of Anna's, and the payload as it was given."""
    (anna,), _ = vault.ensure([ANNA])
    given = ContactReceived(
        contact_id="4711",
        customer=Identifier(type=ANNA[0], value=ANNA[1], subject=str(UUID(bytes=anna.subject))),
        reason="delivery",
        summary="Where is my parcel?",
        attachments=[Attachment(name="label.png", sha256=bytes(32)), Attachment(reference="file-2")],
    )
    clear = ContactReceived()
    clear.CopyFrom(given)
    return sealed_event(clear, "contact-received", [(anna, take_sealed(clear))]), given


def linked(vault: Vault) -> tuple[Event, IdentityLinked]:
    """Return a recorded link between Anna and Bert, each identifier under its own key, and the payload as it was given."""
    (anna, bert), _ = vault.ensure([ANNA, BERT])
    given = IdentityLinked(
        left=Identifier(type=ANNA[0], value=ANNA[1], subject=str(UUID(bytes=anna.subject))),
        right=Identifier(type=BERT[0], value=BERT[1], subject=str(UUID(bytes=bert.subject))),
        evidence="said_so",
        note="told us on the phone",
    )
    clear = IdentityLinked()
    clear.CopyFrom(given)
    own = take_sealed(clear, skip=("right",))
    other = IdentityLinked(right=Identifier(value=BERT[1]))
    clear.right.ClearField("value")
    return sealed_event(clear, "identity-linked", [(anna, own), (bert, other)]), given


def test_content_is_put_back_as_it_was_given(vault: Vault) -> None:
    event, given = received(vault)

    assert (given, CONTENT_SHOWN) == ContentReader(vault, LEDGER_ID).open_payload(event)


def test_parts_under_different_keys_are_put_back_together(vault: Vault) -> None:
    event, given = linked(vault)

    assert (given, CONTENT_SHOWN) == ContentReader(vault, LEDGER_ID).open_payload(event)


def test_the_event_itself_stays_clear(vault: Vault) -> None:
    event, _ = received(vault)
    before = event.payload.SerializeToString(deterministic=True)

    ContentReader(vault, LEDGER_ID).open_payload(event)

    assert before == event.payload.SerializeToString(deterministic=True)
    assert not event.payload.HasField("summary")


def test_an_event_without_sealed_content_needs_no_vault(vault: Vault) -> None:
    vault.close()
    event = sealed_event(ContactAnswered(contact_id="4711"), "contact-answered", [])

    assert (event.payload, CONTENT_STATE_UNSPECIFIED) == ContentReader(vault, LEDGER_ID).open_payload(event)


def test_erased_content_is_told_as_erased_and_the_clear_part_stays(vault: Vault) -> None:
    event, _ = received(vault)

    payload, state = ContentReader(vault, LEDGER_ID, erased=lambda subject: subject == event.subject).open_payload(event)

    assert (event.payload, CONTENT_ERASED) == (payload, state)


def test_what_belongs_to_another_subject_is_still_shown_when_one_is_erased(vault: Vault) -> None:
    event, given = linked(vault)

    payload, state = ContentReader(vault, LEDGER_ID, erased=lambda subject: subject == event.subject).open_payload(event)

    assert CONTENT_ERASED == state
    assert ("", "", given.right) == (payload.left.value, payload.note, payload.right)


def test_a_missing_key_is_a_failing_vault_not_an_erasure(vault: Vault) -> None:
    unknown = SubjectKey(bytes(16), 1, bytes(32))
    event = sealed_event(ContactReceived(contact_id="4711"), "contact-received", [(unknown, ContactReceived(summary="x"))])

    with pytest.raises(VaultUnavailableError, match="not erased"):
        ContentReader(vault, LEDGER_ID).open_payload(event)


def test_a_vault_that_cannot_be_read_is_unavailable(tmp_path: Path, vault: Vault) -> None:
    event, _ = received(vault)
    with closing(Vault(tmp_path / "vault.db", MasterKey(bytes(range(32))), read_only=True)) as closed:
        closed.close()

        with pytest.raises(VaultUnavailableError):
            ContentReader(closed, LEDGER_ID).open_payload(event)


def test_missing_parts_are_damage_not_an_erasure(vault: Vault) -> None:
    event, _ = received(vault)
    event.parts = None

    with pytest.raises(SealBrokenError, match="not erased"):
        ContentReader(vault, LEDGER_ID).open_payload(event)


def test_parts_of_another_event_are_damage(vault: Vault) -> None:
    event, other = received(vault)[0], received(vault)[0]
    event.parts = other.parts

    with pytest.raises(SealBrokenError):
        ContentReader(vault, LEDGER_ID).open_payload(event)


def test_a_recorded_event_tells_everything_the_header_knows(vault: Vault) -> None:
    cause = uuid7().bytes
    event = sealed_event(
        ContactAnswered(contact_id="4711"),
        "contact-answered",
        [],
        precision=DAY,
        channel="phone",
        department="care",
        actor="bot-1",
        actor_kind=BOT,
        source="acd",
        source_record_time_micros=TIME + 5,
        import_run="run-1",
        record_late=True,
        supervisor=True,
        held_back=True,
        policy_id="default",
        policy_version=3,
        correlation_id="call-9",
        causation_id=cause,
    )

    recorded = ContentReader(vault, LEDGER_ID).recorded_event(event)

    expected = RecordedEvent(
        position=7,
        stream="contact-4711",
        revision=2,
        topic="contact-answered",
        actor_known=CLAIMED,
        policy_id="default",
        policy_version=3,
        held_back=True,
        content=CONTENT_STATE_UNSPECIFIED,
    )
    expected.record_time.FromMicroseconds(TIME + 1_000_000)
    envelope = expected.envelope
    envelope.event_id = str(UUID(bytes=event.event_id))
    envelope.occur_time.FromMicroseconds(TIME)
    envelope.precision = DAY
    envelope.channel, envelope.department, envelope.actor, envelope.actor_kind = "phone", "care", "bot-1", BOT
    envelope.source = "acd"
    envelope.source_record_time.FromMicroseconds(TIME + 5)
    envelope.import_run, envelope.record_late, envelope.supervisor = "run-1", True, True
    envelope.correlation_id, envelope.causation_id = "call-9", str(UUID(bytes=cause))
    expected.payload.contact_answered.contact_id = "4711"
    assert expected == recorded


def test_what_the_header_does_not_know_is_unset(vault: Vault) -> None:
    event = sealed_event(ContactAnswered(), "contact-answered", [])

    recorded = ContentReader(vault, LEDGER_ID).recorded_event(event)

    assert ["event_id", "occur_time"] == [field.name for field, _ in recorded.envelope.ListFields()]
    assert not recorded.HasField("subject")
    assert not recorded.HasField("policy_id")
    assert "contact_answered" == recorded.payload.WhichOneof("kind")


def test_recorded_events_are_opened_in_order_with_one_look_into_the_vault(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [received(vault)[0], linked(vault)[0], sealed_event(ContactAnswered(), "contact-answered", [])]
    reader = ContentReader(vault, LEDGER_ID)
    expected = [reader.recorded_event(event) for event in events]
    looks: list[set[bytes]] = []
    keys = vault.keys

    def counted(subjects: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        looks.append(set(subjects))
        return keys(looks[-1])

    monkeypatch.setattr(vault, "keys", counted)

    recorded = reader.recorded_events(events)

    assert expected == recorded
    assert [CONTENT_SHOWN, CONTENT_SHOWN, CONTENT_STATE_UNSPECIFIED] == [event.content for event in recorded]
    assert [{part.subject for event in events for part in event.header.parts}] == looks


def test_what_is_sealed_can_be_opened_without_the_rest(vault: Vault) -> None:
    events = [received(vault)[0], linked(vault)[0]]
    reader = ContentReader(vault, LEDGER_ID)

    sealed = reader.sealed_payloads(events)

    for payload, (whole, _) in zip(sealed, reader.open_payloads(events), strict=True):
        words = words_of(whole)
        assert words
        assert words == words_of(payload)


def test_of_an_event_without_sealed_content_what_is_clear_is_returned(vault: Vault) -> None:
    plain = sealed_event(ContactAnswered(contact_id="c-1"), "contact-answered", [])

    assert [plain.payload] == ContentReader(vault, LEDGER_ID).sealed_payloads([plain])


def test_no_content_stands_readable_in_the_log_or_the_vault(tmp_path: Path, vault: Vault) -> None:
    recorder = open_recorder(tmp_path / "log.db")
    events = [received(vault)[0], linked(vault)[0]]
    rows = [
        StoredEventRow(place, event.event_id, f"a-{place}", 1, event.topic, TIME, event.header.SerializeToString(), event.parts)
        for place, event in enumerate(events, 1)
    ]

    with recorder.transaction() as transaction:
        transaction.insert(rows)
    stored = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    recorder.close()
    stored["log.db closed"] = (tmp_path / "log.db").read_bytes()

    secrets = [b"anna", b"612345678", b"parcel", b"label.png", b"told us"]
    assert {"log.db", "log.db-wal", "vault.db", "vault.db-wal"} <= set(stored)
    assert [] == [(name, secret) for name, content in stored.items() for secret in secrets if secret in content]
