"""Writing to an SQLite file that must not lose anything: one transaction at a time, durable when it ends.

Knows no tables. Raises sqlite3 errors as they are; who owns the tables translates them.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.sqlite_file import open_durable

CHECKPOINT_INTERVAL_SECONDS: Final = 0.25
TOUCHES: Final = 1 << 30


class Checkpointer:
    """A thread that checkpoints on a connection of its own, passively: it never makes an append wait.

    Left to itself SQLite checkpoints within a commit, which stalls it for 70 to 110 ms every 80 MB.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_durable(path)
        self._written = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"checkpoints of {path.name}", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """Tell that there is something to move."""
        self._written = True

    def stop(self) -> None:
        """End the thread and close its connection."""
        self._stopping.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stopping.wait(CHECKPOINT_INTERVAL_SECONDS):
            if not self._written:
                continue
            self._written = False
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error:
                # Nothing is lost: it stays in the write-ahead log, and appends report a bad disk themselves.
                self._written = True


class CommitFailedError(Exception):
    """A commit failed, so it may have happened. The cause is SQLite's error."""


def touch(connection: sqlite3.Connection) -> None:
    """Write to the file, inside a transaction, without changing any table: shows whether it takes anything.

    A row updated to what it is would not be written. Nobody else uses this number.
    """
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {(number + 1) % TOUCHES}")


class WriteConnection:
    """The connection of a file that writes, checkpointed beside it. Threads take turns."""

    def __init__(self, path: Path, table: str, schema: Sequence[str]) -> None:
        """Open the file, and make its tables in one transaction unless `table` exists. Several processes may do so at once."""
        self._path = path
        self._connection: sqlite3.Connection | None = open_durable(path)
        self._turn = threading.Lock()
        self._closed = False
        self._checkpointer: Checkpointer | None = None
        try:
            with self.transaction() as connection:
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone():
                    for statement in schema:
                        connection.execute(statement)
            self._checkpointer = Checkpointer(path)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lock the file, and commit durably on leaving; on any exception roll back.

        Raises CommitFailedError when the commit itself fails. What SQLite then still holds in memory is not built upon: the next
        transaction opens the file anew.
        """
        with self._turn:
            if self._closed:
                raise sqlite3.ProgrammingError("it is closed")
            if self._connection is None:
                self._connection = open_durable(self._path)
            connection = self._connection
            before = connection.total_changes
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                self._roll_back(connection)
                raise
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._discard()
                raise CommitFailedError(str(error)) from error
            if self._checkpointer is not None and connection.total_changes != before:
                self._checkpointer.written()

    def close(self) -> None:
        """End the checkpoints and close the connections, after the transaction that is open, if any."""
        with self._turn:
            self._closed = True
            if self._checkpointer is not None:
                self._checkpointer.stop()
                self._checkpointer = None
            self._discard()

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # Closing rolls back as well.
            self._discard()

    def _discard(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
