"""P4: five hundred events a call in the ledger's own process, against raw SQLite with the same rows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Final

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, in_turn
from benchmarks.process import measured_by
from benchmarks.workload import as_request, calls, write_requests
from ledger.application import LOG_FILE

EVENTS_PER_CALL: Final = 500
GOAL: Final = Goal(ratio_min=0.35)
NAME: Final = "Append, 500 a call, vs raw executemany, 1,000 a transaction"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P4."""
    folder = bench.folder("append-store")
    requests = folder / "requests"
    bench.say("making events")
    write_requests(requests, map(as_request, calls(10_000 if bench.quick else 40_000, EVENTS_PER_CALL)))
    data, raw = folder / "data", folder / "raw"

    def ours() -> float:
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        measured = measured_by("store", "ledger", "--folder", data, "--requests", requests)
        return float(measured["events"] / measured["seconds"])

    def limit() -> float:
        shutil.rmtree(raw, ignore_errors=True)
        raw.mkdir()
        measured = measured_by("store", "raw", "--folder", raw, "--log", data / LOG_FILE)
        return float(measured["events"] / measured["seconds"])

    measured = in_turn(bench, {"ours": ours, "raw SQLite": limit})
    detail = "in one process, 4 calls in flight; the same rows, table and indexes"
    return [compared("P4", NAME, "events/s", GOAL, measured["ours"], measured["raw SQLite"], detail)]


FIGURE: Final = Figure("P4", NAME, GOAL, run)
