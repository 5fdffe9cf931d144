"""P5: how quickly the views follow, against the same rows without any logic."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.big_ledger import with_views
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, in_turn
from benchmarks.process import measured_by

GOAL_LIVE: Final = Goal(ratio_min=0.5, ours_min=20_000, unit="events/s")
GOAL_REBUILD: Final = Goal(ratio_min=0.5, ours_min=30_000, unit="events/s")
NAME: Final = "Projector, all views with search"
EVENTS: Final = 40_000
EVENTS_QUICK: Final = 20_000


def run(bench: Bench) -> Sequence[Result]:
    """Measure P5."""
    data = with_views(bench, EVENTS_QUICK if bench.quick else EVENTS)
    folder = bench.folder("projector")
    views, copies = folder / "views", folder / "copies"

    def catch_up() -> dict[str, Any]:
        shutil.rmtree(views, ignore_errors=True)
        return _project("catch-up", "--data", data, "--views", views)

    def rebuild() -> dict[str, Any]:
        return _project("rebuild", "--data", data, "--views", views)

    def rows() -> dict[str, Any]:
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir()
        return _project("rows", "--views", views, "--folder", copies)

    contenders: dict[str, Callable[[], dict[str, Any]]] = {"catching up": catch_up, "rows alone": rows, "rebuild": rebuild}
    measured = in_turn(bench, contenders)
    events = measured["catching up"][0]["events"]
    live, limit, anew = ([events / one["seconds"] for one in measured[name]] for name in contenders)
    limit_anew = [events / one["views_seconds"] for one in measured["rows alone"]]
    per_event = measured["rows alone"][0]["rows"] / events
    detail = f"{events:,} events, {per_event:.1f} rows an event; one process"
    return [
        compared("P5", f"{NAME}: catching up", "events/s", GOAL_LIVE, live, limit, detail),
        compared(
            "P5",
            f"{NAME}: rebuild beside the serving copy",
            "events/s",
            GOAL_REBUILD,
            anew,
            limit_anew,
            f"{detail}; without search",
        ),
    ]


def _project(*arguments: str | Path) -> dict[str, Any]:
    measured: dict[str, Any] = measured_by("project", *arguments)
    return measured


FIGURE: Final = Figure("P5", NAME, GOAL_LIVE, run)
