"""How much room a data directory takes, file by file, and how large its events are themselves."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from ledger.data_directory import DataDirectory
from projections.views_file import ViewsFolder

SAMPLED_EVENTS: Final = 20_000


class Disk(NamedTuple):
    """Bytes of the files of a ledger, once all that was written has arrived in them.

    The write-ahead logs beside them (-wal) are not counted: they do not grow with the ledger.
    """

    log: int
    vault: int
    views: int
    search: int
    events: int
    own: float
    """Bytes of an event as stored, header and sealed parts, on average."""

    def each(self, size_bytes: int) -> float:
        """Return the bytes for each event."""
        return size_bytes / self.events


def disk_of(data: Path) -> Disk:
    """Measure a data directory with its log and vault in files."""
    directory = DataDirectory(data)
    assert isinstance(directory.log, Path)
    assert isinstance(directory.vault, Path)
    folder = ViewsFolder(directory.views)
    views = folder.current()
    assert views is not None
    events, own = _events(directory.log)
    return Disk(_size(directory.log), _size(directory.vault), _size(views), _size(folder.search), events, own)


def _size(file: Path) -> int:
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        ((pages,), (page_bytes,)) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    finally:
        db.close()
    return int(pages) * int(page_bytes)


def _events(log: Path) -> tuple[int, float]:
    """Return how many events a log has, and their average size, of some that stand evenly apart."""
    db = sqlite3.connect(f"file:{log}?mode=ro", uri=True)
    try:
        (last,) = db.execute("SELECT max(position) FROM event").fetchone()
        step = max(last // SAMPLED_EVENTS, 1)
        sql = "SELECT length(header) + ifnull(length(parts), 0) FROM event WHERE position = ?"
        sizes = [db.execute(sql, (position,)).fetchone()[0] for position in range(1, last + 1, step)]
    finally:
        db.close()
    return int(last), sum(sizes) / len(sizes)
