"""What the questions of all fold views have in common: pages, counts, changes, and the content of the rows shown.

Deterministic: the same snapshot, times and arguments give the same rows in the same order.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1.consistency_pb2 import CountRow
from ledger.sqlite_file import in_batches, places
from projections.bitemporal import Table
from projections.restated import events_at
from projections.versions import Choice, changes_between, shown
from projections.view import Read

CHUNK_EVENTS: Final = 2_000
"""So many events of the log are looked through for changes at once."""

CHANGES_MAX: Final = 500
"""Where `changed` stops by default; the caller goes on from the last position it got."""

AHEAD_MICROS: Final = 3_600_000_000
"""No event occurs so long after it is recorded: at most 5 minutes are accepted (domain rule 8.2)."""

Row = Any
"""A row as shown: a named tuple of `entity`, `key` and the table's columns."""

Cursor = tuple[int, ...]
"""Sort keys of the last row shown."""

Group = tuple[str, Callable[[Any], str]]
"""What to count by: an SQL expression, and how its value is written."""


class Order(NamedTuple):
    """The order of a list, by columns that together tell rows apart."""

    columns: tuple[str, ...]
    descending: bool = False


def page(
    read: Read, table: Table, choice: Choice, order: Order, limit: int, after: Sequence[Any] | None
) -> tuple[list[Row], Cursor | None]:
    """Return up to `limit` rows that follow a place, and the place of the last one where there are more."""
    direction, beyond = (" DESC", "<") if order.descending else ("", ">")
    parameters: dict[str, Any] = {"limit": limit + 1}
    if after is not None:
        names = [f"after{number}" for number in range(len(order.columns))]
        parameters.update(zip(names, after, strict=True))
        place = f"({', '.join(order.columns)}) {beyond} (:{', :'.join(names)})"
        choice = choice._replace(where=(*choice.where, place))
    first = f"ORDER BY {', '.join(column + direction for column in order.columns)} LIMIT :limit"
    source = shown(read, table, _columns(table), choice, parameters, sorted_=True, first=first)
    rows = list(map(_row_type(table)._make, read.db.execute(f"{source} {first}", parameters)))
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], tuple(getattr(rows[limit - 1], column) for column in order.columns)


def only(read: Read, table: Table, choice: Choice) -> Row | None:
    """Return the first row of a choice, None where there is none."""
    parameters: dict[str, Any] = {}
    row = read.db.execute(f"{shown(read, table, _columns(table), choice, parameters)} LIMIT 1", parameters).fetchone()
    return _row(table, row) if row is not None else None


def count(read: Read, table: Table, choice: Choice, groups: Sequence[Group]) -> tuple[list[CountRow], int]:
    """Return one row a group, largest first, then by values, and the sum of all."""
    parameters: dict[str, Any] = {}
    columns = ", ".join(f"{expression} AS group{number}" for number, (expression, _) in enumerate(groups)) or "0 AS group0"
    names = ", ".join(f"group{number}" for number in range(max(1, len(groups))))
    source = shown(read, table, columns, choice, parameters)
    totals: dict[tuple[str, ...], int] = {}
    for *values, number_of in read.db.execute(f"SELECT {names}, count(*) FROM ({source}) GROUP BY {names}", parameters):
        written = tuple(write(value) for (_, write), value in zip(groups, values, strict=False))
        totals[written] = totals.get(written, 0) + number_of
    rows = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [CountRow(values=values, count=number_of) for values, number_of in rows], sum(totals.values())


def changed(
    read: Read, table: Table, family: str, choice: Choice, after_position: int, limit: int = CHANGES_MAX
) -> list[tuple[int, Row]]:
    """Return rows as they were when they changed after a position, in order of position; also those that a change took out of
    the choice. Stops at the first position at which it has `limit`; below that it has all of them.
    """
    found: list[tuple[int, Row]] = []
    while after_position < read.known and len(found) < limit:
        stored = read.log.read(after_position, CHUNK_EVENTS, read.known)
        if not stored:
            break
        last = stored[-1].position
        streams = {row.stream for row in stored if row.stream.startswith(f"{family}-")}
        sql = "SELECT DISTINCT stream FROM touch WHERE position > ? AND position <= ?"
        streams.update(stream for (stream,) in read.db.execute(sql, (after_position, last)) if stream.startswith(f"{family}-"))
        touched = entities(read, streams)
        if choice.entities is not None:
            touched = [entity for entity in touched if entity in choice.entities]
        found.extend(_changed_in(read, table, choice._replace(entities=touched), after_position, last))
        after_position = last
    if len(found) > limit:
        end = found[limit - 1][0]
        found = [change for change in found if change[0] <= end]
    return found


