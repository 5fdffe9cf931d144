"""What does not fit: events without effect, events set aside, ambiguous times, unknown reasons (question 13).

Findings that follow from an entity's fold (irregular, overtaken, held back) and those of a set-aside are handed in by the fold
engine; the rest is seen in the event alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor

from ledger.api.v1.consistency_pb2 import CountRow
from ledger.api.v1.core_pb2 import Due
from ledger.api.v1.insight_service_pb2 import (
    AMBIGUOUS_TIME,
    HELD_BACK,
    IRREGULAR,
    OVERTAKEN,
    SET_ASIDE,
    UNKNOWN_DEPARTMENT,
    UNKNOWN_REASON,
    DataQuality,
    Finding,
    FindingKind,
)
from ledger.catalogue import BY_TOPIC, RESTATING
from ledger.event import Event
from ledger.sqlite_file import in_batches, places
from projections.restated import RestatingEvent
from projections.view import MAX, Changes, Read

if TYPE_CHECKING:
    import sqlite_utils

NAME: Final = "quality"
"""The view's name in digests."""

UNKNOWN: Final = "unknown"
"""The reason that says that nobody knows it."""

WITHOUT_EFFECT: Final = (IRREGULAR, OVERTAKEN, HELD_BACK)
"""Kinds of finding that mean: the event changes nothing where it stands."""


