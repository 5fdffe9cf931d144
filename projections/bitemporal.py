"""Rows that can be asked as of any position and any time: how they are laid out, and the one place that writes them.

A version of a row holds what an entity was from one event to the next. It is true on two axes: it stands from `occur_from`
(exclusive) to `occur_until` (inclusive), and the ledger said so from `from_position` on. Its end became known at
`closed_position`; before that it had none. `until_position` is set only when a late event took the version back.

Two tables each: `<name>_now` holds the version that is open today, one per entity and key, indexed in the order of its lists;
`<name>_past` holds versions that ended, each written once. A past version is found by the length of its interval: it stands in
the class of the next power of two, so that those which cover an instant begin at most that long before it. One index an axis
then finds them in time that does not grow with the log, and about half of what it touches is wanted. The index goes on with the
order of the list, so that the first page of a long list is found in the index alone, and only its rows are read.

Knows nothing of events and rules.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress
from operator import ne
from typing import Any, Final, NamedTuple

from ledger.sqlite_file import bindable, in_batches, places
from projections.view import MAX, Changes, Value

Values = tuple[Any, ...]
Row = tuple[int, int, Values]
"""An open version: from_position, occur_from, values."""

OCCUR_SHIFT: Final = 20
"""Intervals of event time shorter than 2**20 µs (a second) share one class."""
SPANS: Final = 41
"""Number of classes: enough for 2**40 positions, and for the years 1900 to 2200 in µs."""


_PAST: Final = (
    *("from_position", "occur_from", "occur_until", "closed_position", "until_position"),
    *("record_class", "occur_class"),
)


class Interval(NamedTuple):
    """A version as a fold of all events has it: without positions."""

    occur_from: int
    occur_until: int
    """`MAX` for the open one."""
    values: Values


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One bitemporal table: its columns are `static` then `moving`, and a version's values stand in that order.

    Equal to itself only: there is one of each, and it is looked up for every row.
    """

    name: str
    static: tuple[str, ...]
    """Columns (`name TYPE`) that hardly ever change in an entity's life, so that their indexes are left alone."""
    moving: tuple[str, ...]
    """Columns that change. One is `state`, an integer."""
    indexes: tuple[str, ...]
    """Indexes of `<name>_now`: columns in the order of a list, a WHERE where only some rows are listed."""
    scopes: tuple[str, ...] = ("subject",)
    """Static columns by which a caller narrows down to a few entities."""
    scopes_of: str = ""
    """Table of the same family whose index by scope serves this one too; empty: it has its own."""
    lead: str = ""
    """Column by which past rows are kept apart, besides their state: most lists name one of its few values. Never NULL."""
    keyed: bool = False
    """True where an entity has several rows, told apart by `key`, an integer; the key is 0 where it has one only."""

    @property
    def order(self) -> tuple[str, ...]:
        """Columns of the order of its lists: those of its first index, which begins with `state`. Empty where it has no lists."""
        state, *columns = self.indexes[0].split(", ")
        return tuple(columns) if state == "state" else ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the value columns, in order."""
        return _names(self)


@cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(column.split()[0] for column in (*table.static, *table.moving))


def create_spans(db: sqlite3.Connection) -> None:
    """Create the table of classes that all bitemporal tables share."""
    db.execute("CREATE TABLE span (class INTEGER PRIMARY KEY, width INTEGER NOT NULL) STRICT")
    db.executemany("INSERT INTO span VALUES (?, ?)", [(number, 1 << number) for number in range(SPANS)])


def create_table(db: sqlite3.Connection, table: Table) -> None:
    """Create a table's two halves, its indexes, and the list of entities that once stood elsewhere."""
    name = table.name
    values = ", ".join((*table.static, *table.moving))
    key = "key INTEGER NOT NULL, " if table.keyed else ""
    primary = ", PRIMARY KEY (entity, key)" if table.keyed else ""
    entity = "entity INTEGER NOT NULL" if table.keyed else "entity INTEGER PRIMARY KEY"
    rowid = "STRICT, WITHOUT ROWID" if table.keyed else "STRICT"
    db.execute(
        f"CREATE TABLE {name}_now ({entity}, {key}from_position INTEGER NOT NULL, occur_from INTEGER NOT NULL, "
        f"{values}{primary}) {rowid}"
    )
    for number, index in enumerate(table.indexes):
        columns, _, condition = index.partition(" WHERE ")
        db.execute(f"CREATE INDEX {name}_now_{number} ON {name}_now ({columns})" + (f" WHERE {condition}" if condition else ""))
    db.execute(
        f"CREATE TABLE {name}_past (id INTEGER PRIMARY KEY, entity INTEGER NOT NULL, {key}from_position INTEGER NOT NULL, "
        "occur_from INTEGER NOT NULL, occur_until INTEGER NOT NULL, closed_position INTEGER NOT NULL, until_position INTEGER, "
        f"record_class INTEGER, occur_class INTEGER, {values}) STRICT"
    )
    db.execute(f"CREATE INDEX {name}_past_entity ON {name}_past (entity)")
    kept_by = f"state, {table.lead}" if table.lead else "state"
    for axis, interval in (
        ("record", ("from_position", "closed_position")),
        ("occur", ("occur_from", "occur_until", "closed_position", "until_position")),
    ):
        columns = ", ".join((kept_by, f"{axis}_class", *interval, *table.order))
        db.execute(f"CREATE INDEX {name}_past_{axis} ON {name}_past ({columns}) WHERE {axis}_class IS NOT NULL")
    if table.lead:
        db.execute(f"CREATE TABLE {name}_lead (value TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
    # Entities that a scope no longer leads to: a row went away, or its subject was another one.
    db.execute(f"CREATE TABLE {name}_former (entity INTEGER NOT NULL, scope TEXT NOT NULL, value ANY) STRICT")
    db.execute(f"CREATE INDEX {name}_former_value ON {name}_former (scope, value)")


def record_class(length: int) -> int | None:
    """Return the class of a number of positions; None for none: never seen as the present."""
    return (length - 1).bit_length() if length > 0 else None


def occur_class(length: int) -> int | None:
    """Return the class of a length in microseconds; None for none: nothing stands in it."""
    return max(0, (length - 1).bit_length() - OCCUR_SHIFT) if length > 0 else None


class Writer:
    """Writes one table. Collects what a batch changes and writes it at `flush`, a version opened and closed in between once.

    The caller holds the open rows it got from `load` and from the calls here, and hands them back: nothing is read to close one.
    """

    def __init__(self, table: Table, db: sqlite3.Connection) -> None:
        self.table = table
        self._db = db
        self._changes = Changes()
        self._static = len(table.static)
        self._keyed = table.keyed
        self._scopes = tuple((name, table.names.index(name)) for name in table.scopes)
        self._now: dict[tuple[int, int], Row | None] = {}
        """What the open rows become."""
        self._stored: dict[tuple[int, int], Row | None] = {}
        """What they are in the file."""
        self._past: list[Values] = []
        self._former: list[tuple[int, str, Value]] = []
        self._lead = table.names.index(table.lead) if table.lead else None
        self._leads: set[str] = {value for (value,) in db.execute(f"SELECT value FROM {table.name}_lead")} if table.lead else set()
        self._updates: dict[tuple[bool, ...], str] = {}
        key = ("key",) if table.keyed else ()
        self._where = "entity = ? AND key = ?" if table.keyed else "entity = ?"
        self._insert_now = _insert(f"{table.name}_now", ("entity", *key, "from_position", "occur_from", *table.names))
        self._insert_past = _insert(f"{table.name}_past", ("entity", *key, *_PAST, *table.names))

    def begin(self, changes: Changes) -> None:
        """Begin a batch whose changes are noted there."""
        self._changes = changes

    def load(self, entities: Sequence[int]) -> dict[int, dict[int, Row]]:
        """Return the open rows of these entities by key."""
        rows: dict[int, dict[int, Row]] = {}
        key = "key" if self.table.keyed else "0"
        columns = f"entity, {key}, from_position, occur_from, {', '.join(self.table.names)}"
        for some in in_batches(entities):
            sql = f"SELECT {columns} FROM {self.table.name}_now WHERE entity IN ({places(len(some))})"
            for entity, row_key, position, order, *values in self._db.execute(sql, some):
                rows.setdefault(entity, {})[row_key] = (position, order, tuple(values))
        return rows

    def change(self, entity: int, key: int, row: Row | None, values: Values | None, position: int, order: int) -> Row | None:
        """End the open row at an instant and open the next; None on either side: there is none. Returns the open row.

        For an event in order: `order` is not before the row's `occur_from`.
        """
        place = (entity, key)
        if row is None:
            self._stored.setdefault(place, None)
        else:
            if place not in self._now:
                self._stored[place] = row
            # What `_end` does, written out: this is called for most events.
            from_position, start, old = row
            length, lasted = position - from_position, order - start
            of_record = (length - 1).bit_length() if length > 0 else None
            of_time = (lasted - 1 >> OCCUR_SHIFT).bit_length() if lasted > 0 else None
            ended = place if self._keyed else (entity,)
            self._past.append((*ended, from_position, start, order, position, None, of_record, of_time, *old))
            if values is None or values[: self._static] != old[: self._static]:
                self._note_former(entity, old)
        if values is None:
            self._now[place] = None
            self._changes.entries.append((position, (entity, key, order)))
            return None
        self._now[place] = opened = (position, order, values)
        self._changes.entries.append((position, (entity, key, order, *values)))
        return opened

    def rewrite(
        self, entity: int, rows: Mapping[int, Row], intervals: Mapping[int, Sequence[Interval]], position: int
    ) -> dict[int, Row]:
        """Make the entity's versions those of a new fold, as known from `position` on. Returns the open rows by key.

        For a late event. What the fold leaves as it was is left alone, so that nothing is written for it.
        """
        self.flush()
        wanted = {(key, interval) for key, of_key in intervals.items() for interval in of_key}
        for number, key, interval in self._live(entity):
            if (key, interval) in wanted:
                wanted.remove((key, interval))
            else:
                self._db.execute(f"UPDATE {self.table.name}_past SET until_position = ? WHERE id = ?", (position, number))
                self._changes.add(position, entity, key, interval.occur_from, interval.occur_until)
        opened = {key: row for key, row in rows.items() if self._stays_open((entity, key), row, wanted, position)}
        # Sorted, because the order of a set is not the same in every process, and digests are.
        for key, interval in sorted(wanted, key=_by_place):
            self._changes.add(position, entity, key, interval.occur_from, interval.occur_until, *interval.values)
            row = (position, interval.occur_from, interval.values)
            if interval.occur_until == MAX:
                self._stored.setdefault((entity, key), rows.get(key))
                self._now[entity, key] = opened[key] = row
            else:
                self._end((entity, key), row, interval.occur_until, position, None)
        for key, of_key in intervals.items():
            for interval in of_key:
                if key not in opened or interval.values[: self._static] != opened[key][2][: self._static]:
                    self._note_former(entity, interval.values)
        return opened

    def _live(self, entity: int) -> list[tuple[int, int, Interval]]:
        """Return the ended versions that no late event took back, as (id, key, interval)."""
        key = "key" if self.table.keyed else "0"
        sql = (
            f"SELECT id, {key}, occur_from, occur_until, {', '.join(self.table.names)} FROM {self.table.name}_past "
            "WHERE entity = ? AND until_position IS NULL AND occur_from < occur_until ORDER BY id"
        )
        return [
            (number, row_key, Interval(start, end, tuple(values)))
            for number, row_key, start, end, *values in self._db.execute(sql, (entity,)).fetchall()
        ]

    def _stays_open(self, place: tuple[int, int], row: Row, wanted: set[tuple[int, Interval]], position: int) -> bool:
        """Leave an open row as it is and return True, or close it where the fold ends it now, or take it back."""
        entity, key = place
        _, start, values = row
        still = (key, Interval(start, MAX, values))
        if still in wanted:
            wanted.remove(still)
            return True
        self._stored.setdefault(place, row)
        self._now[place] = None
        self._note_former(entity, values)
        closed = next(
            (item for item in wanted if item[0] == key and item[1].occur_from == start and item[1].values == values), None
        )
        if closed is None:
            self._end(place, row, MAX, position, position)
            self._changes.add(position, entity, key, start, MAX)
        else:
            wanted.remove(closed)
            self._end(place, row, closed[1].occur_until, position, None)
            self._changes.add(position, entity, key, start, closed[1].occur_until)
        return False

    def _end(self, place: tuple[int, int], row: Row, order: int, position: int, taken_back: int | None) -> None:
        from_position, start, values = row
        of_record = record_class(position - from_position)
        of_time = occur_class(order - start) if taken_back is None else None
        if self.table.keyed:
            self._past.append((*place, from_position, start, order, position, taken_back, of_record, of_time, *values))
        else:
            self._past.append((place[0], from_position, start, order, position, taken_back, of_record, of_time, *values))

    def _note_former(self, entity: int, values: Values) -> None:
        self._former.extend((entity, name, values[place]) for name, place in self._scopes if values[place] is not None)

    def flush(self) -> None:
        """Write what was collected."""
        if not self._now and not self._past:
            return
        db, name = self._db, self.table.name
        inserts: list[Values] = []
        updates: dict[tuple[bool, ...], list[Values]] = {}
        deletes: list[Values] = []
        static, keyed = self._static, self.table.keyed
        for place, row in self._now.items():
            stored = self._stored[place]
            where: Values = place if keyed else place[:1]
            if row is not None and stored is not None and stored[2][:static] == row[2][:static]:
                position, order, values = row
                changed = tuple(map(ne, stored[2][static:], values[static:]))
                updates.setdefault(changed, []).append((position, order, *compress(values[static:], changed), *where))
                continue
            if stored is not None:
                deletes.append(where)
            if row is not None:
                inserts.append((*where, row[0], row[1], *row[2]))
        if self._past:
            db.executemany(self._insert_past, map(bindable, self._past))
            self._note_leads()
        if deletes:
            db.executemany(f"DELETE FROM {name}_now WHERE {self._where}", deletes)
        if inserts:
            db.executemany(self._insert_now, map(bindable, inserts))
        for changed, rows in updates.items():
            db.executemany(self._update_now(changed), map(bindable, rows))
        if self._former:
            db.executemany(f"INSERT INTO {name}_former VALUES (?, ?, ?)", self._former)
        self._now.clear()
        self._stored.clear()
        self._past.clear()
        self._former.clear()

    def _note_leads(self) -> None:
        if self._lead is not None:
            place = len(self.table.names) - self._lead
            new = {row[-place] for row in self._past} - self._leads
            self._leads |= new
            self._db.executemany(f"INSERT INTO {self.table.name}_lead VALUES (?)", [(value,) for value in new])

    def _update_now(self, changed: tuple[bool, ...]) -> str:
        """Return the statement that sets these columns only: SQLite rewrites an index for every column that is named."""
        statement = self._updates.get(changed)
        if statement is None:
            columns = ("from_position", "occur_from", *compress(self.table.names[self._static :], changed))
            names = ", ".join(f"{column} = ?" for column in columns)
            statement = self._updates[changed] = f"UPDATE {self.table.name}_now SET {names} WHERE {self._where}"
        return statement


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places(len(columns))})"


def _by_place(item: tuple[int, Interval]) -> tuple[int, int]:
    return item[0], item[1].occur_from
