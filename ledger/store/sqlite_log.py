"""The log on SQLite: reader, transaction and recorder. One process appends; any number of processes read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, LiteralString

from ledger.sqlite_file import NULL, ReadPool, in_batches, in_powers, places
from ledger.sqlite_writer import WriteConnection, touch
from ledger.store.log_rows import CLASSIFYING, COLUMNS, GOVERNING, POLICIES, check_follows, last_recorded_by
from ledger.store.recorder import Head, StoredEventRow, StoreError
from ledger.store.sqlite_schema import SCHEMA, check_schema, store_errors

_ROW_PLACES: Final = "(?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteLogReader:
    """Reads the log file. Keeps the promises of LogReader."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        """Open an existing log. Raises StoreUnavailableError when it is missing, SchemaTooNewError when it is too new."""
        self.path = path
        self._pool = ReadPool(path)
        with self._reading() as connection:
            check_schema(connection, path)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with store_errors(self.path), self._pool.connection() as connection:
            yield connection

    def head(self) -> Head:
        """Return the last position and its record time."""
        with self._reading() as connection:
            return _head(connection)

    def read(self, after_position: int, limit: int, until_position: int | None = None) -> list[StoredEventRow]:
        """Return up to `limit` events after a position (exclusive), up to another (inclusive), in order."""
        return self.select({"position > ?": after_position, "position <= ?": until_position}, "position", limit)

    def read_positions(self, positions: Sequence[int]) -> dict[int, StoredEventRow]:
        """Return the events at these positions; those beyond the head are left out."""
        with self._reading() as connection:
            return {row.position: row for row in _rows_by(connection, "position", positions)}

    def read_stream(self, stream: str, until_position: int | None = None) -> list[StoredEventRow]:
        """Return a stream's events in order of revision, up to a position (inclusive)."""
        return self.select({"stream = ?": stream, "position <= ?": until_position}, "revision")

    def read_streams(self, streams: Sequence[str]) -> dict[str, list[StoredEventRow]]:
        """Return the events of several streams, each in order of revision; an empty list for one without events."""
        events: dict[str, list[StoredEventRow]] = {stream: [] for stream in streams}
        with self._reading() as connection:
            for row in _rows_by(connection, "stream", list(events), "ORDER BY stream, revision"):
                events[row.stream].append(row)
        return events

    def read_governing(self) -> list[StoredEventRow]:
        """Return published policies and shared marks, in order."""
        with self._reading() as connection:
            found = connection.execute(f"SELECT {COLUMNS} FROM event WHERE {GOVERNING} ORDER BY position")
            return [StoredEventRow._make(row) for row in found]

    def read_policies(self) -> list[StoredEventRow]:
        """Return published and withdrawn policies, in order."""
        with self._reading() as connection:
            # Their streams stand side by side in the index of streams; in that of governing events they stand among all marks.
            found = connection.execute(
                f"SELECT {COLUMNS} FROM event WHERE stream >= 'policy-' AND stream < 'policy.' AND {POLICIES} ORDER BY +position"
            )
            return [StoredEventRow._make(row) for row in found]

    def read_classifications(self) -> list[StoredEventRow]:
        """Return the events that classify customers, in order."""
        with self._reading() as connection:
            found = connection.execute(f"SELECT {COLUMNS} FROM event WHERE {CLASSIFYING} ORDER BY position")
            return [StoredEventRow._make(row) for row in found]

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""
        with self._reading() as connection:
            return {row.event_id: row for row in _rows_by(connection, "event_id", [*map(bytearray, ids)])}

    def position_at(self, record_time: int) -> int:
        """Return the last position recorded at or before a time (microseconds); 0 when there is none."""
        with self._reading() as connection:
            sql = "SELECT record_time FROM event WHERE position = ?"
            return last_recorded_by(_head(connection), record_time, lambda at: int(connection.execute(sql, (at,)).fetchone()[0]))

    def select(
        self,
        conditions: Mapping[LiteralString, int | str | None],
        order: LiteralString,
        limit: int = -1,
        topics: Sequence[str] = (),
    ) -> list[StoredEventRow]:
        """Return the events that meet all conditions (SQL with one `?` each; None: not asked), of these topics, if any."""
        asked = {condition: value for condition, value in conditions.items() if value is not None}
        where = [*asked, *([f"topic IN ({places(len(topics))})"] if topics else [])]
        sql = f"SELECT {COLUMNS} FROM event WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?"
        with self._reading() as connection:
            return list(map(StoredEventRow._make, connection.execute(sql, (*asked.values(), *topics, limit))))

    def size_bytes(self) -> int:
        """Return the size of the file and of what is not yet taken into it."""
        parts = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def close(self) -> None:
        """Close all connections. Reading afterwards raises StoreUnavailableError."""
        self._pool.close()


