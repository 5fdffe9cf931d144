"""Every numbered requirement has its row in docs/coverage.md: events, the call that answers it, and the test that shows it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from google.protobuf import descriptor_pool

from ledger.catalogue import BY_TOPIC

ROOT = Path(__file__).resolve().parents[2]

COUNTS = {"S0": 10, "S1": 23, "S2": 26, "S3": 13, "S4": 18}
"""How many requirements each source has."""

IDS = [f"{source}-{number}" for source, count in COUNTS.items() for number in range(1, count + 1)]

RULES = [*(f"8.{number}" for number in range(1, 13)), *(f"9.{number}" for number in range(1, 12))]
"""The rules that two readers would read differently (domain §8, §9)."""

NOT_YET = "not yet"
"""Stands in a row, with what is missing, where a requirement is not met."""


class Row(NamedTuple):
    requirement: str
    events: str
    answers: str
    tests: str


@cache
def rows() -> dict[str, Row]:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    found: dict[str, Row] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"S\d-\d+", cells[0]):
            assert cells[0] not in found, f"{cells[0]} has two rows"
            assert len(cells) == 5, f"{cells[0]} has {len(cells)} cells"
            found[cells[0]] = Row(*cells[1:])
    return found


@cache
def methods() -> frozenset[str]:
    """Every call of the API, as `Service.Method`."""
    import ledger.bootstrap  # noqa: F401  loads the descriptors of all services

    names: set[str] = set()
    for file in sorted((ROOT / "protos" / "ledger" / "api" / "v1").glob("*_service.proto")):
        described = descriptor_pool.Default().FindFileByName(f"ledger/api/v1/{file.name}")
        for service in described.services_by_name.values():
            names.update(f"{service.name}.{method.name}" for method in service.methods)
    return frozenset(names)


@pytest.mark.parametrize("requirement", IDS)
def test_a_requirement_is_covered(requirement: str) -> None:
    row = rows().get(requirement)

    assert row is not None, f"{requirement} has no row in docs/coverage.md"
    assert row.requirement
    assert row.answers
    if NOT_YET not in row.tests:
        assert re.findall(r"`(tests/[^`]+)`", row.tests) != []


def test_the_table_names_no_requirement_that_does_not_exist() -> None:
    assert [] == [one for one in rows() if one not in IDS]


@pytest.mark.parametrize("requirement", IDS)
def test_what_a_row_names_exists(requirement: str) -> None:
    row = rows()[requirement]

    topics = [name for name in re.findall(r"`([a-z-]+)`", row.events) if name not in BY_TOPIC]
    calls = [name for name in re.findall(r"`([A-Za-z]+Service\.[A-Za-z]+)`", row.answers) if name not in methods()]
    tests = [name for name in re.findall(r"`(tests/[^`]+)`", row.tests) if not _exists(name)]

    assert ([], [], []) == (topics, calls, tests)


def _exists(test: str) -> bool:
    """True when a file, or a test function in it, is there."""
    path, _, name = test.partition("::")
    file = ROOT / path
    if not file.exists():
        return False
    return not name or re.search(rf"^(async )?def {name}\b", file.read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_shown_by_tests_that_exist(rule: str) -> None:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {rule} |")]

    named = re.findall(r"`(tests/[^`]+)`", line)

    assert named or NOT_YET in line
    assert [] == [name for name in named if not _exists(name)]


def test_the_table_is_no_older_than_the_documentation_that_points_to_it() -> None:
    assert "coverage.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_tests_are_found_by_path_and_name() -> None:
    own = str(Path(__file__).relative_to(ROOT))

    assert _exists(f"{own}::test_tests_are_found_by_path_and_name")
    assert not _exists(f"{own}::test_that_is_not_there")
    assert not _exists("tests/nowhere.py")
