"""Where the views lie, and how readers get at them: `views-<version>-<n>.db`, and a file `CURRENT` that names the one in use.

A rebuild writes a new file beside the one in use and then switches. Nothing is renamed over a database that is open: its log
beside it would be read over the new file. Readers that still hold the old one go on reading it until they let go.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ledger.durable_file import make_folder, sync_folder

VIEW_VERSION: Final = 5
"""Version of all view definitions together: one more whenever a view would come out differently. Older files are rebuilt."""

MAPPED_BYTES: Final = 0x7FFF0000
"""As much of a file is mapped into memory as SQLite takes by default; what lies beyond is read, page by page."""

CURRENT: Final = "CURRENT"
SEARCH: Final = "search.db"
_NAME: Final = re.compile(r"views-(\d+)-(\d+)\.db")


class ViewsFolder:
    """The files of the views."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._current = folder / CURRENT

    @property
    def search(self) -> Path:
        """The full-text index."""
        return self.path / SEARCH

    def current(self) -> Path | None:
        """Return the file in use; None before the first one."""
        try:
            name = self._current.read_text().strip()
        except FileNotFoundError:
            return None
        return self.path / name

    def usable(self) -> Path | None:
        """Return the file in use if this version wrote it."""
        file = self.current()
        match = _NAME.fullmatch(file.name) if file is not None else None
        return file if match and int(match[1]) == VIEW_VERSION and file is not None and file.exists() else None

    def fresh(self) -> Path:
        """Return a name that no file has."""
        make_folder(self.path)
        numbers = [int(match[2]) for path in self.path.iterdir() if (match := _NAME.fullmatch(path.name))]
        return self.path / f"views-{VIEW_VERSION}-{max(numbers, default=0) + 1}.db"

    def switch(self, file: Path) -> None:
        """Make a file the one in use, durably, and remove all others."""
        draft = self._current.with_suffix(".new")
        with draft.open("w") as out:
            out.write(file.name + "\n")
            out.flush()
            os.fsync(out.fileno())
        draft.replace(self._current)
        sync_folder(self.path)
        for path in self.path.iterdir():
            if path.name.startswith("views-") and not path.name.startswith(file.name):
                path.unlink(missing_ok=True)

    def bytes_on_disk(self) -> int:
        """Return the size of all files of views and search."""
        total = 0
        for path in self.path.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total


STATEMENTS_KEPT: Final = 1_000
"""Prepared statements that each reading connection keeps; there are more questions than that only by their filters."""


class Snapshot(NamedTuple):
    """One consistent state of the views: a read transaction, and the position it stands at."""

    db: sqlite3.Connection
    position: int


class ViewsReader:
    """Reads the views from any thread. Each thread keeps its connection, and opens the new file after a switch."""

    def __init__(self, folder: Path) -> None:
        self._folder = ViewsFolder(folder)
        self._pointer = folder / CURRENT
        self._local = threading.local()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot | None]:
        """Hold one state of the views. None before the projector has made any. Raises sqlite3.Error when they cannot be read."""
        db = self._connection()
        if db is None:
            yield None
            return
        db.execute("BEGIN")
        try:
            (position,) = db.execute("SELECT position FROM checkpoint").fetchone()
            yield Snapshot(db, position)
        finally:
            db.execute("COMMIT")

    def position(self) -> int:
        """Return where the views stand; 0 before there are any."""
        db = self._connection()
        if db is None:
            return 0
        (position,) = db.execute("SELECT position FROM checkpoint").fetchone()
        return int(position)

    def close(self) -> None:
        """Close this thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None
            self._local.pointer = None

    def _connection(self) -> sqlite3.Connection | None:
        """Return a connection to the file in use: one look at the pointer says whether it is still the same."""
        try:
            stat = self._pointer.stat()
        except FileNotFoundError:
            return None
        pointer = (stat.st_ino, stat.st_mtime_ns)
        if getattr(self._local, "pointer", None) != pointer:
            self.close()
            file = self._folder.current()
            if file is None or not file.exists():
                return None
            # A card alone asks some sixty different statements: preparing them anew takes longer than running them.
            db = sqlite3.connect(
                f"file:{file}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_KEPT
            )
            db.execute("PRAGMA query_only = ON")
            db.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
            self._local.db, self._local.pointer = db, pointer
        db_now: sqlite3.Connection = self._local.db
        return db_now