class SqliteTransaction:
    """An open transaction. Keeps the promises of Transaction."""

    now: int | None = None

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self.head = _head(connection)
        self._failed = False

    def revisions(self, streams: Sequence[str]) -> dict[str, int]:
        """Return the last revision of each stream; streams without events are left out."""
        found: dict[str, int] = {}
        with store_errors(self._path):
            for some in in_batches(streams):
                # A look-up each: a grouped maximum would walk through every revision of every stream.
                sql = (
                    f"WITH asked (stream) AS (VALUES {', '.join(['(?)'] * len(some))}) "
                    "SELECT stream, (SELECT max(revision) FROM event WHERE event.stream = asked.stream) FROM asked"
                )
                found.update((stream, last) for stream, last in self._connection.execute(sql, some) if last is not None)
        return found

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""
        with store_errors(self._path):
            return {row.event_id: row for row in _rows_by(self._connection, "event_id", [*map(bytearray, ids)])}

    def touch(self) -> None:
        """Write without changing anything."""
        with store_errors(self._path):
            touch(self._connection)

    def insert(self, rows: Sequence[StoredEventRow]) -> None:
        """Append events and move the head.

        Raises ValueError for gaps or a time that runs back, StoreConflictError for an id or a revision that exists.
        """
        if not rows:
            return
        check_follows(self.head, rows)
        last = rows[-1]
        # Of several statements some may have worked: unless all do, nothing may be committed.
        self._failed = True
        with store_errors(self._path):
            for some in in_powers(rows):
                # One statement for many rows: the driver gives up the interpreter's lock at every step it makes.
                sql = f"INSERT INTO event ({COLUMNS}) VALUES {', '.join([_ROW_PLACES] * len(some))}"
                self._connection.execute(sql, _values(some))
            self._connection.execute("UPDATE head SET position = ?, record_time = ?", (last.position, last.record_time))
        self.head = Head(last.position, last.record_time)
        self._failed = False

    def check(self) -> None:
        """Refuse to be committed after an insert that failed. Raises StoreError."""
        if self._failed:
            raise StoreError(f"An insert into {self._path} failed, so nothing of its transaction is kept.")


class SqliteLogRecorder(SqliteLogReader):
    """Reads and appends to the log file. Keeps the promises of LogRecorder."""

    shared = False

    def __init__(self, path: Path) -> None:
        """Open the log for appending, made when it is missing. Its folder must exist.

        Raises StoreUnavailableError, SchemaTooNewError, SqliteSettingError.
        """
        with store_errors(path):
            self._writer = WriteConnection(path, "head", SCHEMA)
        try:
            super().__init__(path)
        except BaseException:
            self._writer.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[SqliteTransaction]:
        """Lock the log, and commit durably on leaving; on any exception nothing of it happened."""
        with store_errors(self.path), self._writer.transaction() as connection:
            transaction = SqliteTransaction(connection, self.path)
            before = transaction.head
            yield transaction
            transaction.check()
        if transaction.head != before:
            self._committed()

    def confirm(self) -> None:
        """Return at once: what can be read is on the disk."""

    def close(self) -> None:
        """Close all connections, after the transaction that is open, if any."""
        self._writer.close()
        super().close()

    def _committed(self) -> None:
        """Called after a commit that moved the head, outside the lock, in the committing thread."""


def _head(connection: sqlite3.Connection) -> Head:
    return Head._make(connection.execute("SELECT position, record_time FROM head").fetchone())


def _values(rows: Sequence[StoredEventRow]) -> list[int | str | bytearray | float]:
    """Return the values of rows, one after the other, as the driver binds them fastest (`bindable`, spelt out for these rows)."""
    values: list[int | str | bytearray | float] = []
    for position, event_id, stream, revision, topic, record_time, header, parts in rows:
        stored_parts = NULL if parts is None else bytearray(parts)
        values += (position, bytearray(event_id), stream, revision, topic, record_time, bytearray(header), stored_parts)
    return values


def _rows_by(
    connection: sqlite3.Connection, column: str, values: Sequence[int] | Sequence[str] | Sequence[bytearray], order: str = ""
) -> Iterator[StoredEventRow]:
    for some in in_batches(values):
        sql = f"SELECT {COLUMNS} FROM event WHERE {column} IN ({places(len(some))}) {order}"
        yield from map(StoredEventRow._make, connection.execute(sql, some))
