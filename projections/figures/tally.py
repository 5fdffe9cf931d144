"""Counts the members of a series: from the cells, or exactly from the rows they are made of.

Both ways give the same members, outcomes and sums; single values are those of buckets in the first, within 1 %, and those
themselves in the second. What happened before a time is known to rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from projections.bitemporal import Table
from projections.figures.buckets import value_of
from projections.figures.cells import DAYS_A_BLOCK, SLOT_MICROS, SLOTS_A_DAY, parts_of, summed_until, unpacked
from projections.figures.members import COUNTED, SOURCES_OF, Source
from projections.figures.reasons import FEW, Reasons, columns_of
from projections.figures.tiering import Tiers
from projections.versions import Choice, shown
from projections.view import Read


class Slice(IntEnum):
    """By what members are told apart. The numbers are those of the API's FigureSlice."""

    CHANNEL = 1
    DEPARTMENT = 2
    RECEIVER = 3
    KIND = 4
    HOUR = 5
    WEEKDAY = 6
    REASON = 7
    TIER = 8
    SKILL = 9
    SOURCE = 10


LOCAL: Final = frozenset({Slice.HOUR, Slice.WEEKDAY})
"""Slices that need the zone, and the finest cells."""

OF_ROWS: Final = frozenset({Slice.REASON, Slice.TIER, Slice.SKILL, Slice.SOURCE})
"""Slices that cells do not have."""

Group = tuple[str, ...]
"""Values of the slices asked for, in their order."""

Local = Callable[[int], tuple[int, int]]
"""Hour (0 to 23) and weekday (1 is Monday) of an instant in microseconds, in the zone asked for."""

_FAR: Final = SLOTS_A_DAY * DAYS_A_BLOCK * 2**22
"""No event occurs so many slots before or after 1970."""


class Asked(NamedTuple):
    """Which members are counted, and how they are told apart."""

    start: int | None = None
    """Beginning of the period, microseconds UTC, inclusive; None: from the first one on."""
    end: int | None = None
    """End of the period, exclusive; None: to the last one."""
    slices: tuple[Slice, ...] = ()
    channels: frozenset[str] = frozenset()
    """Only these; empty: all."""
    departments: frozenset[str] = frozenset()
    """Only these; empty: all."""
    local: Local | None = None
    """Needed for hours and weekdays."""

    def within(self, time: int) -> bool:
        """True when an instant is in the period."""
        return (self.start is None or self.start <= time) and (self.end is None or time < self.end)

    def wants(self, channel: str, department: str) -> bool:
        """True when members of a channel and department are asked for."""
        return (not self.channels or channel in self.channels) and (not self.departments or department in self.departments)

    @property
    def cells_can(self) -> bool:
        """True when the cells are fine enough for the period and its slices."""
        quarters = all(time is None or time % SLOT_MICROS == 0 for time in (self.start, self.end))
        return quarters and OF_ROWS.isdisjoint(self.slices)


