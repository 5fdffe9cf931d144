"""The log on PostgreSQL: reader, transaction and recorder. Any number of processes append, and read.

Whoever appends locks the head row until its commit is done, so positions become visible in their order, and a reader needs nothing
but `position > cursor ORDER BY position`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from ledger.store.postgres_schema import GOVERNING, check_version, prepare, store_error, store_errors
from ledger.store.recorder import Head, OutcomeUnknownError, StoredEventRow, StoreError, StoreUnavailableError

COLUMNS: Final[LiteralString] = "position, event_id, stream, revision, topic, record_time, header, parts"
_ROW_PLACES: Final[LiteralString] = "(%s, %s, %s, %s, %s, %s, %s, %s)"
_HEAD: Final[LiteralString] = "SELECT position, record_time FROM head"
_LOCKED_HEAD: Final[LiteralString] = (
    "SELECT position, record_time, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM head FOR UPDATE"
)

READERS_MAX: Final = 8
WAIT_SECONDS: Final = 5.0
"""How long a reader waits for a connection, and an appender for the head that another process holds."""

FROZEN_SECONDS: Final = 10
"""A process that holds the head so long and does nothing is cut off: everybody waits for it."""

INSERT_ROWS_MAX: Final = 500

_Connection = psycopg.Connection[Any]


class PostgresLogReader:
    """Reads the log. Keeps the promises of LogReader."""

    def __init__(self, dsn: str) -> None:
        """Open an existing log. Raises StoreUnavailableError when it is missing, ServerSettingError when it is too new."""
        self._dsn = _writable(dsn)
        self._pool: ConnectionPool[_Connection] = ConnectionPool(
            self._dsn,
            kwargs={"autocommit": True},
            min_size=0,
            max_size=READERS_MAX,
            timeout=WAIT_SECONDS,
            open=True,
        )
        try:
            with self._reading() as connection:
                check_version(connection)
        except BaseException:
            self._pool.close()
            raise

    @contextmanager
    def _reading(self) -> Iterator[_Connection]:
        if self._pool.closed:
            raise StoreUnavailableError("The log is closed.")
        with store_errors(), self._pool.connection() as connection:
            yield connection

    def head(self) -> Head:
        """Return the last position and its record time."""
        with self._reading() as connection:
            return Head._make(_one(connection, _HEAD))

    def read(self, after_position: int, limit: int, until_position: int | None = None) -> list[StoredEventRow]:
        """Return up to `limit` events after a position (exclusive), up to another (inclusive), in order."""
        return self.select({"position > ?": after_position, "position <= ?": until_position}, "position", limit)

    def read_positions(self, positions: Sequence[int]) -> dict[int, StoredEventRow]:
        """Return the events at these positions; those beyond the head are left out."""
        with self._reading() as connection:
            return {row.position: row for row in _rows_by(connection, "position = ANY(%s::bigint[])", list(positions))}

    def read_stream(self, stream: str, until_position: int | None = None) -> list[StoredEventRow]:
        """Return a stream's events in order of revision, up to a position (inclusive)."""
        return self.select({"stream = ?": stream, "position <= ?": until_position}, "revision")

    def read_streams(self, streams: Sequence[str]) -> dict[str, list[StoredEventRow]]:
        """Return the events of several streams, each in order of revision; an empty list for one without events."""
        events: dict[str, list[StoredEventRow]] = {stream: [] for stream in streams}
        with self._reading() as connection:
            for row in _rows_by(connection, "stream = ANY(%s::text[]) ORDER BY stream, revision", list(events)):
                events[row.stream].append(row)
        return events

    def read_governing(self) -> list[StoredEventRow]:
        """Return published policies and shared marks, in order."""
        with self._reading() as connection:
            found = connection.execute(f"SELECT {COLUMNS} FROM event WHERE {GOVERNING} ORDER BY position")
            return [StoredEventRow._make(row) for row in found]

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""
        with self._reading() as connection:
            return _by_ids(connection, ids)

    def position_at(self, record_time: int) -> int:
        """Return the last position recorded at or before a time (microseconds); 0 when there is none."""
        with self._reading() as connection:
            head = Head._make(_one(connection, _HEAD))
            if head.record_time <= record_time:
                return head.position
            # Record times never decrease with the position, so they need no index of their own.
            at_or_before, after = 0, head.position
            while after - at_or_before > 1:
                middle = (at_or_before + after) // 2
                (found,) = _one(connection, "SELECT record_time FROM event WHERE position = %s", (middle,))
                if found <= record_time:
                    at_or_before = middle
                else:
                    after = middle
            return at_or_before

    def select(
        self,
        conditions: Mapping[LiteralString, int | str | None],
        order: LiteralString,
        limit: int = -1,
        topics: Sequence[str] = (),
    ) -> list[StoredEventRow]:
        """Return the events that meet all conditions (SQL with one `?` each; None: not asked), of these topics, if any."""
        asked = {condition.replace("?", "%s"): value for condition, value in conditions.items() if value is not None}
        values: list[Any] = [*asked.values()]
        where: list[LiteralString] = [*asked]
        if topics:
            where.append("topic = ANY(%s)")
            values.append(list(topics))
        values.append(None if limit < 0 else limit)
        sql = f"SELECT {COLUMNS} FROM event WHERE {' AND '.join(where)} ORDER BY {order} LIMIT %s"
        with self._reading() as connection:
            return list(map(StoredEventRow._make, connection.cursor(binary=True).execute(sql, values)))

    def close(self) -> None:
        """Close all connections. Reading afterwards raises StoreUnavailableError."""
        self._pool.close()


