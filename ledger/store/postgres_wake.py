"""Word of commits by other processes, by PostgreSQL's NOTIFY where there is one. It says "look again"; losing it is harmless."""

from __future__ import annotations

import contextlib
import time
from typing import Final, LiteralString

import psycopg

from ledger.postgres_server import WAIT_SECONDS, PgConnection, writable

CHANNEL: Final[LiteralString] = "tellonce_commits"
RETRY_SECONDS: Final = 1.0


class CommitListener:
    """Hears when anybody appended to the log. Never raises: without a connection it hears nothing, and tries again."""

    def __init__(self, dsn: str) -> None:
        self._dsn = writable(dsn)
        self._connection: PgConnection | None = None
        self._retry_time = 0.0
        self._connect()

    def fileno(self) -> int:
        """Return the descriptor, for an event loop or `select`; -1 while there is no connection."""
        if self._connection is None:
            self._connect()
        return -1 if self._connection is None else self._connection.fileno()

    def drain(self) -> None:
        """Take all that was heard. Drain first and look afterwards: then no commit is missed."""
        if self._connection is None:
            return
        try:
            self._connection.pgconn.consume_input()
            while self._connection.pgconn.notifies() is not None:
                pass
        except psycopg.Error:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        if time.monotonic() < self._retry_time:
            return
        self._retry_time = time.monotonic() + RETRY_SECONDS
        with contextlib.suppress(psycopg.Error):
            self._connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=round(WAIT_SECONDS))
            self._connection.execute(f"LISTEN {CHANNEL}")


def tell(connection: PgConnection) -> None:
    """Tell all who listen that the log has grown. Outside a transaction, after its commit."""
    with contextlib.suppress(psycopg.Error):
        connection.execute(f"NOTIFY {CHANNEL}")
