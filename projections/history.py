"""The history: which events belong to whom, in event time. Holds no content; events are read from the log when they are shown.

An event belongs to its header's subject; a link belongs to both of its identifiers. Which subjects make up a customer, and which
stretch of each one's events counts, is asked of the identities at reading. One row an event and subject, in one tree ordered by
subject and time, so a page is a range of it however long the history is; a second tree finds rows by position.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.api.v1.event_pb2 import Payload
from ledger.api.v1.history_service_pb2 import HistoryEntry, HistoryFilter
from ledger.catalogue import BY_FIELD, read_event
from ledger.event import Event
from ledger.rules.instant import micros, uuid_bytes
from projections import quality
from projections.identities import Span, selection
from projections.view import MAX, Changes, Read, one_of

if TYPE_CHECKING:
    import sqlite_utils

SUBJECTS_CACHED: Final = 100_000
"""Subjects whose number is kept in memory while applying. Rows bear numbers, not pseudonyms: half the bytes, half the time."""

BLOCK_BITS: Final = 10
"""A block of the log is 1,024 positions; the order times in each are known, so that a search can begin at the newest block."""

RECENT_POSITIONS: Final = 2_000
"""So many positions back, changes are looked for by position; further back, by customer."""

_EARLIEST: Final = -(2**62)

Key = tuple[int, int]
"""Place of an event in a history: order time, then position."""

TOPIC_CODES: Final[dict[str, int]] = {
    kind.topic: Payload.DESCRIPTOR.fields_by_name[field].number for field, kind in BY_FIELD.items()
}
"""Topics as rows hold them: the number of the event's line in `Payload.kind`, which is never given away again."""

_TABLES: Final = (
    """CREATE TABLE history (
        subject INTEGER NOT NULL, order_time INTEGER NOT NULL, position INTEGER NOT NULL,
        topic INTEGER NOT NULL, channel INTEGER NOT NULL, department INTEGER NOT NULL,
        PRIMARY KEY (subject, order_time, position)
    ) WITHOUT ROWID""",
    "CREATE INDEX history_position ON history (position)",
    "CREATE TABLE history_subject (subject BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE history_code (code INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE history_block (block INTEGER PRIMARY KEY, order_min INTEGER NOT NULL, order_max INTEGER NOT NULL)",
)


class HistoryView:
    """Applies events to the history's rows."""

    name = "history"

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._codes: dict[str, int] | None = None

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the tables in an empty views file."""
        for statement in _TABLES:
            db.execute(statement)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Add one row for each event and subject it belongs to."""
        belongs = [(event, event.subject, 0) for event in events if event.subject]
        links = [event for event in events if event.topic == "identity-linked"]
        if links:
            belongs += [(event, uuid_bytes(event.payload.right.subject), 1) for event in links]
            # Stable: the left side stays before the right one.
            belongs.sort(key=lambda item: item[0].position)
        numbers = self._number(belongs, db)
        codes = self._code(events, db)
        rows: dict[tuple[int, int, int], tuple[int, int, int]] = {}
        blocks: dict[int, tuple[int, int]] = {}
        for event, subject, _ in belongs:
            header, position, order = event.header, event.position, event.order
            topic = TOPIC_CODES[event.topic]
            rows[numbers[subject], order, position] = (topic, codes[header.channel], codes[header.department])
            changes.add(position, subject, order, topic, header.channel, header.department)
            low, high = blocks.get(position >> BLOCK_BITS, (order, order))
            blocks[position >> BLOCK_BITS] = (min(low, order), max(high, order))
        db.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)", [(*key, *value) for key, value in rows.items()])
        db.executemany(
            "INSERT INTO history_block VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE SET "
            "order_min = min(order_min, excluded.order_min), order_max = max(order_max, excluded.order_max)",
            [(block, low, high) for block, (low, high) in blocks.items()],
        )

    def _number(self, belongs: Sequence[tuple[Event, bytes, int]], db: sqlite3.Connection) -> dict[bytes, int]:
        """Return the number of every subject; a new one's is made of where it was first seen, so it depends on the log alone."""
        if len(self._numbers) > SUBJECTS_CACHED:
            self._numbers.clear()
        known = self._numbers
        missing: dict[bytes, int] = {}
        for event, subject, side in belongs:
            if subject not in known:
                missing.setdefault(subject, event.position * 2 + side)
        if missing:
            known.update(numbers_of(db, list(missing)))
            new = [(subject, number) for subject, number in missing.items() if subject not in known]
            db.executemany("INSERT INTO history_subject VALUES (?, ?)", new)
            known.update(new)
        return known

    def _code(self, events: Sequence[Event], db: sqlite3.Connection) -> dict[str, int]:
        """Return the code of every channel and department, in order of first appearance."""
        if self._codes is None:
            self._codes = dict(db.execute("SELECT text, code FROM history_code").fetchall())
        codes = self._codes
        for event in events:
            for text in (event.header.channel, event.header.department):
                if text not in codes:
                    codes[text] = len(codes)
                    db.execute("INSERT INTO history_code VALUES (?, ?)", (codes[text], text))
        return codes