class PostgresTransaction:
    """An open transaction that holds the head. Keeps the promises of Transaction."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        position, record_time, self.now = _one(connection, _LOCKED_HEAD)
        self.head = Head(position, record_time)
        self._failed = False

    def revisions(self, streams: Sequence[str]) -> dict[str, int]:
        """Return the last revision of each stream; streams without events are left out."""
        with store_errors():
            # A look-up each: a grouped maximum would walk through every revision of every stream.
            sql: LiteralString = (
                "SELECT stream, last FROM (SELECT asked.stream, "
                "(SELECT max(revision) FROM event WHERE event.stream = asked.stream) AS last "
                "FROM unnest(%s::text[]) AS asked (stream)) AS found WHERE last IS NOT NULL"
            )
            return dict(self._connection.execute(sql, (list(streams),)).fetchall())

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""
        with store_errors():
            return _by_ids(self._connection, ids)

    def insert(self, rows: Sequence[StoredEventRow]) -> None:
        """Append events and move the head.

        Raises ValueError for gaps or a time that runs back, StoreConflictError for an id or a revision that exists.
        """
        if not rows:
            return
        self._check_order(rows)
        last = rows[-1]
        self._failed = True
        with store_errors():
            for start in range(0, len(rows), INSERT_ROWS_MAX):
                some = rows[start : start + INSERT_ROWS_MAX]
                sql = f"INSERT INTO event ({COLUMNS}) VALUES {', '.join([_ROW_PLACES] * len(some))}"
                self._connection.execute(sql, list(chain.from_iterable(some)))
            self._connection.execute("UPDATE head SET position = %s, record_time = %s", (last.position, last.record_time))
        self.head = Head(last.position, last.record_time)
        self._failed = False

    def check(self) -> None:
        """Refuse to be committed after an insert that failed. Raises StoreError."""
        if self._failed:
            raise StoreError("An insert into the log failed, so nothing of its transaction is kept.")

    def _check_order(self, rows: Sequence[StoredEventRow]) -> None:
        place, time = self.head
        for row in rows:
            if row.position != place + 1 or row.record_time < time:
                raise ValueError(f"Event {row.position} of {row.record_time} does not follow event {place} of {time}.")
            place, time = row.position, row.record_time


class PostgresLogRecorder(PostgresLogReader):
    """Reads and appends. Keeps the promises of LogRecorder."""

    def __init__(self, dsn: str) -> None:
        """Open the log for appending, made where there is none. Raises StoreUnavailableError, ServerSettingError."""
        self._turn = threading.Lock()
        self._closed = False
        self._unconfirmed = False
        self._connection: _Connection | None = None
        self._dsn = _writable(dsn)
        with store_errors():
            self._connection = self._connect()
            prepare(self._connection)
        try:
            super().__init__(dsn)
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Lock the log, and commit durably on leaving; on any exception nothing of it happened."""
        with self._turn:
            connection = self._begun()
            try:
                with store_errors():
                    connection.execute("BEGIN")
                    transaction = PostgresTransaction(connection)
                before = transaction.head
                yield transaction
                transaction.check()
            except BaseException:
                self._roll_back(connection)
                raise
            self._commit(connection)
        if transaction.head != before:
            self._committed()

    def _begun(self) -> _Connection:
        if self._closed:
            raise StoreUnavailableError("The log is closed.")
        if self._connection is None or self._connection.closed:
            with store_errors():
                self._connection = self._connect()
        return self._connection

    def _connect(self) -> _Connection:
        connection: _Connection = psycopg.connect(
            self._dsn, autocommit=True, connect_timeout=round(WAIT_SECONDS), prepare_threshold=2
        )
        connection.add_notice_handler(self._noticed)
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{WAIT_SECONDS:g}s",))
        connection.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (f"{FROZEN_SECONDS}s",))
        return connection

    def _noticed(self, notice: errors.Diagnostic) -> None:
        # With the standby gone, a commit whose wait is cancelled returns as done, with only a warning: it is on one disk alone.
        if notice.severity_nonlocalized == "WARNING":
            self._unconfirmed = True

    def _commit(self, connection: _Connection) -> None:
        self._unconfirmed = False
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            self._discard()
            full = isinstance(error, errors.DiskFull)
            raise OutcomeUnknownError(
                f"{store_error(error)} The commit may have happened: look the event ids up.", disk_full=full
            ) from error
        if self._unconfirmed:
            raise OutcomeUnknownError("The standby has not confirmed the commit: look the event ids up later.", disk_full=False)

    def _roll_back(self, connection: _Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            # Closing rolls back as well.
            self._discard()

    def _discard(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close all connections, after the transaction that is open, if any."""
        with self._turn:
            self._closed = True
            self._discard()
        super().close()

    def _committed(self) -> None:
        """Called after a commit that moved the head, outside the lock, in the committing thread."""


def _writable(dsn: str) -> str:
    """Return the address with the wish for a server that takes writes: of several hosts the primary is found."""
    if "target_session_attrs" in conninfo_to_dict(dsn):
        return dsn
    return make_conninfo(dsn, target_session_attrs="read-write")


def _one(connection: _Connection, sql: LiteralString, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    row = connection.execute(sql, values).fetchone()
    if row is None:
        raise StoreUnavailableError("The log has lost its head row: restore it from a backup.")
    found: tuple[Any, ...] = row
    return found


def _by_ids(connection: _Connection, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
    return {row.event_id: row for row in _rows_by(connection, "event_id = ANY(%s::bytea[])", list(ids))}


def _rows_by(connection: _Connection, condition: LiteralString, values: list[Any]) -> Iterator[StoredEventRow]:
    sql = f"SELECT {COLUMNS} FROM event WHERE {condition}"
    yield from map(StoredEventRow._make, connection.cursor(binary=True).execute(sql, (values,)))
