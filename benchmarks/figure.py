"""What a figure is, what it is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

ROUNDS: Final = 5
"""Rounds of a standard run; each contender is measured once in each."""


class SkippedError(Exception):
    """The figure cannot run here: the message says why, and what would let it."""


@dataclass(frozen=True)
class Goal:
    """When a figure is good enough. Every bound that is given must hold."""

    ratio_min: float | None = None
    ratio_max: float | None = None
    ours_min: float | None = None
    ours_max: float | None = None
    unit: str = ""
    """Unit of the bounds on our own value."""

    def __str__(self) -> str:
        """Say the bounds."""
        bounds = [
            f"{sign} {value:,.6g}{unit}"
            for sign, value, unit in (
                (">=", self.ratio_min, " x"),
                ("<=", self.ratio_max, " x"),
                (">=", self.ours_min, f" {self.unit}"),
                ("<=", self.ours_max, f" {self.unit}"),
            )
            if value is not None
        ]
        return " and ".join(bounds)

    def met(self, ours: float, ratio: float | None) -> bool:
        """Say whether the bounds hold. A bound on a ratio does not hold without one."""
        return (
            (self.ratio_min is None or (ratio is not None and ratio >= self.ratio_min))
            and (self.ratio_max is None or (ratio is not None and ratio <= self.ratio_max))
            and (self.ours_min is None or ours >= self.ours_min)
            and (self.ours_max is None or ours <= self.ours_max)
        )


class Result(NamedTuple):
    """One line of the table."""

    id: str
    name: str
    unit: str
    goal: str
    ours: float | None = None
    """Median of the rounds."""
    limit: float | None = None
    """Median of the limit's rounds; None where the figure has no limit."""
    ratio: float | None = None
    met: bool | None = None
    rounds: int = 0
    skipped: str | None = None
    detail: str = ""
    """How it was measured, and percentiles of latencies."""
    measured: dict[str, list[float]] = {}  # noqa: RUF012 - never changed
    """Every round of each contender."""
    small: float | None = None
    """Ours on the small ledger, where the figure is measured on two."""
    growth: float | None = None
    """How many times more it is on the large ledger than on the small one."""
    costs: dict[str, float] = {}  # noqa: RUF012 - never changed
    """What a plan needs beside the figure, by name: bytes an event, events a second."""


@dataclass(frozen=True)
class Bench:
    """What a figure is given."""

    work_dir: Path
    """Empty, on the disk that is measured; removed afterwards."""
    cache_dir: Path
    """Kept for the next run."""
    events: int
    """Size of the large ledger."""
    small_events: int
    """Size of the ledger that it is compared with, to see what grows."""
    large: bool
    """Whether growth is what the run is about: then all that is asked of the large ledger is asked of the small one too."""
    quick: bool
    say: Callable[[str], None] = field(repr=False)
    """Shows a line of progress."""
    earlier: list[Result] = field(default_factory=list, repr=False)
    """Lines of this run so far: some figures are compared with others."""

    @property
    def rounds(self) -> int:
        """How often each contender is measured."""
        return 3 if self.quick else ROUNDS

    @property
    def seconds(self) -> float:
        """How long a contender is under load in a round."""
        return 1.0 if self.quick else 2.0

    def ready_for(self, events_per_second: int) -> int:
        """Return how many events to make ready for a round under a load of so many a second. Who is quicker ends early."""
        return int((self.seconds + 0.5) * (events_per_second // 4 if self.quick else events_per_second))

    def folder(self, name: str) -> Path:
        """Return a new folder for a server's files."""
        number = sum(1 for _ in self.work_dir.glob(f"{name}*"))
        path = self.work_dir / f"{name}{number}"
        path.mkdir(parents=True)
        return path


class Figure(NamedTuple):
    """A figure of performance.md."""

    id: str
    name: str
    goal: Goal
    run: Callable[[Bench], Sequence[Result]]
    """Raises SkippedError when it cannot run here."""


def skipped(figure: Figure, why: str) -> Result:
    """Return the line of a figure that could not run."""
    return Result(figure.id, figure.name, "", str(figure.goal), skipped=why)


def as_record(result: Result) -> dict[str, Any]:
    """Return a line as it stands in bench.json."""
    record = {name: getattr(result, name) for name in ("id", "name", "ours", "limit", "unit", "ratio", "goal", "met", "rounds")}
    if result.small is not None:
        record |= {"small": result.small, "growth": result.growth}
    if result.costs:
        record["costs"] = result.costs
    if result.skipped is not None:
        record["skipped"] = result.skipped
    return record
