"""P14: a hundred events a call on PostgreSQL, from one node and from three at once, against one connection with raw inserts.

Views paused, as in P3: the nodes run without their projectors.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.figures.append_many import EVENTS_PER_CALL, IN_FLIGHT, ready_calls
from benchmarks.harness import compared, in_turn, spread
from benchmarks.peers.postgres import postgres
from benchmarks.process import ProcessFailedError, measured_by
from benchmarks.servers import APPEND, Asking, server_alone
from ledger.application import MASTER_KEY_FILE

NODES: Final = 3
EVENTS_PER_SECOND_MAX: Final = 6_000
"""Of one node: so many events are ready for each second of load. All nodes together need no more than P3 does."""
GOAL: Final = Goal(ratio_min=0.5)
GOAL_NODES: Final = Goal(ratio_min=1.0)
NAME: Final = "PostgreSQL, append, 100 a call, 8 in flight a node, views paused"


class Load:
    """Events for one node or several, each part of them sent once."""

    def __init__(self, bench: Bench, requests: Path, addresses: Sequence[str], count: int) -> None:
        self._bench = bench
        self._requests = requests
        self._addresses = addresses
        self._count = count
        self._next = 0

    def on(self, node_count: int) -> dict[str, Any]:
        """Put the first so many nodes under load for one round, each with events of its own."""
        measured: dict[str, Any] = measured_by(
            "unary",
            *("--target", ",".join(self._addresses[:node_count]), "--method", APPEND, "--requests", self._requests),
            *("--first", self._next, "--count", self._count, "--in-flight", IN_FLIGHT, "--seconds", self._bench.seconds),
        )
        self._next += node_count * self._count
        if measured["refused"]:
            raise ProcessFailedError(f"{measured['refused']} groups were refused: {measured['refusal']}")
        return measured


def run(bench: Bench) -> Sequence[Result]:
    """Measure P14."""
    folder = bench.folder("nodes")
    requests = ready_calls(bench)
    with ExitStack() as stack:
        server = stack.enter_context(postgres(folder))
        store, vault, raw = map(server.new_database, ("ledger", "ledger_vault", "raw"))
        per_round = bench.ready_for(EVENTS_PER_SECOND_MAX) // EVENTS_PER_CALL
        addresses = []
        for number in range(NODES):
            data = folder / f"node{number}"
            if number:
                (data / MASTER_KEY_FILE).parent.mkdir(parents=True)
                shutil.copy(folder / "node0" / MASTER_KEY_FILE, data / MASTER_KEY_FILE)
            addresses.append(stack.enter_context(server_alone(data, store, vault)))
        with Asking(addresses[0]) as asking:
            asking.open_run()
        load = Load(bench, requests, addresses, per_round)

        def raw_inserts() -> dict[str, Any]:
            measured: dict[str, Any] = measured_by(
                "raw_postgres", "--log", store, "--target", raw, "--rows", EVENTS_PER_CALL, "--seconds", bench.seconds
            )
            return measured

        measured = in_turn(bench, {"1 node": lambda: load.on(1), "raw": raw_inserts, f"{NODES} nodes": lambda: load.on(NODES)})
    one, limit, several = ([each["events"] / each["seconds"] for each in rounds] for rounds in measured.values())
    calls_of_one = "a call " + spread([latency for each in measured["1 node"] for latency in each["latencies"]])
    calls_of_all = "a call " + spread([latency for each in measured[f"{NODES} nodes"] for latency in each["latencies"]])
    costs = {"postgres_bytes_an_event": float(measured["raw"][-1]["bytes_an_event"])}
    return [
        compared(
            "P14", f"{NAME}: 1 node, vs one connection, multi-row inserts", "events/s", GOAL, one, limit, calls_of_one
        )._replace(costs=costs),
        compared(
            "P14",
            f"{NAME}: {NODES} nodes at once, vs one connection, multi-row inserts",
            "events/s",
            GOAL,
            several,
            limit,
            calls_of_all,
        ),
        compared("P14", f"{NAME}: {NODES} nodes at once, vs 1 node", "events/s", GOAL_NODES, several, one, "all on these cores"),
    ]


FIGURE: Final = Figure("P14", NAME, GOAL, run)
