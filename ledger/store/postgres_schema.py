"""Tables of the log in PostgreSQL, and the one place where its errors become the store's.

Portable on purpose: no sequence, advisory lock, trigger, stored procedure or savepoint, so that databases which speak PostgreSQL's
language can hold the log too. Only PostgreSQL itself is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, LiteralString

import psycopg
from psycopg import errors

from ledger.durable_file import ServerSettingError
from ledger.postgres_server import CommitUnconfirmedError, PgConnection, ServerUnconfirmedError, exists, what_failed
from ledger.store.log_rows import CLASSIFYING, GOVERNING
from ledger.store.recorder import (
    OutcomeUnknownError,
    StoreConflictError,
    StoreError,
    StoreFullError,
    StoreTooNewError,
    StoreUnavailableError,
)

SCHEMA_VERSION: Final = 2
"""One more whenever older programs must no longer append: they look at it under the lock, whenever they do."""

_NODE: Final[LiteralString] = """
    CREATE TABLE node (
        name TEXT PRIMARY KEY,
        position BIGINT NOT NULL,
        lag_micros BIGINT NOT NULL,
        seen BIGINT NOT NULL
    )
    """

SCHEMA: Final[tuple[LiteralString, ...]] = (
    """
    CREATE TABLE event (
        position BIGINT PRIMARY KEY,
        event_id BYTEA NOT NULL UNIQUE CHECK (length(event_id) = 16),
        stream TEXT NOT NULL,
        revision BIGINT NOT NULL,
        topic TEXT NOT NULL,
        record_time BIGINT NOT NULL,
        header BYTEA NOT NULL,
        parts BYTEA,
        UNIQUE (stream, revision)
    )
    """,
    f"CREATE INDEX event_that_governs ON event (position) WHERE {GOVERNING}",
    f"CREATE INDEX event_that_classifies ON event (position) WHERE {CLASSIFYING}",
    """
    CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        position BIGINT NOT NULL,
        record_time BIGINT NOT NULL,
        key_epoch BIGINT NOT NULL,
        schema_version INTEGER NOT NULL
    )
    """,
    _NODE,
    f"INSERT INTO head VALUES (1, 0, 0, 0, {SCHEMA_VERSION})",
)

UPGRADES: Final[dict[int, tuple[LiteralString, ...]]] = {1: (_NODE,)}
"""What makes tables of a version those of the next."""

TOUCH: Final[LiteralString] = "UPDATE head SET key_epoch = key_epoch"

_MISSING: Final = "The log does not exist in this database: start a server with it once."


def check_version(connection: PgConnection) -> None:
    """Refuse tables of a newer version with ServerSettingError; raise StoreUnavailableError when there are none."""
    if not exists(connection, "head"):
        raise StoreUnavailableError(_MISSING)
    row = connection.execute("SELECT schema_version FROM head").fetchone()
    version = row[0] if row else 0
    if version > SCHEMA_VERSION:
        raise ServerSettingError(_too_new(version))


def check_may_append(version: int) -> None:
    """Raise StoreTooNewError when a newer program has changed the tables since this one opened them."""
    if version > SCHEMA_VERSION:
        raise StoreTooNewError(_too_new(version))


def upgrade(connection: PgConnection) -> None:
    """Bring tables of an older version to this one, inside a transaction. Processes that do so at once wait for one another."""
    row = connection.execute("SELECT schema_version FROM head FOR UPDATE").fetchone()
    version = row[0] if row else SCHEMA_VERSION
    if version < SCHEMA_VERSION:
        for step in range(version, SCHEMA_VERSION):
            for statement in UPGRADES[step]:
                connection.execute(statement)
        connection.execute("UPDATE head SET schema_version = %s", (SCHEMA_VERSION,))


def _too_new(version: int) -> str:
    return f"The log has schema version {version}, and this program knows up to {SCHEMA_VERSION}: update this program."


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise the driver's errors as the store's. The texts of the server may name values, so they are not passed on."""
    try:
        yield
    except psycopg.Error as error:
        raise _store_error(error) from error


def _store_error(error: psycopg.Error) -> StoreError:
    if isinstance(error, CommitUnconfirmedError):
        full = isinstance(error.__cause__, errors.DiskFull)
        return OutcomeUnknownError(
            f"The log could not be committed ({error}): look the event ids up.", disk_full=full, unconfirmed=error.__cause__ is None
        )
    if isinstance(error, ServerUnconfirmedError):
        return StoreUnavailableError(
            f"The PostgreSQL server was started again, and {error}: what it holds could be taken back. Bring the standby back, "
            "or take its name from synchronous_standby_names."
        )
    if isinstance(error, errors.UniqueViolation):
        constraint = error.diag.constraint_name or "a unique index"
        return StoreConflictError(f"The log refused events that are recorded already ({constraint}).")
    if isinstance(error, errors.DiskFull):
        return StoreFullError("The log cannot grow, its disk is full: make room. Reading goes on.")
    if isinstance(error, errors.LockNotAvailable):
        return StoreUnavailableError("The log is locked by another process that does not let go of it.")
    if isinstance(error, errors.UndefinedTable):
        return StoreUnavailableError(_MISSING)
    return StoreUnavailableError(
        f"The log cannot be used ({what_failed(error)}): see whether its PostgreSQL server runs and can be reached."
    )
