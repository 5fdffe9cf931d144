"""Streams of the sync and the aio client go on after lost connections: nothing missed, nothing repeated."""

from __future__ import annotations

import threading
import time
from itertools import islice
from typing import Any

import pytest

from clients.python import ClosedError, NotRecordedError, RetryPolicy
from ledger.api.v1.handoff_service_pb2 import Handoff, WatchHandoffsResponse
from tests.both_clients import Both
from tests.fault_server import FaultServer, append_request, before, break_after, note, refuse


def test_reading_goes_on_after_a_lost_connection_without_gap_or_repetition(server: FaultServer, client: Any) -> None:
    client.append(*[note() for _ in range(9)])
    server.script("ReadEvents", break_after(1), break_after(2, "CANCELLED"), break_after(0))

    found = [one.position for one in client.read_events(2, limit=7)]

    assert list(range(2, 9)) == found


def test_reading_ends_at_the_head_of_the_call_even_when_it_had_to_be_resumed(server: FaultServer, client: Any) -> None:
    client.append(*[note() for _ in range(4)])
    server.script("ReadEvents", break_after(1))
    found = []

    for one in client.read_events():
        found.append(one.position)
        if one.position == 1:
            client.append(note())

    assert [1, 2, 3, 4] == found


def test_a_subscription_goes_on_after_lost_connections_and_restarts(server: FaultServer, client: Any) -> None:
    client.append(*[note() for _ in range(3)])
    server.script("Subscribe", break_after(2), break_after(1, "CANCELLED"), refuse("RESOURCE_EXHAUSTED", "STREAMS_EXHAUSTED", 0.01))
    found, marks = [], []

    with client.subscribe() as subscription:
        for change in subscription.changes():
            if change.item is None:
                marks.append((change.mark, change.position))
            else:
                found.append(change.position)
            if change.position == 3 and change.mark:
                client.append(note())
            if change.position == 4 and len(found) == 4:
                server.restart()
                client.append(note())
            if change.position == 5:
                break

    assert [1, 2, 3, 4, 5] == found
    assert [("caught_up", 3)] == [mark for mark in marks if mark[0] == "caught_up"]
    assert 5 == subscription.position


def test_a_subscription_from_now_misses_nothing_when_its_first_connection_is_lost(server: FaultServer, client: Any) -> None:
    client.append(note())
    server.script("Subscribe", before(lambda: server.Append(append_request(note("c-2")), None), refuse("UNAVAILABLE")))

    with client.subscribe(after_position=None) as subscription:
        first = next(iter(subscription))

    assert 2 == first.position
    assert [1, 1] == [request.after_position for request in server.requests["Subscribe"]]


def test_a_stream_is_renewed_silently_when_it_grows_old(server: FaultServer, both: Both) -> None:
    client = both(server.target, retry=RetryPolicy(first_delay_seconds=0.01, stream_seconds=0.2))
    client.append(note())
    once = before(lambda: None)
    server.script("Subscribe", once, once, before(lambda: server.Append(append_request(note("c-2")), None)))

    with client.subscribe() as subscription:
        walk = iter(subscription)
        first = next(walk)
        second = next(walk)

    assert (1, 2) == (first.position, second.position)
    assert [0, 1, 1] == [request.after_position for request in server.requests["Subscribe"][:3]]


def test_a_subscription_that_gets_on_lives_longer_than_the_time_given_for_an_answer(server: FaultServer, client: Any) -> None:
    client.append(*[note() for _ in range(7)])

    def slow_and_broken(context: Any, proceed: Any) -> Any:
        time.sleep(0.5)
        yield from break_after(1)(context, proceed)

    server.script("Subscribe", *[slow_and_broken] * 6)

    with client.subscribe(timeout_seconds=2.5) as subscription:
        found = [one.position for one in islice(subscription, 7)]

    assert list(range(1, 8)) == found


def test_a_subscription_can_be_closed_from_elsewhere(server: FaultServer, client: Any) -> None:
    client.append(note())

    subscription = client.subscribe()
    found = []
    for one in subscription:
        found.append(one.position)
        threading.Thread(target=subscription.close).start()

    assert [1] == found


def test_a_subscription_ends_with_its_client(server: FaultServer, client: Any) -> None:
    client.append(note())

    def follow() -> None:
        for _ in client.subscribe():
            threading.Thread(target=client.close).start()

    with pytest.raises(ClosedError):
        follow()


def test_a_refused_stream_raises_the_class_of_its_reason(server: FaultServer, client: Any) -> None:
    server.script("Subscribe", refuse("OUT_OF_RANGE", "POSITION_BEYOND_HEAD"))

    with pytest.raises(NotRecordedError):
        next(iter(client.subscribe(after_position=99)))


def test_a_watch_gives_all_rows_of_one_position_once_even_when_cut_between_them(server: FaultServer, client: Any) -> None:
    client.append(note())
    server.handoff_changes = [
        WatchHandoffsResponse(position=2, handoff=Handoff(request_id="r-1", handoff_id="h-1")),
        WatchHandoffsResponse(position=3, handoff=Handoff(request_id="r-1", handoff_id="h-1")),
        WatchHandoffsResponse(position=3, handoff=Handoff(request_id="r-1", handoff_id="h-2")),
        WatchHandoffsResponse(position=4, checkpoint=True),
    ]
    server.script("WatchHandoffs", break_after(2))

    with client.watch_handoffs() as watched:
        found = []
        for change in watched.changes():
            found.append((change.position, change.item.handoff_id if change.item else change.mark))
            if change.mark:
                break

    assert [(2, "h-1"), (3, "h-1"), (3, "h-2"), (4, "checkpoint")] == found
    assert [1, 2] == [request.after_position for request in server.requests["WatchHandoffs"]]
    assert 4 == watched.position
