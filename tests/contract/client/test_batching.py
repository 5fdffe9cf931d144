"""The batchers of both clients: order, back-pressure, faults. The disturbance is shown to break what keeps no order."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from typing import Any

import pytest

from clients.python import ClosedError, MoveNotAllowedError, OutcomeUnknownError, event, group
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.request_pb2 import RequestOpened
from tests.both_clients import Both
from tests.cutting_proxy import CuttingProxy
from tests.fault_server import QUICK, FaultServer, before, hold, lose_answer, note, refuse, refuse_groups, wait


def opened(number: int, which: int) -> RequestOpened:
    return RequestOpened(request_id=f"r-{number}-{which}", contact_id=f"c-{number}")


def disturb(seed: int, *, lose: float = 0.2) -> Any:
    """Answer calls late, in any order, and lose some before and after they are done."""
    chance = random.Random(seed)
    lock = threading.Lock()

    def act(context: Any, proceed: Any) -> Any:
        with lock:
            draws = [chance.random() for _ in range(3)]
        time.sleep(draws[0] * 0.02)
        if draws[1] < lose:
            refuse("UNAVAILABLE")(context, proceed)
        if draws[2] < lose:
            lose_answer("CANCELLED")(context, proceed)
        return proceed()

    return act


def overtaken(server: FaultServer, added: list[EventToAppend]) -> int:
    """Return how many events stand before one of the same stream that was added earlier."""
    order = {one.envelope.event_id: number for number, one in enumerate(added)}
    newest: dict[str, int] = defaultdict(lambda: -1)
    count = 0
    for recorded in server.events:
        number = order[recorded.envelope.event_id]
        count += number < newest[recorded.stream]
        newest[recorded.stream] = max(newest[recorded.stream], number)
    return count


def test_events_of_one_stream_never_overtake_one_another(server: FaultServer, client: Any) -> None:
    server.every_append = disturb(1)
    added = [note(f"c-{number % 7}", str(number)) for number in range(400)]

    with client.batcher(max_events=10, in_flight=4) as batcher:
        futures = [batcher.add(one) for one in added]

    assert 0 == overtaken(server, added)
    assert 400 == len(server.events)
    assert [one.envelope.event_id for one in added] == [future.result().event_id for future in futures]


def test_the_disturbance_is_one_that_unordered_batching_does_not_survive(server: FaultServer, client: Any) -> None:
    server.every_append = disturb(1)
    added = [note(f"c-{number % 7}", str(number)) for number in range(400)]

    with client.batcher(max_events=10, in_flight=4, ordered=False) as batcher:
        for one in added:
            batcher.add(one)

    assert 0 < overtaken(server, added)
    assert 400 == len(server.events)


def test_several_calls_are_in_flight_at_once(server: FaultServer, client: Any) -> None:
    four = threading.Event()

    def came() -> None:
        if server.appends_at_once_max >= 4:
            four.set()

    server.every_append = before(came, hold(four))

    with client.batcher(max_events=10, in_flight=4) as batcher:
        for number in range(80):
            batcher.add(note(f"c-{number}"))

    assert 4 == server.appends_at_once_max


def test_waiting_events_fill_calls(server: FaultServer, client: Any) -> None:
    all_added = threading.Event()
    server.every_append = hold(all_added)

    with client.batcher(max_events=50, in_flight=2) as batcher:
        for number in range(400):
            batcher.add(note(f"c-{number}"))
        all_added.set()

    # The first call leaves with what is there; all others wait until they are full.
    assert len(server.requests["Append"]) <= 2 + 400 // 50
    assert 50 == max(len(request.groups) for request in server.requests["Append"])


def test_adding_blocks_while_too_much_waits(server: FaultServer, client: Any) -> None:
    server.every_append = wait(0.05)
    ahead_max = 0

    with client.batcher(max_events=10, in_flight=1, waiting_events_max=20) as batcher:
        for number in range(200):
            batcher.add(note(f"c-{number}"))
            ahead_max = max(ahead_max, number + 1 - len(server.events))

    # Whoever adds is ahead of what is recorded by what may wait and what is under way.
    assert ahead_max <= 20 + 10
    assert 200 == len(server.events)


def test_a_refused_event_fails_alone(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse_groups("FAILED_PRECONDITION", "MOVE_NOT_ALLOWED", 0))

    with client.batcher() as batcher:
        futures = [batcher.add(note()), batcher.add(note()), batcher.add(group(note(), note("c-2")))]

    assert isinstance(futures[0].exception(), MoveNotAllowedError)
    assert 1 == futures[1].result().position
    assert [2, 3] == [appended.position for appended in futures[2].result()]


def test_a_batcher_outlives_restarts_and_cut_connections(server: FaultServer, both: Both) -> None:
    proxy = CuttingProxy(server.target)
    client = both(proxy.target, retry=QUICK)
    server.every_append = wait(0.01)
    added = [note(f"c-{number % 20}") for number in range(600)]

    with client.batcher(max_events=20) as batcher:
        futures = []
        for number, one in enumerate(added):
            futures.append(batcher.add(one))
            if number in (150, 300):
                server.restart()
            if number in (200, 400):
                proxy.cut()

    assert len(added) == len(server.events)
    assert 0 == overtaken(server, added)
    assert {event.envelope.event_id: event.position for event in server.events} == {
        future.result().event_id: future.result().position for future in futures
    }
    proxy.close()


def test_a_batcher_that_gets_no_answer_stops_and_says_what_was_not_sent(server: FaultServer, client: Any) -> None:
    server.every_append = lose_answer()
    batcher = client.batcher(max_events=1, in_flight=1, timeout_seconds=0.3)

    unknown, waiting = batcher.add(note()), batcher.add(note())
    with pytest.raises(OutcomeUnknownError):
        batcher.flush()

    assert isinstance(unknown.exception(), OutcomeUnknownError)
    assert "NOT_SENT" == waiting.exception().reason
    with pytest.raises(OutcomeUnknownError):
        batcher.add(note())
    batcher.close(send=False)


def test_leaving_the_block_with_an_exception_drops_what_waits(server: FaultServer, client: Any) -> None:
    dropped = threading.Event()
    server.every_append = hold(dropped)

    def fail() -> None:
        with client.batcher(max_events=1, in_flight=1) as batcher:
            for _ in range(5):
                future = batcher.add(note())
            # The call under way is held until the last event that waits was dropped.
            future.add_done_callback(lambda _: dropped.set())
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert len(server.events) <= 1


def test_a_closed_batcher_takes_nothing(server: FaultServer, client: Any) -> None:
    batcher = client.batcher()
    batcher.close()

    with pytest.raises(ClosedError):
        batcher.add(note())


def test_an_opener_goes_before_what_refers_to_it(server: FaultServer, client: Any) -> None:
    server.every_append = disturb(2)
    added = []
    with client.batcher(max_events=3, in_flight=4) as batcher:
        for number in range(60):
            for payload in (ContactReceived(contact_id=f"c-{number}", reason="x"), opened(number, 1), opened(number, 2)):
                added.append(event(payload))
                batcher.add(added[-1])

    place = {one.envelope.event_id: one.position for one in server.events}
    assert all(
        place[added[3 * number].envelope.event_id] < place[added[3 * number + later].envelope.event_id]
        for number in range(60)
        for later in (1, 2)
    )
