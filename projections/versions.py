"""Reads bitemporal tables: which version of each row shows at (known, before), found without reading the others.

The counterpart of bitemporal.py. A version shows at (P, T) when it was written by P and not yet taken back, began before T, and
had not ended before T; an end that became known after P does not count yet. So it is one of these, and never two of them:

- open today, written by P, begun before T;
- ended after P: at P it was open. Found by the span of positions in which it was;
- ended by P, and covering T. Found by the span of event time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from projections.bitemporal import OCCUR_SHIFT, Table
from projections.view import MAX, Read, one_of

ARMS_MAX: Final = 100
"""So many stretches of an index at most are merged in one query; SQLite takes 500."""


class Choice(NamedTuple):
    """Which rows are asked for, as SQL over the table's columns."""

    where: tuple[str, ...] = ()
    """All of them must hold."""
    parameters: Mapping[str, Any] = {}
    states: Sequence[int] = ()
    """The states that a row may be in. Every choice names them: past rows are kept by state."""
    leads: Sequence[str] = ()
    """Values of the table's lead column; empty: any."""
    scopes: Mapping[str, Sequence[Any]] = {}
    """Values of scope columns, where rows of few entities are asked for."""
    entities: Sequence[int] | None = None
    """These entities only."""
    narrowed: bool = False
    """True when the conditions are those of a narrower index than the one by state."""


def shown(
    read: Read,
    table: Table,
    columns: str,
    choice: Choice,
    parameters: dict[str, Any],
    *,
    sorted_: bool = False,
    first: str = "",
) -> str:
    """Return a query of the columns (SQL) of all rows that show; `ORDER BY` and `LIMIT` may follow it.

    What it needs is added to `parameters`. `sorted_`: an ORDER BY of the table's list order follows, so each state is asked for
    apart, of each value of a scope whose index goes on by state: SQLite merges what it finds in order instead of sorting all of it.
    `first`: the ORDER BY and LIMIT that follow. Of what ended, no more rows are read than that: the index alone tells which.
    """
    parameters.update(choice.parameters, known=read.known, before=read.before, position=read.position)
    choice = _with_leads(table, choice, parameters)
    scoped = _scoped(table, choice, parameters)
    arms = _now(read, table, columns, choice, scoped, sorted_)
    if not read.present:
        arms += _past(read, table, columns, choice, scoped, first)
    return " UNION ALL ".join(arms)


def _now(read: Read, table: Table, columns: str, choice: Choice, scoped: _Scoped, sorted_: bool) -> list[str]:
    """Return the queries of versions that are open today: one for each stretch of an index that is merged with others in order."""
    where = list(choice.where)
    if not read.present:
        # What was opened later is known by its number, without a look at its row. The plus sign keeps SQLite from going by numbers.
        where += ["+entity <= :known", "from_position <= :known"]
    if read.before is not None:
        where.append("occur_from < :before")
    states = dict.fromkeys(choice.states)
    if scoped.by_state and sorted_ and len(scoped.by_state) * len(states) <= ARMS_MAX:
        stretches = [f"{one} AND state = {state}" for one in scoped.by_state for state in states]
    elif sorted_ and states and not scoped.now and not choice.narrowed:
        stretches = [f"state = {state}" for state in states]
    else:
        # The plus sign keeps SQLite from the index by state.
        plus = "+" if (scoped.now and not scoped.by_state) or choice.narrowed else ""
        stretches = [" AND ".join([f"{plus}state IN {_listed(states)}", *scoped.now])]
    return [f"SELECT {columns} FROM {table.name}_now WHERE {' AND '.join([one, *where])}" for one in stretches]


def _past(read: Read, table: Table, columns: str, choice: Choice, scoped: _Scoped, first: str) -> list[str]:
    """Return the queries of versions that ended: those that were open at the position, and those that had ended by it."""
    was_open = ["from_position <= :known", "closed_position > :known"]
    if read.before is not None:
        was_open.append("occur_from < :before")
    had_ended = [
        "occur_from < :before",
        "occur_until >= :before",
        "closed_position <= :known",
        "(until_position IS NULL OR until_position > :known)",
    ]
    if scoped.past:
        where = [f"+state IN {_listed(choice.states)}", *choice.where, *scoped.past]
        source = f"{table.name}_past"
    else:
        where = [f"state IN {_listed(choice.states)}", *choice.where]
        if table.lead and not choice.leads:
            # All there are, for the index's sake.
            where.append(f"{table.lead} IN (SELECT value FROM {table.name}_lead)")
        source = f"span CROSS JOIN {table.name}_past"
        # No version was open for longer than the log is long.
        was_open += ["width < 2 * :position", "record_class = class", "from_position > :known - width"]
        had_ended += ["occur_class = class", f"occur_from >= :before - (width << {OCCUR_SHIFT})"]
    conditions = []
    if read.known < read.position:
        conditions.append(" AND ".join([*was_open, *where]))
    if read.before is not None:
        conditions.append(" AND ".join([*had_ended, *where]))
    if first and not scoped.past:
        of_first = f"SELECT {columns} FROM {table.name}_past WHERE id IN (SELECT id FROM {source} WHERE"
        return [f"{of_first} {condition} {first})" for condition in conditions]
    return [f"SELECT {columns} FROM {source} WHERE {condition}" for condition in conditions]


