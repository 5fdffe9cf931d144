"""A PostgreSQL server that could lose what it commits is refused at start, for log and vault alike; one disk alone is warned of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.durable_file import ServerSettingError
from ledger.postgres_server import writable
from ledger.privacy.master_key import MasterKey
from ledger.privacy.vault import Vault
from ledger.store import postgres
from ledger.store.recorder import StoreUnavailableError
from tests.postgres_server import address, new_schema, new_schema_with

OPENERS: dict[str, Callable[[str], Any]] = {
    "log": postgres.open_recorder,
    "vault": lambda place: Vault(place, MasterKey(bytes(range(32)))),
}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    return OPENERS[request.param]


def server_with(setting: str, value: str) -> str:
    """Return a place on a server that says of a setting that it is so."""
    return new_schema_with(
        "CREATE TABLE said (name text, value text)",
        f"INSERT INTO said VALUES ('{setting}', '{value}')",  # type: ignore[arg-type]
        "CREATE FUNCTION current_setting(asked text) RETURNS text LANGUAGE plpgsql AS "
        "'BEGIN RETURN coalesce((SELECT value FROM said WHERE name = asked), pg_catalog.current_setting(asked)); END'",
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"), ("synchronous_commit", "local")],
)
def test_a_server_that_could_lose_commits_is_refused(opener: Callable[[str], Any], setting: str, value: str) -> None:
    place = server_with(setting, value)

    with pytest.raises(ServerSettingError, match=f"{setting}={value}, so what it commits could be lost"):
        opener(place)


def test_what_the_connection_itself_is_set_to_counts() -> None:
    place = new_schema()
    options = conninfo_to_dict(place)["options"]

    with pytest.raises(ServerSettingError, match="synchronous_commit=off"):
        postgres.open_recorder(make_conninfo(place, options=f"{options} -csynchronous_commit=off"))


@pytest.mark.parametrize("value", ["on", "remote_apply"])
def test_a_server_that_loses_nothing_is_taken(opener: Callable[[str], Any], value: str) -> None:
    opener(server_with("synchronous_commit", value)).close()


@pytest.mark.parametrize(("names", "warned"), [("", True), ("standby1", False)])
def test_a_server_without_a_standby_is_warned_of(
    opener: Callable[[str], Any], caplog: pytest.LogCaptureFixture, names: str, warned: bool
) -> None:
    with caplog.at_level(logging.WARNING), closing(opener(server_with("synchronous_standby_names", names))):
        pass

    assert warned == ("no synchronous standby" in caplog.text)


def test_of_several_hosts_the_one_that_takes_writes_is_found() -> None:
    """The first one takes none: nobody listens there."""
    parts = conninfo_to_dict(new_schema())
    parts |= {"host": f"127.0.0.1,{parts['host']}", "port": f"1,{parts.get('port', 5432)}"}

    with closing(postgres.open_recorder(make_conninfo(**parts))) as recorder:
        assert 0 == recorder.head().position


def test_a_server_that_takes_no_writes_is_none() -> None:
    assert "read-write" == conninfo_to_dict(writable(address()))["target_session_attrs"]
    read_only = make_conninfo(new_schema(), options="-cdefault_transaction_read_only=on")

    with pytest.raises(StoreUnavailableError):
        postgres.open_recorder(read_only)
