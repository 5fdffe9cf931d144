"""Asking a large ledger: served as it is, and its answers timed, one caller and one question after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.big_ledger import with_views
from benchmarks.figure import Bench
from benchmarks.harness import percentile
from benchmarks.process import measured_by
from benchmarks.questions import DEPARTMENTS, QUESTIONS, Place, write_questions
from benchmarks.servers import Asking, log_of, product

CALLS: Final = 200
CALLS_QUICK: Final = 40
WARM_CALLS: Final = 50
SECONDS: Final = 3_600.0
"""A slow machine may take long over a large ledger."""

Latencies = dict[str, list[list[float]]]
"""In seconds: by kind of call, then by round."""
Kinds = Mapping[str, str]
"""By name: where a kind of call goes, as load.questions takes it."""


class Served(NamedTuple):
    """A large ledger that is being served."""

    address: str
    head: int
    event_count: int
    asking: Asking
    log: Path
    """Where the processes log to."""

    @property
    def size(self) -> str:
        """How large it is, in words."""
        return f"{self.event_count:,} events"


@contextmanager
def served(bench: Bench, event_count: int) -> Iterator[Served]:
    """Serve a large ledger while the block lasts, from when its views are level."""
    data = with_views(bench, event_count)
    with product(data, SECONDS) as address, Asking(address) as asking:
        bench.say(f"{event_count:,} events: waiting until the views are level")
        yield Served(address, asking.settle(SECONDS), event_count, asking, log_of(data))


def kinds_of(
    folder: Path,
    name: str,
    address: str,
    customers: Sequence[Any],
    place: Place,
    departments: tuple[str, ...] = DEPARTMENTS,
) -> dict[str, str]:
    """Write every question, each about another customer or department and place; return their kinds by the question's name."""
    files = write_questions(folder, name, list(customers), place, departments)
    return {question.name: f"{address}|{question.method}|{files[question.name]}" for question in QUESTIONS}


def timed(
    bench: Bench, kinds: Kinds, calls: int | None = None, warm_calls: int = WARM_CALLS, rounds: int | None = None
) -> Latencies:
    """Ask every kind in turn, in each round, and return how long each answer took."""
    bench.say("asking")
    measured = measured_by(
        "questions",
        *(argument for name, rest in kinds.items() for argument in ("--kind", f"{name}|{rest}")),
        *("--rounds", rounds or bench.rounds, "--calls", calls or (CALLS_QUICK if bench.quick else CALLS)),
        *("--warm-calls", warm_calls),
        seconds=SECONDS,
    )
    return {name: [one[name] for one in measured] for name in kinds}


def p99_ms(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Return the p99 of each round, in milliseconds."""
    return [percentile(sorted(latencies), 99.0) * 1_000 for latencies in rounds]


def every(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Return the latencies of all rounds."""
    return [latency for latencies in rounds for latency in latencies]
