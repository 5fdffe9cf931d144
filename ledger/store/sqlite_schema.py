"""Tables of the log in SQLite, and the one place where SQLite's errors become the store's.

Immutability is kept by the tables themselves, so that a mistake elsewhere cannot change what was recorded. One way round is left:
INSERT OR REPLACE deletes without asking the trigger, unless `recursive_triggers` is on, as it is in our own connections. A trigger
before each insert would refuse it for everybody, and cost 10 % of the throughput (17 % when it looks for ids and revisions).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.sqlite_file import check_schema_version
from ledger.sqlite_writer import CommitFailedError
from ledger.store.log_rows import CLASSIFYING, GOVERNING
from ledger.store.recorder import OutcomeUnknownError, StoreConflictError, StoreError, StoreFullError, StoreUnavailableError

SCHEMA_VERSION: Final = 1

SCHEMA: Final = (
    """
    CREATE TABLE event (
        position INTEGER PRIMARY KEY,
        event_id BLOB NOT NULL CHECK (length(event_id) = 16),
        stream TEXT NOT NULL,
        revision INTEGER NOT NULL,
        topic TEXT NOT NULL,
        record_time INTEGER NOT NULL,
        header BLOB NOT NULL,
        parts BLOB
    ) STRICT
    """,
    "CREATE UNIQUE INDEX event_by_id ON event (event_id)",
    "CREATE UNIQUE INDEX event_by_stream ON event (stream, revision)",
    # Costs nothing for all other events, and lets the writer start without reading the whole log.
    f"CREATE INDEX event_that_governs ON event (position) WHERE {GOVERNING}",
    f"CREATE INDEX event_that_classifies ON event (position) WHERE {CLASSIFYING}",
    """
    CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        position INTEGER NOT NULL,
        record_time INTEGER NOT NULL,
        key_epoch INTEGER NOT NULL,
        schema_version INTEGER NOT NULL
    ) STRICT
    """,
    f"INSERT INTO head VALUES (1, 0, 0, 0, {SCHEMA_VERSION})",
    """
    CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'a recorded event is never deleted'); END
    """,
    """
    CREATE TRIGGER event_is_not_changed
    BEFORE UPDATE OF position, event_id, stream, revision, topic, record_time, header ON event
    BEGIN SELECT RAISE(ABORT, 'a recorded event is never changed'); END
    """,
    "CREATE TRIGGER head_is_not_deleted BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'the head is never deleted'); END",
    """
    CREATE TRIGGER head_never_moves_back BEFORE UPDATE ON head
    WHEN NEW.position < OLD.position OR NEW.record_time < OLD.record_time OR NEW.key_epoch < OLD.key_epoch
    BEGIN SELECT RAISE(ABORT, 'the head never moves back'); END
    """,
)


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file of a newer version with SchemaTooNewError."""
    (version,) = connection.execute("SELECT schema_version FROM head").fetchone()
    check_schema_version(path, version, SCHEMA_VERSION)


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as the store's."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(error, path) from error
    except CommitFailedError as error:
        raise OutcomeUnknownError(
            f"{path} could not commit ({error}), and may have: look the event ids up.", disk_full=_disk_full(error.__cause__)
        ) from error


def _store_error(error: sqlite3.Error, path: Path) -> StoreError:
    if isinstance(error, sqlite3.IntegrityError):
        return StoreConflictError(f"{path} refused events: {error}.")
    if _disk_full(error):
        return StoreFullError(f"{path} cannot grow, its disk is full: make room. Reading goes on.")
    if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
        return StoreUnavailableError(f"{path} is locked by another process: only one may append.")
    if not path.exists():
        return StoreUnavailableError(f"{path} does not exist: start the server with this data folder once.")
    return StoreUnavailableError(f"{path} cannot be used: {error}.")


def _disk_full(error: BaseException | None) -> bool:
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
