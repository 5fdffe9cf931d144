"""How measuring is done: contenders in turn, medians over rounds, percentiles of latencies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final, TypeVar

from benchmarks.figure import Bench, Goal, Result

Measured = TypeVar("Measured")

PERCENTILES: Final = (50.0, 99.0, 99.9)


def in_turn(bench: Bench, contenders: Mapping[str, Callable[[], Measured]], warm: bool = True) -> dict[str, list[Measured]]:
    """Measure the contenders A B A B …, so that what the machine does meanwhile hits all alike; first each once to warm up."""
    if warm:
        for name, measure in contenders.items():
            bench.say(f"warm-up, {name}")
            measure()
    results: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(1, bench.rounds + 1):
        for name, measure in contenders.items():
            bench.say(f"round {number} of {bench.rounds}, {name}")
            results[name].append(measure())
    return results


def compared(
    figure_id: str,
    name: str,
    unit: str,
    goal: Goal,
    ours: Sequence[float],
    limit: Sequence[float] = (),
    detail: str = "",
    small: Sequence[float] = (),
) -> Result:
    """Return the line for values measured round by round: medians, and their ratio.

    `small`: the same as ours, measured on the small ledger; the line then says the growth.
    """
    our_median = median(ours)
    small_median = median(small) if small else None
    limit_median = median(limit) if limit else None
    ratio = our_median / limit_median if limit_median else None
    measured = {name: list(values) for name, values in (("ours", ours), ("limit", limit), ("small", small)) if values}
    return Result(
        figure_id,
        name,
        unit,
        str(goal),
        our_median,
        limit_median,
        ratio,
        goal.met(our_median, ratio),
        len(ours),
        detail=detail,
        measured=measured,
        small=small_median,
        growth=our_median / small_median if small_median else None,
    )


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent of all are not above. `sorted_values` must not be empty."""
    rank = -(-len(sorted_values) * percent // 100)
    return sorted_values[max(int(rank) - 1, 0)]


def spread(seconds: Sequence[float]) -> str:
    """Say latencies as p50 / p99 / p99.9 in milliseconds."""
    if not seconds:
        return "no latencies"
    ordered = sorted(seconds)
    return "p50/p99/p99.9 " + " / ".join(f"{percentile(ordered, percent) * 1000:.2f}" for percent in PERCENTILES) + " ms"
