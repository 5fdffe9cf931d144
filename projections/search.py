"""Full-text search: a follower of its own, with a file and a checkpoint of its own. The one place that holds plain text.

A hit is a position. What of it shows (as known, as it happened, of whom, of which channel) is asked of the history, in the
caller's own snapshot; hits are ordered by time, never by rank.

The index is committed before the views are, so it is never behind them. Whoever applies must begin at the smaller of the two
checkpoints after a start: what the index has already is skipped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ledger.api.v1.history_service_pb2 import HistoryEntry, HistoryFilter
from ledger.event import Event
from ledger.sqlite_file import open_read_only
from projections import attribution, history
from projections.folding import query_of, token_of, words_of
from projections.history_rows import Key, blocks, conditions_of, matching, stream_positions, subjects_of
from projections.identity_spans import selection
from projections.restated import RestatingEvent, where_said
from projections.view import MAX, Read

if TYPE_CHECKING:
    from ledger.privacy.content import ContentReader

HITS_SORTED_MAX: Final = 5_000
"""Up to so many hits are all looked at; more are taken block by block of the log, newest first, until the page is full."""

_TABLES: Final = (
    # columnsize serves ranking only, and nothing is ranked. The text is kept, so that a row can be deleted by its position.
    """CREATE VIRTUAL TABLE IF NOT EXISTS text USING fts5 (
        words, subject, tokenize = "unicode61 remove_diacritics 0", columnsize = 0
    )""",
    "CREATE TABLE IF NOT EXISTS checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO checkpoint VALUES (1, 0)",
)


class SearchIndex:
    """The writing side. Used by one thread of one process. Raises sqlite3 errors as they are."""

    def __init__(self, path: Path) -> None:
        """Open the file, made when it is missing. What a crash takes from its end is applied again."""
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        # What is erased must not stay readable in the file's free pages.
        self._db.execute("PRAGMA secure_delete = ON")
        for statement in _TABLES:
            self._db.execute(statement)
        self._position = _position(self._db)

    @property
    def position(self) -> int:
        """Everything up to this position is in the index; 0 when it is empty."""
        return self._position

    def apply(self, events: Sequence[Event], content: ContentReader) -> None:
        """Index events, in position order, in one transaction; those at or below `position` are skipped.

        Vault errors pass through, and then nothing of the batch is in the index.
        """
        new = [event for event in events if event.position > self._position]
        if not new:
            return
        sealed = [event for event in new if event.parts is not None]
        rows = []
        for event, payload in zip(sealed, content.sealed_payloads(sealed), strict=True):
            words = words_of(payload)
            if words:
                rows.append((event.position, words, " ".join(map(token_of, _whose(event)))))
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO text (rowid, words, subject) VALUES (?, ?, ?)", rows)
            self._db.execute("UPDATE checkpoint SET position = ?", (new[-1].position,))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._position = new[-1].position

    def clear(self) -> None:
        """Empty the index: the log is not the one it was made from."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("DROP TABLE text")
            self._db.execute("UPDATE checkpoint SET position = 0")
            self._db.execute(_TABLES[0])
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._position = 0

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class SearchReader:
    """The reading side. Used by one thread at a time; opens the file when it is first asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def position(self) -> int:
        """Return the position up to which everything can be found now. Raises sqlite3.OperationalError while there is no file."""
        return _position(self._connection())

    def search(
        self, read: Read, words: str, subjects: Sequence[bytes] | None, filter: HistoryFilter, limit: int, after: Key | None
    ) -> tuple[list[HistoryEntry], Key | None]:
        """Return up to `limit` events that hold all the words, newest first, and where the next page begins; None on the last one.

        A word ending in `*` stands for all that begin so. `subjects` None searches everybody's events. The index must stand at
        `read.position` at least: wait for `position` before taking the snapshot.
        """
        query = query_of(words)
        conditions = conditions_of(read, filter)
        if query is None or conditions is None:
            return [], None
        moves = attribution.NONE
        if subjects is None:
            spans = None
        else:
            spans = selection(read, subjects)
            moves = attribution.moves(read, subjects)
            searched = {span.subject for span in spans} | moves.come_subjects
            query += f" AND subject : ({' OR '.join(sorted(map(token_of, searched)))})"
        stream = stream_positions(read, filter)
        allowed = None if stream is None else set(stream)
        found: list[Key] = []
        for bound, positions in self._batches(read, query, after):
            if len(found) > limit and bound < found[limit][0]:
                break
            said = where_said(read, positions)
            wanted = sorted({said[position] for position in positions if position in said})
            if allowed is not None:
                wanted = [position for position in wanted if position in allowed]
            keys = matching(read, [position for position in wanted if position not in moves.gone], spans, conditions)
            if moves.come:
                keys |= matching(read, moves.come.intersection(wanted), None, conditions)
            found = sorted({*found, *(key for key in keys if after is None or key < after)}, reverse=True)[: limit + 1]
        shown = found[:limit]
        return history.entries(read, [position for _, position in shown]), shown[-1] if len(found) > limit else None

    def close(self) -> None:
        """Close the file; asking again opens it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _batches(self, read: Read, query: str, after: Key | None) -> Iterator[tuple[int, list[int]]]:
        """Yield hits with the latest order time that they can have, latest first."""
        hits = self._hits(query, 0, read.known, HITS_SORTED_MAX + 1)
        if len(hits) <= HITS_SORTED_MAX:
            yield MAX, hits
            return
        latest = MAX if read.before is None else read.before - 1
        if after is not None:
            latest = min(latest, after[0])
        for bound, low, high in blocks(read, latest):
            yield bound, self._hits(query, low, high, -1)

    def _hits(self, query: str, low: int, high: int, limit: int) -> list[int]:
        """Return the positions of matching rows between two positions, both inclusive; a negative limit is none."""
        rows = self._connection().execute(
            "SELECT rowid FROM text WHERE text MATCH ? AND rowid >= ? AND rowid <= ? LIMIT ?", (query, low, high, limit)
        )
        return [position for (position,) in rows]

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_read_only(self._path)
        return self._db


def _whose(event: Event) -> list[bytes]:
    """Return the subjects by whom an event is found; a correction also by those of what it corrects to."""
    after = event.after if isinstance(event, RestatingEvent) else None
    return sorted({*subjects_of(event), *(subjects_of(after) if after is not None else ())})


def _position(db: sqlite3.Connection) -> int:
    row: tuple[Any] = db.execute("SELECT position FROM checkpoint").fetchone()
    return int(row[0])
