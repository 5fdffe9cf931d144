"""P1: one event a call, against a servicer that does nothing with the same messages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, in_turn, spread
from benchmarks.load import h2load
from benchmarks.process import ProcessFailedError, measured_by
from benchmarks.servers import APPEND, Asking, noop, product
from benchmarks.workload import as_grpc_body, one_fact, write_requests

IN_FLIGHT: Final = 32
GOAL: Final = Goal(ratio_min=0.60)
NAME: Final = "Append, 1 event a call, 32 in flight"


class Load:
    """The load on either server: h2load where it is installed, else our own client."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._seconds = bench.seconds
        self._requests = folder / "request"
        self._body = folder / "body"
        self._log = folder / "h2load.log"
        write_requests(self._requests, [one_fact()])
        self._body.write_bytes(as_grpc_body(one_fact()))
        self._program = h2load.h2load()

    @property
    def name(self) -> str:
        """Who makes the load."""
        return "load from h2load" if self._program else "load from grpc.aio, as h2load is not installed"

    def on(self, address: str) -> dict[str, Any]:
        """Put a server under load for one round."""
        if self._program:
            return h2load.run(self._program, address, APPEND, self._body, IN_FLIGHT, self._seconds, self._log)
        measured: dict[str, Any] = measured_by(
            "unary",
            *("--target", address, "--method", APPEND, "--requests", self._requests),
            *("--in-flight", IN_FLIGHT, "--seconds", self._seconds, "--again"),
        )
        if measured["refused"]:
            raise ProcessFailedError(f"{measured['refused']} appends were refused: {measured['refusal']}")
        return measured


def run(bench: Bench) -> Sequence[Result]:
    """Measure P1."""
    folder = bench.folder("append-one")
    load = Load(bench, folder)
    with product(folder / "data") as address, noop(folder) as noop_address, Asking(address) as asking:

        def ours() -> dict[str, Any]:
            before = asking.head()
            measured = load.on(address)
            # h2load counts a refusal as an answer: what was recorded says the truth.
            recorded = asking.head() - before
            if recorded < measured["calls"]:
                raise ProcessFailedError(f"{measured['calls']} appends were answered, and {recorded} recorded")
            # So that the projector's work stays out of the other contender's round.
            asking.settle()
            return measured

        measured = in_turn(bench, {"ours": ours, "no-op": lambda: load.on(noop_address)})
    rates = {name: [one["calls"] / one["seconds"] for one in rounds] for name, rounds in measured.items()}
    latencies = {name: [latency for one in rounds for latency in one["latencies"]] for name, rounds in measured.items()}
    detail = f"{load.name}; ours {spread(latencies['ours'])}; no-op {spread(latencies['no-op'])}"
    return [compared("P1", NAME, "calls/s", GOAL, rates["ours"], rates["no-op"], detail)]


FIGURE: Final = Figure("P1", NAME, GOAL, run)
