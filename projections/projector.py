"""The projector: takes the log in order into all views, a batch in one transaction with the checkpoint, so they cannot disagree.

Search is a follower with a file of its own and is committed first: two files cannot be committed together, and what a crash
leaves there too much is skipped when it comes again.

Storage and vault errors stall: they are raised, and the caller tries again. An event type that this version does not know stops
the projector (UnknownTopicError). Only errors of pure code set an event aside (fold_engine.py).
"""

from __future__ import annotations

import gc
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ledger.catalogue import read_event
from ledger.event import Event
from ledger.sqlite_file import WAL_BACKSTOP_PAGES
from ledger.sqlite_writer import Checkpointer
from projections import (
    answer_rows,
    complaints,
    contacts,
    derived_targets,
    digest,
    exceptions,
    experience,
    fold_engine,
    handoffs,
    improvements,
    messages,
    opportunities,
    overrides,
    promises,
    quality,
    request_rows,
    statements,
)
from projections.digest import Digests
from projections.facts import FactsView
from projections.figures import cells
from projections.fold_view import FoldView
from projections.history import HistoryView
from projections.identities import IdentitiesView
from projections.imports import ImportsView
from projections.playbooks import PlaybooksView
from projections.referrals import ReferralsView
from projections.restated import RestatedView, as_said, resolved
from projections.search import SearchIndex
from projections.view import Changes, View
from projections.views_file import ViewsFolder

if TYPE_CHECKING:
    from ledger.privacy.content import ContentReader
    from ledger.store.recorder import LogReader, StoredEventRow

PROJECTIONS: Final[tuple[type[View], ...]] = (
    RestatedView,
    HistoryView,
    IdentitiesView,
    FactsView,
    ImportsView,
    PlaybooksView,
    ReferralsView,
)
"""Views whose rows are made of single events. A new one is a line here."""

FOLD_VIEWS: Final[tuple[FoldView, ...]] = (
    contacts.VIEW,
    messages.VIEW,
    promises.TARGETS,
    request_rows.VIEW,
    handoffs.VIEW,
    promises.VIEW,
    complaints.VIEW,
    derived_targets.REQUESTS,
    derived_targets.COMPLAINTS,
    exceptions.VIEW,
    overrides.VIEW,
    experience.VIEW,
    answer_rows.VIEW,
    statements.VIEW,
    opportunities.VIEW,
    improvements.VIEW,
)
"""Views whose rows are made of states: contact → request and handoff → promise and target. A new one is a line here."""

BATCH_EVENTS: Final = 8 * digest.WINDOW
"""Batches end at multiples of the digests' window, so that catching up leaves no window unfinished. On a large ledger each event
touches pages of its own in every index, and the more are written together, the fewer: half as large, batches wrote 9 kB an event to
the disk at a million events, instead of 6."""

_TABLES: Final = (
    """CREATE TABLE checkpoint (
        one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, leaf BLOB NOT NULL, ledger_id BLOB NOT NULL
    )""",
)

log = logging.getLogger("tellonce.projector")


class Checkpoint(NamedTuple):
    """Where a views file stands, and on which log."""

    position: int
    leaf: bytes
    """Leaf hash of the event there; empty at position 0."""
    ledger_id: bytes


class Projector:
    """Writes one views file. Used by one thread."""

    def __init__(self, file: Path, log_reader: LogReader, ledger_id: bytes) -> None:
        self.file = file
        self._log = log_reader
        self._ledger_id = ledger_id
        self._db = _open(file)
        try:
            if not _has_tables(self._db):
                _create_tables(self._db, ledger_id)
            self.checkpoint = Checkpoint._make(self._db.execute("SELECT position, leaf, ledger_id FROM checkpoint").fetchone())
            self._forget()
            self._checkpointer = Checkpointer(file)
        except BaseException:
            self._db.close()
            raise

    @property
    def position(self) -> int:
        """Everything up to this position is in the views."""
        return self.checkpoint.position

    def on_the_log(self) -> bool:
        """True when the event at the checkpoint is the one that was applied: the log is still the same, or a longer one."""
        position, leaf, ledger_id = self.checkpoint
        if ledger_id != self._ledger_id:
            return False
        row = self._log.read_positions([position]).get(position)
        return position == 0 or (row is not None and leaf_hash(row.header) == leaf)

    def step(self, search: SearchIndex | None, content: ContentReader) -> int:
        """Apply the next batch, if there is one, and return its number of events. `search` None: the index is not written.

        Raises LogBranchedError, UnknownTopicError, SearchDamagedError, and storage and vault errors as they are; the views have
        nothing of the batch then.
        """
        position = self.checkpoint.position
        limit = BATCH_EVENTS - position % digest.WINDOW
        # The event at the checkpoint is read again with each batch: a log that failed over or was restored may hold another.
        rows = self._log.read(max(0, position - 1), limit + (position > 0))
        if position:
            if not rows or rows[0].position != position or leaf_hash(rows[0].header) != self.checkpoint.leaf:
                raise LogBranchedError(position)
            rows = rows[1:]
        if not rows:
            return 0
        with _uncollected(promoting=len(rows) == limit):
            self._take(rows, search, content)
        return len(rows)

    def _take(self, rows: list[StoredEventRow], search: SearchIndex | None, content: ContentReader) -> None:
        events = resolved([read_event(row.position, row.header, row.parts) for row in rows], self._log)
        if search is not None:
            _index(search, events, content)
        try:
            self._apply(rows, events)
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._forget()
            raise

    def _apply(self, rows: list[StoredEventRow], events: Sequence[Event]) -> None:
        changes = {name: Changes() for name in self._names}
        self._db.execute("BEGIN IMMEDIATE")
        said = as_said(events)
        for view in self._views:
            view.apply(events if getattr(view, "takes_restating", False) else said, self._db, changes[view.name])
        self._folds.apply(events, changes)
        self._digests.apply(rows, changes)
        last = rows[-1]
        checkpoint = Checkpoint(last.position, leaf_hash(last.header), self._ledger_id)
        self._db.execute("UPDATE checkpoint SET position = ?, leaf = ?, ledger_id = ?", checkpoint)
        self._db.execute("COMMIT")
        self.checkpoint = checkpoint
        self._checkpointer.written()

    def _forget(self) -> None:
        """Make all that remembers anew: what a rolled back batch left in memory is not in the file."""
        self._views = [view() for view in PROJECTIONS]
        self._folds = fold_engine.FoldEngine(FOLD_VIEWS, self._log, self._db)
        self._names = [*(view.name for view in self._views), *(view.name for view in FOLD_VIEWS), quality.NAME, cells.NAME]
        self._digests = Digests(self._db, self._names)

    def close(self) -> None:
        """Close the file."""
        self._checkpointer.stop()
        self._db.close()


