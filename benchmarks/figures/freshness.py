"""P6: how long after its acknowledgement an event is in every view, at 1,000 appends a second."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, percentile, spread
from benchmarks.process import measured_by
from benchmarks.servers import Asking, product
from benchmarks.workload import one_fact, write_requests

RATE: Final = 1_000
SECONDS: Final = 5.0
GOAL: Final = Goal(ours_max=10.0, unit="ms")
NAME: Final = "Freshness, acknowledged to visible in every view, at 1,000 appends/s: p99"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P6."""
    folder = bench.folder("freshness")
    requests = folder / "request"
    write_requests(requests, [one_fact()])
    with product(folder / "data") as address, Asking(address) as asking:

        def measure() -> dict[str, Any]:
            measured: dict[str, Any] = measured_by(
                "paced", "--target", address, "--requests", requests, "--rate", RATE, "--seconds", SECONDS
            )
            asking.settle()
            return measured

        bench.say("warm-up")
        measure()
        rounds = []
        for number in range(1, bench.rounds + 1):
            bench.say(f"round {number} of {bench.rounds}")
            rounds.append(measure())
    p99 = [percentile(sorted(one["fresh"]), 99.0) * 1_000 for one in rounds]
    fresh = [latency for one in rounds for latency in one["fresh"]]
    anyhow = [latency for one in rounds for latency in one["any"]]
    rate = median(one["appended"] / one["seconds"] for one in rounds)
    detail = (
        f"ack to the answer of a question that must know the event, call included: {spread(fresh)}; "
        f"the same question that need not: {spread(anyhow)}; {rate:,.0f} appends/s were answered; "
        f"the load came late by {max(one['late'] for one in rounds) * 1_000:.0f} ms at most"
    )
    return [compared("P6", NAME, "ms", GOAL, p99, detail=detail)]


FIGURE: Final = Figure("P6", NAME, GOAL, run)
