import os
import re
import subprocess
import sys
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+")
INDEX_OPTIONS = ("index" + "-url", "find" + "-links", "trusted" + "-host")


@pytest.fixture(scope="session")
def texts(root: Path) -> dict[str, str]:
    """Every file that is, or would be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    found = {}
    for name in filter(None, done.stdout.split("\0")):
        try:
            found[name] = (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return found


def test_no_file_names_a_place_of_this_machine(root: Path, texts: dict[str, str]) -> None:
    places = {str(root), f"{Path.home()}/", sys.prefix, sys.base_prefix} - {"/", "//", "/usr"}

    found = [(name, place) for name, text in texts.items() for place in places if place in text]

    assert found == []


def test_no_file_says_where_packages_come_from(texts: dict[str, str]) -> None:
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    configured = listed + " ".join(value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_")))
    hosts = set(re.findall(r"(?:https?|file)://(?:[^/@\s']*@)?([^\s']+)", configured))

    found = [(name, word) for name, text in texts.items() for word in {*hosts, *INDEX_OPTIONS} if word in text]

    assert found == []


def test_constraints_are_exact_pins_and_nothing_else(root: Path) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()

    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert sorted(lines, key=str.lower) == lines


def test_everything_that_is_installed_is_pinned(root: Path) -> None:
    pinned = {canonical(line.partition("==")[0]) for line in (root / "constraints.txt").read_text().splitlines()}
    # Every environment brings a pip of its own; any will do.
    wanted = closure([Requirement("tellonce[dev]")]) - {"tellonce", "pip"}

    assert wanted - pinned == set()
    # Only what builds the package is pinned without being installed.
    assert pinned - wanted == {"editables"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(wanted: list[Requirement]) -> set[str]:
    """Return the names of what is installed for these requirements, with all they need."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        for extra in {"", *requirement.extras}:
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            found.add(canonical(requirement.name))
            for text in requires(requirement.name) or ():
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    wanted.append(needed)
    return found


def test_dependencies_have_floors_that_are_installed(root: Path) -> None:
    wanted = [Requirement(text) for text in requires("tellonce") or ()]
    needed = [one for one in wanted if one.marker is None]

    assert len(needed) > 10
    assert [str(one) for one in needed if not one.specifier.contains(distribution(one.name).version)] == []
    assert [str(one) for one in needed if not one.specifier] == []
