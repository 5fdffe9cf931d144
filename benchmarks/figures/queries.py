"""P7: what departments ask all day, of a large ledger, against a call that does nothing.

All answers are `latest`: they know every event acknowledged before the question. One caller, one question after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.asking import every, kinds_of, p99_ms, served, timed
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, spread
from benchmarks.questions import QUESTIONS, customers, present
from benchmarks.servers import APPEND, noop
from benchmarks.workload import one_fact, write_requests

GOAL: Final = Goal(ratio_max=3.0)
NAME: Final = "Questions, latest: p99, vs a no-op call"
NOOP: Final = "no-op"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P7."""
    folder = bench.folder("questions")
    with served(bench, bench.events) as ledger, noop(folder) as noop_address:
        nothing = folder / NOOP
        write_requests(nothing, [one_fact()])
        asked = kinds_of(folder, "present", ledger.address, customers(ledger.address, ledger.event_count), present)
        latencies = timed(bench, {NOOP: f"{noop_address}|{APPEND}|{nothing}"} | asked)
    limit = latencies[NOOP]
    return [
        compared(
            "P7",
            f"{question.name}: p99",
            "ms",
            GOAL,
            p99_ms(latencies[question.name]),
            p99_ms(limit),
            f"{ledger.size}; {spread(every(latencies[question.name]))}; {NOOP} {spread(every(limit))}",
        )
        for question in QUESTIONS
    ]


FIGURE: Final = Figure("P7", NAME, GOAL, run)
