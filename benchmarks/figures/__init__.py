"""The figures, one file each: what is measured, how, and against what."""

from __future__ import annotations

from typing import Final

from benchmarks.figure import Figure
from benchmarks.figures import (
    append_many,
    append_one,
    append_stock,
    append_store,
    append_umadb,
    disk,
    freshness,
    growth,
    memory,
    nodes,
    one_year,
    past,
    projector,
    queries,
    start,
    sustained,
    workers,
)

FIGURES: Final[tuple[Figure, ...]] = (
    append_one.FIGURE,
    append_umadb.FIGURE,
    append_many.FIGURE,
    append_stock.FIGURE,
    append_store.FIGURE,
    projector.FIGURE,
    sustained.FIGURE,
    freshness.FIGURE,
    queries.FIGURE,
    growth.FIGURE,
    past.FIGURE,
    one_year.FIGURE,
    memory.FIGURE,
    disk.FIGURE,
    start.FIGURE,
    nodes.FIGURE,
    workers.FIGURE,
)
"""In the order they run: P3c is compared with P5. A new figure is a line here."""

LARGE: Final[tuple[Figure, ...]] = (
    growth.FIGURE,
    past.FIGURE,
    one_year.FIGURE,
    memory.FIGURE,
    disk.FIGURE,
    start.FIGURE,
)
"""Those of a large run: what could grow with the ledger."""
