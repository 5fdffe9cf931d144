"""Commands of the server. They run in the server's own program, so that the command line needs nothing of it.

The process is replaced: signals and exit codes are the server's, with nothing in between.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

SERVER_COMMANDS: Final = {
    "serve": "Serve the ledger over gRPC, until Ctrl-C. Its options: `tellonce serve --help`.",
    "copy": "Copy a ledger to another store, from files to PostgreSQL or back. Its options: `tellonce copy --help`.",
}
"""Every command of `python -m ledger`, and what it does."""


def run_server_command(arguments: Sequence[str]) -> None:
    """Become the server's program with these arguments. Never returns."""
    sys.stdout.flush()
    os.execv(sys.executable, server_command(arguments))


def server_command(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs the server's program with these arguments."""
    return [sys.executable, "-m", "ledger", *arguments]
