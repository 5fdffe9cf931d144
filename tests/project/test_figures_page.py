"""docs/figures.md is what the definitions say."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections.figures.definition import Definition
from projections.figures.definitions import ALL
from projections.figures.document import page


@pytest.fixture
def written(root: Path) -> str:
    return (root / "docs" / "figures.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("definition", ALL, ids=lambda one: one.name)
def test_a_figure_is_documented_with_its_version_and_definition(written: str, definition: Definition) -> None:
    described = written.partition(f"\n### {definition.name}\n")[2].partition("\n### ")[0]

    assert f"**{definition.title}**, version {definition.version}," in described
    assert definition.text in described
    assert all(f"| {name} |" in described for name in definition.parts)


def test_the_page_is_fresh(written: str) -> None:
    assert page() == written, "Write it anew: python -m projections.figures.document"
