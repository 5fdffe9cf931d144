"""How corrections and retractions reach the views, and how events stand by them, as known (domain rule 8.12).

Three ways, one for each kind of view:

- Folds take them in by themselves (ledger.rules.fold).
- A view over single events gets, where a correction stands in the log, the event that it makes: of the original's kind, id and
  corrected place, at the position of the correction (`as_said`). Its rows are ended by nobody: `happened` (view.py) hides those at
  positions that do not stand as known, and `events_at` finds what such a row shows.
- A view that has to know what stood before says so (`takes_restating`): it gets corrections and retractions as `RestatingEvent`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from ledger.catalogue import RESTATING, read_event
from ledger.event import Event
from ledger.rules.correction import CORRECTED, RETRACTED, CorrectedEvent, as_stands, named_by, standing
from ledger.sqlite_file import in_batches, places
from projections.view import Changes, Read

if TYPE_CHECKING:
    import sqlite_utils

    from ledger.store.recorder import LogReader, StoredEventRow

NAME: Final = "restated"

_TABLES: Final = (
    """CREATE TABLE restated (
        position INTEGER NOT NULL, from_position INTEGER NOT NULL, until_position INTEGER, by_position INTEGER NOT NULL,
        retracted INTEGER NOT NULL,
        PRIMARY KEY (position, from_position)
    ) WITHOUT ROWID""",
    "CREATE INDEX restated_by ON restated (by_position)",
    """CREATE TABLE hidden (
        said_at INTEGER NOT NULL, hidden_from INTEGER NOT NULL, hidden_until INTEGER,
        PRIMARY KEY (said_at, hidden_from)
    ) WITHOUT ROWID""",
)
"""`restated`: from which position until which an event, by its position, stands otherwise than recorded, and by what.
`hidden`: from which until which what was said at a position, by an original or a correction, does not stand.
"""


class RestatingEvent(Event):
    """A correction or retraction, with what it does to the event that it names."""

    __slots__ = ("after", "before", "by", "original", "shown")

    original: Event | None
    """The event first recorded, whatever is named; None: there is none, and nothing happens."""
    before: Event | None
    """How that stood before; None: it was retracted."""
    after: Event | None
    """How it stands from here on; None: it is retracted."""
    shown: Event | None
    """How it is shown from here on: as corrected, also where it is retracted."""
    by: Event | None
    """What it stands by from here on: a correction, a retraction; None: it stands as recorded."""


def resolved(events: Sequence[Event], log: LogReader) -> Sequence[Event]:
    """Return the events of a batch, corrections and retractions as `RestatingEvent`; the same sequence where there are none."""
    if not any(event.topic in RESTATING for event in events):
        return events
    return [_resolve(event, log) if event.topic in RESTATING else event for event in events]


def as_said(events: Sequence[Event]) -> Sequence[Event]:
    """Return resolved events as views over single events take them: corrections as the events that they make, no retractions."""
    if not any(event.topic in RESTATING for event in events):
        return events
    said: list[Event] = []
    for event in events:
        if not isinstance(event, RestatingEvent):
            said.append(event)
        elif isinstance(event.after, CorrectedEvent) and event.after.correction.position == event.position:
            said.append(event.after.at(event.position))
    return said


def _resolve(event: Event, log: LogReader) -> RestatingEvent:
    made = RestatingEvent(position=event.position, header=event.header, payload=event.payload, parts=event.parts)
    made.original = made.before = made.after = made.shown = made.by = None
    stream = _read(log.read_stream(event.stream, event.position))
    original = _original(stream, event)
    if original is not None:
        earlier = standing(one for one in stream if one.position < event.position).get(original.event_id, [])
        chain = standing(stream).get(original.event_id, [])
        made.original = original
        made.before, made.after = as_stands(original, earlier), as_stands(original, chain)
        made.shown = as_stands(original, [one for one in chain if one.topic == CORRECTED])
        if made.after is None:
            made.by = chain[-1]
        elif isinstance(made.after, CorrectedEvent):
            made.by = made.after.correction
    return made


def _read(rows: Iterable[StoredEventRow]) -> list[Event]:
    return [read_event(row.position, row.header, row.parts) for row in rows]


def _original(stream: Sequence[Event], event: Event) -> Event | None:
    """Return the event first recorded that a correction or retraction is about; None where there is none before it."""
    by_id = {one.event_id: one for one in stream}
    found: Event | None = event
    while found is not None and found.topic in RESTATING:
        named = by_id.get(named_by(found))
        found = named if named is not None and named.position < found.position else None
    return found


class RestatedView:
    """Notes from which position on an event stands corrected or retracted, and by what."""

    name = NAME
    takes_restating = True

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the tables in an empty views file."""
        for statement in _TABLES:
            db.execute(statement)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """End what stood, and begin what stands."""
        for event in events:
            if isinstance(event, RestatingEvent) and event.original is not None:
                _restate(event, event.original.position, db)
                changes.add(event.position, event.original.position, None if event.by is None else event.by.position)


