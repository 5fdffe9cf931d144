"""The log on PostgreSQL: reader, transaction and recorder. Any number of processes append, and read.

Whoever appends locks the head row until its commit is done, so positions become visible in their order, and a reader needs nothing
but `position > cursor ORDER BY position`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString

from ledger.postgres_server import PgConnection, ReadConnections, WriteServer
from ledger.store.log_rows import CLASSIFYING, COLUMNS, GOVERNING, POLICIES, check_follows, last_recorded_by
from ledger.store.postgres_schema import SCHEMA, TOUCH, check_may_append, check_version, store_errors, upgrade
from ledger.store.postgres_wake import tell
from ledger.store.recorder import Head, StoredEventRow, StoreError, StoreUnavailableError

_HEAD: Final[LiteralString] = "SELECT position, record_time FROM head"
_LOCKED_HEAD: Final[LiteralString] = (
    "SELECT position, record_time, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, schema_version FROM head FOR UPDATE"
)
_INSERT: Final[LiteralString] = f"""
    INSERT INTO event ({COLUMNS}) SELECT * FROM unnest(
        %b::bigint[], %b::bytea[], %b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::bytea[], %b::bytea[]
    )
    """
"""A column a parameter: one statement for any number of rows, prepared once. Spelt out row by row it took five times as long, and
without the b, by which lists go as bytes instead of as text, three times."""


class PostgresLogReader:
    """Reads the log. Keeps the promises of LogReader."""

    name = "postgresql"

    def __init__(self, dsn: str) -> None:
        """Open an existing log. Raises StoreUnavailableError when it is missing, ServerSettingError when it is too new."""
        self._connections = ReadConnections(dsn, "head", TOUCH)
        try:
            with self._reading() as connection:
                check_version(connection)
        except BaseException:
            self._connections.close()
            raise

    @contextmanager
    def _reading(self) -> Iterator[PgConnection]:
        with store_errors(), self._connections.connection() as connection:
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
            return {row.position: row for row in _rows_by(connection, "position = ANY(%b::bigint[])", list(positions))}

    def read_stream(self, stream: str, until_position: int | None = None) -> list[StoredEventRow]:
        """Return a stream's events in order of revision, up to a position (inclusive)."""
        return self.select({"stream = ?": stream, "position <= ?": until_position}, "revision")

    def read_streams(self, streams: Sequence[str]) -> dict[str, list[StoredEventRow]]:
        """Return the events of several streams, each in order of revision; an empty list for one without events."""
        events: dict[str, list[StoredEventRow]] = {stream: [] for stream in streams}
        with self._reading() as connection:
            for row in _rows_by(connection, "stream = ANY(%b::text[]) ORDER BY stream, revision", list(events)):
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
            found = connection.execute(f"SELECT {COLUMNS} FROM event WHERE {GOVERNING} AND {POLICIES} ORDER BY position")
            return [StoredEventRow._make(row) for row in found]

    def read_classifications(self) -> list[StoredEventRow]:
        """Return the events that classify customers, in order."""
        with self._reading() as connection:
            found = connection.execute(f"SELECT {COLUMNS} FROM event WHERE {CLASSIFYING} ORDER BY position")
            return [StoredEventRow._make(row) for row in found]

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""
        with self._reading() as connection:
            return _by_ids(connection, ids)

    def position_at(self, record_time: int) -> int:
        """Return the last position recorded at or before a time (microseconds); 0 when there is none."""
        with self._reading() as connection:
            sql: LiteralString = "SELECT record_time FROM event WHERE position = %s"
            head = Head._make(_one(connection, _HEAD))
            return last_recorded_by(head, record_time, lambda at: int(_one(connection, sql, (at,))[0]))

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

    def size_bytes(self) -> int:
        """Return how much room the log takes."""
        with self._reading() as connection:
            (size,) = _one(connection, "SELECT pg_total_relation_size('event')")
            return int(size)

    def close(self) -> None:
        """Close all connections. Reading afterwards raises StoreUnavailableError."""
        self._connections.close()


