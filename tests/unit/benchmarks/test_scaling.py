"""The plan that is computed from what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.scaling import costs_of, events_a_day, gigabytes, memory_at, minutes, plan, rates_of, read

LINES = [
    {"id": "P3", "name": "Append, 100 a call, 8 in flight, views paused, vs (a)", "ours": 8_000.0},
    {"id": "P3", "name": "Append, 100 a call, 8 in flight, views paused, vs (b)", "ours": 8_000.0},
    {"id": "P5", "name": "Projector, all views with search: catching up", "ours": 10_000.0},
    {"id": "P5", "name": "Projector, all views with search: rebuild beside the serving copy", "ours": 12_000.0},
    {"id": "P14", "name": "PostgreSQL, append", "ours": None, "skipped": "none", "costs": {"postgres_bytes_an_event": 500.0}},
]
REPORT = {
    "costs": {"log_bytes_an_event": 400.0, "memory_mb_server": 120.0, "memory_mb_server_small": 100.0},
    "built": {"position": 2_000_000},
    "built_small": {"position": 1_000_000},
    "figures": [{"id": "P13", "ours": 1.5, "small": 1.0}],
}


def test_rates_are_taken_from_the_lines_that_tell_them() -> None:
    assert {"many_a_call": 8_000.0, "followed": 10_000.0, "rebuilt": 12_000.0, "postgres_bytes_an_event": 500.0} == rates_of(LINES)


def test_costs_of_a_large_run_come_with_the_sizes_of_its_ledgers() -> None:
    costs = costs_of(REPORT)

    assert (2e6, 1e6, 1.5, 1.0) == tuple(
        costs[name] for name in ("events_large", "events_small", "start_seconds", "start_seconds_small")
    )


def test_a_day_has_eight_busy_hours_with_a_peak_of_twice_the_mean() -> None:
    assert 1_440_000 == events_a_day(100)


def test_room_and_time_grow_with_the_events() -> None:
    assert (40.0, 150.0) == (gigabytes(400, 100_000_000), minutes(90_000_000, 10_000))


def test_memory_follows_the_line_through_both_sizes_and_never_falls() -> None:
    costs = costs_of(REPORT)

    assert 140.0 == pytest.approx(memory_at(3_000_000, 120, 100, costs))
    assert 90.0 == memory_at(3_000_000, 90, 100, costs)


def test_a_plan_shows_what_was_measured_and_a_dash_for_what_was_not(tmp_path: Path) -> None:
    (tmp_path / "bench.json").write_text(json.dumps(LINES))
    (tmp_path / "bench-large.json").write_text(json.dumps(REPORT))

    said = plan(read(tmp_path))

    assert "| log, GB | 400 | 0.40 | 4.00 | 40.00 |" in said
    assert "| the same, 100 a call, views behind | 8,000 | 115,200,000 |" in said
    assert "| one node, log in a file, one event a call | - | - |" in said
    assert "| server | 100 | 120 | 2,080 |" in said
    assert "| the log table in PostgreSQL takes 500 GB | 1,000,000,000 |" in said


def test_where_nothing_was_measured_there_is_no_plan(tmp_path: Path) -> None:
    assert {} == read(tmp_path)


def test_a_run_too_small_to_show_a_slope_tells_no_memory_at_a_large_size() -> None:
    costs = {**costs_of(REPORT), "events_large": 100_000.0}

    assert "| server | 100 | 120 | - |" in plan(costs)
