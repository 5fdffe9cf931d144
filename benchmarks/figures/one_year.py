"""P10: figures of one year by channel and department, of a large ledger, at the present and as known at a past position."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.asking import Latencies, Served, every, p99_ms, served, timed
from benchmarks.figure import Bench, Figure, Goal, Result, skipped
from benchmarks.harness import compared, spread
from benchmarks.process import ProcessFailedError
from benchmarks.workload import UNTIL, write_requests
from ledger.api.v1.consistency_pb2 import AsOf
from ledger.api.v1.figure_pb2 import FIGURE_BY_CHANNEL, FIGURE_BY_DEPARTMENT, FIGURE_BY_HOUR, FIGURE_BY_WEEKDAY, GetFiguresRequest

GOAL: Final = Goal(ours_max=200.0, unit="ms")
NAME: Final = "GetFigures, one year, by channel and department: p99"
METHOD: Final = "/ledger.api.v1.InsightService/GetFigures"
PRESENT: Final = "at the present"
KNOWN: Final = "as known at a random position"
ASKED: Final = GetFiguresRequest(
    names=("volume", "first_response", "promise_kept_rate"), slices=(FIGURE_BY_CHANNEL, FIGURE_BY_DEPARTMENT)
)
"""Volumes, response and promises: what is asked all day."""
BESIDE: Final = {
    "the whole set baseline": GetFiguresRequest(set="baseline"),
    "the set staffing, by weekday and hour": GetFiguresRequest(set="staffing", slices=(FIGURE_BY_WEEKDAY, FIGURE_BY_HOUR)),
}
"""Shown without a goal: they read rows, or every change of a quarter hour."""
YEAR: Final = GetFiguresRequest(from_local=f"{UNTIL - timedelta(days=365):%Y-%m-%d}", to_local=f"{UNTIL:%Y-%m-%d}")
CALLS: Final = 40
CALLS_QUICK: Final = 20
CALLS_BESIDE: Final = 3
PAST: Final = 20


def run(bench: Bench) -> Sequence[Result]:
    """Measure P10."""
    folder = bench.folder("year")
    sizes = [bench.events, bench.small_events] if bench.large else [bench.events]
    kinds: dict[str, str] = {}
    beside: dict[str, dict[str, str]] = {}
    with ExitStack() as stack:
        for event_count in sizes:
            ledger = stack.enter_context(served(bench, event_count))
            random = Random(event_count)
            past = [_year(ASKED, AsOf(position=random.randint(1, ledger.head))) for _ in range(PAST)]
            for said, requests in ((PRESENT, [_year(ASKED)]), (KNOWN, past)):
                kinds[_kind(said, event_count)] = _written(folder, ledger, said, requests)
            for said, request in BESIDE.items():
                beside.setdefault(said, {})[_kind(said, event_count)] = _written(folder, ledger, said, [_year(request)])
        latencies = timed(bench, kinds, CALLS_QUICK if bench.quick else CALLS, warm_calls=2)
        lines = [_line(bench, said, latencies, GOAL) for said in (PRESENT, KNOWN)]
        for said, of_size in beside.items():
            try:
                latencies |= timed(bench, of_size, CALLS_BESIDE, warm_calls=1, rounds=1)
            except ProcessFailedError as error:
                # They read rows, and a ledger may have too many: then the figure stands without them.
                lines.append(skipped(FIGURE, f"{said}: {error}"))
            else:
                lines.append(_line(bench, said, latencies, Goal()))
    return lines


def _year(asked: GetFiguresRequest, as_of: AsOf | None = None) -> GetFiguresRequest:
    request = GetFiguresRequest(as_of=as_of)
    request.MergeFrom(YEAR)
    request.MergeFrom(asked)
    return request


def _written(folder: Path, ledger: Served, said: str, requests: Sequence[GetFiguresRequest]) -> str:
    file = folder / f"{ledger.event_count}-{said.replace(' ', '-')}"
    write_requests(file, requests)
    return f"{ledger.address}|{METHOD}|{file}"


def _kind(said: str, event_count: int) -> str:
    return f"{said}, {event_count}"


def _line(bench: Bench, said: str, latencies: Latencies, goal: Goal) -> Result:
    ours = latencies[_kind(said, bench.events)]
    small = p99_ms(latencies[_kind(said, bench.small_events)]) if bench.large else []
    return compared(
        "P10", f"{NAME}, {said}", "ms", goal, p99_ms(ours), (), f"{bench.events:,} events; {spread(every(ours))}", small
    )


FIGURE: Final = Figure("P10", NAME, GOAL, run)
