"""What is printed fits the reader: on a narrow terminal ids and codes go on below, and none is cut."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from rich.console import Console

from clients.cli.output import NUMBER, SHORT, WIDE, table

HANDOFF = "ho-0000047-of-the-year-2016.12"
DEPARTMENT = "warehouse_and_shipping_abroad"
REMARKS = "overdue, not solvable at front, returned 3 times, missing: delivery_address phone_number"


@pytest.mark.parametrize("width", [60, 80, 160])
def test_ids_and_codes_are_whole_at_any_width(width: int) -> None:
    made = table(("handoff", SHORT), ("owner", SHORT), ("remarks", WIDE), ("age", NUMBER))
    made.add_row(HANDOFF, DEPARTMENT, REMARKS, "9d 1h")
    out = io.StringIO()

    Console(file=out, width=width).print(made)

    heading, _, *lines = out.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    starts = [heading.index(name) for name in ("handoff", "owner", "remarks")]
    handoff, owner = ("".join(line[start:end].strip() for line in lines) for start, end in pairwise(starts))
    assert (HANDOFF, DEPARTMENT) == (handoff, owner)
    assert lines[0].endswith("9d 1h")
