"""How figures are measured and judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figure import Bench, Figure, Goal, as_record, skipped
from benchmarks.harness import compared, in_turn, percentile


def bench(said: list[str]) -> Bench:
    return Bench(work_dir=Path(), cache_dir=Path(), events=0, small_events=0, large=False, quick=True, say=said.append)


def test_contenders_are_warmed_up_and_then_measured_in_turn() -> None:
    order: list[str] = []

    results = in_turn(bench([]), {"ours": lambda: order.append("A"), "limit": lambda: order.append("B")})

    assert "AB" * 4 == "".join(order)
    assert [3, 3] == [len(rounds) for rounds in results.values()]


def test_a_line_holds_medians_and_their_ratio() -> None:
    line = compared("P1", "Append", "calls/s", Goal(ratio_min=0.6), [10.0, 70.0, 60.0], [90.0, 100.0, 500.0])

    assert (60.0, 100.0, 0.6, True, 3) == (line.ours, line.limit, line.ratio, line.met, line.rounds)


@pytest.mark.parametrize(
    ("goal", "ours", "ratio", "met"),
    [
        (Goal(ratio_min=0.5, ours_min=20_000, unit="events/s"), 20_000, 0.5, True),
        (Goal(ratio_min=0.5, ours_min=20_000, unit="events/s"), 19_999, 0.9, False),
        (Goal(ratio_max=3.0), 1.0, 3.1, False),
        (Goal(ratio_max=3.0), 1.0, None, False),
        (Goal(ours_max=10.0, unit="ms"), 9.9, None, True),
    ],
)
def test_a_goal_is_met_when_every_bound_holds(goal: Goal, ours: float, ratio: float | None, met: bool) -> None:
    assert met == goal.met(ours, ratio)


def test_a_goal_says_its_bounds() -> None:
    assert ">= 0.5 x and >= 20,000 events/s" == str(Goal(ratio_min=0.5, ours_min=20_000, unit="events/s"))


@pytest.mark.parametrize(("percent", "value"), [(50.0, 50.0), (99.0, 99.0), (99.9, 100.0), (100.0, 100.0)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    assert value == percentile([float(number) for number in range(1, 101)], percent)


def test_a_record_has_the_fields_of_the_results_file() -> None:
    line = compared("P6", "Freshness", "ms", Goal(ours_max=10.0, unit="ms"), [1.0, 2.0, 3.0])

    assert {
        "id": "P6",
        "name": "Freshness",
        "ours": 2.0,
        "limit": None,
        "unit": "ms",
        "ratio": None,
        "goal": "<= 10 ms",
        "met": True,
        "rounds": 3,
    } == as_record(line)


def test_a_line_measured_on_two_ledgers_says_the_growth() -> None:
    line = compared("P8", "GetCustomer", "ms", Goal(ratio_max=1.3), [3.0, 4.0, 5.0], [2.0], small=[2.0, 2.0, 9.0])

    assert (4.0, 2.0, 2.0) == (line.ours, line.small, line.growth)
    assert (2.0, 2.0) == (as_record(line)["small"], as_record(line)["growth"])


def test_a_figure_that_could_not_run_says_so() -> None:
    line = skipped(Figure("P3", "Append", Goal(ratio_min=1.0), lambda bench: []), "umadb is not installed")

    assert ("umadb is not installed", None, None) == (as_record(line)["skipped"], line.ours, line.met)
