"""Events for tests, built from payload messages without a ledger.

    from tests.build import event, at, event_id

    received = event(ContactReceived(contact_id="c-1", reason="unknown"), occur=at(0), department="desk", channel="phone")

`event` fills in what a ledger would: the stream from the catalogue, `clock` from the event type, and an event id. Every other part
of the header has a keyword. Unless told otherwise an event is recorded as it occurs, and positions are counted up in the order in
which events are built, so that a test that does not care about them need not name them. Fields that the ledger makes
(`response_due_time`, `due.due_time`, `to_department` …) are set by the test on the payload; `due` helps with the most common one.
"""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1.core_pb2 import PRECISION_UNSPECIFIED, Due
from ledger.catalogue import BY_FIELD
from ledger.event import Event
from ledger.internal.v1.stored_pb2 import EventHeader

START = 1_700_000_040_000_000
"""Where the time of tests begins: a whole minute, 2023-11-14 22:14 UTC, in microseconds."""

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_KINDS = {kind.message.DESCRIPTOR.full_name: kind for kind in BY_FIELD.values()}
_positions = itertools.count(1)


def at(minutes: float) -> int:
    """Return the instant that many minutes after START, in microseconds."""
    return START + round(minutes * MINUTE)


def timestamp(micros: int) -> Timestamp:
    """Return an instant in microseconds as a protobuf Timestamp."""
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def due(micros: int | None, not_before: int | None = None) -> Due:
    """Return a due as intake leaves it: said as an instant and resolved to it. None: no date was said."""
    if micros is None:
        return Due()
    made = Due(instant=timestamp(micros), due_time=timestamp(micros))
    if not_before is not None:
        made.not_before.CopyFrom(timestamp(not_before))
    return made


def event_id(name: str) -> bytes:
    """Return an event id, 16 bytes, that is the same for the same name."""
    return uuid.uuid5(uuid.NAMESPACE_URL, name).bytes


def event_id_text(name: str | bytes) -> str:
    """Return the id as payloads name it. Takes the name, or the 16 bytes of `Event.event_id`."""
    return str(uuid.UUID(bytes=event_id(name) if isinstance(name, str) else name))


def event(
    payload: Any,
    *,
    position: int | None = None,
    occur: int | None = None,
    record: int | None = None,
    name: str | None = None,
    revision: int = 1,
    precision: int = PRECISION_UNSPECIFIED,
    department: str = "",
    channel: str = "",
    actor: str = "",
    subject: bytes = b"",
    import_run: str = "",
    record_late: bool = False,
    supervisor: bool = False,
    held_back: bool = False,
    **header: Any,
) -> Event:
    """Return the event of a payload.

    `position` defaults to one more than that of the event built before. `occur` and `record` are microseconds UTC; `occur` defaults
    to START, `record` to `occur`. `name` gives the event id (`event_id`), by default one of its own for every event. `precision` is
    one of the API's. What else stands in an EventHeader may be given by its name there.
    """
    position = next(_positions) if position is None else position
    occur = START if occur is None else occur
    kind = _KINDS[payload.DESCRIPTOR.full_name]
    own_id = event_id(name if name is not None else f"event {position} of {kind.topic} at {occur}")
    stored = EventHeader(
        event_id=own_id,
        stream=kind.stream_of(payload, str(uuid.UUID(bytes=own_id))),
        topic=kind.topic,
        schema_version=1,
        subject=subject,
        occur_time_micros=occur,
        precision=precision,
        channel=channel,
        department=department,
        actor=actor,
        import_run=import_run,
        record_late=record_late,
        supervisor=supervisor,
        held_back=held_back,
        revision=revision,
        record_time_micros=occur if record is None else record,
        payload=payload.SerializeToString(deterministic=True),
        **header,
    )
    return Event(position=position, header=stored, payload=payload, clock=kind.clock)
