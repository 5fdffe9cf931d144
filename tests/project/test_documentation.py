"""What the documentation names exists, and what exists is documented."""

import re
from pathlib import Path

import pytest
import typer.main

from clients.cli.failure import MEANINGS
from clients.cli.main import build
from clients.cli.options import TARGET_VARIABLE
from clients.cli.server_command import SERVER_COMMANDS
from ledger.__main__ import app as server
from ledger.config import VARIABLES

TARGETS = ("help", "run", "demo", "test", "faults", "explore", "check", "format", "protos", "protos-check", "bench", "clean")


@pytest.fixture(scope="session")
def pages(root: Path) -> str:
    """The text of the README and of all pages in docs."""
    return "\n".join(path.read_text(encoding="utf-8") for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))])


def commands() -> set[str]:
    return set(typer.main.get_command(build()).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_is_documented(pages: str, name: str) -> None:
    assert f"tellonce {name}" in pages


def test_every_command_that_is_documented_exists(pages: str) -> None:
    named = set(re.findall(r"(?:^|[`$ ])tellonce ([a-z][a-z-]*)", pages, re.MULTILINE))

    assert named - commands() == set()


def test_the_commands_of_the_server_are_commands_of_tellonce() -> None:
    assert set(typer.main.get_command(server).commands) == set(SERVER_COMMANDS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted({*VARIABLES, TARGET_VARIABLE}))
def test_an_environment_variable_is_documented(pages: str, name: str) -> None:
    assert f"`{name}`" in pages


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_an_exit_code_is_documented(pages: str, code: int) -> None:
    assert f"| {code} |" in pages


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_of_make_is_explained_by_make_help(root: Path, target: str) -> None:
    assert re.search(rf"^{target}:.*## \S", (root / "Makefile").read_text(), re.MULTILINE)


def test_every_target_of_make_is_known_here(root: Path) -> None:
    found = re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)

    assert found is not None
    assert {*TARGETS} == set(found[1].split())


def test_every_file_that_the_documentation_points_to_exists(root: Path) -> None:
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]

        assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_place_that_the_documentation_names_exists(root: Path) -> None:
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = {place for place in re.findall(r"`([a-z_]+/[A-Za-z0-9_/.-]*)`", text) if "*" not in place}

    assert len(places) > 20
    assert [place for place in sorted(places) if not (root / place).exists()] == []
