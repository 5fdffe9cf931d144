"""Finding rows of the history: by customer in order of time, by position, and by block of the log.

Reads the tables of history.py; opens nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Any, Final, NamedTuple

from ledger.api.v1.event_pb2 import Payload
from ledger.api.v1.history_service_pb2 import HistoryFilter
from ledger.catalogue import BY_FIELD
from ledger.event import Event
from ledger.rules.instant import micros, uuid_bytes
from projections.identity_spans import EARLIEST, Span
from projections.view import MAX, Read, one_of

BLOCK_BITS: Final = 10
"""A block of the log is 1,024 positions; the order times in each are known, so that a search can begin at the newest block."""

AT_ONCE: Final = 500
"""Values in one statement."""

TOPIC_CODES: Final[dict[str, int]] = {
    kind.topic: Payload.DESCRIPTOR.fields_by_name[field].number for field, kind in BY_FIELD.items()
}
"""Topics as rows hold them: the number of the event's line in `Payload.kind`, which is never given away again."""

BOTH: Final = frozenset({"identity-linked"})
"""Topics of events that belong to the history of two subjects."""

Key = tuple[int, int]
"""Place of an event in a history: order time, then position."""


class Conditions(NamedTuple):
    """What a filter asks of a row, as SQL with its parameters, and from which order time on (inclusive)."""

    sql: str
    parameters: dict[str, Any]
    order_from: int


class Bound(NamedTuple):
    """A stretch of one subject's rows."""

    number: int
    """The subject's number in the rows."""
    low: int
    """Order time, inclusive."""
    high: int
    """Exclusive."""


def subjects_of(event: Event) -> tuple[bytes, ...]:
    """Return the subjects whose history an event belongs to: its own; of a link, both of its identifiers'."""
    if event.topic in BOTH:
        right = uuid_bytes(event.payload.right.subject)
        return (event.subject, right) if right != event.subject else (event.subject,)
    return (event.subject,) if event.subject else ()


def conditions_of(read: Read, filter: HistoryFilter) -> Conditions | None:
    """Return what a filter asks of a row, its stream apart; None when no row can have it."""
    parameters: dict[str, Any] = {}
    sql = ""
    for column, texts in (("channel", filter.channels), ("department", filter.departments)):
        if texts:
            wanted: dict[str, Any] = {}
            query = f"SELECT code FROM history_code WHERE {one_of('text', sorted(set(texts)), wanted, 't')}"
            codes = [code for (code,) in read.db.execute(query, wanted)]
            if not codes:
                return None
            sql += f" AND {one_of(column, codes, parameters, column)}"
    if filter.topics:
        topics = sorted({TOPIC_CODES[topic] for topic in filter.topics if topic in TOPIC_CODES})
        if not topics:
            return None
        sql += f" AND {one_of('topic', topics, parameters, 'topic')}"
    order_from = micros(filter.occurred_from) if filter.HasField("occurred_from") else EARLIEST
    return Conditions(sql, parameters, order_from)


def stands(read: Read) -> str:
    """Return the condition under which a row shows: the event is recorded, and stands there, by the position known."""
    if read.known >= read.position:
        return "position <= :known AND until_position IS NULL"
    return "position <= :known AND from_position <= :known AND (until_position IS NULL OR until_position > :known)"


def stream_positions(read: Read, filter: HistoryFilter) -> list[int] | None:
    """Return where the events of the filter's stream stand, by the log's own index; None when it names no stream."""
    if not filter.HasField("stream"):
        return None
    return [row.position for row in read.log.read_stream(filter.stream, read.known)]


def numbers_of(db: sqlite3.Connection, subjects: Sequence[bytes]) -> dict[bytes, int]:
    """Return the numbers under which subjects stand in the rows; those without events are left out."""
    found: dict[bytes, int] = {}
    for start in range(0, len(subjects), AT_ONCE):
        parameters: dict[str, Any] = {}
        where = one_of("subject", subjects[start : start + AT_ONCE], parameters, "s")
        found.update(db.execute(f"SELECT subject, number FROM history_subject WHERE {where}", parameters).fetchall())
    return found


