from __future__ import annotations

from clients.python.core.following import Change, Following
from clients.python.core.handoff_calls import watch_handoffs
from clients.python.core.history_calls import watch_history
from clients.python.core.log_calls import read_events, subscribe
from ledger.api.v1.event_pb2 import EventEnvelope, RecordedEvent
from ledger.api.v1.handoff_service_pb2 import Handoff, WatchHandoffsRequest, WatchHandoffsResponse
from ledger.api.v1.history_service_pb2 import WatchHistoryResponse
from ledger.api.v1.ledger_service_pb2 import EventFilter, ReadEventsRequest, ReadEventsResponse, SubscribeRequest, SubscribeResponse


def handoff(position: int, name: str) -> WatchHandoffsResponse:
    return WatchHandoffsResponse(position=position, handoff=Handoff(request_id="r", handoff_id=name))


def taken(following: Following[WatchHandoffsResponse, Handoff], *responses: WatchHandoffsResponse) -> list[tuple[int, str]]:
    changes = [change for response in responses for change in following.take(response)]
    return [(change.position, change.item.handoff_id if change.item else str(change.mark)) for change in changes]


def test_a_subscription_resumes_after_its_last_event() -> None:
    following = Following(subscribe(3, topics="note-added"))

    list(following.take(SubscribeResponse(event=RecordedEvent(position=9))))

    assert SubscribeRequest(after_position=9, filter=EventFilter(topics=["note-added"])) == following.request()


def test_an_event_that_comes_again_is_left_out() -> None:
    following = Following(subscribe(3))
    response = SubscribeResponse(event=RecordedEvent(position=4))

    first, second = list(following.take(response)), list(following.take(response))

    assert ([Change(4, RecordedEvent(position=4))], []) == (first, second)


def test_an_event_from_before_the_place_to_resume_is_left_out() -> None:
    following = Following(subscribe(3))
    four, five = (
        SubscribeResponse(event=RecordedEvent(position=position, envelope=EventEnvelope(event_id=f"e-{position}")))
        for position in (4, 5)
    )

    given = [change.position for response in (four, five, four) for change in following.take(response)]

    assert [4, 5] == given


def test_marks_move_the_place_to_resume() -> None:
    following = Following(subscribe(3))

    list(following.take(SubscribeResponse(checkpoint={"position": 80})))

    assert 80 == following.position


def test_caught_up_is_given_once_and_later_ones_are_checkpoints() -> None:
    following = Following(subscribe(3))

    marks = [change.mark for position in (5, 6) for change in following.take(SubscribeResponse(caught_up={"position": position}))]

    assert ["caught_up", "checkpoint"] == marks
    assert following.caught_up


def test_from_now_on_needs_the_head_once() -> None:
    following = Following(subscribe(None))
    before = following.needs_head

    following.starts_at(7)

    assert (True, False) == (before, following.needs_head)
    assert SubscribeRequest(after_position=7) == following.request()


def test_a_watch_resumes_before_a_position_that_may_not_be_complete() -> None:
    following = Following(watch_handoffs(0))

    first = taken(following, handoff(5, "a"), handoff(7, "a"))
    again = taken(following, handoff(7, "a"), handoff(7, "b"), handoff(8, "a"))

    assert WatchHandoffsRequest(after_position=7) == following.request()
    assert [(5, "a"), (7, "a")] == first
    assert [(7, "b"), (8, "a")] == again


def test_a_checkpoint_completes_a_position() -> None:
    following = Following(watch_handoffs(0))

    taken(following, handoff(5, "a"), WatchHandoffsResponse(position=5, checkpoint=True))

    assert 5 == following.position
    assert [] == taken(following, handoff(5, "a"))


def test_a_change_of_membership_is_given_once() -> None:
    following = Following(watch_history("email:a@example.org", 0))
    response = WatchHistoryResponse(position=4, membership_changed=True)

    marks = [change.mark for _ in range(2) for change in following.take(response)]

    assert ["membership_changed"] == marks


def read(following: Following[ReadEventsResponse, RecordedEvent], *positions: int) -> None:
    list(following.take(ReadEventsResponse(events=[RecordedEvent(position=position) for position in positions])))


def test_reading_ends_at_the_head_of_the_start_whatever_came_since() -> None:
    following = Following(read_events(2, limit=5))
    following.starts_at(4)

    first = following.request()
    read(following, 2, 3)
    resumed = following.request()
    read(following, 4)

    assert ReadEventsRequest(from_position=2, until_position=4, limit=5) == first
    assert ReadEventsRequest(from_position=4, until_position=4, limit=3) == resumed
    assert following.request() is None


def test_reading_ends_when_the_limit_is_reached() -> None:
    following = Following(read_events(1, limit=2))
    following.starts_at(9)

    read(following, 1, 2)

    assert following.request() is None


def test_reading_from_just_after_the_head_asks_for_nothing() -> None:
    following = Following(read_events(5))

    following.starts_at(4)

    assert following.request() is None


def test_reading_from_far_beyond_the_head_is_left_to_the_ledger_to_refuse() -> None:
    following = Following(read_events(9))

    following.starts_at(4)

    assert ReadEventsRequest(from_position=9) == following.request()