def _with_leads(table: Table, choice: Choice, parameters: dict[str, Any]) -> Choice:
    if not choice.leads:
        return choice
    return choice._replace(where=(*choice.where, one_of(table.lead, choice.leads, parameters, "lead")))


class _Scoped(NamedTuple):
    """Conditions that narrow down to few entities; for past rows the entities that were there once count too."""

    now: list[str]
    past: list[str]
    by_state: list[str]
    """Of the one scope whose index goes on by state and in the order of the table's list, the condition of each of its values."""


def _scoped(table: Table, choice: Choice, parameters: dict[str, Any]) -> _Scoped:
    now: list[str] = []
    past: list[str] = []
    by_state: list[str] = []
    if choice.entities is not None:
        listed = _among(choice.entities, parameters)
        now.append(listed)
        past.append(listed)
    for column, values in choice.scopes.items():
        listed = one_of(column, values, parameters, f"{column}_")
        if choice.entities is None and len(choice.scopes) == 1 and _goes_on_by_state(table, column):
            by_state = [f"{column} = :{column}_{values.index(value)}" for value in dict.fromkeys(values)]
        source = table.scopes_of or table.name
        here = f"SELECT entity FROM {source}_now WHERE {listed}"
        once = listed.replace(column, f"scope = '{column}' AND value", 1)
        now.append(listed if source == table.name else f"+{listed} AND entity IN ({here})")
        past.append(f"+{listed} AND entity IN ({here} UNION SELECT entity FROM {source}_former WHERE {once})")
    return _Scoped(now, past, by_state)


@cache
def _goes_on_by_state(table: Table, column: str) -> bool:
    return any(index.startswith(f"{column}, state, ") for index in table.indexes)


def _among(entities: Iterable[int], parameters: dict[str, Any]) -> str:
    """Return the condition that a row is of one of these entities. Bound, so that the statement is the same for others."""
    name = f"entities{len(parameters)}"
    parameters[name] = json.dumps(list(entities))
    return f"entity IN (SELECT value FROM json_each(:{name}))"


def changes_between(
    read: Read, table: Table, columns: str, choice: Choice, after_position: int, until_position: int
) -> list[tuple[Any, ...]]:
    """Return every version that the present began with, or ended with, in a span of positions.

    Of the entities chosen, as rows of (key, from_position, closed_position, whether it meets the choice, *columns), those of an
    entity's row in order. `closed_position` is None for the version that is still open. Versions that were written ended, by a
    late event, never were the present.
    """
    parameters: dict[str, Any] = dict(choice.parameters)
    choice = _with_leads(table, choice, parameters)
    scoped = _scoped(table, choice._replace(entities=None), parameters)
    meets = " AND ".join([f"state IN {_listed(choice.states)}", *choice.where, *scoped.now])
    key = "key" if table.keyed else "0"
    entities = _among(choice.entities or (), parameters)
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


def versions_of(read: Read, table: Table, columns: str, where: Sequence[str], entities: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return every version of these entities' rows under some conditions, as known: (*columns, occur_from, occur_until).

    A version whose end was not known yet has none (MAX), whatever `occurred_before` is asked. For entities of a few.
    """
    parameters: dict[str, Any] = {"known": read.known}
    listed = " AND ".join([_among(entities, parameters), *where])
    query = (
        f"SELECT {columns}, occur_from, {MAX} FROM {table.name}_now WHERE {listed} AND from_position <= :known UNION ALL "
        f"SELECT {columns}, occur_from, CASE WHEN closed_position <= :known THEN occur_until ELSE {MAX} END "
        f"FROM {table.name}_past WHERE {listed} AND from_position <= :known "
        "AND (until_position IS NULL OR until_position > :known)"
    )
    return read.db.execute(query, parameters).fetchall()


def _listed(numbers: Iterable[int]) -> str:
    return f"({', '.join(str(int(number)) for number in numbers)})"
