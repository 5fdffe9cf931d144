from __future__ import annotations

import random

import pytest

from clients.python import InvalidError, event, group
from clients.python.core.batching import BatchCall, Batching, BatchPolicy, Item
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.request_pb2 import RequestOpened


def item(name: str, contact_id: str = "", *, count: int = 1, ordered: bool = True) -> Item[str]:
    events = [event(NoteAdded(contact_id=contact_id or name)) for _ in range(count)]
    return Item(group(*events) if count > 1 else events[0], name, ordered=ordered)


def names(call: BatchCall[str] | None) -> list[str] | None:
    return [one.future for one in call.items] if call is not None else None


def batching(max_events: int = 3, in_flight: int = 2, waiting_events_max: int = 100) -> Batching[str]:
    return Batching(BatchPolicy(max_events=max_events, in_flight=in_flight, waiting_events_max=waiting_events_max))


def test_the_first_event_goes_at_once() -> None:
    made = batching()

    made.add(item("a"))

    assert ["a"] == names(made.next_call())


def test_while_a_call_is_in_flight_the_next_one_waits_until_it_is_full() -> None:
    made = batching()
    made.add(item("a"))
    made.next_call()

    made.add(item("b"))
    made.add(item("c"))
    before = names(made.next_call())
    made.add(item("d"))

    assert before is None
    assert ["b", "c", "d"] == names(made.next_call())


def test_flushing_sends_what_there_is() -> None:
    made = batching()
    made.add(item("a"))
    made.next_call()
    made.add(item("b"))

    made.flushing_count += 1

    assert ["b"] == names(made.next_call())


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    made = batching(max_events=1)
    for name in "abc":
        made.add(item(name))

    calls = [names(made.next_call()) for _ in range(3)]

    assert [["a"], ["b"], None] == calls


def test_events_of_one_stream_go_into_the_same_call_in_order() -> None:
    made = batching()
    made.add(item("0"))
    first = made.next_call()
    assert first is not None
    for name in ("a", "b", "c"):
        made.add(item(name, "c-1"))

    assert ["a", "b", "c"] == names(made.next_call())


def test_a_later_event_of_a_stream_waits_for_the_call_that_carries_the_earlier_one() -> None:
    made = batching(max_events=1)
    made.add(item("a", "c-1"))
    first = made.next_call()
    assert first is not None
    made.add(item("b", "c-1"))
    made.add(item("c", "c-2"))

    meanwhile = names(made.next_call())
    made.done(first)

    assert ["c"] == meanwhile
    assert ["b"] == names(made.next_call())


def test_what_depends_on_a_held_event_is_held_behind_it() -> None:
    made = batching(max_events=1, in_flight=3)
    made.add(item("a", "c-1"))
    first = made.next_call()
    assert first is not None
    held = Item(group(event(NoteAdded(contact_id="c-1")), event(NoteAdded(contact_id="c-2"))), "b", ordered=True)
    made.add(held)
    made.add(item("c", "c-2"))

    meanwhile = names(made.next_call())
    made.done(first)

    assert meanwhile is None
    assert ["b"] == names(made.next_call())
    assert names(made.next_call()) is None


def test_a_request_waits_for_the_contact_it_refers_to_and_two_requests_do_not_wait_for_each_other() -> None:
    made = batching(max_events=1, in_flight=3)
    made.add(Item(group(event(ContactReceived(contact_id="c"))), "contact", ordered=True))
    first = made.next_call()
    assert first is not None
    for name in ("r-1", "r-2"):
        made.add(Item(group(event(RequestOpened(request_id=name, contact_id="c"))), name, ordered=True))

    meanwhile = names(made.next_call())
    made.done(first)

    assert meanwhile is None
    assert [["r-1"], ["r-2"]] == [names(made.next_call()), names(made.next_call())]


def test_without_order_nothing_is_held() -> None:
    made = batching(max_events=1)
    made.add(item("a", "c-1", ordered=False))
    made.add(item("b", "c-1", ordered=False))

    assert [["a"], ["b"]] == [names(made.next_call()), names(made.next_call())]


def test_a_group_larger_than_a_call_goes_alone() -> None:
    made = batching()
    made.add(item("a"))
    made.add(item("big", count=7))
    made.add(item("b"))

    first = names(made.next_call())
    second = names(made.next_call())

    assert [["a"], ["big"]] == [first, second]


def test_a_call_never_holds_more_bytes_than_the_limit() -> None:
    made = batching(max_events=500)
    for number in range(20):
        made.add(Item(group(event(NoteAdded(contact_id=f"c-{number}", text="x" * 65_000))), "x", ordered=True))

    call = made.next_call()

    assert call is not None
    assert (14, True) == (len(call.items), call.size <= 900 * 1024)


def test_a_group_that_no_call_can_hold_is_refused_when_it_is_added() -> None:
    with pytest.raises(InvalidError, match="1001 events"):
        item("a", count=1001)


def test_it_is_full_when_as_much_waits_as_may() -> None:
    made = batching(waiting_events_max=2)
    made.add(item("a"))
    before = made.full
    made.add(item("b"))

    assert (False, True) == (before, made.full)


def test_what_waits_can_be_dropped_in_order() -> None:
    made = batching(max_events=1)
    for name in ("a", "b", "c"):
        made.add(item(name, "c-1"))
    first = made.next_call()
    made.next_call()
    assert first is not None

    dropped = [one.future for one in made.drop_waiting()]
    made.done(first)

    assert ["b", "c"] == dropped
    assert made.idle


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_all_goes_once_and_streams_keep_their_order(seed: int) -> None:
    chance = random.Random(seed)
    made = batching(max_events=chance.randint(1, 4), in_flight=chance.randint(1, 3))
    streams = [chance.sample("abcd", chance.randint(1, 2)) for _ in range(25)]
    waiting = [
        Item(group(*[event(NoteAdded(contact_id=one)) for one in names]), f"{number}", ordered=True)
        for number, names in enumerate(streams)
    ]
    calls: list[BatchCall[str]] = []
    ended: list[int] = []
    while waiting or not made.idle:
        match chance.choice(("add", "call", "done")):
            case "add" if waiting:
                made.add(waiting.pop(0))
            case "done" if calls:
                # Calls in flight together end in any order, and what one of them holds is recorded when it ends at the latest.
                call = calls.pop(chance.randrange(len(calls)))
                made.done(call)
                ended += [int(one.future) for one in call.items]
            case _:
                following = made.next_call()
                if following is not None:
                    calls.append(following)

    assert sorted(ended) == list(range(len(streams)))
    for stream in "abcd":
        own = [number for number in ended if stream in streams[number]]
        assert sorted(own) == own
