"""P11: the memory of each process of a large ledger, against that of a small one, after both have answered and recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.asking import Served, kinds_of, served, timed
from benchmarks.figure import Bench, Figure, Goal, Result, SkippedError
from benchmarks.harness import compared
from benchmarks.memory import PROC, Memory, memory_by_part
from benchmarks.process import measured_by
from benchmarks.questions import customers, frequent_customer, past_positions, present
from benchmarks.servers import APPEND
from benchmarks.workload import one_fact, write_requests
from benchmarks.year import FREQUENT_FROM_EVENTS

GOAL: Final = Goal(ratio_max=1.2, ours_max=300.0, unit="MB")
NAME: Final = "Memory of each process"
CALLS: Final = 60
"""Of each question, after as many to warm up."""
APPENDS: Final = 300
IN_FLIGHT: Final = 8


def run(bench: Bench) -> Sequence[Result]:
    """Measure P11."""
    if not (PROC / "self" / "status").exists():
        raise SkippedError("memory is read from /proc, which this system does not have")
    small, large = (_measured(bench, event_count) for event_count in (bench.small_events, bench.events))
    return [_line(bench, part, large[part], small[part]) for part in large if part in small]


def _measured(bench: Bench, event_count: int) -> dict[str, Memory]:
    folder = bench.folder("memory")
    with served(bench, event_count) as ledger:
        _work(bench, folder, ledger)
        ledger.asking.settle()
        return memory_by_part(ledger.log)


def _work(bench: Bench, folder: Path, ledger: Served) -> None:
    """Let every part do some of its work: append, project, answer about customers, the past, and the customer with the most."""
    requests = folder / "appends"
    write_requests(requests, [one_fact()] * APPENDS)
    measured_by(
        "unary",
        *("--target", ledger.address, "--method", APPEND, "--requests", requests),
        # All of them count: there are few, and a fast machine is through with them before it is warm.
        *("--in-flight", IN_FLIGHT, "--warm-seconds", 0, "--seconds", 60),
    )
    about = customers(ledger.address, ledger.event_count)
    kinds = {f"{name}, now": kind for name, kind in kinds_of(folder, "now", ledger.address, about, present).items()}
    past = kinds_of(folder, "past", ledger.address, about, past_positions(ledger.head))
    kinds |= {f"{name}, past": kind for name, kind in past.items()}
    if ledger.event_count >= FREQUENT_FROM_EVENTS:
        of_one = kinds_of(folder, "frequent", ledger.address, [frequent_customer()], present)
        kinds |= {f"{name}, frequent": kind for name, kind in of_one.items()}
    timed(bench, kinds, CALLS, CALLS, rounds=1)


def _line(bench: Bench, part: str, large: Memory, small: Memory) -> Result:
    detail = (
        f"its own memory, after {APPENDS} appends and {CALLS} of each question; with files mapped into memory, which the kernel "
        f"drops when it needs the room, {large.resident:,.0f} MB, at {bench.small_events:,} events {small.resident:,.0f} MB"
    )
    name = f"{NAME}: {part}, {bench.events:,} events, vs {bench.small_events:,}"
    line = compared("P11", name, "MB", GOAL, [large.own], [small.own], detail, [small.own])
    return line._replace(costs={f"memory_mb_{part}": large.own, f"memory_mb_{part}_small": small.own})


FIGURE: Final = Figure("P11", NAME, GOAL, run)
