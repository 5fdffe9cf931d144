"""Reads bitemporal tables: which version of each row shows at (known, before), found without reading the others.

The counterpart of bitemporal.py. A version shows at (P, T) when it was written by P and not yet taken back, began before T, and
had not ended before T; an end that became known after P does not count yet. So it is one of these, and never two of them:

- open today, written by P, begun before T;
- ended after P: at P it was open. Found by the span of positions in which it was;
- ended by P, and covering T. Found by the span of event time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from projections.bitemporal import OCCUR_SHIFT, Table
from projections.view import Read


class Choice(NamedTuple):
    """Which rows are asked for, as SQL over the table's columns."""

    where: tuple[str, ...] = ()
    """All of them must hold."""
    parameters: Mapping[str, Any] = {}
    states: Sequence[int] = ()
    """The states that a row may be in. Every choice names them: past rows are kept by state."""
    scopes: Mapping[str, Sequence[Any]] = {}
    """Values of scope columns, where rows of few entities are asked for."""
    entities: Sequence[int] | None = None
    """These entities only."""


def shown(read: Read, table: Table, columns: str, choice: Choice, parameters: dict[str, Any]) -> str:
    """Return a query of the columns (SQL) of all rows that show; `ORDER BY` and `LIMIT` may follow it.

    What it needs is added to `parameters`.
    """
    parameters.update(choice.parameters, known=read.known, before=read.before, position=read.position)
    return " UNION ALL ".join(_arms(read, table, columns, choice, parameters))


def _arms(read: Read, table: Table, columns: str, choice: Choice, parameters: dict[str, Any]) -> list[str]:
    state = f"state = {choice.states[0]}" if len(choice.states) == 1 else f"state IN {_listed(choice.states)}"
    where = [state, *choice.where]
    scoped = _scoped(table, choice, parameters)
    now, past = f"SELECT {columns} FROM {table.name}_now WHERE ", f"SELECT {columns} FROM {table.name}_past WHERE "
    if read.present:
        return [now + " AND ".join([*where, *scoped.now])]
    begun = ["occur_from < :before"] if read.before is not None else []
    arms = [now + " AND ".join([*where, *scoped.now, "from_position <= :known", *begun])]
    was_open = [*begun, "from_position <= :known", "closed_position > :known"]
    had_ended = [
        "occur_from < :before",
        "occur_until >= :before",
        "closed_position <= :known",
        "(until_position IS NULL OR until_position > :known)",
    ]
    if scoped.past:
        if read.known < read.position:
            arms.append(past + " AND ".join([*where, *scoped.past, *was_open]))
        if read.before is not None:
            arms.append(past + " AND ".join([*where, *scoped.past, *had_ended]))
        return arms
    spans = f"SELECT {columns} FROM span CROSS JOIN {table.name}_past WHERE "
    if read.known < read.position:
        covers = ["width < 2 * :position", "record_class = class", "from_position > :known - width"]
        arms.append(spans + " AND ".join([*covers, *was_open, *where]))
    if read.before is not None:
        covers = ["occur_class = class", f"occur_from >= :before - (width << {OCCUR_SHIFT})"]
        arms.append(spans + " AND ".join([*covers, *had_ended, *where]))
    return arms


class _Scoped(NamedTuple):
    """Conditions that narrow down to few entities; for past rows the entities that were there once count too."""

    now: list[str]
    past: list[str]


def _scoped(table: Table, choice: Choice, parameters: dict[str, Any]) -> _Scoped:
    now: list[str] = []
    past: list[str] = []
    if choice.entities is not None:
        listed = f"entity IN {_listed(choice.entities)}"
        now.append(listed)
        past.append(listed)
    for column, values in choice.scopes.items():
        names = []
        for number, value in enumerate(values):
            parameters[f"{column}_{number}"] = value
            names.append(f":{column}_{number}")
        listed = f"({', '.join(names)})"
        now.append(f"{column} IN {listed}")
        past.append(
            f"+{column} IN {listed} AND entity IN (SELECT entity FROM {table.name}_now WHERE {column} IN {listed} "
            f"UNION SELECT entity FROM {table.name}_former WHERE scope = '{column}' AND value IN {listed})"
        )
    return _Scoped(now, past)


def changes_between(
    read: Read, table: Table, columns: str, choice: Choice, after_position: int, until_position: int
) -> list[tuple[Any, ...]]:
    """Return every version that the present began with, or ended with, in a span of positions.

    Of the entities chosen, as rows of (key, from_position, closed_position, whether it meets the choice, *columns), those of an
    entity's row in order. `closed_position` is None for the version that is still open. Versions that were written ended, by a
    late event, never were the present.
    """
    parameters: dict[str, Any] = dict(choice.parameters)
    scoped = _scoped(table, choice._replace(entities=None), parameters)
    meets = " AND ".join([f"state IN {_listed(choice.states)}", *choice.where, *scoped.now])
    key = "key" if table.keyed else "0"
    entities = f"entity IN {_listed(choice.entities or ())}"
    in_span = "from_position > :after_position AND from_position <= :until_position"
    query = (
        f"SELECT entity, {key} AS row_key, from_position, NULL AS closed, {meets}, {columns} FROM {table.name}_now "
        f"WHERE {entities} AND {in_span} UNION ALL "
        f"SELECT entity, {key}, from_position, closed_position, {meets}, {columns} FROM {table.name}_past "
        f"WHERE {entities} AND record_class IS NOT NULL AND (({in_span}) OR "
        "(closed_position > :after_position AND closed_position <= :until_position)) ORDER BY entity, row_key, from_position"
    )
    parameters |= {"after_position": after_position, "until_position": until_position}
    return read.db.execute(query, parameters).fetchall()


def _listed(numbers: Iterable[int]) -> str:
    return f"({', '.join(str(int(number)) for number in numbers)})"
