"""An exported log in SQLite, laid out as OCEL 2.0 asks: one table an event type, one an object type, and their relations.

The file is itself one of the forms of export; the others are written from it, so that no form holds the log in memory. Events and
objects come out in the order of their ids' first appearance, so equal logs give equal files.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from clients.connectors.export_event import (
    NUMBER,
    OBJECT_ATTRIBUTES,
    TRUTH,
    ExportedEvent,
    ObjectRef,
    attributes_of,
    iso,
    kind_of,
)

BATCH: Final = 2_000
"""Events written at once."""

_EPOCH: Final = "1970-01-01T00:00:00.000000+00:00"
"""From when on an object's attributes hold: OCEL 2.0 asks for a time."""

_TABLES: Final = (
    "CREATE TABLE event (ocel_id TEXT PRIMARY KEY, ocel_type TEXT NOT NULL)",
    "CREATE TABLE object (ocel_id TEXT PRIMARY KEY, ocel_type TEXT NOT NULL)",
    "CREATE TABLE event_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT NOT NULL)",
    "CREATE TABLE object_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT NOT NULL)",
    "CREATE TABLE event_object (ocel_event_id TEXT NOT NULL, ocel_object_id TEXT NOT NULL, ocel_qualifier TEXT NOT NULL, "
    "PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier))",
    "CREATE TABLE object_object (ocel_source_id TEXT NOT NULL, ocel_target_id TEXT NOT NULL, ocel_qualifier TEXT NOT NULL, "
    "PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier))",
)


class Counts(NamedTuple):
    """What was exported."""

    events: int
    objects: int
    event_relations: int
    object_relations: int


