"""Tables of the log in PostgreSQL, what a server must be set to, and the one place where its errors become the store's.

Portable on purpose: no sequence, advisory lock, trigger, stored procedure or savepoint, so that databases which speak PostgreSQL's
language can hold the log too. Only PostgreSQL itself is tested.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors

from ledger.store.recorder import StoreConflictError, StoreError, StoreFullError, StoreUnavailableError

SCHEMA_VERSION: Final = 1

GOVERNING: Final[LiteralString] = "topic IN ('policy-published', 'policy-withdrawn', 'identifier-shared')"
"""Events that every append may depend on, whatever its stream. The same text stands in the index and in the query."""

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
    """
    CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        position BIGINT NOT NULL,
        record_time BIGINT NOT NULL,
        key_epoch BIGINT NOT NULL,
        schema_version INTEGER NOT NULL
    )
    """,
    f"INSERT INTO head VALUES (1, 0, 0, 0, {SCHEMA_VERSION})",
)

MADE_BY_ANOTHER: Final = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject, errors.UndefinedTable)
"""What a process sees that makes the tables while another one does."""

TRIES: Final = 20

DURABLE: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}
"""Settings without which an acknowledged event could be lost."""

log = logging.getLogger("tellonce.store")


class ServerSettingError(Exception):
    """The server is set so that commits could be lost, or its schema is newer than this program. It is not used."""


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the tables where there are none. Any number of processes may do so at once. Raises ServerSettingError."""
    check_settings(connection)
    for _ in range(TRIES):
        if _exists(connection):
            break
        try:
            with connection.transaction():
                for statement in SCHEMA:
                    connection.execute(statement)
        except MADE_BY_ANOTHER:
            continue
    check_version(connection)


def check_version(connection: psycopg.Connection[Any]) -> None:
    """Refuse tables of a newer version with ServerSettingError; raise StoreUnavailableError when there are none."""
    if not _exists(connection):
        raise StoreUnavailableError("The log does not exist in this database: start a server with it once.")
    row = connection.execute("SELECT schema_version FROM head").fetchone()
    version = row[0] if row else 0
    if version > SCHEMA_VERSION:
        raise ServerSettingError(
            f"The log has schema version {version}, and this program knows up to {SCHEMA_VERSION}: update this program."
        )


def check_settings(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server that could lose what it committed (ServerSettingError); warn where one machine's loss would lose it."""
    for name, wanted in DURABLE.items():
        found = _setting(connection, name)
        if found not in wanted:
            raise ServerSettingError(
                f"The PostgreSQL server has {name}={found}, so what it commits could be lost: set it to {wanted[0]}."
            )
    if not _setting(connection, "synchronous_standby_names"):
        log.warning(
            "The PostgreSQL server has no synchronous standby (synchronous_standby_names is empty): what is acknowledged is on its "
            "disk alone."
        )


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def _exists(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("SELECT to_regclass('head')").fetchone() != (None,)


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise the driver's errors as the store's. The texts of the server may name values, so they are not passed on."""
    try:
        yield
    except psycopg.Error as error:
        raise store_error(error) from error


def store_error(error: psycopg.Error) -> StoreError:
    """Return what an error of the driver means to who uses the log."""
    if isinstance(error, errors.UniqueViolation):
        constraint = error.diag.constraint_name or "a unique index"
        return StoreConflictError(f"The log refused events that are recorded already ({constraint}).")
    if isinstance(error, errors.DiskFull):
        return StoreFullError("The log cannot grow, its disk is full: make room. Reading goes on.")
    if isinstance(error, errors.LockNotAvailable):
        return StoreUnavailableError("The log is locked by another process that does not let go of it.")
    if isinstance(error, errors.UndefinedTable):
        return StoreUnavailableError("The log does not exist in this database: start a server with it once.")
    what = error.sqlstate or type(error).__name__
    return StoreUnavailableError(f"The PostgreSQL server cannot be used ({what}): see whether it runs and can be reached.")
