"""Ledgers of a given size, built once and kept under build/ for the next run.

Built in this process, past gRPC: the same code decides and stores. A change to any source file makes it anew, because what is
stored may have changed with it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks.figure import Bench
from benchmarks.process import ProcessFailedError
from benchmarks.workload import RUN, calls, event_count_of, import_started
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.governance_pb2 import ImportFinished
from ledger.api.v1.ledger_service_pb2 import EventGroup, GroupResult
from ledger.application import MASTER_KEY_FILE, VAULT_FILE, Ledger, warm_rules
from ledger.bootstrap import SWITCH_SECONDS
from ledger.catalogue import read_event
from ledger.data_directory import DataDirectory
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from ledger.store.opening import open_reader
from projections.projector import open_views
from projections.search import SearchIndex
from projections.views_file import ViewsFolder

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = ("protos", "ledger", "projections", "clients/connectors", "benchmarks/workload.py", "benchmarks/big_ledger.py")
EVENTS_PER_CALL: Final = 500
CALLS_IN_FLIGHT: Final = 4
DONE: Final = "built"
TELL_SECONDS: Final = 5.0


def built(bench: Bench, event_count: int) -> Path:
    """Return the data directory of a ledger of about so many events, without views; made now unless it is there."""
    folder = bench.cache_dir / f"ledger-{event_count}-{_digest()}"
    if not (folder / DONE).exists():
        for old in bench.cache_dir.glob(f"ledger-{event_count}-*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        _append_all(folder, event_count, bench.say)
        (folder / DONE).touch()
    return folder


def with_views(bench: Bench, event_count: int) -> Path:
    """Return the data directory of such a ledger with its views up to date."""
    folder = built(bench, event_count)
    data = DataDirectory(folder)
    log = open_reader(data.log)
    opened = log.read(0, 1)[0]

    ledger_id = uuid.UUID(read_event(1, opened.header).payload.ledger_id).bytes
    vault = Vault(folder / VAULT_FILE, load(folder / MASTER_KEY_FILE), read_only=True)
    content = ContentReader(vault, ledger_id)
    views = ViewsFolder(data.views)
    projector = open_views(views, log, ledger_id)
    search = SearchIndex(views.search)
    head = log.head().position
    tell = _Teller(bench.say, "views of the large ledger", head)
    while projector.step(search, content):
        tell(projector.position)
    for opened_file in (search, projector, vault, log):
        opened_file.close()
    return folder


def _append_all(folder: Path, event_count: int, say: Callable[[str], None]) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    warm_rules()
    ledger = Ledger.open(folder)
    tell = _Teller(say, "events of the large ledger", event_count)
    try:
        _check(ledger.append([import_started()]))
        waiting: deque[Future[list[GroupResult]]] = deque()
        count = 0
        for call in calls(event_count, EVENTS_PER_CALL):
            if len(waiting) == CALLS_IN_FLIGHT:
                _check(waiting.popleft().result())
            waiting.append(ledger.submit(call))
            count += event_count_of(call)
            tell(count)
        for left in waiting:
            _check(left.result())
        _check(ledger.append([_import_finished(count)]))
    finally:
        ledger.close()
        sys.setswitchinterval(before)


def _import_finished(count: int) -> EventGroup:
    event_id = str(uuid.UUID(int=0x0194_1F29_7C00_7000_8000_0000_0000_0002))
    return EventGroup(
        events=[
            EventToAppend(
                envelope=EventEnvelope(event_id=event_id, import_run=RUN),
                payload=Payload(
                    import_finished=ImportFinished(
                        run_id=RUN, row_count=count, appended_count=count, duplicate_count=0, rejected_count=0
                    )
                ),
            )
        ]
    )


def _check(results: list[GroupResult]) -> None:
    for result in results:
        if result.HasField("error"):
            raise ProcessFailedError(f"refused: {result.error.message}")


@cache
def _digest() -> str:
    """Return a digest of all sources that what is built depends on: as they were when first asked for."""
    digest = hashlib.sha256()
    for name in SOURCES:
        path = ROOT / name
        for file in sorted(path.rglob("*.p*")) if path.is_dir() else [path]:
            if file.suffix in {".py", ".proto"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


class _Teller:
    """Says every few seconds how far a long work is."""

    def __init__(self, say: Callable[[str], None], what: str, total: int) -> None:
        self._say = say
        self._what = what
        self._total = total
        self._next = time.monotonic() + TELL_SECONDS
        say(f"{what}: {total:,}")

    def __call__(self, done: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TELL_SECONDS
            self._say(f"{self._what}: {done:,} of {self._total:,}")
