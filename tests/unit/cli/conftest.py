import shlex
from collections.abc import Callable
from typing import Any

import pytest
import typer.main

from clients.cli.main import build


@pytest.fixture(scope="session")
def parse() -> Callable[[str], dict[str, Any]]:
    """Parse a command line as `tellonce` would, without running it; returns the values of its parameters."""
    group = typer.main.get_command(build())

    def parsed(line: str) -> dict[str, Any]:
        program, *arguments = shlex.split(line)
        assert program == "tellonce"
        with group.make_context("tellonce", arguments) as context:
            name, command, rest = group.resolve_command(context, arguments)
            with command.make_context(name, rest, parent=context) as inner:
                return dict(inner.params)

    return parsed
