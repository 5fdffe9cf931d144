"""Pieces of the log as callers see them: filtered, opened, cut to a size that a message carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.ledger_service_pb2 import EventFilter
from ledger.catalogue import read_event
from ledger.privacy.content import ContentReader
from ledger.store.recorder import LogReader, StoredEventRow

SCAN_ROWS: Final = 500
"""Rows read from the log at a time. They are filtered first, so that content is opened only where it is shown."""


class Pieces:
    """Reads the log in pieces. Every method may be called in any thread."""

    def __init__(self, log: LogReader, content: ContentReader) -> None:
        self._log = log
        self._content = content

    def read(self, after: int, until: int, wanted: EventFilter, limit: int = SCAN_ROWS) -> tuple[list[RecordedEvent], int]:
        """Return the wanted events of the next rows, and the position up to which the log was looked at.

        The rows are those after one position and until another, inclusive. At most `limit` events are returned.
        """
        rows, cursor = self._rows(after, until, wanted)
        topics = frozenset(wanted.topics)
        if topics:
            rows = [row for row in rows if row.topic in topics]
        events = [read_event(row.position, row.header, row.parts) for row in rows]
        if wanted.subjects:
            subjects = {UUID(subject).bytes for subject in wanted.subjects}
            events = [event for event in events if event.subject in subjects]
        if len(events) > limit:
            events = events[:limit]
            cursor = events[-1].position
        return self._content.recorded_events(events), cursor

    def by_position(self, position: int) -> RecordedEvent | None:
        """Return the event at a position."""
        return self._opened(self._log.read_positions([position]).get(position))

    def by_id(self, event_id: bytes) -> RecordedEvent | None:
        """Return the event of an id."""
        return self._opened(self._log.find_event_ids([event_id]).get(event_id))

    def _rows(self, after: int, until: int, wanted: EventFilter) -> tuple[Sequence[StoredEventRow], int]:
        if wanted.HasField("stream"):
            stream = [row for row in self._log.read_stream(wanted.stream, until) if row.position > after]
            return stream[:SCAN_ROWS], until if len(stream) <= SCAN_ROWS else stream[SCAN_ROWS - 1].position
        rows = self._log.read(after, SCAN_ROWS, until)
        return rows, rows[-1].position if rows else after

    def _opened(self, row: StoredEventRow | None) -> RecordedEvent | None:
        if row is None:
            return None
        return self._content.recorded_event(read_event(row.position, row.header, row.parts))


def cut(events: Sequence[RecordedEvent], size_max: int) -> list[list[RecordedEvent]]:
    """Divide events into runs whose sizes in bytes add up to at most `size_max`; an event larger than that stands alone."""
    runs: list[list[RecordedEvent]] = []
    room = 0
    for event in events:
        size = event.ByteSize()
        if not runs or size > room:
            runs.append([])
            room = size_max
        runs[-1].append(event)
        room -= size
    return runs
