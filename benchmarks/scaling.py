"""`python -m benchmarks.scaling`: a plan past what was measured, computed from build/bench.json and build/bench-large.json.

Straight lines: twice the events take twice the room and time. What the large run shows to grow faster or slower stands in its
growth factors. What was not measured here is a dash in the plan, never a guess.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import table

BUSY_HOURS: Final = 8
"""Assumed: a day's events come in so many hours,"""
PEAK: Final = 2.0
"""and the busiest minute has so many times the events of a mean one."""
COPY_MB_PER_SECOND: Final = 100.0
"""Assumed for backups and copies: a plain disk, or a network of 1 Gb/s."""
EVENTS_A_YEAR: Final = (1_000_000, 10_000_000, 100_000_000)
POSTGRES_PARTITION_GB: Final = 500.0
"""Assumed: one table is handled with ease up to so much, its indexes included."""
MEMORY_AT: Final = 100_000_000
MEMORY_FROM: Final = 1_000_000
"""A large run below so many events tells nothing of memory at MEMORY_AT: noise would be taken for a slope."""

Costs = Mapping[str, float]
"""What was measured, by name: events a second, bytes an event, MB, seconds."""

RATES: Final = {
    "one_a_call": ("P1", "Append, 1 event a call"),
    "many_a_call": ("P3", "Append, 100 a call"),
    "visible": ("P3c", "Append, 100 a call"),
    "followed": ("P5", "Projector, all views with search: catching up"),
    "rebuilt": ("P5", "Projector, all views with search: rebuild"),
    "postgres_one_node": ("P14", "PostgreSQL, append, 100 a call, 8 in flight a node, views paused: 1 node"),
    "postgres_nodes": ("P14", "PostgreSQL, append, 100 a call, 8 in flight a node, views paused: 3 nodes"),
}
"""Rates by the figure and the beginning of the line that tells them."""


def read(build: Path) -> dict[str, float]:
    """Return what was measured in a folder of results; empty when nothing was."""
    costs: dict[str, float] = {}
    results, large = build / f"{table.RESULTS}.json", build / f"{table.LARGE}.json"
    if results.exists():
        costs |= rates_of(json.loads(results.read_text()))
    if large.exists():
        costs |= costs_of(json.loads(large.read_text()))
    return costs


