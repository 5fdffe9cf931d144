"""What the playbooks' follower remembers on disk: how far it has looked, and which plays it could not record.

Losing it loses nothing of the ledger: ids are derived, so what is looked at again is recorded once.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from ledger.sqlite_file import open_durable, open_read_only

REFUSED_MAX: Final = 10_000
"""So many refused plays are kept, the newest."""

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS checkpoint (
        one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, event_id BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS refused (
        trigger_position INTEGER NOT NULL, playbook TEXT NOT NULL, trigger_event_id BLOB NOT NULL, trigger_topic TEXT NOT NULL,
        policy_id TEXT NOT NULL, policy_version INTEGER NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL,
        refused_time INTEGER NOT NULL, PRIMARY KEY (trigger_position, playbook)
    ) STRICT, WITHOUT ROWID""",
)


class Checkpoint(NamedTuple):
    """Up to where triggers were looked at."""

    position: int
    event_id: bytes
    """Id of the event there: a restored log may hold another. Empty at position 0."""


class Refused(NamedTuple):
    """A play that could not be recorded."""

    trigger_position: int
    playbook: str
    trigger_event_id: bytes
    trigger_topic: str
    policy_id: str
    policy_version: int
    reason: str
    message: str
    refused_time: int


class PlaybookRecord:
    """The file. Used by one thread of one process."""

    def __init__(self, path: Path) -> None:
        self._db = open_durable(path)
        for statement in _TABLES:
            self._db.execute(statement)

    def checkpoint(self) -> Checkpoint | None:
        """Return how far triggers were looked at; None where nobody looked yet."""
        row = self._db.execute("SELECT position, event_id FROM checkpoint").fetchone()
        return None if row is None else Checkpoint(*row)

    def move(self, checkpoint: Checkpoint, refused: list[Refused]) -> None:
        """Note how far triggers were looked at, and what was refused on the way, durably and at once."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "INSERT INTO checkpoint VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET position = excluded.position, "
                "event_id = excluded.event_id",
                checkpoint,
            )
            self._db.executemany(f"INSERT OR REPLACE INTO refused VALUES ({', '.join('?' * len(Refused._fields))})", refused)
            if refused:
                self._db.execute(
                    "DELETE FROM refused WHERE trigger_position < (SELECT min(trigger_position) FROM (SELECT trigger_position "
                    "FROM refused ORDER BY trigger_position DESC LIMIT ?))",
                    (REFUSED_MAX,),
                )

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def read_record(path: Path, limit: int) -> tuple[int, list[Refused]]:
    """Return how far triggers were looked at, and the newest refused plays; 0 and none where the follower has not begun.

    Raises sqlite3 errors as they are.
    """
    if not path.exists():
        return 0, []
    with closing(open_read_only(path)) as db:
        try:
            row = db.execute("SELECT position FROM checkpoint").fetchone()
            found = db.execute("SELECT * FROM refused ORDER BY trigger_position DESC, playbook LIMIT ?", (limit,)).fetchall()
        except sqlite3.OperationalError as error:
            # Made, and its tables not yet.
            if "no such table" in str(error):
                return 0, []
            raise
    return (row[0] if row is not None else 0), [Refused(*one) for one in found]
