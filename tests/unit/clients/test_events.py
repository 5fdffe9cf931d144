from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from clients.python import InvalidError, event, group, new_id
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import AUTOMATION, DAY, Identifier
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.ledger_service_pb2 import StreamExpectation
from ledger.api.v1.request_pb2 import RequestResumed
from ledger.catalogue import BY_FIELD

NOTE = NoteAdded(contact_id="c-1", text="called back")


def test_an_event_gets_a_version_7_id_and_the_time_now() -> None:
    made = event(NOTE)

    assert 7 == uuid.UUID(made.envelope.event_id).version
    assert abs(made.envelope.occur_time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(seconds=5)
    assert NOTE == made.payload.note_added


def test_ids_are_made_in_order() -> None:
    made = [new_id() for _ in range(1000)]

    assert sorted(set(made)) == made


def test_an_id_of_the_callers_own_is_kept() -> None:
    own = uuid.uuid4()

    assert str(own) == event(NOTE, event_id=own).envelope.event_id


def test_the_envelope_says_what_was_given() -> None:
    then = datetime(2026, 3, 1, 12, tzinfo=UTC)

    made = event(
        NOTE, occur_time=then, precision="day", actor_kind="automation", channel="phone", import_run="run-1", supervisor=True
    )

    envelope = made.envelope
    assert then == envelope.occur_time.ToDatetime(UTC)
    assert (DAY, AUTOMATION, "phone", "run-1", True) == (
        envelope.precision,
        envelope.actor_kind,
        envelope.channel,
        envelope.import_run,
        envelope.supervisor,
    )
    assert not envelope.HasField("record_late")
    assert not envelope.HasField("department")


@pytest.mark.parametrize("name", BY_FIELD)
def test_every_event_type_can_be_built(name: str) -> None:
    payload = BY_FIELD[name].message()

    assert name == event(payload).payload.WhichOneof("kind")


def test_an_empty_event_is_still_one() -> None:
    assert "request_resumed" == event(RequestResumed()).payload.WhichOneof("kind")


def test_a_payload_may_be_given_whole() -> None:
    assert NOTE == event(Payload(note_added=NOTE)).payload.note_added


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(InvalidError, match="Identifier is not an event"):
        event(Identifier())


def test_a_group_gives_ids_and_times_to_events_without() -> None:
    bare = EventToAppend(envelope=EventEnvelope(channel="phone"), payload=Payload(note_added=NOTE))

    made = group(bare, event(NOTE))

    assert all(one.envelope.event_id and one.envelope.HasField("occur_time") for one in made.events)
    assert 2 == len({one.envelope.event_id for one in made.events})


def test_expectations_are_written_as_revisions_and_words() -> None:
    made = group(event(ContactReceived(contact_id="c")), expectations={"a-1": 3, "b-1": "new", "c-1": "exists", "d-1": 0})

    assert [
        StreamExpectation(stream="a-1", revision=3),
        StreamExpectation(stream="b-1", is_new=True),
        StreamExpectation(stream="c-1", exists=True),
        StreamExpectation(stream="d-1", revision=0),
    ] == list(made.expectations)


def test_an_expectation_that_is_none_of_these_is_refused() -> None:
    with pytest.raises(InvalidError, match="expected a revision"):
        group(event(NOTE), expectations={"a-1": "old"})  # type: ignore[dict-item]
