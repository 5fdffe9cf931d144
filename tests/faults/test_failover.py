"""A PostgreSQL primary dies with all its processes, and its standby takes over: nothing that was acknowledged is lost.

The same without a standby that commits wait for is caught: it loses what it acknowledged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import grpc
import psycopg
import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.errors_pb2 import OUTCOME_UNKNOWN
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup, GroupResult
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.application import Ledger
from ledger.errors import LedgerError
from ledger.event_id import to_bytes
from ledger.store import postgres
from ledger.store.recorder import Head, StoreUnavailableError
from tests.appending import group, to_append
from tests.postgres_pair import Pair
from tests.server_process import Server

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
def test_no_acknowledged_event_is_lost_when_the_standby_takes_over(new_pair: NewPair, tmp_path: Path, rounds: int) -> None:
    pair = new_pair()
    with opened(pair, tmp_path / "data") as ledger:
        appenders = Appenders(ledger)
        for _ in range(rounds):
            appenders.until_more(50)
            pair.kill_primary()
            pair.promote()
            appenders.until_more(20)
            pair.new_standby()
        appenders.stop()
        head = ledger.head().position

    assert rounds * 70 <= len(appenders.acknowledged)
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
def test_a_commit_that_was_cancelled_while_the_standby_is_away_is_acknowledged_by_no_node(
    new_pair: NewPair, tmp_path: Path
) -> None:
    pair = new_pair()
    with opened(pair, tmp_path / "data") as ledger, opened(pair, tmp_path / "data") as other:
        # The customer's key is there already, so that the commit in doubt is that of the log.
        before = ledger.append([contact("c-before")])
        sent = contact("c-in-doubt")
        pair.stop_standby()

        in_doubt = ledger.submit([sent])
        cancel_commit(pair)
        with pytest.raises(LedgerError) as caught:
            in_doubt.result(PATIENCE_SECONDS)
        # It can be read on the primary now, and still nobody may be told that it is recorded, by whichever node.
        assert 1 == count_of(pair, "contact-c-in-doubt")
        for node in (other, ledger):
            with pytest.raises((TimeoutError, LedgerError)):
                node.submit([sent]).result(2)
        pair.kill_primary()
        pair.start_standby()
        pair.promote()
        # Nodes that had read what is no more end, and start anew.
        with opened(pair, tmp_path / "data") as anew:
            recorded = until_recorded(anew, sent)

    assert caught.value.reason == OUTCOME_UNKNOWN
    acknowledged = {one.appended[0].event_id: one.appended[0].position for one in (before[0], recorded)}
    assert [] == lost(pair, acknowledged)


@pytest.mark.slow
def test_a_primary_that_was_started_again_shows_nothing_that_its_standby_has_not_confirmed(
    new_pair: NewPair, tmp_path: Path
) -> None:
    pair = new_pair()
    with opened(pair, tmp_path / "data") as ledger:
        ledger.append([contact("c-before")])
        known = ledger.head()
        pair.stop_standby()
        sent = contact("c-in-doubt")
        ledger.submit([sent])
        waiting_commits(pair)
        pair.kill_primary()
        pair.restart_primary()

        # The trap: whoever asks the server now is shown an event that nobody acknowledged.
        assert 1 == count_of(pair, "contact-c-in-doubt")
        with pytest.raises(StoreUnavailableError, match="started again"):
            until_other_head(ledger, known)
        with pytest.raises(StoreUnavailableError, match="started again"):
            postgres.open_reader(pair.address("ledger"))
        pair.start_standby()
        result = until_recorded(ledger, sent)
        position = result.appended[0].position
        assert position == ledger.head().position
        pair.kill_primary()
        pair.promote()

    assert [] == lost(pair, {result.appended[0].event_id: position})


@pytest.mark.slow
def test_neither_a_deadline_nor_a_cancelled_call_reaches_a_commit_that_waits_for_the_standby(
    new_pair: NewPair, tmp_path: Path
) -> None:
    pair = new_pair()
    options = ["--store", pair.address("ledger"), "--vault", pair.address("ledger_vault")]
    server = Server(tmp_path / "data", *options).start()
    try:
        with server.channel() as channel:
            append = LedgerServiceStub(channel).Append
            append(AppendRequest(groups=[contact("c-before")]), timeout=PATIENCE_SECONDS)
            pair.stop_standby()
            sent = AppendRequest(groups=[contact("c-in-doubt")])

            call = append.future(sent, timeout=PATIENCE_SECONDS)
            waiting = waiting_commits(pair)
            call.cancel()
            with pytest.raises(grpc.RpcError) as passed:
                append(AppendRequest(groups=[contact("c-behind-it")]), timeout=1)
            assert waiting == waiting_commits(pair)
            pair.start_standby()
            (result,) = append(sent, timeout=PATIENCE_SECONDS).results
        pair.kill_primary()
        pair.promote()
    finally:
        server.stop()

    assert passed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert [] == lost(pair, {result.appended[0].event_id: result.appended[0].position})


def contact(contact_id: str) -> EventGroup:
    customer = Identifier(type="email", value="a@example.org")
    return group(to_append(ContactReceived(contact_id=contact_id, customer=customer, reason="x", body="words")))


def until_recorded(ledger: Ledger, sent: EventGroup) -> GroupResult:
    """Send again until it is recorded."""
    end_time = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            (result,) = ledger.submit([sent]).result(PATIENCE_SECONDS)
        except LedgerError:
            assert time.monotonic() < end_time, "it is never taken"
            time.sleep(0.1)
        else:
            return result


def until_other_head(ledger: Ledger, known: Head) -> None:
    """Ask for the head until it is another one. A connection to the server that died is found out by the first use."""
    end_time = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < end_time
        try:
            assert known == ledger.head()
        except StoreUnavailableError as error:
            if "started again" in str(error):
                raise


def count_of(pair: Pair, stream: str) -> int:
    """Return how many events of a stream the primary shows."""
    with psycopg.connect(pair.address("ledger")) as connection:
        row = connection.execute("SELECT count(*) FROM event WHERE stream = %s", (stream,)).fetchone()
    return int(row[0]) if row else 0


def waiting_commits(pair: Pair) -> list[int]:
    """Return the processes of the primary whose commit waits for the standby, once there is one."""
    return _waiting(pair, "pid")


def cancel_commit(pair: Pair) -> None:
    """Cancel the commit that waits for the standby, as an operator may, or a client library whose caller lost patience."""
    _waiting(pair, "pg_cancel_backend(pid)")


def _waiting(pair: Pair, what: LiteralString) -> list[Any]:
    end_time = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(pair.primary.dsn, autocommit=True) as connection:
        sql = f"SELECT {what} FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        while not (found := connection.execute(sql).fetchall()):
            assert time.monotonic() < end_time, "no commit waits for the standby"
            time.sleep(0.05)
    return [row[0] for row in found]
