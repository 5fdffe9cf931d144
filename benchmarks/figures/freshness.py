"""P6: how long after its acknowledgement an event is in every view, at 1,000 appends a second."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, percentile, spread
from benchmarks.load import h2load
from benchmarks.process import measured_by
from benchmarks.servers import APPEND, Asking, product
from benchmarks.workload import as_grpc_body, one_fact, write_requests

RATE: Final = 1_000
FOLLOWED_RATE: Final = 100
"""So many of them come from our own client, at random times. Each is followed by a question: in turn one that must know it, and one
that need not."""
SECONDS: Final = 5.0
AROUND_SECONDS: Final = 3.0
"""h2load runs so much longer: our client takes part of that to start and to warm up."""
IN_FLIGHT_MAX: Final = 100
WORKERS: Final = ("--workers", "2")
"""Beside the default: questions then share no interpreter with the one that commits."""
GOAL: Final = Goal(ours_max=10.0, unit="ms")
NAME: Final = "Freshness, acknowledged to visible in every view, at 1,000 appends/s: p99"


class Load:
    """RATE appends a second. h2load sends most, so that the load leaves the cores to the ledger; else our client sends all."""

    def __init__(self, folder: Path) -> None:
        self._requests, self._body, self._log = folder / "request", folder / "body", folder / "h2load.log"
        write_requests(self._requests, [one_fact()])
        self._body.write_bytes(as_grpc_body(one_fact()))
        self._program = h2load.h2load()
        self.name = (
            f"{RATE - FOLLOWED_RATE} of them from h2load, evenly, the others at random"
            if self._program
            else "all of them from grpc.aio, as h2load is not installed"
        )

    def on(self, address: str) -> dict[str, Any]:
        """Put a server under load for one round; return what `load.paced` returns, `rate` added: appends answered a second."""
        with ThreadPoolExecutor(1) as beside:
            background = beside.submit(self._background, address) if self._program else None
            measured: dict[str, Any] = measured_by(
                "paced",
                *("--target", address, "--requests", self._requests, "--seconds", SECONDS),
                *("--rate", FOLLOWED_RATE if self._program else RATE, "--ask-every", 2 if self._program else 20),
            )
            rate = measured["appended"] / measured["seconds"]
            return {**measured, "rate": rate + (background.result() if background else 0.0)}

    def _background(self, address: str) -> float:
        """Append by h2load; return how many were answered a second."""
        assert self._program is not None
        seconds = SECONDS + AROUND_SECONDS
        rate = RATE - FOLLOWED_RATE
        calls = h2load.run(self._program, address, APPEND, self._body, IN_FLIGHT_MAX, seconds, self._log, rate=rate)
        return float(calls["calls"] / calls["seconds"])


def run(bench: Bench) -> Sequence[Result]:
    """Measure P6."""
    folder = bench.folder("freshness")
    load = Load(folder)
    return [
        _measured(bench, load, folder / "data", NAME, ()),
        _measured(bench, load, folder / "data-of-workers", f"{NAME}, {' '.join(WORKERS)}", WORKERS),
    ]


def _measured(bench: Bench, load: Load, data: Path, name: str, options: Sequence[str]) -> Result:
    """Measure a ledger served with such options."""
    with product(data, options=options) as address, Asking(address) as asking:

        def measure() -> dict[str, Any]:
            measured = load.on(address)
            asking.settle()
            return measured

        bench.say("warm-up" + (f", {' '.join(options)}" if options else ""))
        measure()
        rounds = []
        for number in range(1, bench.rounds + 1):
            bench.say(f"round {number} of {bench.rounds}")
            rounds.append(measure())
    p99 = [percentile(sorted(one["fresh"]), 99.0) * 1_000 for one in rounds]
    fresh = [latency for one in rounds for latency in one["fresh"]]
    anyhow = [latency for one in rounds for latency in one["any"]]
    detail = (
        f"ack to the answer of a question that must know the event, call included: {spread(fresh)}; "
        f"the same question that need not: {spread(anyhow)}; {median(one['rate'] for one in rounds):,.0f} appends/s were answered, "
        f"{load.name}; our client's came late by {max(one['late'] for one in rounds) * 1_000:.0f} ms at most"
    )
    return compared("P6", name, "ms", GOAL, p99, detail=detail)


FIGURE: Final = Figure("P6", NAME, GOAL, run)
