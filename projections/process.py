"""The projector's process: follows the log, keeps the views, and wakes whoever waits for them."""

from __future__ import annotations

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
from ledger.store.recorder import LogReader, StoreError
from ledger.store.sqlite import open_reader
from ledger.wake import WakeListener, WakeSender
from projections.projector import LogBranchedError, Projector, open_views
from projections.search import SearchIndex
from projections.views_file import ViewsFolder

LOOK_SECONDS: Final = 0.5
"""Wake-up calls may be lost: the log is looked at so often anyway."""
STALL_SECONDS: Final = (0.1, 0.5, 1.0, 5.0)
PROGRESS_SECONDS: Final = 5.0

log = logging.getLogger("tellonce.projector")


def run_projector(data: DataDirectory, ready: Callable[..., None]) -> None:
    """Follow the log until the process is ended: a batch is applied whole or not at all, whenever that is."""
    wakes = WakeListener(data.projector_socket)
    server = WakeSender(data.server_socket)
    reader = open_reader(data.log)
    opened = read_event(1, reader.read(0, 1)[0].header)
    ledger_id = UUID(opened.payload.ledger_id).bytes
    vault = Vault(data.vault, load(data.master_key), read_only=True)
    content = ContentReader(vault, ledger_id)
    folder = ViewsFolder(data.views)
    projector = open_views(folder, reader, ledger_id)
    search = SearchIndex(folder.search)
    if search.position > reader.head().position:
        search.clear()
    _index_behind(search, projector, reader, content)
    ready()
    stalls = 0
    told = time.monotonic()
    while True:
        try:
            applied = projector.step(search, content)
            stalls = 0
        except LogBranchedError as error:
            log.warning("%s The views are made anew.", error)
            projector.close()
            search.clear()
            projector = open_views(folder, reader, ledger_id)
            continue
        except UnknownTopicError as error:
            log.error("NEEDS_UPGRADE: %s The views stand at %d until then.", error, projector.position)
            raise SystemExit(1) from error
        except (StoreError, VaultUnavailableError, sqlite3.OperationalError) as error:
            log.warning("The views stall at %d and are tried again: %s", projector.position, error)
            time.sleep(STALL_SECONDS[min(stalls, len(STALL_SECONDS) - 1)])
            stalls += 1
            continue
        if applied:
            server.wake()
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                behind = reader.head().position - projector.position
                if behind > applied:
                    log.info("The views stand at %d, %d events behind.", projector.position, behind)
        else:
            wakes.wait(LOOK_SECONDS)


def _index_behind(search: SearchIndex, projector: Projector, reader: LogReader, content: ContentReader) -> None:
    """Index what the views have and the index has not: its file may be lost alone."""
    while search.position < projector.position:
        rows = reader.read(search.position, 2_000, projector.position)
        if not rows:
            return
        search.apply([read_event(row.position, row.header, row.parts) for row in rows], content)
