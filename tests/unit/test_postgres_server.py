"""How a connection to PostgreSQL is asked for."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict

from ledger.postgres_server import FINDING, writable


def test_the_server_that_takes_writes_is_found_and_one_that_vanished_is_noticed() -> None:
    asked = conninfo_to_dict(writable("postgresql://u@db1,db2/ledger"))

    assert {"host": "db1,db2", "dbname": "ledger", "user": "u", **FINDING} == {
        name: value for name, value in asked.items() if name != "port"
    }
    # So many seconds until a commit no longer waits for a machine that is gone.
    assert 15 > int(FINDING["keepalives_idle"]) + int(FINDING["keepalives_interval"]) * int(FINDING["keepalives_count"])
    assert 15_000 > int(FINDING["tcp_user_timeout"])


def test_what_an_address_says_itself_stays() -> None:
    asked = conninfo_to_dict(writable("postgresql://db1/ledger?keepalives_idle=30&target_session_attrs=any"))

    assert ("30", "any", FINDING["keepalives_count"]) == (
        asked["keepalives_idle"],
        asked["target_session_attrs"],
        asked["keepalives_count"],
    )