_TABLES: Final = (
    """CREATE TABLE finding (
        position INTEGER NOT NULL, kind INTEGER NOT NULL, entity TEXT NOT NULL, topic TEXT NOT NULL,
        occur_from INTEGER NOT NULL, from_position INTEGER NOT NULL, until_position INTEGER,
        PRIMARY KEY (position, kind, entity, from_position)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX finding_kind ON finding (kind, position, occur_from, from_position, until_position)",
    "CREATE TABLE set_aside (entity TEXT PRIMARY KEY, position INTEGER NOT NULL, error TEXT NOT NULL) STRICT, WITHOUT ROWID",
)


def _looks() -> dict[str, tuple[Callable[[Any], bool], Callable[[Any], bool]]]:
    """Return, by topic, how to see an unknown reason and an ambiguous time; only topics that can have either."""
    looks: dict[str, tuple[Callable[[Any], bool], Callable[[Any], bool]]] = {}
    for topic, kind in BY_TOPIC.items():
        fields = kind.message.DESCRIPTOR.fields_by_name
        reason, due = fields.get("reason"), fields.get("due")
        has_reason = reason is not None and reason.type == FieldDescriptor.TYPE_STRING
        has_due = due is not None and due.message_type is not None and due.message_type.full_name == Due.DESCRIPTOR.full_name
        if has_reason or has_due:
            looks[topic] = (_reason_unknown if has_reason else _never, _due_ambiguous if has_due else _never)
    return looks


def _never(payload: Any) -> bool:
    return False


def _reason_unknown(payload: Any) -> bool:
    return bool(payload.reason == UNKNOWN)


def _due_ambiguous(payload: Any) -> bool:
    return bool(payload.due.ambiguous)


_LOOKS: Final = _looks()
LOOKED_AT: Final = frozenset(_LOOKS) | RESTATING
"""Topics of events in which alone something can be seen, a department unknown apart."""


def _seen_in(event: Event) -> tuple[int, ...]:
    """Return the kinds of findings that can be seen in an event alone."""
    found: tuple[int, ...] = (UNKNOWN_DEPARTMENT,) if event.header.department_unknown else ()
    looks = _LOOKS.get(event.topic)
    if looks is None:
        return found
    reason_unknown, due_ambiguous = looks
    if reason_unknown(event.payload):
        found = (*found, UNKNOWN_REASON)
    return (*found, AMBIGUOUS_TIME) if due_ambiguous(event.payload) else found


def create_tables(db: sqlite_utils.Database) -> None:
    """Create the tables in an empty views file."""
    for statement in _TABLES:
        db.execute(statement)


class Findings:
    """Writes findings, those of folds and those seen in an event alone."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._changes = Changes()
        self._begun: list[tuple[int, int, str, str, int, int]] = []
        self.set_aside: set[str] = {entity for (entity,) in db.execute("SELECT entity FROM set_aside")}
        """Streams that an event of was set aside: their later events wait."""

    def begin(self, changes: Changes) -> None:
        """Begin a batch whose changes are noted there."""
        self._changes = changes

    def look_at(self, event: Event) -> None:
        """Note what can be seen in the event alone."""
        if event.topic in RESTATING:
            self._look_again(event)
            return
        for kind in _seen_in(event):
            self.begin_finding(event, kind, event.stream, event.order, event.position)

    def _look_again(self, event: Event) -> None:
        """Note what can be seen in an event as it stands corrected, and no longer."""
        if not isinstance(event, RestatingEvent) or event.original is None:
            return
        before, after = event.before, event.after
        # A finding shows after an instant: one that stands elsewhere is another one.
        seen = {(kind, before.order) for kind in _seen_in(before)} if before is not None else set()
        sees = {(kind, after.order) for kind in _seen_in(after)} if after is not None else set()
        for kind, _ in sorted(seen - sees):
            self.end_finding(event.original.position, kind, event.stream, event.position)
        for kind, order in sorted(sees - seen):
            self.begin_finding(event.original, kind, event.stream, order, event.position)

    def begin_finding(self, event: Event, kind: int, entity: str, occur_from: int, position: int) -> None:
        """Note a finding as known from `position` on, shown after an instant."""
        self._begun.append((event.position, kind, entity, event.topic, occur_from, position))
        self._changes.add(position, "begin", event.position, kind, entity, occur_from)

    def end_finding(self, event_position: int, kind: int, entity: str, position: int) -> None:
        """Take a finding back, as known from `position` on. Rare, so it is written at once."""
        self.flush()
        self._db.execute(
            "UPDATE finding SET until_position = ? WHERE position = ? AND kind = ? AND entity = ? AND until_position IS NULL",
            (position, event_position, kind, entity),
        )
        self._changes.add(position, "end", event_position, kind, entity)

    def put_aside(self, event: Event, entity: str, error: str) -> None:
        """Set an event aside, and with it all later ones of the entity. `error` says why, for whom mends it."""
        if entity not in self.set_aside:
            self.set_aside.add(entity)
            self._db.execute("INSERT INTO set_aside VALUES (?, ?, ?)", (entity, event.position, error))
        self.begin_finding(event, SET_ASIDE, entity, event.order, event.position)

    def flush(self) -> None:
        """Write what was collected."""
        if self._begun:
            self._db.executemany("INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, NULL)", self._begun)
            self._begun.clear()


# Questions


def ineffective(read: Read, positions: Sequence[int]) -> set[int]:
    """Return those of these events that change nothing where they stand: irregular, overtaken or held back."""
    found: set[int] = set()
    for some in in_batches(positions):
        sql = (
            f"SELECT position FROM finding WHERE position IN ({places(len(some))}) AND kind IN {WITHOUT_EFFECT} "
            "AND from_position <= ? AND (until_position IS NULL OR until_position > ?)"
        )
        found.update(position for (position,) in read.db.execute(sql, (*some, read.known, read.known)))
    return found


def page(
    read: Read, kind: FindingKind.ValueType, limit: int, after: tuple[Any, ...] | None
) -> tuple[DataQuality, tuple[Any, ...] | None]:
    """Return counts of each kind and up to `limit` findings of a kind (0: all), newest first, and where the next page begins."""
    parameters: dict[str, Any] = {"known": read.known, "before": MAX if read.before is None else read.before, "limit": limit + 1}
    shows = "from_position <= :known AND (until_position IS NULL OR until_position > :known) AND occur_from < :before"
    counts = read.db.execute(f"SELECT kind, count(*) FROM finding WHERE {shows} GROUP BY kind", parameters).fetchall()
    where = [shows]
    if kind:
        where.append("kind = :kind")
        parameters["kind"] = kind
    if after is not None:
        where.append("(position, kind, entity) < (:position, :after_kind, :entity)")
        parameters |= {"position": after[0], "after_kind": after[1], "entity": after[2]}
    rows = read.db.execute(
        f"SELECT position, kind, entity, topic FROM finding WHERE {' AND '.join(where)} "
        "ORDER BY position DESC, kind DESC, entity DESC LIMIT :limit",
        parameters,
    ).fetchall()
    shown = rows[:limit]
    return (
        DataQuality(counts=_counts(counts), findings=[_finding(*row) for row in shown]),
        shown[-1][:3] if len(rows) > limit else None,
    )


def set_aside_count(read: Read) -> int:
    """Return how many events are set aside at the position known."""
    row = read.db.execute("SELECT count(*) FROM finding WHERE kind = ? AND position <= ?", (SET_ASIDE, read.known)).fetchone()
    return int(row[0])


def _counts(rows: Iterable[tuple[FindingKind.ValueType, int]]) -> list[CountRow]:
    named = sorted(((FindingKind.Name(kind), count) for kind, count in rows), key=lambda row: (-row[1], row[0]))
    return [CountRow(values=[name], count=count) for name, count in named]


def _finding(position: int, kind: FindingKind.ValueType, entity: str, topic: str) -> Finding:
    return Finding(position=position, kind=kind, entity=entity, topic=topic)
