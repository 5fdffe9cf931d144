"""P8: the same questions of a large ledger and about a customer with 10,000 events, against themselves on a small ledger.

On both, customers with 50 to 100 events are asked about, and departments whose work lists fill a page, so that what differs is the
size of the ledger alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.asking import every, kinds_of, p99_ms, served, timed
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, spread
from benchmarks.questions import QUESTIONS, customers, frequent_customer, full_departments, present
from benchmarks.year import FREQUENT_EVENTS, FREQUENT_FROM_EVENTS

GOAL: Final = Goal(ratio_max=1.3)
NAME: Final = "Questions of a large ledger: p99, vs a small one"
OF_A_CUSTOMER: Final = 2
"""The first so many questions are about a customer, the others about work lists."""


def run(bench: Bench) -> Sequence[Result]:
    """Measure P8."""
    folder = bench.folder("growth")
    with served(bench, bench.small_events) as small, served(bench, bench.events) as large:
        kinds = {}
        departments = full_departments(small.address)
        for ledger in (small, large):
            asked = customers(ledger.address, ledger.event_count)
            for name, kind in kinds_of(folder, str(ledger.event_count), ledger.address, asked, present, departments).items():
                kinds[f"{name}, {ledger.size}"] = kind
        about_one: list[str] = []
        if bench.events >= FREQUENT_FROM_EVENTS:
            about_one = [question.name for question in QUESTIONS[:OF_A_CUSTOMER]]
            of_one = kinds_of(folder, "frequent", large.address, [frequent_customer()], present)
            kinds |= {_of_one(name): of_one[name] for name in about_one}
        latencies = timed(bench, kinds)

    def line(name: str, measured: str, base: str) -> Result:
        ours, limit = latencies[measured], latencies[base]
        detail = f"{spread(every(ours))}; at {small.size} {spread(every(limit))}"
        return compared("P8", name, "ms", GOAL, p99_ms(ours), p99_ms(limit), detail, small=p99_ms(limit))

    return [
        *(
            line(f"{one.name}, {large.size}: p99, vs {small.size}", f"{one.name}, {large.size}", f"{one.name}, {small.size}")
            for one in QUESTIONS
        ),
        *(
            line(
                f"{name}, {large.size}, a customer with {FREQUENT_EVENTS:,}: p99, vs one with 50 to 100 of {small.size}",
                _of_one(name),
                f"{name}, {small.size}",
            )
            for name in about_one
        ),
    ]


def _of_one(name: str) -> str:
    return f"{name}, a customer with {FREQUENT_EVENTS:,}"


FIGURE: Final = Figure("P8", NAME, GOAL, run)
