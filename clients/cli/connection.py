"""The connection of a command to the ledger: made when it is needed, closed when the command ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clients.cli.failure import CommandError, exit_code, explain
from clients.python import Client
from clients.python.errors import TellonceError

REACH_SECONDS: Final = 5.0
"""How long to try to reach the ledger: long enough for one that is just starting."""
TIMEOUT_SECONDS: Final = 60.0
"""How long a question may take once the ledger is reached, tries together."""


@contextmanager
def connect(target: str) -> Iterator[Client]:
    """Give a client that reads the latest; refusals become CommandErrors."""
    try:
        with Client(target, connections=1, consistency="latest", timeout_seconds=TIMEOUT_SECONDS) as client:
            client.head(timeout_seconds=REACH_SECONDS)
            yield client
    except TellonceError as error:
        raise CommandError(explain(error, target), exit_code(error)) from error
