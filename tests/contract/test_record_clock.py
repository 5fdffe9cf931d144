"""Record times follow the store's clock, and nothing is recorded by one that is wrong: this machine's, or the database server's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.errors_pb2 import STORE_READ_ONLY
from ledger.application import Ledger
from ledger.errors import LedgerError
from tests.appending import append_one, group, to_append
from tests.postgres_server import new_schema, new_schema_with

PATIENCE_SECONDS = 60.0

MOVED_CLOCK = """
    CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
    'BEGIN RETURN pg_catalog.clock_timestamp() + (SELECT seconds FROM moved) * interval ''1 second''; END'
"""


class Clock:
    """The clock of one ledger's store: so many seconds off the true one."""

    def __init__(self, move: Callable[[float], None], opened: Ledger) -> None:
        self.move = move
        self.ledger = opened


def on_sqlite(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    true = time.time_ns

    def move(seconds: float) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: true() + int(seconds * 1e9))

    return Clock(move, Ledger.open(folder))


def on_postgres(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    log = new_schema_with("CREATE TABLE moved (seconds float)", "INSERT INTO moved VALUES (0)", MOVED_CLOCK)

    def move(seconds: float) -> None:
        with psycopg.connect(log, autocommit=True) as connection:
            connection.execute("UPDATE moved SET seconds = %s", (seconds,))

    return Clock(move, Ledger.open(folder, log=log, vault=new_schema()))


@pytest.fixture(params=[on_sqlite, on_postgres], ids=["sqlite", "postgres"])
def clock(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = request.param(tmp_path / "data", monkeypatch)
    with closing(made.ledger):
        yield made


def append(ledger: Ledger, contact_id: str) -> str:
    return append_one(ledger, ContactReceived(contact_id=contact_id, reason="x"))


def refused(ledger: Ledger, contact_id: str) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        ledger.append([group(to_append(ContactReceived(contact_id=contact_id, reason="x")))])
    return caught.value


def until_taken_again(ledger: Ledger) -> None:
    """Wait until the ledger says by itself that it takes events: nobody sends any meanwhile."""
    end_time = time.monotonic() + PATIENCE_SECONDS
    while ledger.read_only_reason is not None:
        assert time.monotonic() < end_time, ledger.read_only_reason
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("seconds", "why", "words"),
    [(-600, "clock behind the ledger", "behind the last event"), (600, "clock jumped forward", "jumped")],
    ids=["behind", "ahead"],
)
def test_by_a_clock_that_jumped_nothing_is_recorded_until_it_is_right_again(
    clock: Clock, seconds: float, why: str, words: str
) -> None:
    ledger = clock.ledger
    assert "" == append(ledger, "c-1")
    before = ledger.head()

    clock.move(seconds)
    refusal = refused(ledger, "c-2")

    assert (STORE_READ_ONLY, why) == (refusal.reason, ledger.read_only_reason)
    assert words in refusal.message
    assert before == ledger.head()
    clock.move(0)
    until_taken_again(ledger)
    assert "" == append(ledger, "c-2")
    assert before.position + 1 == ledger.head().position


def test_a_clock_a_little_behind_or_ahead_is_followed_and_times_never_decrease(clock: Clock) -> None:
    ledger = clock.ledger
    for number, seconds in enumerate((0, 40, 39)):
        clock.move(seconds)
        assert "" == append(ledger, f"c-{number}")

    times = [row.record_time for row in ledger.store.read(2, 10)]
    assert sorted(times) == times
    assert 39_000_000 <= times[1] - times[0]


def test_the_clock_of_the_database_server_counts_and_not_the_one_of_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, vault, true = new_schema(), new_schema(), time.time_ns
    before = true() // 1000

    with closing(Ledger.open(tmp_path / "data", log=log, vault=vault)) as ledger:
        assert "" == append(ledger, "c-1")
        monkeypatch.setattr(time, "time_ns", lambda: true() + 3_600 * 10**9)
        assert "" == append(ledger, "c-2")
    with closing(Ledger.open(tmp_path / "data", log=log, vault=vault)) as again:
        assert "" == append(again, "c-3")
        times = [row.record_time for row in again.store.read(2, 10)]

    assert 3 == len(times)
    assert all(before <= one <= true() // 1000 for one in times)
