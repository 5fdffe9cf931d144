"""How rows are settled: in order, once, and never silently."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Timer
from typing import Any

import pytest

from clients.connectors.delivery import ImportInterruptedError, Sending
from clients.connectors.row_stream import RowOutcome
from clients.connectors.tally import Tally
from clients.python.errors import AlreadyExistsError, InvalidError, UnavailableError
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import Appended, EventGroup


class Batcher:
    """Stands for the client's: the test answers when it likes."""

    def __init__(self) -> None:
        self.futures: list[Future[list[Appended]]] = []
        self.refuses: Exception | None = None

    def add(self, group: EventGroup) -> Future[list[Appended]]:
        if self.refuses:
            raise self.refuses
        self.futures.append(Future())
        return self.futures[-1]

    def flush(self) -> None:
        pass


class Bench:
    def __init__(self, rows_done: int = 0) -> None:
        self.batcher = Batcher()
        self.tally = Tally()
        self.rejected: list[tuple[int, str, str]] = []
        self.settled: list[int] = []
        batcher: Any = self.batcher
        self.sending = Sending(batcher, self.tally, self._reject, rows_done, self.settled.append)

    def _reject(self, outcome: RowOutcome, reason: str, code: str) -> None:
        self.rejected.append((outcome.line, reason, code))


def row(line: int, events: int = 1, **values: Any) -> RowOutcome:
    return RowOutcome(line, ["x"], f"key {line}", (EventToAppend(),) * events, ("note-added",) * events, **values)


def appended(**values: bool) -> list[Appended]:
    return [Appended(position=1, **values)]


def test_what_was_appended_known_and_irregular_is_counted() -> None:
    bench = Bench()
    for line in (1, 2, 3):
        bench.sending.take(row(line))
    for future, answer in zip(bench.batcher.futures, (appended(), appended(duplicate=True), appended(irregular=True)), strict=True):
        future.set_result(answer)

    bench.sending.close()

    tally = bench.tally
    assert (3, 2, 1, 1) == (tally.rows_read, tally.events_appended, tally.events_duplicate, tally.events_irregular)
    assert {"note-added": 3} == tally.topics
    assert [3] == bench.settled


def test_a_row_is_not_settled_before_those_in_front_of_it() -> None:
    bench = Bench(rows_done=10)
    bench.sending.take(row(1))
    bench.sending.take(row(2))
    bench.batcher.futures[1].set_result(appended())

    bench.sending.take(RowOutcome(3, ["x"], skipped=True))

    assert 0 == bench.tally.rows_read
    bench.batcher.futures[0].set_result(appended())
    bench.sending.close()
    assert ([13], 3, 1) == (bench.settled, bench.tally.rows_read, bench.tally.rows_skipped)


def test_a_row_that_could_not_be_mapped_is_rejected_and_not_sent() -> None:
    bench = Bench()

    bench.sending.take(RowOutcome(1, ["x"], reason="no time"))
    bench.sending.close()

    assert [(1, "no time", "")] == bench.rejected
    assert [] == bench.batcher.futures


def test_a_row_that_the_ledger_refuses_is_rejected_with_its_reason_and_what_it_means() -> None:
    bench = Bench()
    bench.sending.take(row(1))
    bench.batcher.futures[0].set_exception(AlreadyExistsError("EVENT_ID_REUSED", "Event x is recorded with other content."))

    bench.sending.close()

    ((line, reason, code),) = bench.rejected
    assert (1, "EVENT_ID_REUSED") == (line, code)
    assert "recorded with other content" in reason
    assert "imported before" in reason


def test_a_row_with_more_than_a_call_can_hold_is_rejected() -> None:
    bench = Bench()
    bench.batcher.refuses = InvalidError("APPEND_TOO_LARGE", "A group of 2000 events is more than a call can hold.")

    bench.sending.take(row(1))
    bench.sending.close()

    assert [(1, "A group of 2000 events is more than a call can hold.", "")] == bench.rejected


def test_rows_without_events_do_not_pile_up_behind_one_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.connectors.delivery.ROWS_WAITING_MAX", 3)
    bench = Bench()
    bench.sending.take(row(1))
    Timer(0.1, lambda: bench.batcher.futures[0].set_result(appended())).start()

    for line in range(2, 6):
        bench.sending.take(RowOutcome(line, ["x"]))

    assert 5 == bench.tally.rows_read


def test_without_an_answer_the_run_is_interrupted_and_the_row_stays_open() -> None:
    bench = Bench()
    bench.sending.take(row(1))
    bench.sending.take(row(2))
    bench.batcher.futures[0].set_result(appended())
    bench.batcher.futures[1].set_exception(UnavailableError("NO_ANSWER", "No answer from the ledger."))

    with pytest.raises(ImportInterruptedError, match="--resume"):
        bench.sending.close()

    assert (1, []) == (bench.tally.rows_read, bench.rejected)


def test_a_batcher_that_stopped_interrupts_the_run() -> None:
    bench = Bench()
    bench.sending.take(row(1))
    bench.batcher.futures[0].set_result(appended())
    bench.batcher.refuses = UnavailableError("NO_ANSWER", "No answer from the ledger.")

    with pytest.raises(ImportInterruptedError, match="No answer"):
        bench.sending.take(row(2))

    assert 1 == bench.tally.rows_read
