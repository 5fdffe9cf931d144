"""P3: a hundred events a call, against the same done on a ready-made event store, and against that store alone.

Views paused: the server runs without its projector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result, SkippedError
from benchmarks.harness import compared, in_turn, spread
from benchmarks.process import ProcessFailedError, measured_by
from benchmarks.servers import APPEND, Asking, sealing_peer, server_alone, umadb
from benchmarks.workload import as_request, calls, write_requests

IN_FLIGHT: Final = 8
EVENTS_PER_CALL: Final = 100
EVENTS_PER_SECOND_MAX: Final = 30_000
"""So many events are made ready for each second of load; a contender that is quicker ends early, and its rate counts."""

GOAL_PEER: Final = Goal(ratio_min=1.0)
GOAL_BARE: Final = Goal(ratio_min=0.25)
NAME: Final = "Append, 100 a call, 8 in flight, views paused"
NAME_PEER: Final = f"{NAME}, vs (a) validated and sealed into UmaDB"
NAME_BARE: Final = f"{NAME}, vs (b) bare UmaDB, 1 caller"


class Load:
    """The same events for every contender, each part of them sent once."""

    def __init__(self, bench: Bench, requests: Path, count: int) -> None:
        self._bench = bench
        self._requests = requests
        self._count = count
        self._next: dict[str, int] = {}

    def on(self, address: str) -> dict[str, Any]:
        """Put a server under load for one round, with events that it has not seen."""
        first = self._next.get(address, 0)
        measured: dict[str, Any] = measured_by(
            "unary",
            *("--target", address, "--method", APPEND, "--requests", self._requests),
            *("--first", first, "--count", self._count, "--in-flight", IN_FLIGHT, "--seconds", self._bench.seconds),
        )
        self._next[address] = first + measured["all_calls"]
        if measured["refused"]:
            raise ProcessFailedError(f"{measured['refused']} groups were refused: {measured['refusal']}")
        return measured

    def on_umadb(self, address: str) -> dict[str, Any]:
        """Put a bare UmaDB under load for one round."""
        measured: dict[str, Any] = measured_by(
            "umadb_bare", "--target", address, "--requests", self._requests, "--seconds", self._bench.seconds
        )
        return measured


def ready_calls(bench: Bench) -> Path:
    """Return a file of calls, as many as any figure of a run needs; made once."""
    requests = bench.work_dir / "calls-of-100"
    if not requests.exists():
        bench.say("making events")
        event_count = (bench.rounds + 1) * bench.ready_for(EVENTS_PER_SECOND_MAX)
        write_requests(requests, map(as_request, calls(event_count, EVENTS_PER_CALL)))
    return requests


def run(bench: Bench) -> Sequence[Result]:
    """Measure P3."""
    folder = bench.folder("append-many")
    load = Load(bench, ready_calls(bench), bench.ready_for(EVENTS_PER_SECOND_MAX) // EVENTS_PER_CALL)
    with ExitStack() as stack:
        address = stack.enter_context(server_alone(folder / "data"))
        with Asking(address) as asking:
            asking.open_run()
        contenders: dict[str, Callable[[], dict[str, Any]]] = {"ours": lambda: load.on(address)}
        missing = ""
        try:
            store = stack.enter_context(umadb(folder))
        except SkippedError as error:
            missing = str(error)
        else:
            peer = stack.enter_context(sealing_peer(folder, store))
            contenders |= {"validated and sealed into UmaDB": lambda: load.on(peer), "bare UmaDB": lambda: load.on_umadb(store)}
        measured = in_turn(bench, contenders)
    ours, *others = [[one["events"] / one["seconds"] for one in rounds] for rounds in measured.values()]
    detail = "a call " + spread([latency for one in measured["ours"] for latency in one["latencies"]])
    if missing:
        alone = compared("P3", NAME, "events/s", GOAL_PEER, ours, detail=detail)
        return [alone._replace(name=name, goal=str(goal), met=None, skipped=missing) for name, goal in LIMITS]
    return [compared("P3", name, "events/s", goal, ours, limit, detail) for (name, goal), limit in zip(LIMITS, others, strict=True)]


LIMITS: Final = ((NAME_PEER, GOAL_PEER), (NAME_BARE, GOAL_BARE))
FIGURE: Final = Figure("P3", NAME, GOAL_PEER, run)
