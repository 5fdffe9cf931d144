"""The cells of figures: how many members each outcome has, by series, day, channel, department and kind, as known at any position.

Every change of what a row counts for is a *delta* at the position of the event that made it, and is kept for ever: so a figure
can be asked as it was known, and the events behind it can be named. Deltas of one window of positions are kept as they come; when
the window is full they are sorted by day, and summed by day and by block of days. What is known now is a few sums and the last
window; what was known then is the same less the deltas since.

Times are kept by quarter hour: every zone in use cuts its days there. Nothing depends on how the log was cut into batches.
"""

from __future__ import annotations

import marshal
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from projections.bitemporal import Row, Values
from projections.figures.buckets import COUNT, bucket_of
from projections.figures.members import COUNTED, Member, Rule
from projections.view import Changes

if TYPE_CHECKING:
    import sqlite_utils

NAME: Final = "figures"
"""The view's name in digests."""

SLOT_MICROS: Final = 900_000_000
"""A quarter of an hour: the finest time that cells know."""
SLOTS_A_DAY: Final = 96
DAYS_A_BLOCK: Final = 16
"""Days that are summed together: a period of a year is some 22 blocks, and 30 days at most beside them."""
WINDOW: Final = 4_096
"""Positions whose deltas are summed together. A multiple of the digests' window, as batches are when catching up."""

_CODE: Final = 2_048
"""A code is an outcome times this, plus the bucket of the value and 1; plus 0 without a value."""
assert COUNT < _CODE

_MARSHAL: Final = 2
"""The version of marshal that digests use, too."""

_TABLES: Final = (
    "CREATE TABLE figure_cell (id INTEGER PRIMARY KEY, series INTEGER NOT NULL, channel TEXT NOT NULL, department TEXT NOT NULL, "
    "other TEXT NOT NULL, kind TEXT NOT NULL) STRICT",
    "CREATE INDEX figure_cell_series ON figure_cell (series)",
    # The window that is not full yet, as it comes.
    "CREATE TABLE figure_recent (position INTEGER NOT NULL, slot INTEGER NOT NULL, cell INTEGER NOT NULL, code INTEGER NOT NULL, "
    "n INTEGER NOT NULL, total INTEGER NOT NULL) STRICT",
    # Full windows: the deltas of a series and day in one piece, because they are read together or not at all.
    "CREATE TABLE figure_delta (series INTEGER NOT NULL, day INTEGER NOT NULL, first_position INTEGER NOT NULL, "
    "last_position INTEGER NOT NULL, count INTEGER NOT NULL, deltas BLOB NOT NULL) STRICT",
    "CREATE UNIQUE INDEX figure_delta_day ON figure_delta (series, day, first_position, last_position, count)",
    *(
        f"CREATE TABLE figure_{unit} (series INTEGER NOT NULL, {unit} INTEGER NOT NULL, cell INTEGER NOT NULL, code INTEGER NOT "
        f"NULL, n INTEGER NOT NULL, total INTEGER NOT NULL, PRIMARY KEY (series, {unit}, cell, code)) STRICT, WITHOUT ROWID"
        for unit in ("day", "block")
    ),
)

Delta = tuple[int, int, int, int, int, int]
"""position, slot, cell, code, members more or less, sum of their values. In order of position; a cell is of one series."""
_Sum = dict[tuple[int, int, int, int], list[int]]


def create_tables(db: sqlite_utils.Database) -> None:
    """Create the tables in an empty views file."""
    for statement in _TABLES:
        db.execute(statement)


def parts_of(code: int) -> tuple[int, int | None]:
    """Return outcome and bucket of a code; None without a value."""
    outcome, bucket = divmod(code, _CODE)
    return outcome, bucket - 1 if bucket else None


def summed_until(position: int) -> int:
    """Return the position up to which deltas are summed, where the views stand at a position."""
    return position - position % WINDOW


