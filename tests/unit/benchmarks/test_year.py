"""The content of large ledgers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks import year as year_module
from benchmarks.load.fill import EVENTS_PER_CALL, requests
from benchmarks.workload import UNTIL, event_count_of
from benchmarks.year import DAYS, FREQUENT, frequent_customer, year
from ledger.api.v1.ledger_service_pb2 import EventGroup

EVENTS = 4_000


def seconds_of(groups: list[EventGroup]) -> list[int]:
    return [group.events[0].envelope.occur_time.seconds for group in groups]


def test_a_year_is_the_same_every_time_in_order_and_of_about_the_size_asked_for() -> None:
    groups = list(year(EVENTS))

    assert list(year(EVENTS)) == groups
    assert 0.8 * EVENTS <= event_count_of(groups) <= 1.2 * EVENTS
    assert all(earlier <= later for earlier, later in pairwise(seconds_of(groups)))


def test_a_year_has_events_in_each_of_its_quarters() -> None:
    days_back = [(UNTIL.timestamp() - second) / 86_400 for second in seconds_of(list(year(EVENTS)))]

    assert 0 <= min(days_back) <= max(days_back) <= DAYS
    assert {0, 1, 2, 3} == {int(days // (DAYS / 4)) for days in days_back}


def test_no_event_of_a_year_has_the_id_of_another() -> None:
    ids = [event.envelope.event_id for group in year(EVENTS) for event in group.events]

    assert len(ids) == len(set(ids))


def test_the_frequent_customer_has_the_events_asked_for_over_the_whole_year(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(year_module, "FREQUENT_FROM_EVENTS", EVENTS)
    monkeypatch.setattr(year_module, "FREQUENT_EVENTS", 500)

    steps = frequent_customer(500)
    groups = list(year(EVENTS))

    assert 500 <= sum(len(step.events) for step in steps) < 600
    shown = [
        group
        for group in groups
        if any(event.payload.contact_received.customer.value == FREQUENT.email["value"] for event in group.events)
    ]
    assert len(shown) > 20
    assert all(earlier <= later for earlier, later in pairwise(seconds_of(groups)))


def test_a_fill_that_goes_on_sends_exactly_what_was_not_acknowledged() -> None:
    every = list(requests(EVENTS, 0))
    acknowledged = sum(count for _, count in every[:2])

    rest = list(requests(EVENTS, acknowledged))

    assert every[2:] == rest
    assert all(EVENTS_PER_CALL <= count <= 1_000 for _, count in every[:-1])
    assert all(count == event_count_of(request.groups) for request, count in every)
