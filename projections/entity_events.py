"""Which entities an event belongs to, and which events belong to an entity: its own stream's, and those of others that touch it.

The log lists a stream's own events; the table `touch` of the views file lists the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ledger.catalogue import read_event
from ledger.event import Event
from ledger.rules import family_of
from ledger.rules.correction import NAMES_ANOTHER, about_the_same, belonging_to, touches_as_said
from ledger.rules.touch import LINKING, TOUCHING, touches
from ledger.sqlite_file import in_batches, places

if TYPE_CHECKING:
    from ledger.store.recorder import LogReader

Part = tuple[str, ...]
"""Streams of the entities that an event belongs to, its own first."""

_CONCERNING_OTHERS: Final = LINKING | TOUCHING | NAMES_ANOTHER
"""Topics of the events that may concern other entities than that of their own stream."""


class EntityEvents:
    """Finds events of entities during one batch after another. Raises storage errors as they are."""

    def __init__(self, log: LogReader, db: sqlite3.Connection) -> None:
        self._log = log
        self._db = db
        self._batch: dict[int, Event] = {}
        self._first = 0
        self._touched: list[tuple[int, str]] = []
        self._new: list[tuple[int, str]] = []
        self._links: dict[str, list[tuple[int, str]]] = {}
        """Contacts that the batch links with requests: from which position on, and with which stream."""

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
        if topic not in _CONCERNING_OTHERS:
            return own
        if topic in LINKING and event.payload.contact_id:
            self._links.setdefault(event.payload.contact_id, []).append((event.position, stream))
        if topic == "message-received":
            foreign = (*touches(event), *self._linked_with(event))
        elif topic in TOUCHING:
            foreign = touches(event)
        elif topic in NAMES_ANOTHER:
            return own + self._of_named(event)
        else:
            foreign = ()
        if not foreign:
            return own
        foreign = tuple(one for one in dict.fromkeys(foreign) if one != stream and family_of(one) is not None)
        self._touched.extend((event.position, one) for one in foreign)
        return own + foreign

    def _linked_with(self, message: Event) -> list[str]:
        """Return the requests that the contact of a message was linked with before it: it concerns them too."""
        contact_id, position = message.payload.contact_id, message.position
        sql = "SELECT stream FROM contact_request WHERE contact_id = ? AND position < ?"
        found = [stream for (stream,) in self._db.execute(sql, (contact_id, position))]
        return found + [stream for linked, stream in self._links.get(contact_id, ()) if linked < position]

    def _of_named(self, event: Event) -> Part:
        """Return what an event that this one names touches, by anything it was ever corrected to: its fold there changes.

        There belong that event and all that names it, also where only a correction of it touches.
        """
        rows = self._log.read_stream(event.stream, event.position)
        about = about_the_same(event, [read_event(row.position, row.header) for row in rows])
        streams = dict.fromkeys(stream for one in about for stream in touches_as_said(one))
        if about and about[0].topic == "message-received":
            streams |= dict.fromkeys(self._linked_with(about[0]))
        foreign = tuple(one for one in streams if one != event.stream and family_of(one) is not None)
        self._touched.extend((one.position, stream) for one in about for stream in foreign)
        return foreign

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
        belonging = {stream: belonging_to(stream, of_stream) for stream, of_stream in events.items()}
        return {stream: of_stream for stream, of_stream in belonging.items() if of_stream}

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
        return belonging_to(stream, events) if foreign else events

    def end(self) -> None:
        """End the batch: write what it touched, and the entities that it is the first to name."""
        self._write_touched()
        self._db.executemany("INSERT INTO entity VALUES (?, ?)", self._new)
        self._new.clear()
        links = [(contact_id, stream, position) for contact_id, linked in self._links.items() for position, stream in linked]
        self._db.executemany("INSERT OR IGNORE INTO contact_request VALUES (?, ?, ?)", links)
        self._links.clear()
        self._batch = {}

    def _write_touched(self) -> None:
        if self._touched:
            self._db.executemany("INSERT OR IGNORE INTO touch VALUES (?, ?)", self._touched)
            self._touched.clear()
