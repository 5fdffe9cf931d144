"""P12: what an event takes on disk, in the log and in all views, against its own bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.big_ledger import with_views
from benchmarks.disk import Disk, disk_of
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared

GOAL: Final = Goal(ratio_max=6.0)
NAME: Final = "Disk, log and views, an event"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P12. There is nothing to repeat."""
    small, large = (disk_of(with_views(bench, event_count)) for event_count in (bench.small_events, bench.events))
    costs = {f"{name}_bytes_an_event": large.each(getattr(large, name)) for name in ("log", "views", "search", "vault")}
    detail = ", ".join(f"{name.partition('_')[0]} {value:,.0f} B" for name, value in costs.items())
    line = compared(
        "P12", f"{NAME}, {bench.events:,} events", "B", GOAL, [_total(large)], [large.own], f"{detail} (beside)", [_total(small)]
    )
    return [line._replace(costs=costs | {"own_bytes_an_event": large.own})]


def _total(disk: Disk) -> float:
    """Return the bytes of log, views and search for each event; the vault grows with customers, not with events."""
    return disk.each(disk.log + disk.views + disk.search)


FIGURE: Final = Figure("P12", NAME, GOAL, run)
