"""What a run leaves: a table for people, build/bench.json for programs, every round in build/bench-rounds.json.

And build/bench.md, to be pasted into docs/performance.md.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.figure import Result, as_record

RESULTS: Final = "bench.json"
ROUNDS: Final = "bench-rounds.json"
TEXT: Final = "bench.md"
HEADINGS: Final = ("", "figure", "ours", "limit", "unit", "ratio", "goal", "met")
RIGHT: Final = frozenset({"ours", "limit", "ratio"})
LIBRARIES: Final = ("grpcio", "protobuf", "protovalidate", "cryptography")


def show(console: Console, results: Sequence[Result], seconds: float) -> None:
    """Print the table, and below it how each line was measured."""
    table = Table(title="Tellonce, each figure against its limit in the same run", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in RIGHT else "left")
    for result in results:
        table.add_row(*_cells(result))
    console.print(table)
    for result in results:
        if result.skipped is not None:
            console.print(f"{result.id} skipped: {result.skipped}", highlight=False)
        elif result.detail:
            console.print(f"{result.id} {result.name}: {result.detail}", highlight=False)
    console.print(f"{seconds / 60:.1f} minutes on: {_machine()}", highlight=False)


def save(folder: Path, results: Sequence[Result]) -> Path:
    """Write the files; return the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RESULTS
    path.write_text(json.dumps([as_record(result) for result in results], indent=1) + "\n")
    every_round = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_of(),
        "figures": [{**as_record(result), "detail": result.detail, "measured": result.measured} for result in results],
    }
    (folder / ROUNDS).write_text(json.dumps(every_round, indent=1) + "\n")
    (folder / TEXT).write_text(_markdown(results))
    return path


def _cells(result: Result) -> tuple[str, ...]:
    met = "skipped" if result.skipped is not None else "yes" if result.met else "no"
    numbers = (_number(result.ours), _number(result.limit), result.unit, _ratio(result.ratio))
    return (result.id, result.name, *numbers, result.goal, met)


def _markdown(results: Sequence[Result]) -> str:
    rules = ("---:" if heading in RIGHT else "---" for heading in HEADINGS)
    rows = [HEADINGS, tuple(rules), *map(_cells, results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + f"\nMeasured on: {_machine()}.\n"


def _machine() -> str:
    return ", ".join(f"{name} {value}" for name, value in machine_of().items())


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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
