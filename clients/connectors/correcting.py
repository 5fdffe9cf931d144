"""An import run again by a mended mapping: what was recorded with other content becomes a correction of it.

The id of a correction follows from the id of the event and what it should have said: importing again corrects nothing twice.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from clients.connectors.event_id import derived_id
from clients.connectors.row_stream import RowOutcome
from ledger.api.v1 import options_pb2
from ledger.api.v1.core_pb2 import EXACT
from ledger.api.v1.event_pb2 import PART_ACTOR, PART_CHANNEL, PART_DEPARTMENT, EventToAppend, Payload, RecordedEvent

REASON: Final = "mapping_mended"
STREAMS_REMEMBERED: Final = 10_000

ReadStream = Callable[[str], Iterable[RecordedEvent]]
"""Gives the events of a stream."""

_PLACE: Final = re.compile(r"\{(\w+)\}")
_PARTS: Final = {"channel": PART_CHANNEL, "department": PART_DEPARTMENT, "actor": PART_ACTOR}
_STREAMS: Final[dict[str, str]] = {
    line.name: line.message_type.GetOptions().Extensions[options_pb2.event].stream
    for line in Payload.DESCRIPTOR.oneofs_by_name["kind"].fields
    if line.message_type is not None
}


class _Stream(NamedTuple):
    """What a stream holds."""

    ids: dict[str, str]
    """Ids of its events, by what does not follow from their times."""
    corrected_by: dict[str, list[str]]
    """By id of an event, its corrections, oldest first: of those events whose last one came from an import."""


class Correcting:
    """Finds what rows recorded before, and makes corrections. Used by one thread."""

    def __init__(self, read_stream: ReadStream) -> None:
        self._read_stream = read_stream
        self._streams: OrderedDict[str, _Stream] = OrderedDict()

    def as_recorded(self, outcome: RowOutcome) -> RowOutcome:
        """Return a row whose events bear the ids under which an earlier import recorded them.

        An id begins with the event's own time, so a mended time gives another one; what follows is that of source, row and rule.
        Of an event with a stream of its own nothing is found then: it keeps its new id. An event that an import corrected before
        becomes a correction, so that a mapping mended back is followed too.
        """
        events: list[EventToAppend] = []
        for event in outcome.events:
            shared = _shared_stream(event)
            if shared:
                event.envelope.event_id = self._stream(shared).ids.get(_name_part(event.envelope.event_id), event.envelope.event_id)
            corrections = self._stream(stream_of(event)).corrected_by.get(event.envelope.event_id)
            events.append(correction_of(event, corrections) if corrections else event)
        return outcome._replace(events=tuple(events))

    def _stream(self, stream: str) -> _Stream:
        found = self._streams.get(stream)
        if found is None:
            found = self._streams[stream] = _read(self._read_stream(stream))
            if len(self._streams) > STREAMS_REMEMBERED:
                self._streams.popitem(last=False)
        return found


def _read(events: Iterable[RecordedEvent]) -> _Stream:
    stream = _Stream({}, {})
    for event in events:
        event_id = event.envelope.event_id
        if event.topic != "event-corrected":
            stream.ids[_name_part(event_id)] = event_id
            continue
        corrected = event.payload.event_corrected.corrected_event_id
        if event.envelope.import_run:
            stream.corrected_by.setdefault(corrected, []).append(event_id)
        else:
            # A person had the last word: an import that says nothing new leaves it.
            stream.corrected_by.pop(corrected, None)
    return stream


def correction_of(event: EventToAppend, corrections: Sequence[str] = ()) -> EventToAppend:
    """Return the correction that says what an event recorded under the same id should have said: all of it, and when and where.

    `corrections`: ids of those that imports made of it so far, oldest first. Where the last one says the same, it comes again.
    """
    envelope = event.envelope
    made = EventToAppend()
    correction = made.payload.event_corrected
    correction.stream = stream_of(event)
    correction.corrected_event_id = envelope.event_id
    correction.reason = REASON
    correction.payload.CopyFrom(event.payload)
    said = correction.envelope
    said.occur_time.CopyFrom(envelope.occur_time)
    said.precision = envelope.precision or EXACT
    for name, part in _PARTS.items():
        if envelope.HasField(name):  # type: ignore[arg-type]
            setattr(said, name, getattr(envelope, name))
        else:
            said.without.append(part)
    content = correction.SerializeToString(deterministic=True).hex()
    # The time of what it corrects, not that of the import: sent again, it has to be the same.
    made.envelope.occur_time.CopyFrom(envelope.occur_time)

    def id_after(earlier: str) -> str:
        return derived_id(envelope.occur_time.ToMicroseconds(), envelope.event_id, content, earlier)

    *before, last = ("", *corrections)
    again = id_after(before[-1]) if before else ""
    made.envelope.event_id = last if last and last == again else id_after(last)
    for name in ("department", "actor", "source", "import_run"):
        if envelope.HasField(name):  # type: ignore[arg-type]
            setattr(made.envelope, name, getattr(envelope, name))
    if envelope.HasField("actor_kind"):
        made.envelope.actor_kind = envelope.actor_kind
    return made


def stream_of(event: EventToAppend) -> str:
    """Return the stream of an event."""
    kind = event.payload.WhichOneof("kind") or ""
    payload = getattr(event.payload, kind)
    names = {name: getattr(payload, name) for name in _PLACE.findall(_STREAMS[kind]) if name != "event_id"}
    return _STREAMS[kind].format(event_id=event.envelope.event_id, **names)


def _shared_stream(event: EventToAppend) -> str:
    """Return the stream of an event; empty where every event of its kind has one of its own."""
    return "" if "{event_id}" in _STREAMS[event.payload.WhichOneof("kind") or ""] else stream_of(event)


def _name_part(event_id: str) -> str:
    """Return what of a derived id does not follow from the event's time."""
    return event_id[14:].lower()
