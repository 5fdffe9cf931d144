"""A PostgreSQL server that must not lose anything: how it has to be set, connections to it, and what its errors mean.

Knows settings, not tables. The driver is loaded by this module, so only who uses PostgreSQL imports it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from ledger.durable_file import ServerSettingError

WAIT_SECONDS: Final = 5.0
"""How long a reader waits for a connection, and a writer for a lock that another process holds."""

FROZEN_SECONDS: Final = 10
"""A process that holds a lock so long and does nothing is cut off: everybody waits for it."""

READERS_MAX: Final = 8
TRIES: Final = 20

DURABLE: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
}
"""Settings without which what was acknowledged could be lost."""

FINDING: Final = {
    "target_session_attrs": "read-write",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""Of several hosts the primary is found. One that vanishes without closing its connections is noticed after some ten seconds: the
kernel would let a commit wait two hours for its answer."""

_MADE_BY_ANOTHER: Final = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject, errors.UndefinedTable)
"""What a process sees that makes tables while another one does."""

PgConnection = psycopg.Connection[Any]

log = logging.getLogger("tellonce.store")


class ServerClosedError(psycopg.OperationalError):
    """The connections were closed by this process."""


class CommitUnconfirmedError(psycopg.OperationalError):
    """A commit failed, or its standby did not confirm it: it may have happened. The cause is the driver's error, if any."""


class ReadConnections:
    """Connections that read, each used by one thread at a time; as many as are used at once, up to a bound."""

    def __init__(self, dsn: str) -> None:
        self._pool: ConnectionPool[PgConnection] = ConnectionPool(
            writable(dsn), kwargs={"autocommit": True}, min_size=0, max_size=READERS_MAX, timeout=WAIT_SECONDS, open=True
        )

    @contextmanager
    def connection(self) -> Iterator[PgConnection]:
        """Lend a connection. One that broke is thrown away, and the next caller gets a new one."""
        if self._pool.closed:
            raise ServerClosedError("it is closed")
        with self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class WriteServer:
    """The connection of a process that writes. Threads take turns; after a failure the next transaction connects anew."""

    def __init__(self, dsn: str, table: LiteralString, schema: Sequence[LiteralString], touch: LiteralString) -> None:
        """Connect, check how the server is set, and make the tables unless `table` exists.

        `touch`: a statement that writes a row without changing it. Several processes may do so at once. Raises
        ServerSettingError, and psycopg's errors as they are.
        """
        self._dsn = writable(dsn)
        self._turn = threading.Lock()
        self._closed = False
        self._touch = touch
        self._warned = False
        self._unconfirmed = True
        """What can be read may not be on the standby: a commit was not confirmed, by this process or by one before it."""
        self._connection: PgConnection | None = self._connect()
        try:
            check_settings(self._connection)
            _make(self._connection, table, schema)
        except BaseException:
            self._discard()
            raise

    @contextmanager
    def transaction(self) -> Iterator[PgConnection]:
        """Begin, and commit durably on leaving; on any exception roll back.

        Raises CommitUnconfirmedError when the commit failed or was not confirmed by the standby.
        """
        with self._turn:
            connection = self._open()
            try:
                connection.execute("BEGIN")
                yield connection
            except BaseException:
                self._roll_back(connection)
                raise
            self._commit(connection)
            self.committed(connection)

    def committed(self, connection: PgConnection) -> None:
        """Called after each commit, with nobody else at the connection. For subclasses."""

    def confirm(self) -> None:
        """Make sure that all that can be read now is where an acknowledgement says it is: on the standby too, if there is one.

        Costs nothing while the last commit was confirmed; after one that was not, a commit that waits for the standby. Raises
        CommitUnconfirmedError.
        """
        if self._unconfirmed:
            with self.transaction() as connection:
                connection.execute(self._touch)
            self._unconfirmed = False

    def close(self) -> None:
        """Close the connection, after the transaction that is open, if any."""
        with self._turn:
            self._closed = True
            self._discard()

    def _open(self) -> PgConnection:
        if self._closed:
            raise ServerClosedError("it is closed")
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> PgConnection:
        connection: PgConnection = psycopg.connect(
            self._dsn, autocommit=True, connect_timeout=round(WAIT_SECONDS), prepare_threshold=2
        )
        connection.add_notice_handler(self._noticed)
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{WAIT_SECONDS:g}s",))
        connection.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (f"{FROZEN_SECONDS}s",))
        return connection

    def _noticed(self, notice: errors.Diagnostic) -> None:
        # With the standby gone, a commit whose wait is cancelled returns as done, with only a warning: it is on one disk alone.
        if notice.severity_nonlocalized == "WARNING":
            self._warned = True

    def _commit(self, connection: PgConnection) -> None:
        self._warned = False
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            self._unconfirmed = True
            self._discard()
            raise CommitUnconfirmedError("the commit failed, and may have happened") from error
        if self._warned:
            self._unconfirmed = True
            raise CommitUnconfirmedError("the standby has not confirmed the commit")

    def _roll_back(self, connection: PgConnection) -> None:
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            # Closing rolls back as well.
            self._discard()

    def _discard(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def writable(dsn: str) -> str:
    """Return an address with what finds the server that takes writes, and notices when its machine is gone; what it says stays."""
    said = conninfo_to_dict(dsn)
    return make_conninfo(dsn, **{name: value for name, value in FINDING.items() if name not in said})


def place_of(dsn: str) -> str:
    """Return where an address leads, as it may be shown: hosts and database, without user and password."""
    parts = conninfo_to_dict(dsn)
    return f"PostgreSQL {parts.get('host') or 'here'}/{parts.get('dbname') or parts.get('user') or ''}"


def exists(connection: PgConnection, table: LiteralString) -> bool:
    """True when there is such a table where the connection looks."""
    return connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() != (None,)


def what_failed(error: psycopg.Error) -> str:
    """Name an error without the texts of the server, which may hold values."""
    return "closed" if isinstance(error, ServerClosedError) else error.sqlstate or type(error).__name__


def check_settings(connection: PgConnection) -> None:
    """Refuse a server that could lose what it committed (ServerSettingError); warn where one disk's loss would lose it."""
    for name, wanted in DURABLE.items():
        found = _setting(connection, name)
        if found not in wanted:
            raise ServerSettingError(
                f"The PostgreSQL server has {name}={found}, so what it commits could be lost: set it to {wanted[0]}."
            )
    if not _setting(connection, "synchronous_standby_names"):
        log.warning(
            "The PostgreSQL server has no synchronous standby (synchronous_standby_names is empty): "
            "what it acknowledges is on its own disk alone."
        )


def _setting(connection: PgConnection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def _make(connection: PgConnection, table: LiteralString, schema: Sequence[LiteralString]) -> None:
    for _ in range(TRIES):
        if exists(connection, table):
            return
        try:
            with connection.transaction():
                for statement in schema:
                    connection.execute(statement)
        except _MADE_BY_ANOTHER:
            continue
