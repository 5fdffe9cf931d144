"""Which store a log is in: a path is a file of SQLite, anything else the address of a PostgreSQL database.

The driver of PostgreSQL is an extra, and is loaded only where it is needed.
"""

from __future__ import annotations

from pathlib import Path

from ledger.store import sqlite
from ledger.store.recorder import LogReader, LogRecorder, Nodes
from ledger.wake import Listener


def open_reader(place: Path | str) -> LogReader:
    """Open an existing log for reading. Raises StoreUnavailableError when it is missing."""
    if isinstance(place, Path):
        return sqlite.open_reader(place)
    from ledger.store import postgres

    return postgres.open_reader(place)


def open_recorder(place: Path | str) -> LogRecorder:
    """Open a log for appending, made where there is none."""
    if isinstance(place, Path):
        return sqlite.open_recorder(place)
    from ledger.store import postgres

    return postgres.open_recorder(place)


def commit_listeners(place: Path | str) -> list[Listener]:
    """Return what hears of commits by processes on other machines; none for a file, whose processes wake one another."""
    if isinstance(place, Path):
        return []
    from ledger.store.postgres_wake import CommitListener

    return [CommitListener(place)]


def nodes_of(place: Path | str) -> Nodes | None:
    """Return where the nodes of a ledger tell one another how far they are; None for a file: it has one node."""
    if isinstance(place, Path):
        return None
    from ledger.store.postgres_nodes import PostgresNodes

    return PostgresNodes(place)


def persistence_of(place: Path | str) -> dict[str, str]:
    """Return the settings by which pyeventsourcing finds the log."""
    if isinstance(place, Path):
        return {"PERSISTENCE_MODULE": sqlite.__name__, sqlite.Factory.LOG_PATH: str(place)}
    from ledger.store import postgres

    return {"PERSISTENCE_MODULE": postgres.__name__, postgres.Factory.LOG_DSN: place}
