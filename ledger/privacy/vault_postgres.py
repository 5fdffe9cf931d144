"""The vault's rows in a PostgreSQL database of its own, which all nodes of a ledger share. Any number of processes make keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, LiteralString

import psycopg

from ledger.durable_file import ServerSettingError
from ledger.postgres_server import PgConnection, ReadConnections, WriteServer, exists, place_of, what_failed
from ledger.privacy.vault_store import SCHEMA_VERSION, VaultRow, VaultUnavailableError

_COLUMNS: Final[LiteralString] = "subject, blind_index, key_id, wrapped_key, sealed_identifier"
_INSERT: Final[LiteralString] = f"""
    INSERT INTO subject ({_COLUMNS}) SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::integer[], %b::bytea[], %b::bytea[])
    ON CONFLICT DO NOTHING
    """
_TOUCH: Final[LiteralString] = "UPDATE vault SET schema_version = schema_version"


class PostgresVaultStore:
    """Keeps the promises of VaultStore."""

    def __init__(self, dsn: str, made_for: bytes | None) -> None:
        """Open the database. `made_for`: as in `open_vault_store`. Raises ServerSettingError."""
        self._place = place_of(dsn)
        self._connections = ReadConnections(dsn, "vault", _TOUCH)
        self._writer: WriteServer | None = None
        try:
            with self._errors():
                self._writer = None if made_for is None else WriteServer(dsn, "vault", _schema(made_for))
        except BaseException:
            self._connections.close()
            raise

    @property
    def place(self) -> str:
        """Host and database."""
        return self._place

    def check(self) -> tuple[int, bytes]:
        """Return version and key check. Raises ServerSettingError for tables of a newer version, and beside the log's tables."""
        with self._errors(), self._connections.connection() as connection:
            _refuse_the_log(connection)
            row: Any = connection.execute("SELECT schema_version, key_check FROM vault").fetchone()
        version, key_check = row
        if version > SCHEMA_VERSION:
            raise ServerSettingError(
                f"The vault has schema version {version}, and this program knows up to {SCHEMA_VERSION}: update this program."
            )
        return version, key_check

    def read(self, column: Literal["subject", "blind_index"], values: Sequence[bytes]) -> list[VaultRow]:
        """Return the rows with these values."""
        sql: LiteralString = f"SELECT {_COLUMNS} FROM subject WHERE {column} = ANY(%b::bytea[])"
        with self._errors(), self._connections.connection() as connection:
            return [VaultRow._make(row) for row in connection.cursor(binary=True).execute(sql, (list(values),))]

    def rows_after(self, subject: bytes, limit: int) -> list[VaultRow]:
        """Return rows in order of subject."""
        sql: LiteralString = f"SELECT {_COLUMNS} FROM subject WHERE subject > %s ORDER BY subject LIMIT %s"
        with self._errors(), self._connections.connection() as connection:
            return [VaultRow._make(row) for row in connection.cursor(binary=True).execute(sql, (subject, limit))]

    def insert(self, rows: Sequence[VaultRow]) -> bool:
        """Insert what does not exist, durably. True when nothing of it existed."""
        if self._writer is None:
            raise VaultUnavailableError(f"{self._place} was opened read only: keys are made by the processes that append.")
        if not rows:
            return True
        # In one order everywhere, so that two processes that make the same identifiers wait for one another in turn.
        ordered = sorted(rows, key=lambda row: row.blind_index or row.subject)
        with self._errors(), self._writer.transaction() as connection:
            inserted = connection.execute(_INSERT, [list(column) for column in zip(*ordered, strict=True)]).rowcount
        return inserted == len(rows)

    def confirm(self) -> None:
        """Take a commit if the last one was not confirmed, or there was none yet."""
        if self._writer is not None and self._writer.unconfirmed:
            self.touch()

    def touch(self) -> None:
        """Write without changing anything, durably."""
        if self._writer is not None:
            with self._errors(), self._writer.transaction() as connection:
                connection.execute(_TOUCH)
            self._writer.unconfirmed = False

    def close(self) -> None:
        """Close all connections."""
        if self._writer is not None:
            self._writer.close()
        self._connections.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with _vault_errors(self._place):
            yield


def is_made(dsn: str) -> bool:
    """True when a vault stands in the database. Raises VaultUnavailableError."""
    connections = ReadConnections(dsn, "vault", _TOUCH)
    try:
        with _vault_errors(place_of(dsn)), connections.connection() as connection:
            return exists(connection, "vault")
    finally:
        connections.close()


@contextmanager
def _vault_errors(place: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        # A commit that may have happened is no harm: the next one gets what exists.
        raise VaultUnavailableError(
            f"The vault {place} cannot be used ({what_failed(error)}): see whether its server runs and can be reached."
        ) from error


def _refuse_the_log(connection: PgConnection) -> None:
    """Who backs up or destroys one of them must not have to touch the other."""
    if exists(connection, "head"):
        raise ServerSettingError("The vault needs a database of its own, and this one holds a log: name another one for it.")


def _schema(key_check: bytes) -> tuple[LiteralString, ...]:
    return (
        """
        CREATE TABLE subject (
            subject BYTEA PRIMARY KEY CHECK (length(subject) = 16),
            blind_index BYTEA UNIQUE,
            key_id INTEGER NOT NULL,
            wrapped_key BYTEA NOT NULL,
            sealed_identifier BYTEA
        )
        """,
        """
        CREATE TABLE vault (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            schema_version INTEGER NOT NULL,
            key_check BYTEA NOT NULL
        )
        """,
        f"INSERT INTO vault VALUES (1, {SCHEMA_VERSION}, '\\x{key_check.hex()}')",
    )
