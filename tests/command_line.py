"""The command line in this process, as a person types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from clients.cli.main import main


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return what it printed as JSON; it must have ended well."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Tellonce = Callable[..., Done]


def typed(target: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int = 140) -> Tellonce:
    """Return what runs commands against a server, on a terminal of so many columns."""
    monkeypatch.setenv("TELLONCE_TARGET", target)
    monkeypatch.setenv("COLUMNS", str(columns))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["tellonce", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return Done(code, told.out, told.err)

    return run