def bounds_of(read: Read, spans: Sequence[Span], conditions: Conditions) -> list[Bound]:
    """Return the stretches of rows that can show."""
    numbers = numbers_of(read.db, list({span.subject for span in spans}))
    latest = MAX if read.before is None else read.before
    bounds = []
    for span in spans:
        number = numbers.get(span.subject)
        low, high = max(span.order_from, conditions.order_from), min(span.order_until, latest)
        if number is not None and low < high:
            bounds.append(Bound(number, low, high))
    return bounds


def within(bounds: Iterable[Bound], number: int, order: int) -> bool:
    """True when a row stands in one of the stretches."""
    return any(number == bound.number and bound.low <= order < bound.high for bound in bounds)


def in_order(
    read: Read, bounds: Sequence[Bound], conditions: Conditions, oldest_first: bool, limit: int, after: Key | None
) -> Iterator[Key]:
    """Yield the places of the rows in all the stretches, in order of time; about `limit` are going to be taken.

    Reads each stretch as far as it is needed and merges them: how long a history is plays no part.
    """
    size = limit if len(bounds) < 2 else max(8, 2 * limit // len(bounds))
    ranges = (_range(read, bound, conditions, oldest_first, size, after) for bound in bounds)
    last = None
    for key in merge(*ranges, reverse=not oldest_first):
        # A link belongs to both of its identifiers: it comes twice.
        if key != last:
            yield key
            last = key


def _range(read: Read, bound: Bound, conditions: Conditions, oldest_first: bool, size: int, after: Key | None) -> Iterator[Key]:
    """Yield one stretch in order, a few rows a query: a page needs only the first few of most identifiers."""
    if oldest_first:
        start = (bound.low - 1, MAX)
        start = start if after is None else max(start, after)
        where, direction = "order_time < :bound AND (order_time, position) > (:order, :position)", ""
    else:
        start = (bound.high, 0)
        start = start if after is None else min(start, after)
        where, direction = "order_time >= :bound AND (order_time, position) < (:order, :position)", " DESC"
    query = (
        f"SELECT order_time, position FROM history WHERE subject = :subject AND {where} AND {stands(read)}{conditions.sql} "
        f"ORDER BY order_time{direction}, position{direction} LIMIT :size"
    )
    end = bound.high if oldest_first else bound.low
    parameters = conditions.parameters | {"subject": bound.number, "bound": end, "known": read.known}
    while True:
        rows = read.db.execute(query, parameters | {"order": start[0], "position": start[1], "size": size}).fetchall()
        yield from rows
        if len(rows) < size:
            return
        start = rows[-1]
        size = min(size * 2, AT_ONCE)


def matching(read: Read, positions: Iterable[int], spans: Sequence[Span] | None, conditions: Conditions) -> set[Key]:
    """Return the places of those events among `positions` that show under the conditions; `spans` None: of anybody."""
    bounds = None if spans is None else bounds_of(read, spans, conditions)
    latest = MAX if read.before is None else read.before
    rows = read.db.execute(
        "SELECT order_time, position, subject FROM json_each(:wanted) "
        f"CROSS JOIN history INDEXED BY history_position ON position = value WHERE {stands(read)}{conditions.sql}",
        conditions.parameters | {"wanted": json.dumps(list(positions)), "known": read.known},
    )
    return {
        (order, position)
        for order, position, number in rows
        if conditions.order_from <= order < latest and (bounds is None or within(bounds, number, order))
    }


def blocks(read: Read, latest: int) -> Iterator[tuple[int, int, int]]:
    """Yield (bound, low, high) of each block of the log: the latest order time in it up to `latest`, its first and last position.

    Latest first; blocks with nothing up to `latest` are left out.
    """
    rows = read.db.execute(
        "SELECT block, min(order_max, :latest) AS bound FROM history_block WHERE block <= :last AND order_min <= :latest "
        "ORDER BY bound DESC, block DESC",
        {"latest": latest, "last": read.known >> BLOCK_BITS},
    )
    for block, bound in rows.fetchall():
        low = block << BLOCK_BITS
        yield bound, low, min(low + (1 << BLOCK_BITS) - 1, read.known)
