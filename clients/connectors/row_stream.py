"""The rows of a file in the order in which they are imported, each mapped to its events or with the reason why not.

The order is a function of file and mapping, so that `rows_done` of a checkpoint means the same rows in every attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from clients.connectors.case_order import CaseOrder
from clients.connectors.mapping import Mapping
from clients.connectors.row_mapper import RowError, RowMapper
from clients.connectors.rows import BadRow, Row, Table
from clients.connectors.time_text import TimeReader
from ledger.api.v1.event_pb2 import EventToAppend


class RowOutcome(NamedTuple):
    """A row, and what the mapping makes of it: events (perhaps none), or a reason."""

    line: int
    cells: list[str]
    """As read; for something that is no row, what stands there."""
    key: str = ""
    events: tuple[EventToAppend, ...] = ()
    topics: tuple[str, ...] = ()
    ambiguous_times: int = 0
    moved_times: int = 0
    reason: str = ""
    """Why it was rejected; empty when it was not."""
    rule: str = ""
    place: str = ""
    """Key of the mapping at which it failed."""
    skipped: bool = False


class RowStream:
    """The rows of one table. `total` is the number of rows where it is known before they are mapped, else 0."""

    def __init__(self, table: Table, mapping: Mapping, mapper: RowMapper, times: TimeReader) -> None:
        self._table = table
        self._mapping = mapping
        self._mapper = mapper
        self._times = times
        self.total = 0

    def outcomes(self, done: int, reading: Callable[[], None]) -> Iterator[RowOutcome]:
        """Give every row after the first `done`. `reading` is called for each row read before there is anything to give."""
        every = self._ordered(done, reading) if self._mapping.rows == "snapshot" else self._as_they_stand(done)
        return islice(every, done, None)

    def _as_they_stand(self, done: int) -> Iterator[RowOutcome]:
        for number, row in enumerate(self._table.rows):
            if number < done:
                yield RowOutcome(row.line, [])
            else:
                yield self._usable(row) or self._mapped(row)  # type: ignore[arg-type]

    def _ordered(self, done: int, reading: Callable[[], None]) -> Iterator[RowOutcome]:
        """First what cannot be placed into a case, as it is read; then case after case."""
        cases = CaseOrder(len(self._mapping.order))
        count = 0
        for row in self._table.rows:
            reading()
            count += 1
            outcome = self._usable(row)
            if outcome is None and isinstance(row, Row):
                try:
                    case, order = self._mapper.place(row.line, row.cells)
                    cases.add(case, order, row)
                except RowError as error:
                    outcome = _rejected(row, error)
            if outcome is not None:
                yield outcome
        self.total = count
        number = count - cases.row_count
        for rows in cases.cases():
            number += len(rows)
            if number <= done:
                yield from (RowOutcome(row.line, []) for row in rows)
                continue
            # A case that was broken off is mapped from its first row: what comes after depends on what was before.
            self._mapper.start_case()
            yield from [self._mapped(row) for row in rows]

    def _usable(self, row: Row | BadRow) -> RowOutcome | None:
        """Return the outcome of a row that is not mapped: unreadable or left out; None for all others."""
        if isinstance(row, BadRow):
            return RowOutcome(row.line, [row.text], reason=row.reason)
        try:
            return RowOutcome(row.line, row.cells, skipped=True) if self._mapper.skips(row.line, row.cells) else None
        except RowError as error:
            return _rejected(row, error)

    def _mapped(self, row: Row) -> RowOutcome:
        try:
            mapped = self._mapper.map(row.line, row.cells)
        except RowError as error:
            return _rejected(row, error)
        ambiguous, moved = self._count(mapped.events)
        return RowOutcome(row.line, row.cells, mapped.key, tuple(mapped.events), tuple(mapped.topics), ambiguous, moved)

    def _count(self, events: list[EventToAppend]) -> tuple[int, int]:
        times = self._times
        if not times.ambiguous and not times.moved:
            return 0, 0
        instants = [event.envelope.occur_time.ToMicroseconds() for event in events]
        return sum(one in times.ambiguous for one in instants), sum(one in times.moved for one in instants)


def _rejected(row: Row, error: RowError) -> RowOutcome:
    return RowOutcome(row.line, row.cells, reason=str(error), rule=error.rule, place=error.key)
