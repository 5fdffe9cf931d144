"""The projector's process: follows the log, keeps the views, and wakes whoever waits for them."""

from __future__ import annotations

import gc
import logging
import sqlite3
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from ledger.catalogue import UnknownTopicError, read_event
from ledger.data_directory import DataDirectory
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault, VaultUnavailableError
from ledger.store.opening import commit_listeners, open_reader
from ledger.store.recorder import LogReader, StoreError
from ledger.wake import Listener, WakeListener, WakeSender, wait_for_any
from projections.fetching import fetch_views
from projections.projector import LogBranchedError, Projector, SearchDamagedError, is_damaged, new_views, open_views
from projections.restated import resolved
from projections.search import SearchIndex
from projections.views_file import ViewsFolder

LOOK_SECONDS: Final = 0.5
"""Wake-up calls may be lost: the log is looked at so often anyway."""
STALL_SECONDS: Final = (0.1, 0.5, 1.0, 5.0)
PROGRESS_SECONDS: Final = 5.0

log = logging.getLogger("tellonce.projector")


def run_projector(data: DataDirectory, views_from: str, ready: Callable[..., None]) -> None:
    """Follow the log until the process is ended: a batch is applied whole or not at all, whenever that is.

    `views_from`: host and port of a node whose views are taken over when there are none here; empty: they are built from the log.
    """
    # What is remembered here has no cycles, and is a million objects: looking through them for some takes half of the time.
    gc.disable()
    reader = open_reader(data.log)
    opened = read_event(1, reader.read(0, 1)[0].header)
    ledger_id = UUID(opened.payload.ledger_id).bytes
    folder = ViewsFolder(data.views)
    if views_from and folder.usable() is None:
        fetch_views(folder, views_from, reader, ledger_id, opened.payload.incarnation)
    follower = Follower(
        folder,
        reader,
        ledger_id,
        ContentReader(Vault(data.vault, load(data.master_key), read_only=True), ledger_id),
    )
    wakes: list[Listener] = [WakeListener(data.projector_socket), *commit_listeners(data.log)]
    servers = WakeSender(*map(data.wake_socket, data.servers))
    ready()
    stalls = 0
    while True:
        try:
            applied = follower.step()
            stalls = 0
        except UnknownTopicError as error:
            log.error("NEEDS_UPGRADE: %s The views stand at %d until then.", error, follower.position)
            raise SystemExit(1) from error
        except SearchDamagedError as error:
            log.error("%s", error)
            raise SystemExit(1) from error
        except (StoreError, VaultUnavailableError, sqlite3.OperationalError) as error:
            log.warning("The views stall at %d and are tried again: %s", follower.position, error)
            time.sleep(STALL_SECONDS[min(stalls, len(STALL_SECONDS) - 1)])
            stalls += 1
            continue
        if applied:
            servers.wake()
        else:
            # Calls are taken first and the log is read afterwards, so none is missed.
            wait_for_any(wakes, LOOK_SECONDS)


class Follower:
    """The views and the search index of one data directory, kept at the end of the log."""

    def __init__(self, folder: ViewsFolder, reader: LogReader, ledger_id: bytes, content: ContentReader) -> None:
        self._folder = folder
        self._reader = reader
        self._ledger_id = ledger_id
        self._content = content
        self._projector = open_views(folder, reader, ledger_id)
        self._search = SearchIndex(folder.search)
        self._told = time.monotonic()
        self._catching_up = False
        self._begin()

    @property
    def position(self) -> int:
        """Everything up to this position is in the views."""
        return self._projector.position

    def step(self) -> int:
        """Apply the next batch, if there is one, and return its number of events.

        Views that are of another branch of the log, damaged, or replaced by a rebuild are left for others.
        Raises UnknownTopicError, and storage and vault errors as they are: try again.
        """
        if self._folder.current() != self._projector.file:
            log.info("Other views are in use: going on with those.")
            self._go_on_with(open_views)
        try:
            applied = self._projector.step(self._search, self._content)
        except LogBranchedError as error:
            log.warning("%s The views are made anew.", error)
            self._go_on_with(new_views)
            return 0
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
            log.error("The views are damaged (%s) and are made anew.", error)
            self._go_on_with(new_views)
            return 0
        if applied:
            self._tell(applied)
        return applied

    def close(self) -> None:
        """Close all files."""
        self._projector.close()
        self._search.close()

    def _go_on_with(self, opened: Callable[[ViewsFolder, LogReader, bytes], Projector]) -> None:
        self._projector.close()
        self._projector = opened(self._folder, self._reader, self._ledger_id)
        self._begin()

    def _begin(self) -> None:
        """Bring the search index to where the views are: its file may be lost alone, and knows no branch of its own."""
        if self._projector.position == 0:
            self._search.clear()
        _index_behind(self._search, self._projector, self._reader, self._content)

    def _tell(self, applied: int) -> None:
        if time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        head = self._reader.head().position
        behind = head - self._projector.position
        if behind > applied:
            done = 100 * self._projector.position // head
            log.info("The views stand at %d of %d, %d %%.", self._projector.position, head, done)
            self._catching_up = True
        elif self._catching_up:
            log.info("The views have caught up, at %d.", self._projector.position)
            self._catching_up = False


def _index_behind(search: SearchIndex, projector: Projector, reader: LogReader, content: ContentReader) -> None:
    """Index what the views have and the index has not: its file may be lost alone."""
    told = time.monotonic()
    while search.position < projector.position:
        rows = reader.read(search.position, 2_000, projector.position)
        if not rows:
            return
        search.apply(resolved([read_event(row.position, row.header, row.parts) for row in rows], reader), content)
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            log.info("The search index stands at %d of %d.", search.position, projector.position)