class Measured:
    """The members of one outcome: how many, the sum of their values, and the values."""

    __slots__ = ("n", "total", "values")

    def __init__(self) -> None:
        self.n = 0
        self.total = 0
        self.values: dict[int, int] = {}
        """How many have each value."""

    def add(self, n: int, total: int, value: int | None) -> None:
        """Add members, the sum of their values, and the value each of them has."""
        self.n += n
        self.total += total
        if value is not None:
            self.values[value] = self.values.get(value, 0) + n

    def merge(self, other: Measured) -> None:
        """Add the members of another outcome."""
        self.n += other.n
        self.total += other.total
        for value, n in other.values.items():
            self.values[value] = self.values.get(value, 0) + n

    @property
    def valued(self) -> int:
        """How many of them have a value."""
        return sum(self.values.values())

    def percentile(self, share: float) -> int | None:
        """Return the smallest value that at least this share of the values is at or below (nearest rank); None without values."""
        count = self.valued
        wanted = -(-count * round(share * 1000) // 1000)
        passed = 0
        for value in sorted(self.values):
            passed += self.values[value]
            if passed >= wanted and passed:
                return value
        return None

    def within(self, most: int) -> int:
        """Return how many values are at or below a bound."""
        return sum(n for value, n in self.values.items() if value <= most)


Outcomes = dict[int, Measured]
"""By outcome with its flags."""
Tally = dict[Group, Outcomes]


_Sums = dict[tuple[int, int, int], list[int]]
"""(slot, cell, code) → members and the sum of their values. The slot is 0 where nobody asks for it."""


def of_cells(read: Read, series: int, asked: Asked) -> Tally:
    """Count from the cells, as known. `read.before` must be None, and `asked.cells_can` True."""
    cells = _cells(read, series, asked)
    first = -_FAR if asked.start is None else asked.start // SLOT_MICROS
    end = _FAR if asked.end is None else asked.end // SLOT_MICROS
    by_slot = not LOCAL.isdisjoint(asked.slices)
    sums = _Reader(read, series, by_slot).sums(first, end) if cells and first < end else {}
    tally: Tally = {}
    for (slot, cell, code), (n, total) in sums.items():
        group = cells.get(cell)
        if group is not None and (n or total):
            outcome, bucket = parts_of(code)
            if by_slot:
                group = localised(group, asked, slot * SLOT_MICROS)
            outcomes = tally.setdefault(group, {})
            measured = outcomes.get(outcome)
            if measured is None:
                measured = outcomes[outcome] = Measured()
            measured.add(n, total, None if bucket is None else value_of(bucket))
    return _without_nothing(tally)


def _without_nothing(tally: Tally) -> Tally:
    """Leave out what was taken back."""
    for outcomes in tally.values():
        for outcome in [outcome for outcome, measured in outcomes.items() if not measured.n]:
            del outcomes[outcome]
    return {group: outcomes for group, outcomes in tally.items() if outcomes}


def _cells(read: Read, series: int, asked: Asked) -> dict[int, Group]:
    """Return the group of each cell that is asked for; hours and weekdays are put in later."""
    found: dict[int, Group] = {}
    sql = "SELECT id, channel, department, other, kind FROM figure_cell WHERE series = ?"
    for number, channel, department, other, kind in read.db.execute(sql, (series,)):
        if asked.wants(channel, department):
            found[number] = _group(asked, channel, department, other, kind)
    return found


def _group(asked: Asked, channel: str, department: str, other: str, kind: str) -> Group:
    values = {Slice.CHANNEL: channel, Slice.DEPARTMENT: department, Slice.RECEIVER: other, Slice.KIND: kind}
    return tuple(values.get(one, "") for one in asked.slices)


def localised(group: Group, asked: Asked, micros: int) -> Group:
    """Return the group of a member with the hour and weekday of its time, where these are asked for."""
    if LOCAL.isdisjoint(asked.slices):
        return group
    assert asked.local is not None
    hour, weekday = asked.local(micros)
    values = {Slice.HOUR: f"{hour:02d}", Slice.WEEKDAY: str(weekday)}
    return tuple(values.get(one, value) for one, value in zip(asked.slices, group, strict=True))


class _Reader:
    """Reads the cells of a series as known: blocks of days, the days at both ends of a period, single deltas at the very ends."""

    def __init__(self, read: Read, series: int, by_slot: bool) -> None:
        self._db = read.db
        self._known = read.known
        self._summed = summed_until(read.position)
        self._series = series
        self._by_slot = by_slot
        self._sums: _Sums = {}

    def sums(self, first: int, end: int) -> _Sums:
        """Return the sums over the slots [first, end)."""
        first_day, end_day = -(-first // SLOTS_A_DAY), end // SLOTS_A_DAY
        if self._by_slot or first_day >= end_day:
            self._take_deltas(first // SLOTS_A_DAY, -(-end // SLOTS_A_DAY), slots=(first, end))
        else:
            for low, high in ((first, first_day * SLOTS_A_DAY), (end_day * SLOTS_A_DAY, end)):
                if low < high:
                    self._take_deltas(low // SLOTS_A_DAY, low // SLOTS_A_DAY + 1, slots=(low, high))
            self._take_days(first_day, end_day)
        if self._known > self._summed:
            self._take_recent(first, end)
        return self._sums

    def _take_recent(self, first: int, end: int) -> None:
        sql = (
            f"SELECT {'slot' if self._by_slot else '0'}, cell, code, n, total FROM figure_recent "
            "WHERE cell IN (SELECT id FROM figure_cell WHERE series = ?) AND slot >= ? AND slot < ? AND position <= ?"
        )
        self._add(self._db.execute(sql, (self._series, first, end, self._known)))

    def _add(self, rows: Iterable[tuple[int, int, int, int, int]]) -> None:
        sums = self._sums
        for slot, cell, code, n, total in rows:
            found = sums.get((slot, cell, code))
            if found is None:
                sums[slot, cell, code] = [n, total]
            else:
                found[0] += n
                found[1] += total

    def _take_deltas(
        self, first_day: int, end_day: int, *, slots: tuple[int, int] | None = None, since: bool = False, sign: int = 1
    ) -> None:
        """Take in single deltas of some days that were known. `since`: those that came later; `sign` -1: take them off."""
        known, by_slot = self._known, self._by_slot
        low, high = slots if slots is not None else (-_FAR, _FAR)
        sql = "SELECT last_position, first_position, deltas FROM figure_delta WHERE series = ? AND day >= ? AND day < ? AND " + (
            "last_position > ?" if since else "first_position <= ?"
        )
        for last, first, deltas in self._db.execute(sql, (self._series, first_day, end_day, known)):
            # Most pieces are known wholly, or not at all.
            cut = first <= known < last
            self._add(
                (slot if by_slot else 0, cell, code, sign * n, sign * total)
                for position, slot, cell, code, n, total in unpacked(deltas)
                if low <= slot < high and (not cut or (position > known) == since)
            )

    def _take_days(self, first: int, end: int) -> None:
        """Take in whole days [first, end)."""
        first_block, end_block = -(-first // DAYS_A_BLOCK), end // DAYS_A_BLOCK
        if first_block < end_block:
            stretches = [
                ("day", first, first_block * DAYS_A_BLOCK),
                ("block", first_block, end_block),
                ("day", end_block * DAYS_A_BLOCK, end),
            ]
        else:
            stretches = [("day", first, end)]
        for unit, low, high in stretches:
            if low < high and self._known >= self._summed:
                self._take_units(unit, low, high)
            elif low < high:
                self._take_units_as_known(unit, low, high)

    def _take_units(self, unit: str, first: int, end: int) -> None:
        """Take in what the sums of days or blocks [first, end) hold."""
        sql = (
            f"SELECT 0, cell, code, sum(n), sum(total) FROM figure_{unit} WHERE series = ? AND {unit} >= ? AND {unit} < ? "
            "GROUP BY cell, code"
        )
        self._add(self._db.execute(sql, (self._series, first, end)))

    def _take_units_as_known(self, unit: str, first: int, end: int) -> None:
        """Take in days or blocks as known before the last window.

        What was known of one are its sums, less what came later; or, where less had come by then, that itself.
        """
        days = DAYS_A_BLOCK if unit == "block" else 1
        # Deltas of each, and about how many of them came later: as if they had come at an even rate.
        later = (
            "sum(CASE WHEN last_position <= :known THEN 0 WHEN first_position > :known THEN count "
            "ELSE count * (last_position - :known) / (last_position - first_position + 1) END)"
        )
        sql = (
            f"SELECT (day - :base) / {days} AS unit, sum(count), {later}, max(last_position) FROM figure_delta "
            "WHERE series = :series AND day >= :first AND day < :end GROUP BY unit ORDER BY unit"
        )
        base = -_FAR
        parameters = {
            "known": self._known,
            "base": base,
            "series": self._series,
            "first": max(first * days, base),
            "end": end * days,
        }
        for number, count, since, last in self._db.execute(sql, parameters).fetchall():
            place = number + base // days
            if last <= self._known:
                self._take_units(unit, place, place + 1)
            elif since * 2 < count:
                self._take_units(unit, place, place + 1)
                self._take_deltas(place * days, (place + 1) * days, since=True, sign=-1)
            else:
                self._take_deltas(place * days, (place + 1) * days)


# Exactly, from the rows


def few(numbers: Iterable[int]) -> list[int] | None:
    """Return the numbers of rows to ask for; None where they are so many that all rows are read instead."""
    listed = sorted(numbers)
    return listed if len(listed) <= FEW else None


class Found(NamedTuple):
    """A member, and the row it comes from."""

    time: int
    department: str
    outcome: int
    value: int | None
    group: Group
    entity: int
    """Position of the event that opened it: the number of its entity, or its key where an entity has several."""
    position: int
    """Position of the event by which the row came to be as it is."""


def members_of(read: Read, series: int, asked: Asked, states: Sequence[int] = range(20)) -> Iterator[Found]:
    """Yield the members of a series one by one, as known and as it had happened, from the rows."""
    for source in SOURCES_OF[series]:
        yield from _members_in(read, source, series, asked, states)


def _members_in(read: Read, source: Source, series: int, asked: Asked, states: Sequence[int]) -> Iterator[Found]:
    table = source.view.table
    columns, members = source.rule
    column = source.times[series]
    where: list[str] = [f"{column} IS NOT NULL"]
    parameters: dict[str, Any] = {}
    for condition, value in ((f"{column} >= :start", asked.start), (f"{column} < :end", asked.end)):
        if value is not None:
            where.append(condition)
            parameters[condition.rpartition(":")[2]] = value
    choice = Choice(tuple(where), parameters, states)
    more = _more_columns(table, asked.slices)
    query = shown(read, table, ", ".join((source.opener, "from_position", *columns.names, *more)), choice, parameters)
    rows = read.db.execute(query, parameters).fetchall()
    end = 2 + len(columns.names)
    of_rows = _OfRows(read, table, asked.slices, more, [row[end:] for row in rows]) if more else None
    for row in rows:
        for number, time, channel, department, other, kind, outcome, value in members(row[2:end]):
            if number != series or not asked.wants(channel, department):
                continue
            group = _group(asked, channel, department, other, kind)
            group = localised(group, asked, time)
            if of_rows is not None:
                group = of_rows.put_into(group, row[end:], time)
            yield Found(time, department, outcome, value, group, row[0], row[1])


def _more_columns(table: Table, slices: Sequence[Slice]) -> tuple[str, ...]:
    """Return the columns that slices need which cells do not have; a table may lack some."""
    needed = {Slice.REASON: columns_of(table), Slice.TIER: ("subject",), Slice.SKILL: ("skill_needed",)}
    return tuple(name for one in slices for name in needed.get(one, ()) if name in table.names)


class _OfRows:
    """Puts into groups what slices ask which cells do not have."""

    def __init__(
        self, read: Read, table: Table, slices: Sequence[Slice], names: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """`names`: those of `_more_columns`; `rows`: their values."""
        self._slices = slices
        self._reasons = Reasons(read, table, names, rows) if Slice.REASON in slices else None
        self._subject = names.index("subject") if Slice.TIER in slices else None
        self._tiers = Tiers(read, {row[self._subject] for row in rows}) if self._subject is not None else None
        self._skill = names.index("skill_needed") if "skill_needed" in names else None

    def put_into(self, group: Group, row: Sequence[Any], time: int) -> Group:
        """Return the group of a member."""
        more = {}
        if self._skill is not None:
            more[Slice.SKILL] = row[self._skill]
        if self._reasons is not None:
            more[Slice.REASON] = self._reasons.of(row)
        if self._tiers is not None and self._subject is not None:
            more[Slice.TIER] = self._tiers.at(row[self._subject], time)
        return tuple(more.get(one, value) for one, value in zip(self._slices, group, strict=True))


def of_rows(read: Read, series: int, asked: Asked, states: Sequence[int] = range(20)) -> Tally:
    """Count from the rows: exact, at any position and before any time, in time by the number of rows."""
    tally: Tally = {}
    for found in members_of(read, series, asked, states):
        outcomes = tally.setdefault(found.group, {})
        measured = outcomes.get(found.outcome)
        if measured is None:
            measured = outcomes[found.outcome] = Measured()
        measured.add(1, found.value or 0, None if series in COUNTED else found.value)
    return tally
