"""P2: one event a call from many callers, against UmaDB, an event store in Rust, asked by its own Python client.

Ours is asked over a connection for each caller, by h2load where it is installed: a client in Python would be the limit itself.
UmaDB neither checks nor seals what it stores, and knows no life cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, in_turn, spread
from benchmarks.load import h2load
from benchmarks.process import ProcessFailedError, measured_by
from benchmarks.servers import APPEND, Asking, product, umadb
from benchmarks.workload import as_grpc_body, one_fact, write_requests
from ledger.config import WORKERS

CALLERS: Final = 32
GOAL: Final = Goal(ratio_min=0.5)
NAME: Final = "Append, 1 event a call, 32 callers"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P2."""
    folder = bench.folder("append-umadb")
    requests, body, log = folder / "request", folder / "body", folder / "h2load.log"
    write_requests(requests, [one_fact()])
    body.write_bytes(as_grpc_body(one_fact()))
    program = h2load.h2load()
    with umadb(folder) as umadb_address, product(folder / "data") as address, Asking(address) as asking:

        def ours() -> dict[str, Any]:
            before = asking.head()
            if program:
                measured = h2load.run(program, address, APPEND, body, 1, bench.seconds, log, connections=CALLERS)
            else:
                measured = measured_by(
                    "unary",
                    *("--target", address, "--method", APPEND, "--requests", requests),
                    *("--in-flight", CALLERS, "--seconds", bench.seconds, "--again"),
                )
            recorded = asking.head() - before
            if recorded < measured["calls"]:
                raise ProcessFailedError(f"{measured['calls']} appends were answered, and {recorded} recorded")
            asking.settle()
            return measured | {"events": measured["calls"]}

        def theirs() -> dict[str, Any]:
            arguments = ("--target", umadb_address, "--requests", requests, "--callers", CALLERS, "--seconds", bench.seconds)
            measured: dict[str, Any] = measured_by("umadb_bare", *arguments)
            return measured

        measured = in_turn(bench, {"ours": ours, "UmaDB": theirs})
    rates = {name: [one["events"] / one["seconds"] for one in rounds] for name, rounds in measured.items()}
    latencies = [latency for one in measured["ours"] for latency in one["latencies"]]
    load = "load from h2load" if program else "load from grpc.aio over one connection, as h2load is not installed"
    detail = f"workers {WORKERS}; {load}; {spread(latencies)}"
    return [compared("P2", NAME, "events/s", GOAL, rates["ours"], rates["UmaDB"], detail)]


FIGURE: Final = Figure("P2", NAME, GOAL, run)
