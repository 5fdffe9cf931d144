"""Which entities an event belongs to, and which events belong to an entity: its own stream's, and those of others that touch it.

The log lists a stream's own events; the table `touch` of the views file lists the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ledger.catalogue import read_event
from ledger.event import Event
from ledger.rules import family_of
from ledger.rules.instant import uuid_bytes
from ledger.rules.touch import TOUCHING, touches
from ledger.sqlite_file import in_batches, places

if TYPE_CHECKING:
    from ledger.store.recorder import LogReader

Part = tuple[str, ...]
"""Streams of the entities that an event belongs to, its own first."""


class EntityEvents:
    """Finds events of entities during one batch after another. Raises storage errors as they are."""

    def __init__(self, log: LogReader, db: sqlite3.Connection) -> None:
        self._log = log
        self._db = db
        self._batch: dict[int, Event] = {}
        self._first = 0
        self._touched: list[tuple[int, str]] = []
        self._new: list[tuple[int, str]] = []

    def begin(self, events: Sequence[Event]) -> None:
        """Begin a batch."""
        self._batch = {event.position: event for event in events}
        self._first = events[0].position

    def parts_of(self, event: Event) -> Part:
        """Return the entities that an event of the batch belongs to; none where no life cycle is concerned."""
        stream, topic = event.stream, event.topic
        own: Part = (stream,) if family_of(stream) is not None else ()
        if own and event.revision == 1:
            self._new.append((event.position, stream))
        if topic in TOUCHING:
            foreign = touches(event)
        elif topic == "event-confirmed":
            foreign = self._touched_by_confirmed(event)
        else:
            return own
        if not foreign:
            return own
        foreign = tuple(one for one in foreign if one != stream and family_of(one) is not None)
        self._touched.extend((event.position, one) for one in foreign)
        return own + foreign

    def _touched_by_confirmed(self, event: Event) -> tuple[str, ...]:
        """Return what the confirmed event touches: the confirmation lets it in there too."""
        event_id = uuid_bytes(event.payload.confirmed_event_id)
        row = self._log.find_event_ids([event_id]).get(event_id)
        if row is None or row.position >= event.position:
            return ()
        return touches(read_event(row.position, row.header))

    def before_batch(self, streams: Mapping[str, bool]) -> dict[str, list[Event]]:
        """Return the events of these streams before the batch, own and foreign; streams without any are left out.

        True with a stream says that it has no own ones.
        """
        self._write_touched()
        events: dict[str, list[Event]] = {}
        for stream, rows in self._log.read_streams([stream for stream, new in streams.items() if not new]).items():
            own = [read_event(row.position, row.header) for row in rows if row.position < self._first]
            if own:
                events[stream] = own
        touched: dict[int, list[str]] = {}
        for some in in_batches(list(streams)):
            sql = f"SELECT stream, position FROM touch WHERE stream IN ({places(len(some))}) AND position < ?"
            for stream, position in self._db.execute(sql, (*some, self._first)):
                touched.setdefault(position, []).append(stream)
        for position, row in self._log.read_positions(list(touched)).items():
            event = read_event(position, row.header)
            for stream in touched[position]:
                events.setdefault(stream, []).append(event)
        return events

    def until(self, stream: str, position: int) -> list[Event]:
        """Return all events of an entity up to a position of the batch (inclusive), own and foreign."""
        self._write_touched()
        rows = self._log.read_stream(stream, position)
        sql = "SELECT position FROM touch WHERE stream = ? AND position <= ?"
        foreign = [touching for (touching,) in self._db.execute(sql, (stream, position))]
        missing = [touching for touching in foreign if touching not in self._batch]
        found = {row.position: row for row in rows} | self._log.read_positions(missing)
        events = [self._batch.get(place) or read_event(place, row.header) for place, row in found.items()]
        events.extend(self._batch[touching] for touching in foreign if touching in self._batch)
        return events

    def end(self) -> None:
        """End the batch: write what it touched, and the entities that it is the first to name."""
        self._write_touched()
        self._db.executemany("INSERT INTO entity VALUES (?, ?)", self._new)
        self._new.clear()
        self._batch = {}

    def _write_touched(self) -> None:
        if self._touched:
            self._db.executemany("INSERT INTO touch VALUES (?, ?)", self._touched)
            self._touched.clear()
