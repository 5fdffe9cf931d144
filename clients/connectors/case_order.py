"""Rows grouped into cases and put in order, whatever order the file has them in, in bounded memory.

A temporary SQLite database without a name sorts them: it spills to disk by itself, and is gone with the process, however that ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from clients.connectors.rows import Row
from clients.connectors.time_text import micros

_BATCH: Final = 5_000


class CaseOrder:
    """Takes rows in any order, gives cases in the order of their first row in the file, each with its rows in order.

    Rows that are equal in all `order_count` values stand in the order of the file. Use it once: add all, then read.
    """

    def __init__(self, order_count: int) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        order = [f"order_{number}" for number in range(order_count)]
        self._db.execute("CREATE TABLE cases (name TEXT PRIMARY KEY, first_line INTEGER) WITHOUT ROWID")
        self._db.execute(
            f"CREATE TABLE rows (line INTEGER PRIMARY KEY, name TEXT, {''.join(f'{one}, ' for one in order)}cells TEXT)"
        )
        self._insert = f"INSERT INTO rows VALUES (?, ?, {'?, ' * order_count}?)"
        self._select = (
            "SELECT rows.name, rows.line, rows.cells FROM rows JOIN cases ON cases.name = rows.name "
            f"ORDER BY cases.first_line, {''.join(f'rows.{one}, ' for one in order)}rows.line"
        )
        self._waiting: list[tuple[Any, ...]] = []
        self.row_count = 0

    def add(self, case: str, order: Sequence[Any], row: Row) -> None:
        """Take a row in. Lines are unique."""
        self._waiting.append((row.line, case, *(_sortable(value) for value in order), json.dumps(row.cells)))
        self.row_count += 1
        if len(self._waiting) >= _BATCH:
            self._write()

    def cases(self) -> Iterator[list[Row]]:
        """Give the cases, one after the other; only one is in memory."""
        self._write()
        current: str | None = None
        rows: list[Row] = []
        for name, line, cells in self._db.execute(self._select):
            if name != current and rows:
                yield rows
                rows = []
            current = name
            rows.append(Row(line, json.loads(cells)))
        if rows:
            yield rows
        self._db.close()

    def _write(self) -> None:
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO cases VALUES (?, ?)", [(row[1], row[0]) for row in self._waiting])
        self._db.executemany(self._insert, self._waiting)
        self._db.execute("COMMIT")
        self._waiting.clear()


def _sortable(value: Any) -> Any:
    return micros(value) if isinstance(value, datetime) else value
