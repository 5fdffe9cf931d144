"""A projector on a PostgreSQL that has no NOTIFY: `python -m tests.deaf_projector DATA LOG VAULT`."""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.data_directory import DataDirectory
from ledger.store import postgres_wake
from projections.process import run_projector


def main(data: str, log: str, vault: str) -> None:
    """Follow the log until killed. LISTEN and NOTIFY are refused by the server, as where there is no such thing."""
    postgres_wake.CHANNEL = "no, such, channel"  # type: ignore[misc]
    directory = DataDirectory(Path(data), log, vault)
    directory.prepare()
    run_projector(directory, "", lambda: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