def _restate(event: RestatingEvent, original: int, db: sqlite3.Connection) -> None:
    position, by = event.position, event.by
    row = db.execute("SELECT by_position FROM restated WHERE position = ? AND until_position IS NULL", (original,)).fetchone()
    stood = original if row is None else row[0]
    stands = original if by is None else by.position
    if event.topic == CORRECTED and stands != position:
        db.execute("INSERT INTO hidden VALUES (?, ?, NULL)", (position, position))
    if stood == stands:
        return
    db.execute("UPDATE restated SET until_position = ? WHERE position = ? AND until_position IS NULL", (position, original))
    if by is not None:
        db.execute("INSERT INTO restated VALUES (?, ?, NULL, ?, ?)", (original, position, stands, int(by.topic == RETRACTED)))
    db.execute("INSERT INTO hidden VALUES (?, ?, NULL)", (stood, position))
    db.execute("UPDATE hidden SET hidden_until = ? WHERE said_at = ? AND hidden_until IS NULL", (position, stands))


# Questions


class Restated(NamedTuple):
    """How an event stands otherwise than recorded."""

    by_position: int
    """Position of the correction or retraction that stands."""
    retracted: bool


def restated(read: Read, positions: Iterable[int]) -> dict[int, Restated]:
    """Return, of the events at these positions, those that stand corrected or retracted as known."""
    found: dict[int, Restated] = {}
    for some in in_batches(list(positions)):
        sql = (
            f"SELECT position, by_position, retracted FROM restated WHERE position IN ({places(len(some))}) "
            "AND from_position <= ? AND (until_position IS NULL OR until_position > ?)"
        )
        rows = read.db.execute(sql, (*some, read.known, read.known))
        found.update((position, Restated(by, bool(gone))) for position, by, gone in rows)
    return found


def events_at(read: Read, positions: Iterable[int]) -> dict[int, Event]:
    """Return the events at these positions as they stand as known: an original as corrected, a correction as what it makes of it.

    One retracted is as it was before.
    """
    wanted = set(positions)
    events = {event.position: event for event in _read(read.log.read_positions(sorted(wanted)).values())}
    about = [position for position, event in events.items() if event.topic in RESTATING]
    for position in (*about, *restated(read, wanted)):
        stream = _read(read.log.read_stream(events[position].stream, read.known))
        original = _original(stream, events[position])
        if original is not None:
            chain = [one for one in standing(stream).get(original.event_id, []) if one.topic == CORRECTED]
            events[position] = as_stands(original, chain) or original
    return events


def where_said(read: Read, positions: Sequence[int]) -> dict[int, int]:
    """Return, of events that hold some words, those that stand as known: position of each → of the event to show for it.

    What was corrected does not say its words any more, nor what was retracted; a correction says its own for the event it names.
    """
    said: dict[int, int] = {position: position for position in positions}
    if not positions or read.db.execute("SELECT 1 FROM restated LIMIT 1").fetchone() is None:
        return said
    for some in in_batches(list(positions)):
        sql = (
            f"SELECT said_at FROM hidden WHERE said_at IN ({places(len(some))}) "
            "AND hidden_from <= ? AND (hidden_until IS NULL OR hidden_until > ?)"
        )
        for (position,) in read.db.execute(sql, (*some, read.known, read.known)).fetchall():
            said.pop(position, None)
        sql = (
            f"SELECT by_position, position FROM restated WHERE by_position IN ({places(len(some))}) "
            "AND from_position <= ? AND (until_position IS NULL OR until_position > ?)"
        )
        for by, position in read.db.execute(sql, (*some, read.known, read.known)).fetchall():
            if by in said:
                said[by] = position
    return said
