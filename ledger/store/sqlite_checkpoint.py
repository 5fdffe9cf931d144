"""Moves what was committed from the write-ahead log into the file, beside the appends instead of in their way."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

from ledger.sqlite_file import open_durable

INTERVAL_SECONDS: Final = 0.25


class Checkpointer:
    """A thread that checkpoints on a connection of its own, passively: it never makes an append wait.

    Left to itself SQLite checkpoints within a commit, which stalls it for 70 to 110 ms every 80 MB.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_durable(path)
        self._written = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log checkpoints", daemon=True)
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
        while not self._stopping.wait(INTERVAL_SECONDS):
            if not self._written:
                continue
            self._written = False
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error:
                # Nothing is lost: it stays in the write-ahead log, and appends report a bad disk themselves.
                self._written = True