def _changed_in(read: Read, table: Table, choice: Choice, after_position: int, until_position: int) -> list[tuple[int, Row]]:
    found: list[tuple[int, Row]] = []
    ended: tuple[Any, ...] = ()
    for entity, key, begun, closed, meets, *values in changes_between(
        read, table, _columns(table), choice, after_position, until_position
    ):
        follows = ended[:3] == (entity, key, begun)
        # A late event may move when a version began and leave what it says.
        changed = not follows or ended[4] != values
        if after_position < begun <= until_position and changed and (meets or (follows and ended[3])):
            found.append((begun, _row(table, values)))
        ended = (entity, key, closed, meets, values)
    found.sort(key=lambda change: (change[0], change[1].entity, change[1].key))
    return found


def opened_by(read: Read, column: str, parameters: dict[str, Any]) -> list[str]:
    """Return conditions on when a row's entity was opened that every row which shows meets: they let a list by that time end early,
    or begin late.
    """
    conditions = [f"{column} < :before"] if read.before is not None else []
    if 0 < read.known < read.position:
        record_time = read.log.read_positions([read.known])[read.known].record_time
        conditions.append(f"{column} <= :opened_by")
        parameters["opened_by"] = record_time + AHEAD_MICROS
    return conditions


@cache
def _columns(table: Table) -> str:
    return f"entity, {'key' if table.keyed else '0 AS key'}, {', '.join(table.names)}"


def _row(table: Table, row: Sequence[Any]) -> Row:
    return _row_type(table)._make(row)


@cache
def _row_type(table: Table) -> Any:
    return namedtuple(f"{table.name}_row", ("entity", "key", *table.names))


# Entities and their names


def entities(read: Read, streams: Iterable[str]) -> list[int]:
    """Return the numbers under which the rows of these streams stand, where they have any."""
    found: list[int] = []
    for some in in_batches(sorted(streams)):
        found.extend(number for (number,) in read.db.execute(f"SELECT id FROM entity WHERE stream IN ({places(len(some))})", some))
    return found


def entity(read: Read, stream: str) -> int | None:
    """Return the number under which the rows of a stream stand; None where it has none."""
    return next(iter(entities(read, [stream])), None)


def ids(read: Read, rows: Iterable[Row]) -> dict[int, str]:
    """Return the ids of the rows' entities: what stands behind the prefix of their streams."""
    return ids_of(read, {row.entity for row in rows})


def ids_of(read: Read, numbers: Iterable[int]) -> dict[int, str]:
    """Return the ids of the entities with these numbers."""
    found: dict[int, str] = {}
    for some in in_batches(list(numbers)):
        sql = f"SELECT id, substr(stream, instr(stream, '-') + 1) FROM entity WHERE id IN ({places(len(some))})"
        found.update(read.db.execute(sql, some))
    return found


# Values as messages hold them


def contents(read: Read, positions: Iterable[int]) -> dict[int, Any]:
    """Return the payloads of the events at these positions as they stand as known, with what is sealed in them opened."""
    events = events_at(read, positions)
    opened = read.content.open_payloads(list(events.values()))
    return {position: payload for position, (payload, _) in zip(events, opened, strict=True)}


def words(read: Read, positions: Iterable[int]) -> dict[int, Any]:
    """Return what `contents` returns, for those who read sealed fields only: what is clear may be missing."""
    events = events_at(read, positions)
    return dict(zip(events, read.content.sealed_payloads(list(events.values())), strict=True))


def instant(micros: int | None) -> Timestamp | None:
    """Return microseconds as a Timestamp; None for none."""
    if micros is None:
        return None
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def seconds_between(start: int, end: int) -> int:
    """Return whole seconds from one instant to another; 0 where it runs back."""
    return max(0, end - start) // 1_000_000


def given(**fields: Any) -> dict[str, Any]:
    """Leave out the fields that have no value, so that they are unset."""
    return {name: value for name, value in fields.items() if value}


def yes_or_no(value: Any) -> str:
    """Return how a truth is written as a group's value."""
    return "true" if value else "false"


def text(value: Any) -> str:
    """Return how a code is written as a group's value."""
    return value or ""