def rates_of(lines: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return events a second from the lines of a run, and what else they tell of costs."""
    costs: dict[str, float] = {}
    for line in lines:
        costs |= line.get("costs", {})
        for name, (figure, begin) in RATES.items():
            if line["id"] == figure and line["name"].startswith(begin) and line["ours"] is not None:
                costs.setdefault(name, line["ours"])
    return costs


def costs_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the costs of a large run, and the sizes of its ledgers."""
    if "built" not in report:
        return {}
    costs = {**report["costs"], "events_large": float(report["built"]["position"])}
    costs["events_small"] = float(report["built_small"]["position"])
    for line in report["figures"]:
        if line["id"] == "P13" and line["ours"] is not None:
            costs["start_seconds"], costs["start_seconds_small"] = line["ours"], line["small"]
    return costs


def events_a_day(per_second: float) -> float:
    """Return how many events a day a rate carries, when the busiest minute has to fit into it."""
    return per_second * BUSY_HOURS * 3_600 / PEAK


def gigabytes(bytes_an_event: float, event_count: float) -> float:
    """Return the room of so many events, in GB (10^9 bytes)."""
    return bytes_an_event * event_count / 1e9


def minutes(event_count: float, per_second: float) -> float:
    """Return how long so many events take."""
    return event_count / per_second / 60


def memory_at(event_count: float, large: float, small: float, costs: Costs) -> float:
    """Return the memory of a process at a size, on the straight line through the two measured ones, if it rises."""
    slope = (large - small) / (costs["events_large"] - costs["events_small"])
    return large + max(slope, 0.0) * (event_count - costs["events_large"])


def plan(costs: Costs) -> str:
    """Return the plan as tables in Markdown."""
    return "\n".join(
        [
            "Events a node takes:\n",
            _table(("what", "events a second, measured", "events a day"), _day_rows(costs)),
            "Disk:\n",
            _table(("what", "bytes an event, measured", *(f"{count:,}" for count in EVENTS_A_YEAR)), _disk_rows(costs)),
            "Time:\n",
            _table(("what", *(f"{count:,} events" for count in EVENTS_A_YEAR)), _time_rows(costs)),
            "Memory:\n",
            _table(("process", "small, MB", "large, MB", f"at {MEMORY_AT:,}, MB"), _memory_rows(costs)),
            "Limits:\n",
            _table(("what", "events"), _limit_rows(costs)),
        ]
    )


def _day_rows(costs: Costs) -> list[tuple[str, ...]]:
    said = {
        "one_a_call": "one node, log in a file, one event a call",
        "many_a_call": "the same, 100 a call, views behind",
        "visible": "the same, 100 a call, visible in every view",
        "postgres_one_node": "one node, log in PostgreSQL, 100 a call, views behind",
        "postgres_nodes": "three nodes, log in PostgreSQL, 100 a call, views behind",
        "followed": "what one projector follows: a bound on every node, however many there are",
    }
    return [(text, _number(costs.get(name)), _number(_with(events_a_day, costs, name))) for name, text in said.items()]


def _disk_rows(costs: Costs) -> list[tuple[str, ...]]:
    said = {
        "log_bytes_an_event": "log",
        "vault_bytes_an_event": "vault (grows with customers)",
        "views_bytes_an_event": "views, on every node",
        "search_bytes_an_event": "search, on every node",
        "postgres_bytes_an_event": "log in PostgreSQL, instead of the file, for each copy",
    }
    return [
        (f"{text}, GB", _number(costs.get(name)), *(_number(_with(gigabytes, costs, name, count)) for count in EVENTS_A_YEAR))
        for name, text in said.items()
    ]


def _time_rows(costs: Costs) -> list[tuple[str, ...]]:
    rows = [
        (f"{text}, minutes", *(_number(minutes(count, costs[name]) if name in costs else None) for count in EVENTS_A_YEAR))
        for name, text in (("rebuilt", "views rebuilt, without search"), ("followed", "views and search from nothing"))
    ]
    for text, names in (
        ("copy of another node's views and search", ("views_bytes_an_event", "search_bytes_an_event")),
        ("backup of log and vault", ("log_bytes_an_event", "vault_bytes_an_event")),
    ):
        known = all(name in costs for name in names)
        each = sum(costs[name] for name in names) if known else 0.0
        megabytes = [each * count / 1e6 if known else None for count in EVENTS_A_YEAR]
        rows.append((f"{text}, minutes", *(_number(one and one / COPY_MB_PER_SECOND / 60) for one in megabytes)))
    return rows


def _memory_rows(costs: Costs) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in sorted(costs):
        part, small = name.removeprefix("memory_mb_"), f"{name}_small"
        if name.startswith("memory_mb_") and small in costs:
            known = costs["events_large"] >= MEMORY_FROM
            at = memory_at(MEMORY_AT, costs[name], costs[small], costs) if known else None
            rows.append((part, _number(costs[small]), _number(costs[name]), _number(at)))
    return rows


def _limit_rows(costs: Costs) -> list[tuple[str, ...]]:
    each = costs.get("postgres_bytes_an_event")
    partition = POSTGRES_PARTITION_GB * 1e9 / each if each else None
    return [(f"the log table in PostgreSQL takes {POSTGRES_PARTITION_GB:,.0f} GB", _number(partition))]


def _with(function: Any, costs: Costs, name: str, *more: float) -> float | None:
    result: float | None = function(costs[name], *more) if name in costs else None
    return result


def _number(value: float | None) -> str:
    return table.number(value)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table.markdown_table(headings, rows, frozenset(headings[1:]))


def main() -> None:
    """Print the plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"), help="where the results are")
    costs = read(parser.parse_args().build)
    if not costs:
        raise SystemExit("Nothing was measured here: run make bench, and make bench-large.")
    print(plan(costs))


if __name__ == "__main__":
    main()
