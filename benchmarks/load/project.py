"""The projector on a log that is there, and raw SQLite with the rows it made.

Prints {"events", "rows", "seconds", "views_seconds"}.

`catch-up`: all views and the search index, from nothing. `rebuild`: all views anew, beside those of a catch-up. `rows`: every
row of finished views and search files into new files with the same tables and indexes, by executemany; `views_seconds` is what
the views alone took, which is all that a rebuild writes.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ledger.application import MASTER_KEY_FILE, VAULT_FILE
from ledger.catalogue import read_event
from ledger.data_directory import DataDirectory
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from ledger.server.part import collect_seldom
from ledger.store.opening import open_reader
from projections.projector import open_views, rebuild
from projections.search import SearchIndex
from projections.views_file import ViewsFolder

ROWS_PER_TRANSACTION: Final = 4_096


def project(what: str, data: Path, views: Path) -> dict[str, Any]:
    """Run the projector to the end of the log."""
    log = open_reader(DataDirectory(data).log)
    ledger_id = uuid.UUID(read_event(1, log.read(0, 1)[0].header).payload.ledger_id).bytes
    content = ContentReader(Vault(data / VAULT_FILE, load(data / MASTER_KEY_FILE), read_only=True), ledger_id)
    folder = ViewsFolder(views)
    collect_seldom()
    begin = time.perf_counter()
    if what == "rebuild":
        projector = rebuild(folder, log, ledger_id, content, lambda position, head: None)
    else:
        projector = open_views(folder, log, ledger_id)
        search = SearchIndex(folder.search)
        while projector.step(search, content):
            pass
    seconds = time.perf_counter() - begin
    return {"events": projector.position, "rows": 0, "seconds": seconds, "views_seconds": seconds}


def copy_rows(views: Path, folder: Path) -> dict[str, Any]:
    """Insert the rows of finished files into new ones. Reading them is not counted."""
    files = ViewsFolder(views)
    current = files.current()
    assert current is not None
    counted = 0
    seconds: list[float] = []
    for source in (current, files.search):
        tables = _tables(source)
        target = sqlite3.connect(folder / source.name, isolation_level=None)
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = NORMAL")
        target.execute("PRAGMA cache_size = -65536")
        for statement in _schema(source):
            target.execute(statement)
        begin = time.perf_counter()
        for name, columns, rows in tables:
            insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            for start in range(0, len(rows), ROWS_PER_TRANSACTION):
                target.execute("BEGIN IMMEDIATE")
                target.executemany(insert, rows[start : start + ROWS_PER_TRANSACTION])
                target.execute("COMMIT")
            counted += len(rows)
        seconds.append(time.perf_counter() - begin)
        target.close()
    return {"events": 0, "rows": counted, "seconds": sum(seconds), "views_seconds": seconds[0]}


def _schema(source: Path) -> list[str]:
    """Return the statements that make a file's tables, then its indexes. The tables inside a full-text table make themselves."""
    db = sqlite3.connect(source)
    inside = _inside_text_tables(db)
    found = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'table' DESC, rowid").fetchall()
    db.close()
    return [sql for name, sql in found if name not in inside and not name.startswith("sqlite_")]


def _tables(source: Path) -> list[tuple[str, list[str], list[Sequence[Any]]]]:
    db = sqlite3.connect(source)
    inside = _inside_text_tables(db)
    names = [
        name
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        if name not in inside and not name.startswith("sqlite_")
    ]
    tables = []
    for name in names:
        columns = [column for _, column, *_ in db.execute(f"PRAGMA table_info({name})")]
        if _is_text_table(db, name):
            columns = ["rowid", *columns]
        tables.append((name, columns, db.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()))
    db.close()
    return tables


def _is_text_table(db: sqlite3.Connection, name: str) -> bool:
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    return str(sql).upper().startswith("CREATE VIRTUAL TABLE")


def _inside_text_tables(db: sqlite3.Connection) -> set[str]:
    virtual = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'")]
    return {f"{name}_{part}" for name in virtual for part in ("data", "idx", "content", "docsize", "config")}


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("catch-up", "rebuild", "rows"))
    parser.add_argument("--data", type=Path, help="data directory with the log")
    parser.add_argument("--views", type=Path, required=True, help="folder of the views")
    parser.add_argument("--folder", type=Path, help="empty folder for copied rows")
    arguments = parser.parse_args()
    if arguments.what == "rows":
        measured = copy_rows(arguments.views, arguments.folder)
    else:
        measured = project(arguments.what, arguments.data, arguments.views)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
