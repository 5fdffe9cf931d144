"""How the room of a ledger is measured."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from benchmarks.disk import disk_of
from benchmarks.workload import calls, import_started
from ledger.application import Ledger
from ledger.data_directory import DataDirectory
from ledger.store.opening import open_reader
from projections.projector import open_views
from projections.search import SearchIndex
from projections.views_file import ViewsFolder


def test_the_room_of_a_ledger_is_that_of_its_files_and_its_events_are_weighed(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.append([import_started()])
    for call in calls(400, 200):
        ledger.append(call)
    data = DataDirectory(tmp_path)
    folder = ViewsFolder(data.views)
    log = open_reader(data.log)
    projector, search = open_views(folder, log, ledger.ledger_id), SearchIndex(folder.search)
    while projector.step(search, ledger.content):
        pass
    head = log.head().position
    rows = log.read(0, head)
    for opened in (search, projector, log, ledger):
        opened.close()

    current = folder.current()
    assert current is not None
    for file in (tmp_path / "log.db", tmp_path / "vault.db", current, folder.search):
        # Whether closing does so depends on which connection is the last.
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    disk = disk_of(tmp_path)

    # Everything has arrived in the files.
    assert (tmp_path / "log.db").stat().st_size == disk.log
    assert (tmp_path / "vault.db").stat().st_size == disk.vault
    assert (current.stat().st_size, folder.search.stat().st_size) == (disk.views, disk.search)
    assert head == disk.events
    assert sum(len(row.header) + len(row.parts or b"") for row in rows) / head == disk.own
    assert disk.log / head == disk.each(disk.log)
