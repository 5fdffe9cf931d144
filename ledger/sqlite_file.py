"""Opening SQLite files that must not lose anything, and pools of read-only connections to them.

Knows settings, not tables. Raises sqlite3 errors as they are; who owns the tables translates them.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ledger.durable_file import sync_folder

BUSY_TIMEOUT_SECONDS: Final = 5.0
"""How long a connection waits for another one's lock."""

WAL_BACKSTOP_PAGES: Final = 20_000
"""Size of the write-ahead log at which a commit checkpoints by itself, when nobody else did. That stalls commits by up to 0.1 s."""

BATCH_MAX: Final = 256
"""Most values or rows in one statement. Statements come in sizes of powers of two, so that few are prepared."""

NULL: Final = float("nan")
"""What SQLite stores as NULL, and the driver binds faster than None: see `bindable`."""
_PLAIN: Final = frozenset({int, str})

_Value = TypeVar("_Value")


class SqliteSettingError(Exception):
    """SQLite did not take a setting that durability rests on, so the file is not opened."""


class SchemaTooNewError(Exception):
    """The file was written by a newer version. Nothing is touched: update this program."""


def open_durable(path: Path, *, wal_backstop_pages: int = WAL_BACKSTOP_PAGES) -> sqlite3.Connection:
    """Open a file for writing, made when it is missing: WAL, `synchronous=FULL`, in autocommit mode.

    A commit has reached the disk when it returns. The connection may be used by several threads, one at a time.
    Raises SqliteSettingError when SQLite answers with other settings than asked for.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        _set(connection, path, "journal_mode", "WAL", "wal")
        _set(connection, path, "synchronous", "FULL", 2)
        _set(connection, path, "wal_autocheckpoint", str(wal_backstop_pages), wal_backstop_pages)
        # Without it INSERT OR REPLACE deletes rows behind the back of delete triggers.
        _set(connection, path, "recursive_triggers", "ON", 1)
        # On macOS a plain fsync leaves the data in the drive's cache. Elsewhere these say nothing.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
        sync_folder(path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _set(connection: sqlite3.Connection, path: Path, name: str, value: str, expected: str | int) -> None:
    connection.execute(f"PRAGMA {name} = {value}")
    found = connection.execute(f"PRAGMA {name}").fetchone()[0]
    if found != expected:
        raise SqliteSettingError(
            f"{path} has {name}={found} instead of {expected}, so commits could be lost: "
            "keep it on a local disk that supports shared memory files."
        )


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open an existing file for reading, in autocommit mode. Raises sqlite3.OperationalError when it is missing."""
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def check_schema_version(path: Path, found: int, known: int) -> None:
    """Refuse a file of a newer schema. Raises SchemaTooNewError."""
    if found > known:
        raise SchemaTooNewError(f"{path} has schema version {found}, and this program knows up to {known}: update this program.")


class ReadPool:
    """Read-only connections to one file, each used by one thread at a time; as many as are used at once.

    A pool instead of one per thread: threads come and go, and a connection must be closed by somebody.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection. After a storage error it is thrown away, and the next caller gets a new one."""
        if self._closed:
            raise sqlite3.ProgrammingError("it is closed")
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = open_read_only(self._path)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close all connections; those lent are closed when they come back."""
        self._closed = True
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                return


def bindable(values: Sequence[Any]) -> list[Any]:
    """Return the values of a row as the driver binds them fastest; what is stored is the same.

    The driver takes ints, floats, strings and bytearrays as they are, and looks for an adapter of everything else, None and bytes
    included: half a microsecond each. SQLite stores NaN as NULL, and a bytearray as the bytes that it is.
    """
    return [NULL if value is None else value if type(value) in _PLAIN else _bound(value) for value in values]


def _bound(value: Any) -> Any:
    if type(value) is bytes:
        return bytearray(value)
    return int(value) if type(value) is bool else value


def in_batches(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Cut values for statements with `?, ?, …`: each piece has a power of two of values, the last value repeated where needed.

    For questions only, where asking twice does no harm.
    """
    for start in range(0, len(values), BATCH_MAX):
        piece = values[start : start + BATCH_MAX]
        size = 1 << (len(piece) - 1).bit_length()
        yield [*piece, *[piece[-1]] * (size - len(piece))]


def in_powers(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Cut rows for multi-row inserts: each piece has a power of two of rows, largest first, none repeated."""
    start = 0
    while start < len(values):
        size = min(BATCH_MAX, 1 << ((len(values) - start).bit_length() - 1))
        yield values[start : start + size]
        start += size


def places(count: int) -> str:
    """Return `?, ?, …` for so many values."""
    return ", ".join("?" * count)
