"""What the questions of all fold views have in common: pages, counts, changes, and the content of the rows shown.

Deterministic: the same snapshot, times and arguments give the same rows in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1.consistency_pb2 import CountRow
from ledger.catalogue import read_event
from ledger.sqlite_file import in_batches, places
from projections.bitemporal import Table
from projections.versions import Choice, select, versions_between
from projections.view import Read

CHUNK_EVENTS: Final = 2_000
"""So many events of the log are looked through at once for changes."""

CHANGES_MAX: Final = 500

Cursor = tuple[Any, ...]
"""Sort keys of the last row shown."""


class Order(NamedTuple):
    """The order of a list: columns that together tell rows apart."""

    columns: tuple[str, ...]
    descending: bool = False


def page(
    read: Read, table: Table, choice: Choice, order: Order, limit: int, after: Cursor | None
) -> tuple[list[SimpleNamespace], Cursor | None]:
    """Return up to `limit` rows after a place (exclusive), and the place of the last one where more follow."""
    direction, compare = (" DESC", "<") if order.descending else ("", ">")
    keys = ", ".join(order.columns)
    parameters: dict[str, Any] = {"limit": limit + 1}
    where = choice.where
    if after is not None:
        names = ", ".join(f":after{number}" for number in range(len(order.columns)))
        where = (*where, f"({keys}) {compare} ({names})")
        parameters |= {f"after{number}": value for number, value in enumerate(after)}
    tail = f"ORDER BY {', '.join(column + direction for column in order.columns)} LIMIT :limit"
    rows = [named(table, row) for row in select(read, table, columns_of(table), choice._replace(where=where), tail, parameters)]
    shown = rows[:limit]
    more = len(rows) > limit
    return shown, tuple(getattr(shown[-1], column) for column in order.columns) if more else None


def columns_of(table: Table) -> str:
    """Return all columns of a table's version as SQL, in the order of `named`."""
    return f"entity, {'key' if table.keyed else '0 AS key'}, from_position, {', '.join(table.names)}"


def named(table: Table, row: Sequence[Any]) -> SimpleNamespace:
    """Return a row with its values under their columns' names."""
    return SimpleNamespace(zip_names(table, row))


def zip_names(table: Table, row: Sequence[Any]) -> dict[str, Any]:
    """Return a row's values by column."""
    return dict(zip(("entity", "key", "from_position", *table.names), row, strict=False))


def count(
    read: Read, table: Table, choice: Choice, groups: Sequence[tuple[str, Callable[[Any], str]]]
) -> tuple[list[CountRow], int]:
    """Return one row a group, largest first, then by values, and the sum. A group: an SQL expression and how its value is shown."""
    columns = ", ".join(f"{expression} AS group{number}" for number, (expression, _) in enumerate(groups))
    names = ", ".join(f"group{number}" for number in range(len(groups)))
    rows: list[tuple[tuple[str, ...], int]] = []
    for *values, of_group in counted(read, table, choice, columns, names):
        rows.append((tuple(shown(value) for (_, shown), value in zip(groups, values, strict=True)), of_group))
    rows.sort(key=lambda row: (-row[1], row[0]))
    return [CountRow(values=values, count=of_group) for values, of_group in rows if of_group], sum(row[1] for row in rows)


def counted(read: Read, table: Table, choice: Choice, columns: str, names: str) -> list[tuple[Any, ...]]:
    """Return values and count of each group."""
    return select_grouped(read, table, choice, columns, names)
