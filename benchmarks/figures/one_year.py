"""P10: figures of one year by channel and department, of a large ledger, at the present and as known at a past position."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.big_ledger import with_views
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, percentile, spread
from benchmarks.process import measured_by
from benchmarks.servers import Asking, product
from benchmarks.workload import UNTIL, write_requests
from ledger.api.v1.consistency_pb2 import AsOf
from ledger.api.v1.figure_pb2 import FIGURE_BY_CHANNEL, FIGURE_BY_DEPARTMENT, FIGURE_BY_HOUR, FIGURE_BY_WEEKDAY, GetFiguresRequest

GOAL: Final = Goal(ours_max=200.0, unit="ms")
NAME: Final = "GetFigures, one year, by channel and department: p99"
METHOD: Final = "/ledger.api.v1.InsightService/GetFigures"
ASKED: Final = ("volume", "first_response", "promise_kept_rate")
"""Volumes, response and promises: what is asked all day."""
BESIDE: Final = (
    ("baseline", (), "the whole set baseline"),
    ("staffing", (FIGURE_BY_WEEKDAY, FIGURE_BY_HOUR), "the set staffing, by weekday and hour"),
)
"""Shown without a goal: they read rows, or every change of a quarter hour."""
CALLS: Final = 40
CALLS_QUICK: Final = 20
PAST: Final = 20


def run(bench: Bench) -> Sequence[Result]:
    """Measure P10."""
    folder = bench.folder("year")
    year = GetFiguresRequest(from_local=f"{UNTIL - timedelta(days=365):%Y-%m-%d}", to_local=f"{UNTIL:%Y-%m-%d}")
    cut = GetFiguresRequest(names=ASKED, slices=(FIGURE_BY_CHANNEL, FIGURE_BY_DEPARTMENT))
    data = with_views(bench, bench.events)
    with product(data) as address, Asking(address) as asking:
        bench.say("waiting until the views are level")
        head = asking.settle()
        random = Random(1)
        requests = {
            "at the present": [_both(year, cut)],
            "as known at a random position": [
                _both(year, cut, GetFiguresRequest(as_of=AsOf(position=random.randrange(1, head)))) for _ in range(PAST)
            ],
        }
        for name, slices, said in BESIDE:
            requests[said] = [_both(year, GetFiguresRequest(set=name, slices=slices))]
        bench.say("asking")
        latencies = {said: _asked(bench, folder, address, said, asked) for said, asked in requests.items()}
    return [_line(bench, said, rounds) for said, rounds in latencies.items()]


def _both(*parts: GetFiguresRequest) -> GetFiguresRequest:
    request = GetFiguresRequest()
    for part in parts:
        request.MergeFrom(part)
    return request


def _asked(bench: Bench, folder: Path, address: str, said: str, requests: Sequence[GetFiguresRequest]) -> list[list[float]]:
    file = folder / said.replace(" ", "-")
    write_requests(file, requests)
    rounds = measured_by(
        "questions",
        *("--kind", f"{said}|{address}|{METHOD}|{file}"),
        *("--rounds", 1 if _is_beside(said) else bench.rounds),
        *("--calls", CALLS_QUICK if bench.quick or _is_beside(said) else CALLS, "--warm-calls", 2),
        seconds=600.0,
    )
    return [one[said] for one in rounds]


def _line(bench: Bench, said: str, rounds: list[list[float]]) -> Result:
    ours = [percentile(sorted(latencies), 99.0) * 1_000 for latencies in rounds]
    detail = f"{bench.events:,} events; {spread([one for latencies in rounds for one in latencies])}"
    goal = Goal() if _is_beside(said) else GOAL
    return compared("P10", f"{NAME}, {said}", "ms", goal, ours, (), detail)


def _is_beside(said: str) -> bool:
    return any(said == beside for *_, beside in BESIDE)


FIGURE: Final = Figure("P10", NAME, GOAL, run)
