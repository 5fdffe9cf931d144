"""What the sync and the aio client do about faults, against a small real gRPC server that makes them."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from clients.python import (
    ClosedError,
    InvalidError,
    MoveNotAllowedError,
    NotRecordedError,
    OutcomeUnknownError,
    OverloadedError,
    RetryPolicy,
    TokenError,
    UnavailableError,
    event,
    group,
)
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.handoff_service_pb2 import Handoff, HandoffList, ListHandoffsResponse, WatchHandoffsResponse
from tests.both_clients import Both
from tests.cutting_proxy import CuttingProxy
from tests.fault_server import FaultServer, break_after, lose_answer, refuse, refuse_groups, wait

QUICK = RetryPolicy(first_delay_seconds=0.01, delay_seconds_max=0.05, attempt_seconds=2.0)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.stop()


@pytest.fixture(params=["sync", "aio"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    both = Both(request.param)
    yield both
    both.close()


@pytest.fixture
def client(server: FaultServer, both: Both) -> Any:
    return both(server.target, retry=QUICK, timeout_seconds=10.0)


def note(contact_id: str = "c-1", text: str = "called back") -> EventToAppend:
    return event(NoteAdded(contact_id=contact_id, text=text))


# Sending again


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED"])
def test_an_append_that_the_server_refused_in_passing_is_sent_again(server: FaultServer, client: Any, code: str) -> None:
    server.script("Append", refuse(code), refuse(code))

    [appended] = client.append(note())

    assert 1 == appended.position
    assert 3 == len(server.requests["Append"])


def test_every_attempt_carries_the_same_ids_and_times(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("UNAVAILABLE"), lose_answer("CANCELLED"), lose_answer())

    client.append(note(), note("c-2"))

    first, *others = server.requests["Append"]
    assert 3 == len(others)
    assert [first] * 3 == others


def test_an_append_whose_answer_was_lost_is_recorded_once(server: FaultServer, client: Any) -> None:
    server.script("Append", lose_answer())

    [appended] = client.append(note())

    assert 1 == len(server.events)
    assert (1, True) == (appended.position, appended.duplicate)


def test_a_read_is_tried_again(server: FaultServer, client: Any) -> None:
    client.append(note())
    server.script("GetHead", refuse("UNAVAILABLE", "SHUTTING_DOWN"), refuse("CANCELLED"))

    assert 1 == client.head().position


def test_overload_waits_as_long_as_the_ledger_says(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("RESOURCE_EXHAUSTED", "QUEUE_FULL", retry_after_seconds=0.3))
    began = time.monotonic()

    client.append(note())

    assert time.monotonic() - began >= 0.3


def test_exhaustion_without_a_delay_is_not_tried_again(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("RESOURCE_EXHAUSTED"))

    with pytest.raises(OverloadedError):
        client.append(note())

    assert 1 == len(server.requests["Append"])


def test_overload_until_the_end_of_the_time_is_raised_with_the_delay(server: FaultServer, client: Any) -> None:
    server.every_append = refuse("RESOURCE_EXHAUSTED", "BULK_LANE_CLOSED", retry_after_seconds=0.1)

    with pytest.raises(OverloadedError) as raised:
        client.append(note(), timeout_seconds=0.5)

    assert ("BULK_LANE_CLOSED", 0.1) == (raised.value.reason, raised.value.retry_after_seconds)


def test_an_append_without_any_answer_ends_as_outcome_unknown_within_its_time(server: FaultServer, client: Any) -> None:
    server.every_append = lose_answer()
    began = time.monotonic()

    with pytest.raises(OutcomeUnknownError, match="same ids"):
        client.append(note(), timeout_seconds=0.5)

    assert 0.3 < time.monotonic() - began < 1.5


def test_a_refusal_after_a_lost_answer_that_passes_still_leaves_the_outcome_unknown(server: FaultServer, client: Any) -> None:
    server.script("Append", lose_answer())
    server.every_append = refuse("UNAVAILABLE", "STORE_READ_ONLY")

    with pytest.raises(OutcomeUnknownError):
        client.append(note(), timeout_seconds=0.3)


def test_an_append_that_was_surely_not_taken_is_not_called_unknown(server: FaultServer, client: Any) -> None:
    server.every_append = refuse("UNAVAILABLE", "STORE_READ_ONLY")

    with pytest.raises(UnavailableError) as raised:
        client.append(note(), timeout_seconds=0.3)

    assert not isinstance(raised.value, OutcomeUnknownError)


def test_an_attempt_that_hangs_is_given_up_and_sent_again(server: FaultServer, both: Both) -> None:
    client = both(server.target, retry=RetryPolicy(first_delay_seconds=0.01, attempt_seconds=0.2))
    server.script("Append", wait(1.0))
    began = time.monotonic()

    client.append(note())

    assert time.monotonic() - began < 0.9


def test_a_server_that_restarts_is_found_again(server: FaultServer, client: Any) -> None:
    client.append(note("c-1"))
    server.restart()

    client.append(note("c-2"))

    assert 2 == client.head().position


def test_a_connection_cut_during_the_call_costs_nothing(server: FaultServer, both: Both) -> None:
    proxy = CuttingProxy(server.target)
    client = both(proxy.target, retry=QUICK)
    server.script("Append", wait(0.3))
    threading.Timer(0.1, proxy.cut).start()

    [appended] = client.append(note())

    assert 1 == len(server.events)
    assert 1 == appended.position
    proxy.close()


def test_a_swallowed_answer_costs_one_attempt(server: FaultServer, both: Both) -> None:
    proxy = CuttingProxy(server.target)
    client = both(proxy.target, connections=1, retry=RetryPolicy(first_delay_seconds=0.01, attempt_seconds=0.5))
    client.head()
    proxy.swallow = True
    threading.Timer(0.3, lambda: (setattr(proxy, "swallow", False), proxy.cut())).start()

    [appended] = client.append(note())

    assert 1 == len(server.events)
    assert 1 == appended.position
    proxy.close()


# Errors


def test_a_refused_group_raises_the_class_of_its_reason(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse_groups("FAILED_PRECONDITION", "MOVE_NOT_ALLOWED", 0))

    with pytest.raises(MoveNotAllowedError) as raised:
        client.append(note())

    assert ("MOVE_NOT_ALLOWED", {"stream": "request-1"}) == (raised.value.reason, raised.value.metadata)
    assert 1 == len(server.requests["Append"])


def test_a_refused_group_leaves_the_others_recorded(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse_groups("FAILED_PRECONDITION", "MOVE_NOT_ALLOWED", 1))

    results = client.append_groups([group(note("c-1")), group(note("c-2")), group(note("c-3"))])

    assert [None, MoveNotAllowedError, None] == [result.error and type(result.error) for result in results]
    assert ["contact-c-1", "contact-c-3"] == [event.stream for event in server.events]


def test_a_group_that_failed_in_passing_is_sent_again_with_what_follows_it(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse_groups("UNAVAILABLE", "VAULT_UNAVAILABLE", 1))

    results = client.append_groups([group(note("c-1")), group(note("c-2")), group(note("c-3"))])

    assert [None, None, None] == [result.error for result in results]
    assert [3, 2] == [len(request.groups) for request in server.requests["Append"]]
    assert [False, False, False] == [result.appended[0].duplicate for result in results]


def test_too_many_groups_for_one_call_take_several_in_order(server: FaultServer, client: Any) -> None:
    groups = [group(*[note(f"c-{number}") for _ in range(400)]) for number in range(5)]

    results = client.append_groups(groups)

    assert [800, 800, 400] == [sum(len(one.events) for one in request.groups) for request in server.requests["Append"]]
    assert list(range(1, 2001)) == [appended.position for result in results for appended in result.appended]


def test_nothing_after_a_call_that_failed_is_sent(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("INVALID_ARGUMENT", "FIELD_INVALID"))

    results = client.append_groups([group(*[note() for _ in range(1000)]), group(note())])

    assert [InvalidError, UnavailableError] == [type(result.error) for result in results]
    assert ["FIELD_INVALID", "NOT_SENT"] == [result.error.reason for result in results]
    assert 1 == len(server.requests["Append"])


def test_a_group_that_no_call_can_hold_is_refused_before_anything_is_sent(server: FaultServer, client: Any) -> None:
    with pytest.raises(InvalidError, match="1001 events"):
        client.append_groups([group(note()), group(*[note() for _ in range(1001)])])

    assert [] == server.requests["Append"]


def test_nobody_at_the_target_is_unavailable(server: FaultServer, client: Any) -> None:
    server.stop()

    with pytest.raises(UnavailableError) as raised:
        client.head(timeout_seconds=0.3)

    assert "NO_ANSWER" == raised.value.reason
    assert server.target in str(raised.value)


def test_a_closed_client_says_so(server: FaultServer, client: Any) -> None:
    client.head()
    client.close()

    with pytest.raises(ClosedError):
        client.head()


def test_closing_ends_a_call_that_keeps_being_tried(server: FaultServer, client: Any) -> None:
    server.every_append = refuse("UNAVAILABLE")
    threading.Timer(0.2, client.close).start()

    with pytest.raises(ClosedError):
        client.append(note())


def test_a_token_of_another_ledger_is_raised_once_and_forgotten(server: FaultServer, client: Any) -> None:
    server.handoff_pages = [ListHandoffsResponse()]
    client.append(note())
    server.script("ListHandoffs", refuse("FAILED_PRECONDITION", "TOKEN_OF_OTHER_INCARNATION"))

    with pytest.raises(TokenError):
        list(client.handoffs())
    list(client.handoffs())

    assert server.requests["ListHandoffs"][0].consistency.HasField("at_least")
    assert server.requests["ListHandoffs"][1].consistency.latest


# How fresh


def test_what_was_written_is_asked_for_in_the_next_read(server: FaultServer, client: Any) -> None:
    server.handoff_pages = [ListHandoffsResponse()]

    list(client.handoffs())
    client.append(note())
    client.append(note())
    list(client.handoffs())
    list(client.handoffs(consistency="latest"))
    list(client.handoffs(consistency="any"))

    first, carried, latest, anything = [request.consistency for request in server.requests["ListHandoffs"]]
    assert first.latest
    assert "t-2" == carried.at_least.value
    assert latest.latest
    assert anything.any


def test_pages_are_fetched_as_they_are_walked_and_pinned_by_their_token(server: FaultServer, client: Any) -> None:
    server.handoff_pages = [
        ListHandoffsResponse(result=HandoffList(handoffs=[Handoff(handoff_id="h-1")]), next_page_token="1"),
        ListHandoffsResponse(result=HandoffList(handoffs=[Handoff(handoff_id="h-2"), Handoff(handoff_id="h-3")])),
    ]
    client.append(note())
    server.script("ListHandoffs", refuse("UNAVAILABLE"))

    pages = client.handoffs(pending=True, page_size=1)
    at = pages.read_at.position
    fetched = len(server.requests["ListHandoffs"])
    found = [one.handoff_id for one in pages]

    assert 1 == at
    assert 2 == fetched
    assert ["h-1", "h-2", "h-3"] == found
    last, before = server.requests["ListHandoffs"][-1], server.requests["ListHandoffs"][-2]
    last.ClearField("page_token")
    assert before == last


# Streams


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
    server.script("Subscribe", refuse("UNAVAILABLE"))

    with client.subscribe(after_position=None) as subscription:
        threading.Timer(0.1, lambda: server.Append(_append(note("c-2")), None)).start()
        first = next(iter(subscription))

    assert 2 == first.position
    assert [1, 1] == [request.after_position for request in server.requests["Subscribe"]]


def _append(one: EventToAppend) -> Any:
    from ledger.api.v1.ledger_service_pb2 import AppendRequest

    return AppendRequest(groups=[group(one)])


def test_a_stream_is_renewed_silently_when_it_grows_old(server: FaultServer, both: Both) -> None:
    client = both(server.target, retry=RetryPolicy(first_delay_seconds=0.01, stream_seconds=0.2))
    client.append(note())

    with client.subscribe() as subscription:
        walk = iter(subscription)
        first = next(walk)
        threading.Timer(0.5, lambda: server.Append(_append(note("c-2")), None)).start()
        second = next(walk)

    assert (1, 2) == (first.position, second.position)
    assert len(server.requests["Subscribe"]) > 2


def test_a_subscription_can_be_closed_from_elsewhere(server: FaultServer, client: Any) -> None:
    client.append(note())
    found = []

    subscription = client.subscribe()
    threading.Timer(0.2, subscription.close).start()
    for one in subscription:
        found.append(one.position)  # noqa: PERF402

    assert [1] == found


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


# Batching


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
    server.every_append = wait(0.1)
    began = time.monotonic()

    with client.batcher(max_events=10, in_flight=4) as batcher:
        for number in range(80):
            batcher.add(note(f"c-{number}"))

    assert time.monotonic() - began < 0.6


def test_waiting_events_fill_calls(server: FaultServer, client: Any) -> None:
    server.every_append = wait(0.05)

    with client.batcher(max_events=50, in_flight=2) as batcher:
        for number in range(400):
            batcher.add(note(f"c-{number}"))

    assert len(server.requests["Append"]) <= 12
    assert 50 == max(len(request.groups) for request in server.requests["Append"])


def test_adding_blocks_while_too_much_waits(server: FaultServer, client: Any) -> None:
    server.every_append = wait(0.1)
    longest = 0.0

    with client.batcher(max_events=10, in_flight=1, waiting_events_max=20) as batcher:
        for number in range(60):
            began = time.monotonic()
            batcher.add(note(f"c-{number}"))
            longest = max(longest, time.monotonic() - began)

    assert longest > 0.05


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
    server.every_append = wait(0.2)

    with pytest.raises(KeyError), client.batcher(max_events=1, in_flight=1) as batcher:
        for _ in range(5):
            batcher.add(note())
        raise KeyError

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
            for payload in (ContactReceived(contact_id=f"c-{number}", reason="x"), _opened(number, 1), _opened(number, 2)):
                added.append(event(payload))
                batcher.add(added[-1])

    place = {one.envelope.event_id: one.position for one in server.events}
    assert all(
        place[added[3 * number].envelope.event_id] < place[added[3 * number + later].envelope.event_id]
        for number in range(60)
        for later in (1, 2)
    )


def _opened(number: int, which: int) -> Any:
    from ledger.api.v1.request_pb2 import RequestOpened

    return RequestOpened(request_id=f"r-{number}-{which}", contact_id=f"c-{number}")
