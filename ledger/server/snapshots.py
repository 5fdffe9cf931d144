"""What a question reads from: a snapshot of the views and the search index, each thread with connections of its own."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from projections.search import SearchReader
from projections.views_file import Snapshot, ViewsFolder, ViewsReader


class Snapshots:
    """Opens views and search index for reading. Every method may be called in any thread."""

    def __init__(self, folder: Path) -> None:
        self._files = ViewsFolder(folder)
        self._views = ViewsReader(folder)
        self._local = threading.local()

    def snapshot(self) -> AbstractContextManager[Snapshot | None]:
        """Hold one state of the views; None before there are any."""
        return self._views.snapshot()

    def position(self) -> int:
        """Return where the views stand; 0 before there are any, and while they cannot be read."""
        try:
            return self._views.position()
        except sqlite3.Error:
            return 0

    @property
    def search(self) -> SearchReader:
        """The search index, for this thread."""
        reader: SearchReader | None = getattr(self._local, "search", None)
        if reader is None:
            reader = self._local.search = SearchReader(self._files.search)
        return reader

    def search_position(self) -> int:
        """Return where the search index stands; 0 before there is one, and while it cannot be read."""
        try:
            return self.search.position()
        except sqlite3.Error:
            return 0

    def bytes_on_disk(self) -> int:
        """Return the size of views and search index together."""
        return self._files.bytes_on_disk()