class ExportStore:
    """Writes events into a new SQLite file, and reads them back for the other forms. Used in one thread; a context manager."""

    def __init__(self, path: Path) -> None:
        """`path` must not exist yet."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = MEMORY")
        self._db.execute("PRAGMA synchronous = OFF")
        for statement in _TABLES:
            self._db.execute(statement)
        self._attributes: dict[str, list[tuple[str, str]]] = {}
        self._objects: dict[str, list[str]] = {}

    def add(self, events: Iterable[ExportedEvent]) -> None:
        """Write events. One whose id is there already is an error of the log: it is raised by SQLite."""
        self._db.execute("BEGIN")
        for event in events:
            self._add(event)
        self._db.execute("COMMIT")

    def _add(self, event: ExportedEvent) -> None:
        names = self._event_type(event.type)
        self._db.execute("INSERT INTO event VALUES (?, ?)", (event.id, event.type))
        row = (event.id, iso(event.time), *(event.attributes.get(name) for name in names))
        self._db.execute(f'INSERT INTO "event_{_mapped(event.type)}" VALUES ({", ".join("?" * len(row))})', row)
        for one in event.objects:
            self._object(one)
            self._db.execute("INSERT OR IGNORE INTO event_object VALUES (?, ?, ?)", (event.id, one.id, one.role))
        main = event.objects[0] if event.objects else None
        for one in event.objects[1:]:
            if main is not None and one.id != main.id:
                self._db.execute("INSERT OR IGNORE INTO object_object VALUES (?, ?, ?)", (main.id, one.id, one.role))
        if event.opens is not None and event.object_attributes:
            columns = OBJECT_ATTRIBUTES[event.opens.type]
            values = [event.object_attributes.get(name) for name in columns]
            sets = ", ".join(f'"{name}" = coalesce("{name}", ?)' for name in columns)
            self._db.execute(f'UPDATE "object_{_mapped(event.opens.type)}" SET {sets} WHERE ocel_id = ?', (*values, event.opens.id))

    def _event_type(self, topic: str) -> list[str]:
        """Return the names of a topic's attributes, once its table is there."""
        known = self._attributes.get(topic)
        if known is None:
            kind = kind_of(topic)
            known = self._attributes[topic] = attributes_of(kind) if kind else []
            columns = "".join(f', "{name}" {"INTEGER" if type_ in (NUMBER, TRUTH) else "TEXT"}' for name, type_ in known)
            self._db.execute(f'CREATE TABLE "event_{_mapped(topic)}" (ocel_id TEXT PRIMARY KEY, ocel_time TEXT NOT NULL{columns})')
            self._db.execute("INSERT INTO event_map_type VALUES (?, ?)", (topic, _mapped(topic)))
        return [name for name, _ in known]

    def _object(self, one: ObjectRef) -> None:
        if one.type not in self._objects:
            names = self._objects[one.type] = list(OBJECT_ATTRIBUTES.get(one.type, ()))
            columns = "".join(f', "{name}" TEXT' for name in names)
            self._db.execute(
                f'CREATE TABLE "object_{_mapped(one.type)}" '
                f"(ocel_id TEXT PRIMARY KEY, ocel_time TEXT NOT NULL, ocel_changed_field TEXT{columns})"
            )
            self._db.execute("INSERT INTO object_map_type VALUES (?, ?)", (one.type, _mapped(one.type)))
        if self._db.execute("INSERT OR IGNORE INTO object VALUES (?, ?)", (one.id, one.type)).rowcount:
            self._db.execute(f'INSERT INTO "object_{_mapped(one.type)}" (ocel_id, ocel_time) VALUES (?, ?)', (one.id, _EPOCH))

    # Read back

    @property
    def event_types(self) -> dict[str, list[tuple[str, str]]]:
        """Name and type of the attributes of each event type, by type."""
        return dict(sorted(self._attributes.items()))

    @property
    def object_types(self) -> dict[str, list[str]]:
        """Names of the attributes of each object type, by type."""
        return dict(sorted(self._objects.items()))

    def counts(self) -> Counts:
        """Return how much there is."""
        tables = ("event", "object", "event_object", "object_object")
        return Counts(*(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables))

    def events(self, topic: str) -> Iterator[tuple[str, str, tuple[Any, ...], list[tuple[str, str]]]]:
        """Yield the events of a type: id, time, values of its attributes, and (object id, role) of each object."""
        rows = self._db.execute(f'SELECT * FROM "event_{_mapped(topic)}" ORDER BY rowid')
        for event_id, time, *values in rows:
            yield event_id, time, tuple(values), self._related("event_object", "ocel_event_id", "ocel_object_id", event_id)

    def objects(self, type_: str) -> Iterator[tuple[str, tuple[Any, ...], list[tuple[str, str]]]]:
        """Yield the objects of a type: id, values of its attributes, and (object id, role) of each object it relates to."""
        for object_id, _, _, *values in self._db.execute(f'SELECT * FROM "object_{_mapped(type_)}" ORDER BY rowid'):
            yield object_id, tuple(values), self._related("object_object", "ocel_source_id", "ocel_target_id", object_id)

    def _related(self, table: str, source: str, target: str, of: str) -> list[tuple[str, str]]:
        query = f"SELECT {target}, ocel_qualifier FROM {table} WHERE {source} = ? ORDER BY rowid"
        return self._db.execute(query, (of,)).fetchall()

    def traces(self, object_type: str) -> Iterator[tuple[str, list[tuple[str, str, dict[str, Any]]]]]:
        """Yield each object of a type with its events in order of time, then of record: type, time, attributes."""
        for object_id, _, _ in self.objects(object_type):
            found = self._db.execute(
                "SELECT DISTINCT event.ocel_id, event.ocel_type FROM event_object JOIN event ON event.ocel_id = ocel_event_id "
                "WHERE ocel_object_id = ? AND ocel_qualifier = ?",
                (object_id, object_type),
            )
            events = [self._event(event_id, topic) for event_id, topic in found.fetchall()]
            yield object_id, sorted(events, key=lambda one: (one[1], one[2]["position"]))

    def _event(self, event_id: str, topic: str) -> tuple[str, str, dict[str, Any]]:
        row = self._db.execute(f'SELECT * FROM "event_{_mapped(topic)}" WHERE ocel_id = ?', (event_id,)).fetchone()
        names = [name for name, _ in self._attributes[topic]]
        return topic, row[1], {name: value for name, value in zip(names, row[2:], strict=True) if value is not None}

    def index(self) -> None:
        """Make what `traces` looks for quick to find. Call it before."""
        self._db.execute("CREATE INDEX event_object_object ON event_object (ocel_object_id)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()


def _mapped(type_: str) -> str:
    """Return the part of a table's name that stands for a type: `contact-received` is `ContactReceived`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9_]+", type_))