class Cells:
    """Writes the cells of one views file. What a batch changes is written at `flush`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._changes = Changes()
        self._ids: dict[tuple[int, str, str, str, str], int] = {}
        self._series: dict[int, int] = {}
        """By cell."""
        for number, series, channel, department, other, kind in db.execute("SELECT * FROM figure_cell"):
            self._ids[series, channel, department, other, kind] = number
            self._series[number] = series
        self._new_cells: list[tuple[int, int, str, str, str, str]] = []
        self._new: list[Delta] = []
        (first,) = db.execute("SELECT min(position) FROM figure_recent").fetchone()
        self._oldest: int | None = first
        """Position of the oldest delta that is not summed yet, as it stands in the file; None: there is none."""

    def begin(self, changes: Changes) -> None:
        """Begin a batch whose changes are noted there."""
        self._changes = changes

    def turn(self, rule: Rule, before: Values | None, after: Values | None, position: int) -> None:
        """Take in that a row became another one; None: there is none."""
        columns, members = rule
        old = columns.of(before) if before is not None else None
        new = columns.of(after) if after is not None else None
        if old == new:
            return
        less = members(old) if old is not None else ()
        more = members(new) if new is not None else ()
        if less == more:
            return
        for member in less:
            if member not in more:
                self._add(member, -1, position)
        for member in more:
            if member not in less:
                self._add(member, 1, position)

    def turns(self, rule: Rule, before: Mapping[int, Row], after: Mapping[int, Row], position: int) -> None:
        """Take in that the open rows of an entity, by key, became others."""
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key), after.get(key)
            self.turn(rule, None if old is None else old[2], None if new is None else new[2], position)

    def _add(self, member: Member, sign: int, position: int) -> None:
        series, time, channel, department, other, kind, outcome, value = member
        place = (series, channel, department, other, kind)
        cell = self._ids.get(place)
        if cell is None:
            cell = self._ids[place] = len(self._ids) + 1
            self._series[cell] = series
            self._new_cells.append((cell, *place))
        if value is None:
            code, total = outcome * _CODE, 0
        else:
            code = outcome * _CODE if series in COUNTED else outcome * _CODE + bucket_of(value) + 1
            total = sign * value
        delta = (position, time // SLOT_MICROS, cell, code, sign, total)
        self._new.append(delta)
        self._changes.entries.append((position, delta))

    def flush(self, position: int) -> None:
        """Write what was collected; the batch ends at `position`."""
        db, new = self._db, self._new
        if self._new_cells:
            db.executemany("INSERT INTO figure_cell VALUES (?, ?, ?, ?, ?, ?)", self._new_cells)
            self._new_cells.clear()
        summed = summed_until(position)
        full: list[Delta] = []
        if self._oldest is not None and self._oldest <= summed:
            full = db.execute("SELECT * FROM figure_recent ORDER BY rowid").fetchall()
            db.execute("DELETE FROM figure_recent")
            self._oldest = None
        place = bisect_right(new, summed, key=_position_of)
        full += new[:place]
        # Window by window, so that nothing depends on how many of them a batch fills.
        for _, window in groupby(full, _window_of):
            self._sum(window)
        if place < len(new):
            db.executemany("INSERT INTO figure_recent VALUES (?, ?, ?, ?, ?, ?)", new[place:])
            if self._oldest is None:
                self._oldest = new[place][0]
        self._new = []

    def _sum(self, deltas: Iterable[Delta]) -> None:
        """Put the deltas of a full window where they stay, and add them to the sums."""
        series_of = self._series
        by_day: dict[tuple[int, int], list[Delta]] = {}
        for delta in deltas:
            place = (series_of[delta[2]], delta[1] // SLOTS_A_DAY)
            of_day = by_day.get(place)
            if of_day is None:
                by_day[place] = [delta]
            else:
                of_day.append(delta)
        pieces = sorted(by_day.items())
        self._db.executemany(
            "INSERT INTO figure_delta VALUES (?, ?, ?, ?, ?, ?)",
            [(*place, of_day[0][0], of_day[-1][0], len(of_day), marshal.dumps(of_day, _MARSHAL)) for place, of_day in pieces],
        )
        days: list[tuple[int, int, int, int, int, int]] = []
        blocks: _Sum = {}
        for (series, day), of_day in pieces:
            sums: dict[tuple[int, int], list[int]] = {}
            for _, _, cell, code, n, total in of_day:
                found = sums.get((cell, code))
                if found is None:
                    sums[cell, code] = [n, total]
                else:
                    found[0] += n
                    found[1] += total
            block = day // DAYS_A_BLOCK
            for (cell, code), (n, total) in sums.items():
                if n or total:
                    days.append((series, day, cell, code, n, total))
                    whole = blocks.get((series, block, cell, code))
                    if whole is None:
                        blocks[series, block, cell, code] = [n, total]
                    else:
                        whole[0] += n
                        whole[1] += total
        self._upsert("day", days)
        self._upsert("block", [(*key, n, total) for key, (n, total) in blocks.items() if n or total])

    def _upsert(self, unit: str, rows: list[tuple[int, int, int, int, int, int]]) -> None:
        self._db.executemany(
            f"INSERT INTO figure_{unit} VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "n = n + excluded.n, total = total + excluded.total",
            rows,
        )


_position_of = itemgetter(0)


def _window_of(delta: Delta) -> int:
    return (delta[0] - 1) // WINDOW


def unpacked(deltas: bytes) -> list[Delta]:
    """Return the deltas of one piece, in order of position."""
    found: list[Delta] = marshal.loads(deltas)
    return found