@contextmanager
def _uncollected(promoting: bool) -> Iterator[None]:
    """Keep the collector of reference cycles away from a batch: what it makes has none, and looking took a tenth of the time.

    `promoting`: what the batch leaves counts as old from now on, so that the collector looks at it with all the rest, seldom. For
    full batches, of catching up: one leaves so many objects that looking at them at its end took 8 us an event.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if promoting:
                # One after the other, they move all objects to the oldest generation, without looking at any.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


class LogBranchedError(Exception):
    """The log no longer holds the event at the checkpoint: it is another branch, and the views are rebuilt."""

    def __init__(self, position: int) -> None:
        super().__init__(f"The log holds another event at position {position} than the views have applied.")
        self.position = position


class SearchDamagedError(Exception):
    """The file of the search index is damaged: stop the server, delete it, and start again. It is then made anew."""


def _index(search: SearchIndex, events: Sequence[Event], content: ContentReader) -> None:
    try:
        search.apply(events, content)
    except sqlite3.DatabaseError as error:
        if is_damaged(error):
            raise SearchDamagedError(f"The search index is damaged ({error}): stop the server, delete it, start again.") from error
        raise


def leaf_hash(header: bytes) -> bytes:
    """Return the leaf of an event: SHA-256(0x00 ‖ header)."""
    return hashlib.sha256(b"\x00" + header).digest()


def open_views(folder: ViewsFolder, log_reader: LogReader, ledger_id: bytes) -> Projector:
    """Return the projector of the views in use; of new, empty ones where there are none that this version can go on with."""
    file = folder.usable()
    if file is not None:
        try:
            projector = Projector(file, log_reader, ledger_id)
        except sqlite3.DatabaseError as error:
            log.warning("The views cannot be read (%s) and are made anew.", error)
        else:
            if projector.on_the_log():
                return projector
            log.warning("The views were made of another branch of the log, and are made anew.")
            projector.close()
    return new_views(folder, log_reader, ledger_id)


def new_views(folder: ViewsFolder, log_reader: LogReader, ledger_id: bytes) -> Projector:
    """Return the projector of new, empty views, in use from now on."""
    projector = Projector(folder.fresh(), log_reader, ledger_id)
    folder.switch(projector.file)
    return projector


def is_damaged(error: sqlite3.Error) -> bool:
    """True when a file itself is broken, so that trying again cannot help."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def rebuild(
    folder: ViewsFolder, log_reader: LogReader, ledger_id: bytes, content: ContentReader, progress: Callable[[int, int], None]
) -> Projector:
    """Make all views anew beside those in use, and switch when they have caught up. The search index is left as it is.

    `progress` is called with the position reached and the head after each batch.
    """
    projector = Projector(folder.fresh(), log_reader, ledger_id)
    while projector.step(None, content):
        progress(projector.position, log_reader.head().position)
    folder.switch(projector.file)
    return projector


def _open(file: Path) -> sqlite3.Connection:
    # Which columns a row's update names depends on what changed, so there are many statements.
    db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, cached_statements=1000)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {WAL_BACKSTOP_PAGES}")
    # Views are made anew from the log when they are lost: a crash of the machine may take their end.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -65536")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


def _has_tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoint'").fetchone() is not None


def _create_tables(db: sqlite3.Connection, ledger_id: bytes) -> None:
    # Here, because it brings pandas along where that is installed: a second and 50 MB, for tables that are mostly there.
    import sqlite_utils

    wrapped = sqlite_utils.Database(db)
    db.execute("BEGIN IMMEDIATE")
    for view in PROJECTIONS:
        view().create_tables(wrapped)
    fold_engine.create_tables(wrapped, FOLD_VIEWS)
    digest.create_tables(wrapped)
    for statement in _TABLES:
        db.execute(statement)
    db.execute("INSERT INTO checkpoint VALUES (1, 0, x'', ?)", (ledger_id,))
    db.execute("COMMIT")
