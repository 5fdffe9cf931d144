"""The vault's rows in a file of SQLite: one process makes keys, any number of processes read them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from ledger.privacy.vault_store import SCHEMA_VERSION, VaultRow, VaultUnavailableError
from ledger.sqlite_file import ReadPool, bindable, check_schema_version, in_batches, in_powers, places
from ledger.sqlite_writer import CommitFailedError, WriteConnection, touch

_COLUMNS: Final = ", ".join(VaultRow._fields)


class SqliteVaultStore:
    """Keeps the promises of VaultStore."""

    def __init__(self, path: Path, made_for: bytes | None) -> None:
        """Open the file, whose folder must exist. `made_for`: as in `open_vault_store`."""
        self._path = path
        self._pool = ReadPool(path)
        with self._errors():
            self._writer = None if made_for is None else WriteConnection(path, "vault", _schema(made_for))

    @property
    def place(self) -> str:
        """Name of the file."""
        return str(self._path)

    def check(self) -> tuple[int, bytes]:
        """Return version and key check. Raises SchemaTooNewError."""
        with self._errors(), self._pool.connection() as connection:
            version, key_check = connection.execute("SELECT schema_version, key_check FROM vault").fetchone()
        check_schema_version(self._path, version, SCHEMA_VERSION)
        return version, key_check

    def read(self, column: Literal["subject", "blind_index"], values: Sequence[bytes]) -> list[VaultRow]:
        """Return the rows with these values."""
        rows: dict[bytes, VaultRow] = {}
        with self._errors(), self._pool.connection() as connection:
            for some in in_batches([*map(bytearray, values)]):
                sql = f"SELECT {_COLUMNS} FROM subject WHERE {column} IN ({places(len(some))})"
                rows.update((row[0], VaultRow._make(row)) for row in connection.execute(sql, some))
        return list(rows.values())

    def rows_after(self, subject: bytes, limit: int) -> list[VaultRow]:
        """Return rows in order of subject."""
        sql = f"SELECT {_COLUMNS} FROM subject WHERE subject > ? ORDER BY subject LIMIT ?"
        with self._errors(), self._pool.connection() as connection:
            return list(map(VaultRow._make, connection.execute(sql, (subject, limit))))

    def insert(self, rows: Sequence[VaultRow]) -> bool:
        """Insert what does not exist, durably. True when nothing of it existed."""
        if self._writer is None:
            raise VaultUnavailableError(f"{self._path} was opened read only: keys are made by the process that appends.")
        with self._errors(), self._writer.transaction() as connection:
            before = connection.total_changes
            for some in in_powers(rows):
                sql = f"INSERT OR IGNORE INTO subject ({_COLUMNS}) VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(some))}"
                connection.execute(sql, bindable([*chain.from_iterable(some)]))
            return connection.total_changes - before == len(rows)

    def confirm(self) -> None:
        """Return at once: what can be read is on the disk."""

    def touch(self) -> None:
        """Write without changing anything, durably."""
        if self._writer is not None:
            with self._errors(), self._writer.transaction() as connection:
                touch(connection)

    def close(self) -> None:
        """Close all connections."""
        if self._writer is not None:
            self._writer.close()
        self._pool.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, CommitFailedError) as error:
            # A commit that may have happened is no harm: the next one gets what exists.
            cure = "" if self._path.exists() else " It does not exist: start the server with this data folder once."
            raise VaultUnavailableError(f"The vault {self._path} cannot be used: {error}.{cure}") from error


def _schema(key_check: bytes) -> tuple[str, ...]:
    return (
        # Clustered by subject: pseudonyms are made in order of time, so new rows go to the end.
        """
        CREATE TABLE subject (
            subject BLOB PRIMARY KEY CHECK (length(subject) = 16),
            blind_index BLOB UNIQUE,
            key_id INTEGER NOT NULL,
            wrapped_key BLOB NOT NULL,
            sealed_identifier BLOB
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE vault (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            schema_version INTEGER NOT NULL,
            key_check BLOB NOT NULL
        ) STRICT
        """,
        f"INSERT INTO vault VALUES (1, {SCHEMA_VERSION}, X'{key_check.hex()}')",
    )
