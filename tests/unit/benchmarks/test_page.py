"""How results get into the documentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.figure import Figure, Goal, skipped
from benchmarks.harness import compared
from benchmarks.page import PERFORMANCE, RESULTS, SCALING, between, parts, with_part

PAGE = "# Page\n\n<!-- results, written by python -m benchmarks.page -->\n\nold\n\n<!-- end of results -->\n\nAfter.\n"


def test_a_part_is_replaced_and_what_stands_around_it_stays() -> None:
    page = with_part(PAGE, RESULTS, "| new |\n")

    assert PAGE.replace("old", "| new |") == page
    assert "| new |" == between(page, RESULTS)
    assert page == with_part(page, RESULTS, "| new |")


def test_a_page_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="not found"):
        with_part("# Page", RESULTS, "new")


def test_only_what_was_measured_here_is_written(tmp_path: Path) -> None:
    assert [] == parts(tmp_path)

    table.save(tmp_path, [compared("P1", "Append, 1 event a call, 32 in flight", "calls/s", Goal(ratio_min=0.6), [50.0], [100.0])])

    assert [(PERFORMANCE, RESULTS), (SCALING, "plan")] == [(page, part) for page, part, _ in parts(tmp_path)]
    assert "| P1 | Append, 1 event a call, 32 in flight | 50.00 | 100 | calls/s | 0.50 | >= 0.6 x | no |" in parts(tmp_path)[0][2]


def test_a_page_says_why_a_figure_could_not_run(tmp_path: Path) -> None:
    table.save(tmp_path, [skipped(Figure("P3", "Append", Goal(ratio_min=1.0), lambda bench: []), "umadb is not installed")])

    said = (tmp_path / "bench.md").read_text()

    assert "| P3 | Append | - | - |  | - | >= 1 x | skipped |" in said
    assert "P3 skipped: umadb is not installed" in said


def test_a_large_run_leaves_its_growth_its_costs_and_how_its_ledgers_were_built(tmp_path: Path) -> None:
    line = compared("P12", "Disk", "B", Goal(ratio_max=6.0), [900.0], [300.0], small=[450.0])
    built = {"position": 1_010, "acknowledged": 1_000, "fill_seconds": 120.0, "level_seconds": 60.0}
    about = {"events": 1_000, "built": built, "built_small": {**built, "position": 110}}

    path = table.save(tmp_path, [line._replace(costs={"log_bytes_an_event": 400.0})], about)

    report = json.loads(path.read_text())
    assert "bench-large.json" == path.name
    assert {"log_bytes_an_event": 400.0} == report["costs"]
    assert (built, 2.0) == (report["built"], report["figures"][0]["growth"])
    said = (tmp_path / "bench-large.md").read_text()
    assert "| P12 | Disk | 900 | 450 | 2.00 | 300 | B | 3.00 | <= 6 x | yes |" in said
    assert "1,010 events, sent in 2 minutes (8 events/s), level 1 minutes later" in said