# Questions


class Conditions(NamedTuple):
    """A filter as SQL over `history`, with its parameters and its bound on time."""

    sql: str
    parameters: dict[str, Any]
    order_from: int


def page(
    read: Read, subjects: Sequence[bytes], filter: HistoryFilter, oldest_first: bool, limit: int, after: Key | None
) -> tuple[list[HistoryEntry], Key | None]:
    """Return up to `limit` events of these subjects in order of time, and where the next page begins; None on the last one.

    `after` is exclusive: what the page before returned.
    """
    found: list[Key] = []
    for key in _keys(read, subjects, filter, oldest_first, limit, after):
        found.append(key)
        if len(found) > limit:
            break
    shown = found[:limit]
    return entries(read, [position for _, position in shown]), shown[-1] if len(found) > limit else None


def count(read: Read, subjects: Sequence[bytes], filter: HistoryFilter) -> int:
    """Return how many rows these subjects have under the filter. It must not name a stream."""
    conditions = conditions_of(read, filter)
    if conditions is None:
        return 0
    total = 0
    for number, low, high in _bounds(read, selection(read, subjects), conditions.order_from):
        bound = {"subject": number, "low": low, "high": high, "known": read.known}
        total += read.db.execute(
            "SELECT count(*) FROM history WHERE subject = :subject AND order_time >= :low AND order_time < :high "
            f"AND position <= :known{conditions.sql}",
            conditions.parameters | bound,
        ).fetchone()[0]
    return total


def changed(
    read: Read, after_position: int, subjects: Sequence[bytes], filter: HistoryFilter, limit: int = 500
) -> list[tuple[int, HistoryEntry]]:
    """Return up to `limit` events of these subjects recorded after a position (exclusive), in order of record."""
    conditions = conditions_of(read, filter)
    if conditions is None:
        return []
    bounds = _bounds(read, selection(read, subjects), conditions.order_from)
    stream = _stream_positions(read, filter)
    window = {"after": after_position, "known": read.known}
    positions: set[int] = set()
    if read.known - after_position <= RECENT_POSITIONS:
        rows = read.db.execute(
            "SELECT position, subject, order_time FROM history INDEXED BY history_position "
            f"WHERE position > :after AND position <= :known{conditions.sql}",
            conditions.parameters | window,
        )
        positions.update(position for position, number, order in rows if _within(bounds, number, order))
    else:
        for number, low, high in bounds:
            rows = read.db.execute(
                "SELECT position FROM history WHERE subject = :subject AND order_time >= :low AND order_time < :high "
                f"AND position > :after AND position <= :known{conditions.sql}",
                conditions.parameters | window | {"subject": number, "low": low, "high": high},
            )
            positions.update(position for (position,) in rows)
    if stream is not None:
        positions.intersection_update(stream)
    shown = sorted(positions)[:limit]
    return list(zip(shown, entries(read, shown), strict=True))


def matching(read: Read, positions: Iterable[int], spans: Sequence[Span] | None, conditions: Conditions) -> set[Key]:
    """Return the places of those events among `positions` that show under the conditions; `spans` None: of anybody."""
    bounds = None if spans is None else _bounds(read, spans, conditions.order_from)
    latest = MAX if read.before is None else read.before
    found: set[Key] = set()
    wanted = list(positions)
    for start in range(0, len(wanted), 500):
        parameters = dict(conditions.parameters)
        rows = read.db.execute(
            "SELECT order_time, position, subject FROM history INDEXED BY history_position "
            f"WHERE {one_of('position', wanted[start : start + 500], parameters, 'p')}{conditions.sql}",
            parameters,
        )
        for order, position, number in rows:
            if position > read.known or not conditions.order_from <= order < latest:
                continue
            if bounds is None or _within(bounds, number, order):
                found.add((order, position))
    return found


def entries(read: Read, positions: Sequence[int]) -> list[HistoryEntry]:
    """Return the events at these positions as a history shows them, in the order given."""
    if not positions:
        return []
    rows = read.log.read_positions(positions)
    events = [read_event(position, rows[position].header, rows[position].parts) for position in positions]
    ineffective = quality.ineffective(read, positions)
    recorded = read.content.recorded_events(events)
    return [
        HistoryEntry(event=event, without_effect=position in ineffective)
        for position, event in zip(positions, recorded, strict=True)
    ]