class PostgresTransaction:
    """An open transaction that holds the head. Keeps the promises of Transaction."""

    def __init__(self, connection: PgConnection) -> None:
        self._connection = connection
        position, record_time, self.now, version = _one(connection, _LOCKED_HEAD)
        check_may_append(version)
        self.head = Head(position, record_time)
        self._failed = False

    def revisions(self, streams: Sequence[str]) -> dict[str, int]:
        """Return the last revision of each stream; streams without events are left out."""
        with store_errors():
            # A look-up each: a grouped maximum would walk through every revision of every stream.
            sql: LiteralString = (
                "SELECT stream, last FROM (SELECT asked.stream, "
                "(SELECT max(revision) FROM event WHERE event.stream = asked.stream) AS last "
                "FROM unnest(%b::text[]) AS asked (stream)) AS found WHERE last IS NOT NULL"
            )
            return dict(self._connection.execute(sql, (list(streams),)).fetchall())

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""
        with store_errors():
            return _by_ids(self._connection, ids)

    def touch(self) -> None:
        """Write without changing anything."""
        with store_errors():
            self._connection.execute(TOUCH)

    def insert(self, rows: Sequence[StoredEventRow]) -> None:
        """Append events and move the head.

        Raises ValueError for gaps or a time that runs back, StoreConflictError for an id or a revision that exists.
        """
        if not rows:
            return
        check_follows(self.head, rows)
        last = rows[-1]
        self._failed = True
        with store_errors():
            self._connection.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
            self._connection.execute("UPDATE head SET position = %s, record_time = %s", (last.position, last.record_time))
        self.head = Head(last.position, last.record_time)
        self._failed = False

    def check(self) -> None:
        """Refuse to be committed after an insert that failed. Raises StoreError."""
        if self._failed:
            raise StoreError("An insert into the log failed, so nothing of its transaction is kept.")


class _Writer(WriteServer):
    def committed(self, connection: PgConnection) -> None:
        tell(connection)


class PostgresLogRecorder(PostgresLogReader):
    """Reads and appends. Keeps the promises of LogRecorder."""

    shared = True

    def __init__(self, dsn: str) -> None:
        """Open the log for appending, made where there is none. Raises StoreUnavailableError, ServerSettingError."""
        with store_errors():
            self._writer = _Writer(dsn, "head", SCHEMA)
        try:
            with store_errors(), self._writer.transaction() as connection:
                upgrade(connection)
            super().__init__(dsn)
        except BaseException:
            self._writer.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Lock the log, and commit durably on leaving; on any exception nothing of it happened."""
        with store_errors(), self._writer.transaction() as connection:
            transaction = PostgresTransaction(connection)
            before = transaction.head
            yield transaction
            transaction.check()
        if transaction.head != before:
            self._committed()

    def confirm(self) -> None:
        """Make sure that all that can be read now is durable as acknowledgements promise. Raises StoreError."""
        with self.transaction() as transaction:
            transaction.touch()

    def close(self) -> None:
        """Close all connections, after the transaction that is open, if any."""
        self._writer.close()
        super().close()

    def _committed(self) -> None:
        """Called after a commit that moved the head, outside the lock, in the committing thread."""


def _one(connection: PgConnection, sql: LiteralString, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    row = connection.execute(sql, values).fetchone()
    if row is None:
        raise StoreUnavailableError("The log has lost its head row: restore it from a backup.")
    found: tuple[Any, ...] = row
    return found


def _by_ids(connection: PgConnection, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
    return {row.event_id: row for row in _rows_by(connection, "event_id = ANY(%b::bytea[])", list(ids))}


def _rows_by(connection: PgConnection, condition: LiteralString, values: list[Any]) -> Iterator[StoredEventRow]:
    sql = f"SELECT {COLUMNS} FROM event WHERE {condition}"
    yield from map(StoredEventRow._make, connection.cursor(binary=True).execute(sql, (values,)))
