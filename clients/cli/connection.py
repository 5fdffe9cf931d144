"""The connection of a command to the ledger: made when it is needed, closed when the command ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clients.cli.failure import CommandError, exit_code, explain
from clients.python import Client
from clients.python.errors import TellonceError

TIMEOUT_SECONDS: Final = 15.0
"""How long a question may take, tries together. A person waits no longer."""


@contextmanager
def connect(target: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Iterator[Client]:
    """Give a client that reads the latest; refusals become CommandErrors."""
    try:
        with Client(target, connections=1, consistency="latest", timeout_seconds=timeout_seconds) as client:
            yield client
    except TellonceError as error:
        raise CommandError(explain(error, target), exit_code(error)) from error
