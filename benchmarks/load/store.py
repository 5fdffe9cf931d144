"""Appends in the ledger's own process, and raw SQLite, to tell the store from what is done besides. Prints {"events", "seconds"}.

`ledger`: opens a new ledger in a folder and appends the calls of a request file, a few calls in flight.
`raw`: reads the rows of such a ledger's log and inserts them into a new file with the same table, by executemany.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from benchmarks.workload import event_count_of, import_started, read_requests
from ledger.api.v1.ledger_service_pb2 import AppendRequest, GroupResult
from ledger.application import LOG_FILE, Ledger, warm_rules
from ledger.bootstrap import SWITCH_SECONDS
from ledger.server.part import collect_seldom
from ledger.store.sqlite_schema import SCHEMA

CALLS_IN_FLIGHT: Final = 4
ROWS_PER_TRANSACTION: Final = 1_000
COLUMNS: Final = "position, event_id, stream, revision, topic, record_time, header, parts"
CHECKPOINT_PAGES: Final = 20_000


def into_ledger(folder: Path, requests: Path, warm_calls: int) -> dict[str, Any]:
    """Append all calls of the file to a new ledger; the first ones warm it up and do not count."""
    sys.setswitchinterval(SWITCH_SECONDS)
    calls = [AppendRequest.FromString(content).groups for content in read_requests(requests, 0, 1_000_000)]
    warm_rules()
    ledger = Ledger.open(folder)
    collect_seldom()
    ledger.append([import_started()])
    for call in calls[:warm_calls]:
        _check(ledger.append(call))
    waiting: deque[Future[list[GroupResult]]] = deque()
    begin = time.perf_counter()
    for call in calls[warm_calls:]:
        if len(waiting) == CALLS_IN_FLIGHT:
            _check(waiting.popleft().result())
        waiting.append(ledger.submit(call))
    while waiting:
        _check(waiting.popleft().result())
    seconds = time.perf_counter() - begin
    ledger.close()
    return {"events": sum(map(event_count_of, calls[warm_calls:])), "seconds": seconds}


def into_sqlite(folder: Path, log: Path) -> dict[str, Any]:
    """Insert the rows of a log into a new file, durably."""
    source = sqlite3.connect(log)
    rows = source.execute(f"SELECT {COLUMNS} FROM event ORDER BY position").fetchall()
    source.close()
    target = sqlite3.connect(folder / "raw.db", isolation_level=None)
    target.execute("PRAGMA journal_mode = WAL")
    target.execute("PRAGMA synchronous = FULL")
    target.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    for statement in SCHEMA:
        target.execute(statement)
    insert = f"INSERT INTO event ({COLUMNS}) VALUES ({', '.join('?' * 8)})"
    begin = time.perf_counter()
    for start in range(0, len(rows), ROWS_PER_TRANSACTION):
        target.execute("BEGIN IMMEDIATE")
        target.executemany(insert, rows[start : start + ROWS_PER_TRANSACTION])
        target.execute("COMMIT")
    seconds = time.perf_counter() - begin
    target.close()
    return {"events": len(rows), "seconds": seconds}


def _check(results: list[GroupResult]) -> None:
    for result in results:
        if result.HasField("error"):
            raise SystemExit(f"refused: {result.error.message}")


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ledger", "raw"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--requests", type=Path)
    parser.add_argument("--warm-calls", type=int, default=4)
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "ledger":
        measured = into_ledger(arguments.folder, arguments.requests, arguments.warm_calls)
    else:
        measured = into_sqlite(arguments.folder, arguments.log or arguments.folder / LOG_FILE)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
