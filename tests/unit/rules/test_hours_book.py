"""Hours under a key of what they are."""

import pytest

from ledger.api.v1.policy_pb2 import Calendar, ExpandedHours, ServicePolicy
from ledger.rules import hours_book
from ledger.rules.business_time import CLOCK, OpenHours, pack
from tests.build import HOUR, START, timestamp


def calendar(open_hours: int) -> Calendar:
    steps = pack([(START, START + open_hours * HOUR)], START)
    expanded = ExpandedHours(horizon_from=timestamp(START), horizon_until=timestamp(START + 24 * HOUR), step_minutes=steps)
    return Calendar(calendar="desk", zone="Europe/Paris", expanded=expanded)


def test_no_key_means_by_the_clock() -> None:
    assert CLOCK is hours_book.hours(b"")


def test_hours_are_found_under_their_key_once_a_policy_brought_them() -> None:
    made = calendar(7)
    key = hours_book.key_of(made.expanded)
    with pytest.raises(KeyError):
        hours_book.hours(key)

    hours_book.learn(ServicePolicy(calendars=[made]))

    found = hours_book.hours(key)
    assert isinstance(found, OpenHours)
    assert [(START, START + 7 * HOUR)] == found.intervals
    assert hours_book.KEY_BYTES == len(key)


def test_equal_hours_have_one_key_and_others_another() -> None:
    one, same, other = (hours_book.key_of(calendar(hours).expanded) for hours in (5, 5, 6))

    assert one == same != other


def test_a_calendar_that_was_not_resolved_brings_nothing() -> None:
    hours_book.learn(ServicePolicy(calendars=[Calendar(calendar="desk", zone="Europe/Paris")]))

    with pytest.raises(KeyError):
        hours_book.hours(hours_book.key_of(ExpandedHours()))
