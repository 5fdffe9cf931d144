"""P7 and P9: what departments ask all day, at the present and as of the past, of a large ledger.

All answers are `latest`: they know every event acknowledged before the question. One caller, one question after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from benchmarks.big_ledger import with_views
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, percentile, spread
from benchmarks.process import measured_by
from benchmarks.questions import QUESTIONS, busy_customers, past_positions, past_times, present, write_questions
from benchmarks.servers import APPEND, Asking, noop, product
from benchmarks.workload import one_fact, write_requests

GOAL_PRESENT: Final = Goal(ratio_max=3.0)
GOAL_PAST: Final = Goal(ratio_max=2.0)
NAME_PRESENT: Final = "Questions, latest: p99, vs a no-op call"
NAME_PAST: Final = "Questions as of the past: p99, vs the present"
CALLS: Final = 300
CALLS_QUICK: Final = 100
NOOP: Final = "no-op"
KNOWN: Final = "as known at a random position"
HAPPENED: Final = "as it happened before a random time"

Latencies = dict[str, list[list[float]]]
"""By kind of call, then by round."""


def run_present(bench: Bench) -> Sequence[Result]:
    """Measure P7."""
    folder = bench.folder("questions")
    with _large_ledger(bench) as (address, _), noop(folder) as noop_address:
        files = write_questions(folder, "present", busy_customers(address), present)
        nothing = folder / NOOP
        write_requests(nothing, [one_fact()])
        kinds = {NOOP: f"{noop_address}|{APPEND}|{nothing}"}
        kinds |= {question.name: f"{address}|{question.method}|{files[question.name]}" for question in QUESTIONS}
        bench.say("asking")
        latencies = _asked(bench, kinds)
    return [
        _line(bench, "P7", question.name, GOAL_PRESENT, latencies[question.name], latencies[NOOP], NOOP) for question in QUESTIONS
    ]


def run_past(bench: Bench) -> Sequence[Result]:
    """Measure P9."""
    folder = bench.folder("past")
    with _large_ledger(bench) as (address, head):
        customers = busy_customers(address)
        places = {"now": present, KNOWN: past_positions(head), HAPPENED: past_times()}
        kinds = {}
        for number, (name, place) in enumerate(places.items()):
            files = write_questions(folder, str(number), customers, place)
            for question in QUESTIONS:
                kinds[f"{question.name}, {name}"] = f"{address}|{question.method}|{files[question.name]}"
        bench.say("asking")
        latencies = _asked(bench, kinds)
    return [
        _line(
            bench,
            "P9",
            f"{question.name}, {name}",
            GOAL_PAST,
            latencies[f"{question.name}, {name}"],
            latencies[f"{question.name}, now"],
            "now",
        )
        for question in QUESTIONS
        for name in (KNOWN, HAPPENED)
    ]


@contextmanager
def _large_ledger(bench: Bench) -> Iterator[tuple[str, int]]:
    """Serve the large ledger; yield the address and the head, once the clock has told what was due and the views know it."""
    data = with_views(bench, bench.events)
    with product(data) as address, Asking(address) as asking:
        bench.say("waiting until the views are level")
        yield address, asking.settle()


def _asked(bench: Bench, kinds: Mapping[str, str]) -> Latencies:
    rounds = measured_by(
        "questions",
        *(argument for name, rest in kinds.items() for argument in ("--kind", f"{name}|{rest}")),
        *("--rounds", bench.rounds, "--calls", CALLS_QUICK if bench.quick else CALLS),
        seconds=600.0,
    )
    return {name: [one[name] for one in rounds] for name in kinds}


def _line(
    bench: Bench, figure_id: str, name: str, goal: Goal, ours: list[list[float]], limit: list[list[float]], limit_name: str
) -> Result:
    detail = f"{bench.events:,} events; {spread(_all(ours))}; {limit_name} {spread(_all(limit))}"
    return compared(figure_id, f"{name}: p99", "ms", goal, _p99_ms(ours), _p99_ms(limit), detail)


def _p99_ms(rounds: list[list[float]]) -> list[float]:
    return [percentile(sorted(latencies), 99.0) * 1_000 for latencies in rounds]


def _all(rounds: list[list[float]]) -> list[float]:
    return [latency for latencies in rounds for latency in latencies]


PRESENT: Final = Figure("P7", NAME_PRESENT, GOAL_PRESENT, run_present)
PAST: Final = Figure("P9", NAME_PAST, GOAL_PAST, run_past)
