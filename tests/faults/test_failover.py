"""A PostgreSQL primary dies with all its processes, and its standby takes over: nothing that was acknowledged is lost.

The same without a standby that commits wait for is caught: it loses what it acknowledged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.errors_pb2 import OUTCOME_UNKNOWN
from ledger.api.v1.ledger_service_pb2 import EventGroup, GroupResult
from ledger.application import Ledger
from ledger.errors import LedgerError
from ledger.event_id import to_bytes
from tests.appending import group, to_append
from tests.postgres_pair import Pair

ROUNDS = 5
THREADS = 4
PATIENCE_SECONDS = 60.0

NewPair = Callable[..., Pair]


@pytest.fixture
def new_pair() -> Iterator[NewPair]:
    made: list[Pair] = []

    def new(**options: bool) -> Pair:
        made.append(Pair(**options))
        return made[-1]

    yield new
    for pair in made:
        pair.stop()


@contextmanager
def opened(pair: Pair, folder: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(folder, log=pair.address("ledger"), vault=pair.address("ledger_vault"))
    try:
        yield ledger
    finally:
        ledger.close()


class Appenders:
    """Threads that append, send again what was refused or is in doubt, and remember what was acknowledged."""

    def __init__(self, ledger: Ledger) -> None:
        self.acknowledged: dict[str, int] = {}
        self._ledger = ledger
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def until_more(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted, end_time = len(self.acknowledged) + count, time.monotonic() + PATIENCE_SECONDS
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < end_time, "nothing is acknowledged any more"
            time.sleep(0.02)

    def stop(self) -> None:
        """End the threads; what is in doubt then stays so."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _work(self, number: int) -> None:
        count = 0
        while not self._stopping.is_set():
            count += 1
            sent = group(to_append(ContactReceived(contact_id=f"c-{number}-{count}", reason="x", body="words")))
            while not self._stopping.is_set():
                try:
                    (result,) = self._ledger.append([sent])
                except LedgerError:
                    time.sleep(0.05)
                    continue
                assert not result.HasField("error"), result.error.message
                self.acknowledged[result.appended[0].event_id] = result.appended[0].position
                break


def lost(pair: Pair, acknowledged: dict[str, int]) -> list[str]:
    """Return what was acknowledged and does not stand where it was said to."""
    with psycopg.connect(pair.address("ledger")) as connection:
        found: dict[bytes, Any] = dict(connection.execute("SELECT event_id, position FROM event").fetchall())
    return [event_id for event_id, position in acknowledged.items() if found.get(to_bytes(event_id)) != position]


@pytest.mark.slow
def test_no_acknowledged_event_is_lost_when_the_standby_takes_over_five_times(new_pair: NewPair, tmp_path: Path) -> None:
    pair = new_pair()
    with opened(pair, tmp_path / "data") as ledger:
        appenders = Appenders(ledger)
        for _ in range(ROUNDS):
            appenders.until_more(50)
            pair.kill_primary()
            pair.promote()
            appenders.until_more(20)
            pair.new_standby()
        appenders.stop()
        head = ledger.head().position

    assert ROUNDS * 70 <= len(appenders.acknowledged)
    assert [] == lost(pair, appenders.acknowledged)
    with psycopg.connect(pair.address("ledger")) as connection:
        assert (head, head) == connection.execute("SELECT count(*), max(position) FROM event").fetchone()


@pytest.mark.slow
def test_a_primary_that_waits_for_no_standby_is_caught(new_pair: NewPair, tmp_path: Path) -> None:
    pair = new_pair(synchronous=False)
    with opened(pair, tmp_path / "data") as ledger:
        appenders = Appenders(ledger)
        appenders.until_more(20)
        pair.stop_standby()
        appenders.until_more(50)
        appenders.stop()
        pair.kill_primary()
        pair.start_standby()
        pair.promote()

    assert 50 <= len(lost(pair, appenders.acknowledged))


@pytest.mark.slow
def test_a_commit_that_was_cancelled_while_the_standby_is_away_is_not_acknowledged(new_pair: NewPair, tmp_path: Path) -> None:
    pair = new_pair()
    with opened(pair, tmp_path / "data") as ledger:
        # The customer's key is there already, so that the commit in doubt is that of the log.
        before = ledger.append([contact("c-before")])
        sent = contact("c-in-doubt")
        pair.stop_standby()

        in_doubt = ledger.submit([sent])
        cancel_commit(pair)
        with pytest.raises(LedgerError) as caught:
            in_doubt.result(PATIENCE_SECONDS)
        # It can be read on the primary now, and still nobody may be told that it is recorded.
        again = ledger.submit([sent])
        with pytest.raises(TimeoutError):
            again.result(3)
        pair.kill_primary()
        pair.start_standby()
        pair.promote()
        with pytest.raises(LedgerError):
            again.result(PATIENCE_SECONDS)
        end_time = time.monotonic() + PATIENCE_SECONDS
        while not (recorded := retried(ledger, sent)):
            assert time.monotonic() < end_time
            time.sleep(0.1)

    assert caught.value.reason == OUTCOME_UNKNOWN
    acknowledged = {one.appended[0].event_id: one.appended[0].position for one in (before[0], recorded[0])}
    assert [] == lost(pair, acknowledged)


def contact(contact_id: str) -> EventGroup:
    customer = Identifier(type="email", value="a@example.org")
    return group(to_append(ContactReceived(contact_id=contact_id, customer=customer, reason="x", body="words")))


def retried(ledger: Ledger, sent: EventGroup) -> list[GroupResult]:
    """Send again; nothing while the store does not take events."""
    try:
        return ledger.submit([sent]).result(PATIENCE_SECONDS)
    except LedgerError:
        return []


def cancel_commit(pair: Pair) -> None:
    """Cancel the commit that waits for the standby, as an operator may, or a client library whose caller lost patience."""
    end_time = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(pair.primary.dsn, autocommit=True) as connection:
        sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        while not connection.execute(sql).fetchall():
            assert time.monotonic() < end_time, "no commit waits for the standby"
            time.sleep(0.05)
