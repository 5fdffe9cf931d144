"""P9: the same questions as known at random positions of the past, and as it happened before random times, against the present.

In a large run they are asked of a small ledger too: the past should cost the same however long the log is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.asking import every, kinds_of, p99_ms, served, timed
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, spread
from benchmarks.questions import DEPARTMENTS, QUESTIONS, customers, full_departments, past_positions, past_times, present

GOAL: Final = Goal(ratio_max=2.0)
NAME: Final = "Questions as of the past: p99, vs the present"
NOW: Final = "now"
KNOWN: Final = "as known at a random position"
HAPPENED: Final = "as it happened before a random time"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P9."""
    folder = bench.folder("past")
    sizes = [bench.events, bench.small_events] if bench.large else [bench.events]
    kinds = {}
    departments = DEPARTMENTS
    with ExitStack() as stack:
        for event_count in reversed(sizes):
            ledger = stack.enter_context(served(bench, event_count))
            if bench.large and event_count == bench.small_events:
                departments = full_departments(ledger.address)
            about = customers(ledger.address, event_count)
            places = {NOW: present, KNOWN: past_positions(ledger.head), HAPPENED: past_times()}
            for number, (when, place) in enumerate(places.items()):
                for name, kind in kinds_of(folder, f"{event_count}-{number}", ledger.address, about, place, departments).items():
                    kinds[_kind(name, when, event_count)] = kind
        latencies = timed(bench, kinds)

    def line(name: str, when: str) -> Result:
        ours, limit = (latencies[_kind(name, which, bench.events)] for which in (when, NOW))
        small = p99_ms(latencies[_kind(name, when, bench.small_events)]) if bench.large else []
        detail = f"{bench.events:,} events; {spread(every(ours))}; {NOW} {spread(every(limit))}"
        return compared("P9", f"{name}, {when}: p99", "ms", GOAL, p99_ms(ours), p99_ms(limit), detail, small)

    return [line(question.name, when) for question in QUESTIONS for when in (KNOWN, HAPPENED)]


def _kind(name: str, when: str, event_count: int) -> str:
    return f"{name}, {when}, {event_count}"


FIGURE: Final = Figure("P9", NAME, GOAL, run)
