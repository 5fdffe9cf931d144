"""Ledgers of a given size, built once and kept under build/ for the next run.

Filled as any import fills one: a program sends the year's events through the API to the ledger as it is served, which checks,
judges, seals and stores them and keeps its views. So the bytes are those of the append path, and what was broken off goes on
where it stood.

A small ledger is made anew when a source file has changed, because what is stored may have changed with it. From KEPT_EVENTS on one
is kept, because it takes hours: stored bytes stay readable for ever, and views of another version are rebuilt when it is served.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.figure import Bench, SkippedError
from benchmarks.process import ProcessFailedError, stop
from benchmarks.servers import Asking, product
from benchmarks.workload import RUN
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.governance_pb2 import ImportFinished
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = (
    *("protos", "ledger", "projections", "clients/connectors"),
    *("benchmarks/workload.py", "benchmarks/year.py", "benchmarks/load/fill.py"),
)
KEPT_EVENTS: Final = 1_000_000
BYTES_AN_EVENT_MAX: Final = 2_000
"""Log, vault, views and search take less together."""
BUILT: Final = "built.json"
PROGRESS: Final = "progress.json"
TELL_SECONDS: Final = 15.0
QUIET_SECONDS: Final = 2.0
"""So long, and a second more for each 20,000 events, nothing may have come any more: then the clock has told all that was due."""
QUIET_SECONDS_MAX: Final = 30.0
ALLOWANCE: Final = ("--recording-allowance", "1")
"""Nothing of what happened is still to be recorded, so the clock need not wait the usual two minutes for it."""
LEVEL_SECONDS: Final = 12 * 3_600.0

Say = Callable[[str], None]


class BigLedger(NamedTuple):
    """A ledger that is ready to be served: its views are level, and the clock has told what was due."""

    data: Path
    built: dict[str, Any]
    """How it was built: events sent, position, seconds of each part, and the digest of the sources that built it."""


def big_ledger(bench: Bench, event_count: int) -> BigLedger:
    """Return a ledger of about so many events; made now, or made to the end, unless it is there."""
    name = f"ledger-{event_count}"
    folder = bench.cache_dir / (name if event_count >= KEPT_EVENTS else f"{name}-{source_digest()}")
    if not (folder / BUILT).exists():
        _check_room(bench.cache_dir, event_count)
        for old in bench.cache_dir.glob(f"{name}-*"):
            if old != folder:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        _build(folder, event_count, bench.say)
    return BigLedger(folder / "data", json.loads((folder / BUILT).read_text()))


def _check_room(folder: Path, event_count: int) -> None:
    """Raise SkippedError when the disk cannot hold such a ledger."""
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = event_count * BYTES_AN_EVENT_MAX, shutil.disk_usage(folder).free
    if free < needed:
        raise SkippedError(f"a ledger of {event_count:,} events needs {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} are free")


def with_views(bench: Bench, event_count: int) -> Path:
    """Return the data directory of such a ledger."""
    return big_ledger(bench, event_count).data


def _build(folder: Path, event_count: int, say: Say) -> None:
    progress_file = folder / PROGRESS
    progress: dict[str, Any] = json.loads(progress_file.read_text()) if progress_file.exists() else {}

    def save(**said: Any) -> None:
        progress.update(said)
        draft = progress_file.with_suffix(".new")
        draft.write_text(json.dumps(progress))
        draft.replace(progress_file)

    with product(folder / "data", LEVEL_SECONDS, ALLOWANCE) as address, Asking(address) as asking:
        if asking.status().head_position < progress.get("acknowledged", 0):
            say("the ledger holds fewer events than were acknowledged, so it was removed: filling it from the start")
            progress.clear()
        if not progress.get("filled"):
            _fill(address, event_count, progress, save, say)
        begin = time.monotonic()
        asking.append(AppendRequest(groups=[_import_finished(progress["acknowledged"])]))
        position = _level(asking, min(QUIET_SECONDS + event_count / 20_000, QUIET_SECONDS_MAX), say)
        save(level_seconds=progress.get("level_seconds", 0.0) + time.monotonic() - begin)
    built = {**progress, "position": position, "sources": source_digest()}
    (folder / BUILT).write_text(json.dumps(built, indent=1) + "\n")


def _fill(address: str, event_count: int, progress: dict[str, Any], save: Callable[..., None], say: Say) -> None:
    """Send the events that are not acknowledged yet."""
    skip, seconds_before = progress.get("acknowledged", 0), progress.get("fill_seconds", 0.0)
    command = [sys.executable, "-m", "benchmarks.load.fill", "--target", address, "--events", str(event_count), "--skip", str(skip)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    pace = Pace(event_count, skip)
    done = False
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            done = said["done"]
            save(acknowledged=said["acknowledged"], fill_seconds=seconds_before + said["seconds"], irregular=said["irregular"])
            if told := pace.told(said["acknowledged"], time.monotonic()):
                say(f"events of a large ledger: {told}")
        if process.wait() != 0 or not done:
            raise ProcessFailedError(f"filling the ledger failed ({process.returncode}); the next run goes on from there")
    finally:
        stop(process)
    save(filled=True)


def _level(asking: Asking, quiet_seconds: float, say: Say) -> int:
    """Wait until the views and the search stand at the head and nothing more comes; return the position."""
    deadline = time.monotonic() + LEVEL_SECONDS
    status = asking.status()
    pace = Pace(status.head_position, status.views_position)
    head, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        status = asking.status()
        now, views = time.monotonic(), min(status.views_position, status.search_position)
        if status.head_position != head or views < head:
            head, since = status.head_position, now
        elif now - since >= quiet_seconds:
            return head
        if views < head and (told := pace.told(views, now, head)):
            say(f"views of a large ledger: {told}")
        time.sleep(0.1)
    raise ProcessFailedError(f"the views did not reach the head in {LEVEL_SECONDS:g} s")


class Pace:
    """Says every few seconds how far a long work is, how quickly it goes, and how long it still takes."""

    def __init__(self, total: int, done: int, now: float | None = None) -> None:
        self._total = total
        self._last = (time.monotonic() if now is None else now, done)

    def told(self, done: int, now: float, total: int | None = None) -> str:
        """Return a line, or nothing while the last one is fresh. The rate is that since the last line."""
        time_before, done_before = self._last
        if now - time_before < TELL_SECONDS:
            return ""
        self._last = now, done
        total = total or self._total
        rate = (done - done_before) / (now - time_before)
        left = str(timedelta(seconds=round(max(total - done, 0) / rate))) if rate > 0 else "unknown"
        return f"{done:,} of {total:,}, {rate:,.0f}/s, {left} left"


def _import_finished(count: int) -> EventGroup:
    event_id = str(uuid.UUID(int=0x0194_1F29_7C00_7000_8000_0000_0000_0002))
    finished = ImportFinished(run_id=RUN, row_count=count, appended_count=count, duplicate_count=0, rejected_count=0)
    return EventGroup(
        events=[
            EventToAppend(
                envelope=EventEnvelope(event_id=event_id, import_run=RUN),
                payload=Payload(import_finished=finished),
            )
        ]
    )


@cache
def source_digest() -> str:
    """Return a digest of all sources that what is built depends on: as they were when first asked for."""
    digest = hashlib.sha256()
    for name in SOURCES:
        path = ROOT / name
        for file in sorted(path.rglob("*.p*")) if path.is_dir() else [path]:
            if file.suffix in {".py", ".proto"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
