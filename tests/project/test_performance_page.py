"""The page on performance tells every figure, with its goal, and has a result for each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.figures import FIGURES, LARGE
from benchmarks.page import LARGE as LARGE_RESULTS
from benchmarks.page import PERFORMANCE, PLAN, RESULTS, SCALING, between
from benchmarks.scaling import plan

IDS = sorted({figure.id for figure in FIGURES})


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / PERFORMANCE).read_text(encoding="utf-8")


def ids_in(text: str) -> set[str]:
    return set(re.findall(r"^\| (P\d+[a-z]?) \|", text, re.MULTILINE))


def part(page: str, heading: str) -> str:
    (found,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found


def test_every_file_of_a_figure_is_measured_once(root: Path) -> None:
    files = {path.stem for path in (root / "benchmarks" / "figures").glob("*.py")} - {"__init__"}

    assert files == {figure.run.__module__.rpartition(".")[2] for figure in FIGURES}
    assert len(FIGURES) == len(files) == len(IDS)


@pytest.mark.parametrize("figure_id", IDS)
def test_a_figure_is_explained(page: str, figure_id: str) -> None:
    assert figure_id in ids_in(part(page, "The figures"))


@pytest.mark.parametrize("figure_id", IDS)
def test_a_figure_has_a_result(page: str, figure_id: str) -> None:
    assert figure_id in ids_in(between(page, RESULTS))


def test_the_figures_of_a_large_run_have_results(page: str) -> None:
    assert {figure.id for figure in LARGE} <= ids_in(between(page, LARGE_RESULTS))


def test_no_figure_is_told_that_is_not_measured(page: str) -> None:
    assert ids_in(page) <= {*IDS, "P2", "P15"}


def test_the_page_on_scaling_has_the_tables_of_the_plan(root: Path) -> None:
    written = between((root / SCALING).read_text(encoding="utf-8"), PLAN)

    headings = [line for line in plan({}).splitlines() if line.endswith(":")]
    assert headings == [line for line in written.splitlines() if line.endswith(":")]
