"""What a run leaves: a table for people, and files for programs.

A run leaves build/bench.json (a list of lines), build/bench-rounds.json (every round, and the machine) and build/bench.md (the
table of docs/performance.md). A large run leaves build/bench-large.json (lines, costs, how the ledgers were built, the machine),
build/bench-large-rounds.json and build/bench-large.md.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.figure import Result, as_record

RESULTS: Final = "bench"
LARGE: Final = "bench-large"
HEADINGS: Final = ("", "figure", "ours", "limit", "unit", "ratio", "goal", "met")
GROWTH_HEADINGS: Final = ("small", "growth")
RIGHT: Final = frozenset({"ours", "limit", "ratio", *GROWTH_HEADINGS})
LIBRARIES: Final = ("grpcio", "protobuf", "protovalidate", "cryptography")


def show(console: Console, results: Sequence[Result], seconds: float) -> None:
    """Print the table, and below it how each line was measured."""
    table = Table(title="Tellonce, each figure against its limit in the same run", title_justify="left")
    headings, rows = _table(results)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in RIGHT else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for result in results:
        if result.skipped is not None:
            console.print(f"{result.id} skipped: {result.skipped}", highlight=False)
        elif result.detail:
            console.print(f"{result.id} {result.name}: {result.detail}", highlight=False)
    console.print(f"{seconds / 60:.1f} minutes on: {said_of(machine_of())}", highlight=False)


def save(folder: Path, results: Sequence[Result], about: Mapping[str, Any] | None = None) -> Path:
    """Write the files; return the first. `about`: what is told of the ledgers of a large run; None: it is none."""
    folder.mkdir(parents=True, exist_ok=True)
    name = RESULTS if about is None else LARGE
    records = [as_record(result) for result in results]
    known = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine_of()}
    costs = {cost: value for result in results for cost, value in result.costs.items()}
    rounds = [{**record, "detail": one.detail, "measured": one.measured} for record, one in zip(records, results, strict=True)]
    path = folder / f"{name}.json"
    _write(path, records if about is None else {**known, **about, "costs": costs, "figures": records})
    _write(folder / f"{name}-rounds.json", {**known, "costs": costs, "figures": rounds})
    (folder / f"{name}.md").write_text(_markdown(results, about or {}))
    return path


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str] = RIGHT) -> str:
    """Return a table in Markdown; columns in `right` are set to the right."""
    rules = ["---:" if heading in right else "---" for heading in headings]
    return "".join(f"| {' | '.join(row)} |\n" for row in (headings, rules, *rows))


def number(value: float | None) -> str:
    """Return a number as the tables show it."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def said_of(machine: Mapping[str, Any]) -> str:
    """Say a machine in a line."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def machine_of() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: version(name) for name in LIBRARIES},
    }


def _table(results: Sequence[Result]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and rows; what is measured on two ledgers has two more columns, where there is such a line."""
    growing = any(result.growth is not None for result in results)
    headings = (*HEADINGS[:3], *GROWTH_HEADINGS, *HEADINGS[3:]) if growing else HEADINGS
    return headings, [_cells(result, growing) for result in results]


def _cells(result: Result, growing: bool) -> tuple[str, ...]:
    met = "skipped" if result.skipped is not None else "-" if not result.goal else "yes" if result.met else "no"
    growth = (number(result.small), _ratio(result.growth)) if growing else ()
    return (
        *(result.id, result.name, number(result.ours), *growth),
        *(number(result.limit), result.unit, _ratio(result.ratio), result.goal or "-", met),
    )


def _markdown(results: Sequence[Result], about: Mapping[str, Any]) -> str:
    said = "".join(f"\n{one.id} skipped: {one.skipped}\n" for one in results if one.skipped is not None)
    said += f"\nMeasured on {datetime.now(UTC):%Y-%m-%d}: {said_of(machine_of())}.\n"
    if about:
        built, minutes = about["built"], about["built"]["fill_seconds"] / 60
        said += (
            f"\nThe large ledger: {built['position']:,} events, sent in {minutes:,.0f} minutes"
            f" ({built['acknowledged'] / minutes / 60:,.0f} events/s), level {built['level_seconds'] / 60:,.0f} minutes later."
            f" The small one: {about['built_small']['position']:,} events.\n"
        )
    return markdown_table(*_table(results)) + said


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
