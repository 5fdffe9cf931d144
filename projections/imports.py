"""Import runs: which are open. The clock derives nothing for an event of a run that is still open (domain rule 8.5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.event import Event
from projections.view import Changes, Read

if TYPE_CHECKING:
    import sqlite_utils

_TABLE: Final = """CREATE TABLE import_run (
    run TEXT PRIMARY KEY, started_position INTEGER NOT NULL, finished_position INTEGER, last_record_time INTEGER NOT NULL
) WITHOUT ROWID"""


class ImportRun(NamedTuple):
    """An import run as it stands."""

    started_position: int
    """Position of `import-started`, or of the run's first event where nobody said that it starts."""
    finished_position: int | None
    """Position of `import-finished`; None while it is open."""
    last_record_time: int
    """When its last event so far was recorded, as known now: an open run without events for an hour counts as silent."""


class ImportsView:
    """Applies events to the import runs."""

    name = "imports"

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the table in an empty views file."""
        db.execute(_TABLE)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Note when runs start and finish, and when each was last heard of. One row a run and batch."""
        last: dict[str, int] = {}
        runs: dict[str, list[Any]] = {}
        for event in events:
            topic = event.topic
            framed = topic in ("import-started", "import-finished")
            run = event.payload.run_id if framed else event.header.import_run
            if not run:
                continue
            last[run] = event.record
            if run not in runs:
                runs[run] = list(_row(db, run) or (None, None))
            row = runs[run]
            if row[0] is None:
                row[0] = event.position
                changes.add(event.position, "started", run)
            if topic == "import-finished" and row[1] is None:
                row[1] = event.position
                changes.add(event.position, "finished", run)
        db.executemany(
            "INSERT INTO import_run VALUES (?, ?, ?, ?) ON CONFLICT (run) DO UPDATE SET "
            "finished_position = excluded.finished_position, last_record_time = excluded.last_record_time",
            [(run, started, finished, last[run]) for run, (started, finished) in runs.items()],
        )


def open_runs(read: Read) -> list[str]:
    """Return the runs that had begun and not finished at the position known, by name."""
    rows = read.db.execute(
        "SELECT run FROM import_run WHERE started_position <= :known AND (finished_position IS NULL OR finished_position > :known) "
        "ORDER BY run",
        {"known": read.known},
    )
    return [run for (run,) in rows]


def state(read: Read, run: str) -> ImportRun | None:
    """Return how a run stands; None for one that had not begun at the position known."""
    row = read.db.execute(
        "SELECT started_position, finished_position, last_record_time FROM import_run WHERE run = ?", (run,)
    ).fetchone()
    if row is None or row[0] > read.known:
        return None
    found = ImportRun(*row)
    if found.finished_position is not None and found.finished_position > read.known:
        return found._replace(finished_position=None)
    return found


def _row(db: sqlite3.Connection, run: str) -> tuple[int, int | None] | None:
    row: tuple[int, int | None] | None = db.execute(
        "SELECT started_position, finished_position FROM import_run WHERE run = ?", (run,)
    ).fetchone()
    return row
