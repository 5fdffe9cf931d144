"""Every command line that is written anywhere is one that the program understands."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from clients.cli.main import build
from clients.cli.server_command import SERVER_COMMANDS

ROOT = Path(__file__).resolve().parents[3]
Parse = Callable[[str], dict[str, Any]]


def proto_examples() -> Iterator[str]:
    for path in sorted((ROOT / "protos").rglob("*_service.proto")):
        yield from re.findall(r"Example: `(tellonce [^`]+)`", path.read_text(encoding="utf-8"))


def help_examples() -> Iterator[str]:
    for command in typer.main.get_command(build()).commands.values():  # type: ignore[attr-defined]
        yield from re.findall(r"^tellonce .*$", command.epilog or "", re.MULTILINE)


def documented_lines() -> Iterator[str]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in re.findall(r"^```(?:console|sh|bash)\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            joined = block.replace("\\\n", " ")
            yield from re.findall(r"^(?:\$ )?(tellonce [^\n#|>]+)", joined, re.MULTILINE)


def understood(parse: Parse, line: str) -> dict[str, Any]:
    return parse(re.split(r"\s[<>|]\s", line)[0])


def test_there_are_examples_in_protos_and_help() -> None:
    assert len(list(proto_examples())) >= 25
    assert len(list(help_examples())) >= 40


@pytest.mark.parametrize("line", list(proto_examples()))
def test_an_example_of_the_protos_is_understood(parse: Parse, line: str) -> None:
    assert understood(parse, line)


@pytest.mark.parametrize("line", list(help_examples()))
def test_an_example_of_the_help_is_understood(parse: Parse, line: str) -> None:
    assert understood(parse, line)


@pytest.mark.parametrize("line", list(documented_lines()))
def test_a_command_line_of_the_documentation_is_understood(parse: Parse, line: str) -> None:
    if line.split()[1] not in SERVER_COMMANDS:
        assert understood(parse, line)


@pytest.mark.parametrize("name", [name for name in typer.main.get_command(build()).commands if name not in SERVER_COMMANDS])  # type: ignore[attr-defined]
def test_every_command_has_examples_in_its_help(name: str) -> None:
    command = typer.main.get_command(build()).commands[name]  # type: ignore[attr-defined]

    assert f"tellonce {name}" in (command.epilog or "")
    assert command.help