def conditions_of(read: Read, filter: HistoryFilter) -> Conditions | None:
    """Return what the filter asks of a row, its stream apart; None when no row can have it."""
    parameters: dict[str, Any] = {}
    sql = ""
    for column, texts in (("channel", filter.channels), ("department", filter.departments)):
        if texts:
            texts_wanted: dict[str, Any] = {}
            query = f"SELECT code FROM history_code WHERE {one_of('text', set(texts), texts_wanted, 't')}"
            codes = [code for (code,) in read.db.execute(query, texts_wanted)]
            if not codes:
                return None
            sql += f" AND {one_of(column, codes, parameters, column)}"
    if filter.topics:
        topics = {TOPIC_CODES[topic] for topic in filter.topics if topic in TOPIC_CODES}
        if not topics:
            return None
        sql += f" AND {one_of('topic', topics, parameters, 'topic')}"
    order_from = micros(filter.occurred_from) if filter.HasField("occurred_from") else _EARLIEST
    return Conditions(sql, parameters, order_from)


def numbers_of(db: sqlite3.Connection, subjects: Sequence[bytes]) -> dict[bytes, int]:
    """Return the numbers under which subjects stand in the rows; those without events are left out."""
    found: dict[bytes, int] = {}
    for start in range(0, len(subjects), 500):
        parameters: dict[str, Any] = {}
        where = one_of("subject", subjects[start : start + 500], parameters, "s")
        found.update(db.execute(f"SELECT subject, number FROM history_subject WHERE {where}", parameters).fetchall())
    return found


def _keys(
    read: Read, subjects: Sequence[bytes], filter: HistoryFilter, oldest_first: bool, limit: int, after: Key | None
) -> Iterable[Key]:
    conditions = conditions_of(read, filter)
    if conditions is None:
        return ()
    spans = selection(read, subjects)
    positions = _stream_positions(read, filter)
    if positions is not None:
        keys = sorted(matching(read, positions, spans, conditions), reverse=not oldest_first)
        return [key for key in keys if after is None or (key > after if oldest_first else key < after)]
    bounds = _bounds(read, spans, conditions.order_from)
    size = max(8, 2 * (limit + 1) // max(1, len(bounds))) if len(bounds) > 1 else limit + 1
    ranges = (_range(read, bound, conditions, oldest_first, size, after) for bound in bounds)
    return _once(merge(*ranges, reverse=not oldest_first))


def _stream_positions(read: Read, filter: HistoryFilter) -> list[int] | None:
    """Return where a stream's events stand, of the log's own index; None when the filter names no stream."""
    if not filter.HasField("stream"):
        return None
    return [row.position for row in read.log.read_stream(filter.stream, read.known)]


def _bounds(read: Read, spans: Sequence[Span], order_from: int) -> list[tuple[int, int, int]]:
    """Return (number, low inclusive, high exclusive) of each stretch that can hold rows."""
    numbers = numbers_of(read.db, list({span.subject for span in spans}))
    latest = MAX if read.before is None else read.before
    bounds = []
    for span in spans:
        number = numbers.get(span.subject)
        low, high = max(span.order_from, order_from), min(span.order_until, latest)
        if number is not None and low < high:
            bounds.append((number, low, high))
    return bounds


def _within(bounds: Sequence[tuple[int, int, int]], number: int, order: int) -> bool:
    return any(number == one and low <= order < high for one, low, high in bounds)


def _range(
    read: Read, bound: tuple[int, int, int], conditions: Conditions, oldest_first: bool, size: int, after: Key | None
) -> Iterator[Key]:
    """Yield one stretch in order, a few rows a query: most pages need the first few of most identifiers."""
    number, low, high = bound
    if oldest_first:
        start = max((low - 1, MAX), after) if after else (low - 1, MAX)
        where, order = "order_time < :bound AND (order_time, position) > (:order, :position)", ""
    else:
        start = min((high, 0), after) if after else (high, 0)
        where, order = "order_time >= :bound AND (order_time, position) < (:order, :position)", " DESC"
    query = (
        f"SELECT order_time, position FROM history WHERE subject = :subject AND {where} AND position <= :known{conditions.sql} "
        f"ORDER BY order_time{order}, position{order} LIMIT :size"
    )
    parameters = conditions.parameters | {"subject": number, "bound": high if oldest_first else low, "known": read.known}
    while True:
        rows = read.db.execute(query, parameters | {"order": start[0], "position": start[1], "size": size}).fetchall()
        yield from rows
        if len(rows) < size:
            return
        start = rows[-1]
        size = min(size * 2, 512)


def _once(keys: Iterable[Key]) -> Iterator[Key]:
    """Leave out repeats: a link belongs to both of its identifiers."""
    last = None
    for key in keys:
        if key != last:
            yield key
            last = key
