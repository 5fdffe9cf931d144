"""The target of a resolution: pauses, priorities, ends, and business time over the nights in which clocks change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import MessageReceived
from ledger.api.v1.core_pb2 import MINUTE as TO_THE_MINUTE
from ledger.api.v1.policy_pb2 import Calendar, ExpandedHours, OpenPeriod, ServicePolicy, Weekday, WeekdayHours
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_VOID,
)
from ledger.api.v1.request_pb2 import (
    CLOSED_DUPLICATE,
    CLOSED_RESOLVED,
    WAITING_FOR_CUSTOMER,
    WAITING_FOR_DEPARTMENT,
    ContactLinked,
    RequestClassified,
    RequestClosed,
    RequestMerged,
    RequestOpened,
    RequestRefused,
    RequestReopened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
    RequestWithdrawn,
)
from ledger.event import Event
from ledger.policy.calendars import expanded
from ledger.rules import FAMILIES, hours_book
from ledger.rules.business_time import CLOCK, OpenHours, pack
from ledger.rules.derived import DerivedTarget
from ledger.rules.fold import fold, state_at
from tests.build import MINUTE, START, at, event, event_id_text, timestamp

OF = {"request_id": "r-1"}
RULES = FAMILIES["request"]


def within(minutes: float) -> Duration:
    made = Duration()
    made.FromMicroseconds(round(minutes * MINUTE))
    return made


def opened(minutes: float = 60, **fields: Any) -> RequestOpened:
    return RequestOpened(**{**OF, "resolution_within": within(minutes), "resolution_pauses": True, **fields})


def classified(minutes: float, **fields: Any) -> RequestClassified:
    return RequestClassified(
        **{**OF, "priority": "high", "resolution_within": within(minutes), "resolution_pauses": True, **fields}
    )


def waiting(whom: Any = WAITING_FOR_CUSTOMER) -> RequestWaiting:
    return RequestWaiting(**OF, waiting_for=whom)


def history(*said: tuple[Any, float], **header: Any) -> list[Event]:
    """Events at minutes, each named by its place from 0."""
    return [
        event(payload, name=f"event {place}", position=place + 1, occur=at(minute), **header)
        for place, (payload, minute) in enumerate(said)
    ]


def target_of(events: Sequence[Event]) -> DerivedTarget:
    state = fold(RULES, events, "request-r-1").state
    assert state is not None
    assert state.resolving.target is not None
    found: DerivedTarget = state.resolving.target
    return found


def minutes_of(due: int | None) -> float | None:
    return None if due is None else (due - START) / MINUTE


def due_of(*said: tuple[Any, float]) -> float | None:
    return minutes_of(target_of(history(*said)).due_time)


# Pauses


def test_it_is_due_so_long_after_the_opening() -> None:
    assert 60 == due_of((opened(60), 0))


def test_a_request_without_a_target_has_none() -> None:
    state = fold(RULES, history((RequestOpened(**OF), 0))).state

    assert state is not None
    assert ({}, None) == (state.targets, state.resolving.target)


def test_while_it_is_paused_it_has_no_due() -> None:
    assert due_of((opened(60), 0), (waiting(), 10)) is None


def test_a_pause_moves_the_due_by_its_length() -> None:
    assert 85 == due_of((opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 35))


def test_every_pause_counts() -> None:
    said = [(opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 20), (waiting(), 30), (RequestResumed(**OF), 70)]

    assert 110 == due_of(*said)


def test_it_does_not_pause_where_the_policy_does_not_say_so() -> None:
    assert 60 == due_of((opened(60, resolution_pauses=False), 0), (waiting(), 10))


def test_it_does_not_pause_while_a_department_is_waited_for() -> None:
    assert 60 == due_of((opened(60), 0), (waiting(WAITING_FOR_DEPARTMENT), 10))


def test_waiting_for_somebody_else_ends_the_pause() -> None:
    assert 65 == due_of((opened(60), 0), (waiting(), 10), (waiting(WAITING_FOR_DEPARTMENT), 15))


def test_a_wait_after_the_due_pauses_nothing() -> None:
    assert 60 == due_of((opened(60), 0), (waiting(), 61))


def test_the_wait_ends_when_the_customer_comes_back_in_a_contact_that_is_linked() -> None:
    linked = ContactLinked(**OF, contact_id="c-2", customer_time=timestamp(at(20)))

    assert 70 == due_of((opened(60), 0), (waiting(), 10), (linked, 25))


def test_the_wait_ends_with_the_customers_message_about_the_request() -> None:
    assert 72 == due_of((opened(60), 0), (waiting(), 10), (MessageReceived(contact_id="c-1", request_ids=["r-1"]), 22))


def test_whichever_came_first_ends_it_also_where_it_is_known_later() -> None:
    linked = ContactLinked(**OF, contact_id="c-2", customer_time=timestamp(at(20)))

    assert 70 == due_of((opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 40), (linked, 45))
    assert 70 == due_of((opened(60), 0), (waiting(), 10), (linked, 30), (RequestResumed(**OF), 40))


def test_a_contact_from_before_the_wait_ends_nothing() -> None:
    linked = ContactLinked(**OF, contact_id="c-2", customer_time=timestamp(at(5)))

    assert due_of((opened(60), 0), (waiting(), 10), (linked, 20)) is None


def test_a_due_never_lies_before_the_event_that_sets_it() -> None:
    linked = ContactLinked(**OF, contact_id="c-2", customer_time=timestamp(at(11)))
    target = target_of(history((opened(60), 0), (waiting(), 10), (linked, 500)))

    assert (500, event_id_text("event 2")) == (minutes_of(target.due_time), event_id_text(target.due_set_by_event_id))


def test_the_event_that_moves_the_due_is_named_as_what_set_it() -> None:
    resumed = target_of(history((opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 35)))
    at_once = target_of(history((opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 10)))

    assert event_id_text("event 2") == event_id_text(resumed.due_set_by_event_id)
    assert event_id_text("event 0") == event_id_text(at_once.due_set_by_event_id)


def test_a_pause_recorded_late_moves_what_is_known_now_and_not_what_was_known() -> None:
    events = history((opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 35))

    known = state_at(RULES, events, known=1)
    before = state_at(RULES, events, before=at(35))

    assert known is not None
    assert before is not None
    assert (60, None) == (minutes_of(known.resolving.target.due_time), before.resolving.target.due_time)


# Another priority


def test_another_priority_keeps_the_start() -> None:
    assert 30 == due_of((opened(60), 0), (classified(30), 20))


def test_another_priority_loses_no_pause() -> None:
    said = [(opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 40), (classified(90), 50)]

    assert 120 == due_of(*said)


def test_another_priority_in_the_middle_of_a_pause_stays_paused() -> None:
    said = [(opened(60), 0), (waiting(), 10), (classified(90), 20)]

    assert due_of(*said) is None
    assert 120 == due_of(*said, (RequestResumed(**OF), 40))


def test_under_a_priority_that_does_not_pause_the_pause_ends_and_what_passed_is_kept() -> None:
    said = [(opened(60), 0), (waiting(), 10), (classified(60, resolution_pauses=False), 20), (RequestResumed(**OF), 40)]

    assert 70 == due_of(*said)


def test_a_priority_that_pauses_pauses_from_then_on() -> None:
    said = [(opened(60, resolution_pauses=False), 0), (waiting(), 10), (classified(60), 20), (RequestResumed(**OF), 40)]

    assert 80 == due_of(*said)


def test_a_request_gets_its_target_with_its_priority_and_all_its_waits_count() -> None:
    said = [(RequestOpened(**OF), 0), (waiting(), 10), (RequestResumed(**OF), 20), (classified(60), 30)]

    assert 70 == due_of(*said)


def test_an_imported_request_without_a_target_gets_none_later() -> None:
    events = history((RequestOpened(**OF), 0), (classified(60), 30), import_run="run-1")

    state = fold(RULES, events).state

    assert state is not None
    assert state.resolving.target is None


def test_under_a_priority_without_a_target_it_is_void() -> None:
    target = target_of(history((opened(60), 0), (RequestClassified(**OF, priority="low", resolution_untargeted=True), 10)))

    assert PROMISE_STATE_VOID == target.state


def test_a_priority_after_the_due_changes_nothing() -> None:
    assert 60 == due_of((opened(60), 0), (classified(120), 61))


def test_a_broken_one_stays_broken_under_any_priority() -> None:
    target = target_of(history((opened(60), 0), (broken("event 0"), 60), (classified(120), 61)))

    assert (PROMISE_STATE_BROKEN, at(60)) == (target.state, target.broken_time)


# Ends


def broken(set_by: str) -> PromiseBroken:
    return PromiseBroken(promise_id="resolution-r-1", request_id="r-1", set_by_event_id=event_id_text(set_by))


def resolved() -> RequestResolved:
    return RequestResolved(**OF, resolution=1)


def test_a_resolution_by_the_due_meets_it_and_a_later_one_is_late() -> None:
    in_time = target_of(history((opened(60), 0), (resolved(), 60)))
    late = target_of(history((opened(60), 0), (broken("event 0"), 60), (resolved(), 61)))

    assert (PROMISE_STATE_KEPT, None) == (in_time.state, in_time.broken_time)
    assert (PROMISE_STATE_KEPT_LATE, at(60)) == (late.state, late.broken_time)


def test_a_resolution_to_the_minute_is_in_time_if_it_may_have_been() -> None:
    events = history((opened(60), 0), (broken("event 0"), 60))
    coarse = event(resolved(), occur=at(60), precision=TO_THE_MINUTE, position=3)

    assert PROMISE_STATE_KEPT == target_of([*events, coarse]).state


def test_it_is_met_while_it_is_paused() -> None:
    assert PROMISE_STATE_KEPT == target_of(history((opened(60), 0), (waiting(), 10), (resolved(), 500))).state


def test_the_first_resolution_counts_also_when_the_request_is_reopened() -> None:
    target = target_of(history((opened(60), 0), (resolved(), 30), (RequestReopened(**OF), 40), (resolved(), 300)))

    assert (PROMISE_STATE_KEPT, at(30)) == (target.state, target.ended_time)


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (RequestClosed(**OF, outcome=CLOSED_RESOLVED), PROMISE_STATE_KEPT),
        (RequestClosed(**OF, outcome=CLOSED_DUPLICATE), PROMISE_STATE_VOID),
        (RequestWithdrawn(**OF), PROMISE_STATE_VOID),
        (RequestRefused(**OF, rule="credit"), PROMISE_STATE_VOID),
        (RequestMerged(**OF, into_request_id="r-2"), PROMISE_STATE_VOID),
    ],
)
def test_what_ends_the_request_before_the_due_meets_it_or_makes_it_void(end: Any, state: int) -> None:
    in_time = target_of(history((opened(60), 0), (end, 30)))
    after_it = target_of(history((opened(60), 0), (broken("event 0"), 60), (end, 90)))

    assert state == in_time.state
    assert at(60) == after_it.broken_time


def test_the_clocks_event_applies_only_for_the_due_that_stands() -> None:
    moved = target_of(history((opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 20), (broken("event 0"), 60)))
    stands = target_of(history((opened(60), 0), (waiting(), 10), (RequestResumed(**OF), 20), (broken("event 2"), 70)))

    assert (PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN) == (moved.state, stands.state)


def test_it_is_void_as_far_as_nobody_waits_for_it_and_stays_so() -> None:
    target = target_of(history((opened(60), 0), (RequestWithdrawn(**OF), 30), (RequestReopened(**OF), 40), (resolved(), 50)))

    assert PROMISE_STATE_VOID == target.state


# Business time, also over the nights in which clocks change

HOUR = 60 * MINUTE
PARIS = ZoneInfo("Europe/Paris")


def learned(intervals: Sequence[tuple[int, int]], start: int, end: int) -> bytes:
    """Publish hours, and return the key under which events name them."""
    resolved = ExpandedHours(horizon_from=timestamp(start), horizon_until=timestamp(end), step_minutes=pack(intervals, start))
    hours_book.learn(ServicePolicy(calendars=[Calendar(calendar="desk", zone="Europe/Paris", expanded=resolved)]))
    return hours_book.key_of(resolved)


def local(day: str, hour: int) -> int:
    """Return an instant that a clock in Paris shows."""
    return round(datetime.fromisoformat(f"{day}T{hour:02}:00").replace(tzinfo=PARIS).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "days",
    [("2026-03-28", "2026-03-29", "2026-03-30"), ("2026-10-24", "2026-10-25", "2026-10-26")],
    ids=["in spring", "in autumn"],
)
def test_business_time_and_pauses_hold_over_a_night_in_which_clocks_change(days: tuple[str, str, str]) -> None:
    week = [WeekdayHours(weekday=day, periods=[OpenPeriod(from_minute=480, until_minute=1080)]) for day in Weekday.values()[1:]]
    calendar = Calendar(calendar="desk", zone="Europe/Paris", week=week)
    calendar.expanded.CopyFrom(expanded(calendar, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
    hours_book.learn(ServicePolicy(calendars=[calendar]))
    key = hours_book.key_of(calendar.expanded)
    said = RequestOpened(**OF, resolution_within=within(15 * 60), resolution_pauses=True, resolution_hours=key)
    events = [
        event(said, occur=local(days[0], 9), position=1),
        event(waiting(), occur=local(days[0], 13), position=2),
        event(RequestResumed(**OF), occur=local(days[1], 10), position=3),
    ]

    target = target_of(events)

    # Four hours passed on the first day, eight do on the second, and three are left for the third.
    assert local(days[2], 11) == target.due_time


def test_beyond_the_horizon_of_its_calendar_it_has_no_due() -> None:
    key = learned([(START, START + HOUR)], START, START + 2 * HOUR)

    target = target_of(history((opened(61, resolution_hours=key), 0)))

    assert (PROMISE_STATE_OPEN, None) == (target.state, target.due_time)


moves = st.lists(st.tuples(st.integers(1, 400), st.sampled_from(["wait", "resume", "link", "message", "low", "high"])), max_size=10)


@example(moves=[(100, "wait")], business=False)
@example(moves=[(99, "wait"), (100, "resume"), (101, "high")], business=False)
@example(moves=[(50, "wait"), (51, "high")], business=False)
@example(moves=[(60, "wait"), (61, "high")], business=False)
@example(moves=[(60, "wait"), (61, "high"), (70, "resume")], business=False)
@example(moves=[(1, "high"), (50, "wait"), (51, "resume")], business=False)
@given(moves=moves, business=st.booleans())
def test_the_due_is_that_of_a_counter_of_minutes(moves: list[tuple[int, str]], business: bool) -> None:
    open_hours = [(START + day * 120 * MINUTE, START + (day * 120 + 60) * MINUTE) for day in range(40)]
    key = learned(open_hours, START, START + 5000 * MINUTE) if business else b""
    hours = OpenHours(open_hours, START, START + 5000 * MINUTE) if business else CLOCK
    moves = sorted(dict(moves).items())
    payloads: dict[str, Any] = {
        "wait": waiting(),
        "resume": RequestResumed(**OF),
        "message": MessageReceived(contact_id="c-1", request_ids=["r-1"]),
        "low": classified(200, resolution_hours=key),
        "high": classified(50, resolution_hours=key),
    }
    said: list[tuple[Any, float]] = [(opened(100, resolution_hours=key), 0)]
    for minute, move in moves:
        linked = ContactLinked(**OF, contact_id="c-2", customer_time=timestamp(at(minute)))
        said.append((payloads.get(move, linked), minute))

    expected = counted(moves, hours)

    assert expected == due_of(*said)


def counted(moves: list[tuple[int, str]], hours: Any) -> float | None:
    """Count minute by minute what passes, and return at which one the time is over; None while it is paused."""
    by_minute = dict(moves)
    within, passed, paused, waits = 100, 0, False, False
    last = max(by_minute, default=0)
    for minute in range(4000):
        move = by_minute.get(minute)
        if not paused and passed >= within and move not in ("low", "high"):
            # The due is inclusive: at that very minute another class still replaces it.
            return minute
        if move == "wait":
            waits, paused = True, True
        elif move in ("resume", "link", "message"):
            paused = False
            waits = waits and move != "resume"
        elif move in ("low", "high"):
            within = 200 if move == "low" else 50
        if passed >= within and (not paused or move in ("low", "high")):
            # A due never lies before what sets it. A new class may find that its time was over before the pause began.
            return minute
        if paused and minute >= last:
            return None
        passed += not paused and hours.is_open(at(minute))
    return None
