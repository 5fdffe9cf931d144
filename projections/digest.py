"""One hash by which two nodes, or a node and a replay, compare: the log's and each view's, at every 1,024th position.

A digest covers every change up to its position, chained. It is a function of the log alone: neither batches nor restarts show in
it. What a batch leaves of an unfinished window is kept with the checkpoint, so nothing has to be read again after a restart.
"""

from __future__ import annotations

import hashlib
import marshal
import sqlite3
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from projections.view import Changes, Read

if TYPE_CHECKING:
    import sqlite_utils

    from ledger.store.recorder import StoredEventRow

WINDOW: Final = 1_024
"""Digests are kept at multiples of this position."""
LOG: Final = "log"
"""Name of the log's own digest."""

_LIST_HEAD_BYTES: Final = 5
"""What marshal writes before the entries of a list: what it is, and how many there are."""
_position_of: Final = itemgetter(0)


def create_tables(db: sqlite_utils.Database) -> None:
    """Create the tables in an empty views file."""
    db.execute(
        "CREATE TABLE digest (position INTEGER, view TEXT, digest BLOB NOT NULL, PRIMARY KEY (position, view)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE digest_unfinished (view TEXT, number INTEGER, entries BLOB NOT NULL, PRIMARY KEY (view, number)) STRICT"
    )


class Digests:
    """Digests of one views file while it is written."""

    def __init__(self, db: sqlite3.Connection, names: Sequence[str]) -> None:
        self._db = db
        self._last: dict[str, bytes] = dict.fromkeys([LOG, *names], b"")
        self._unfinished: dict[str, list[bytes]] = {name: [] for name in self._last}
        sql = "SELECT view, digest FROM digest WHERE position = (SELECT max(position) FROM digest)"
        self._last.update(db.execute(sql).fetchall())
        for name, entries in db.execute("SELECT view, entries FROM digest_unfinished ORDER BY view, number"):
            self._unfinished[name].append(entries)

    def apply(self, rows: Sequence[StoredEventRow], changes: Mapping[str, Changes]) -> None:
        """Take in a batch of the log and what the views changed for it, inside the projector's transaction."""
        first, last = rows[0].position, rows[-1].position
        bounds = [*range(-(-first // WINDOW) * WINDOW, last + 1, WINDOW)]
        ends = [bound - first + 1 for bound in bounds]
        self._extend(LOG, [row.header for row in rows], bounds, ends)
        for name, change in changes.items():
            entries = change.entries
            self._extend(name, entries, bounds, [bisect_right(entries, bound, key=_position_of) for bound in bounds])

    def _extend(self, name: str, entries: Sequence[object], bounds: Sequence[int], ends: Sequence[int]) -> None:
        """Take in the entries of one view; those of each bound end at the place that `ends` says."""
        start = 0
        unfinished = self._unfinished[name]
        for bound, end in zip(bounds, ends, strict=True):
            chunk = _encoded(entries[start:end])
            digest = hashlib.sha256(self._last[name] + b"".join(unfinished) + chunk).digest()
            self._last[name] = digest
            self._db.execute("INSERT INTO digest VALUES (?, ?, ?)", (bound, name, digest))
            if unfinished:
                self._db.execute("DELETE FROM digest_unfinished WHERE view = ?", (name,))
                unfinished.clear()
            start = end
        if start < len(entries):
            chunk = _encoded(entries[start:])
            self._db.execute("INSERT INTO digest_unfinished VALUES (?, ?, ?)", (name, len(unfinished), chunk))
            unfinished.append(chunk)


class Chain:
    """The digests of a sequence, computed anew entry by entry: what a digest is compared with."""

    def __init__(self) -> None:
        self._last = b""
        self._window: list[object] = []

    def add(self, entry: object) -> None:
        """Add the next entry."""
        self._window.append(entry)

    def close(self) -> bytes:
        """End a window, and return the digest there."""
        self._last = hashlib.sha256(self._last + _encoded(self._window)).digest()
        self._window.clear()
        return self._last


def _encoded(entries: Sequence[Any]) -> bytes:
    """Return entries as bytes that join: cut anywhere between two entries, the pieces give the same whole.

    Version 2 of marshal writes ints, strings, bytes and None by their values alone; later ones also by how often an object is
    used, which is not the same on every machine. So a list is its length, and then what its entries are one by one.
    """
    return marshal.dumps(list(entries), 2)[_LIST_HEAD_BYTES:]


def at(read: Read, position: int | None) -> tuple[int, dict[str, bytes]]:
    """Return the digests by view at a position, by default the last one compared; position 0 and none when there are none."""
    if position is None:
        (position,) = read.db.execute("SELECT coalesce(max(position), 0) FROM digest WHERE position <= ?", (read.known,)).fetchone()
    rows = read.db.execute("SELECT view, digest FROM digest WHERE position = ? ORDER BY view", (position,)).fetchall()
    return (position, dict(rows)) if rows else (0, {})
