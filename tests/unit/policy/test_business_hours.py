"""Business time against instants worked out by hand, each written as it is read on the wall: lunch, weekends, holidays, DST."""

from __future__ import annotations

from functools import cache

import pytest

from ledger.rules.business_time import CLOCK, Hours, due_after_pauses
from tests.unit.policy.hours import at, calendar, lasting, open_hours

CALENDARS = {
    # Eight hours a day in two periods, three on Saturday.
    "desk": calendar(
        {"monday-friday": "09:00-12:30, 13:30-18:00", "saturday": "09:00-12:00"},
        holidays="FR",
        d2026_12_24="09:00-12:00",
        d2026_12_26="",
    ),
    # Through every night.
    "hub": calendar({"monday-sunday": "00:00-06:00, 22:00-24:00"}),
    # Begins in the hour that spring leaves out.
    "gap": calendar({"sunday": "02:30-05:00"}),
    # Begins in the hour that comes twice in autumn.
    "twice": calendar({"sunday": "02:30-03:30"}),
    # Its clock moves by half an hour.
    "island": calendar({"monday-sunday": "00:00-24:00"}, zone="Australia/Lord_Howe"),
    "new_york": calendar({"monday-friday": "09:00-17:00"}, zone="America/New_York", holidays="US"),
}


@cache
def hours(name: str) -> Hours:
    return CLOCK if name == "clock" else open_hours(CALENDARS[name])


@pytest.mark.parametrize(
    ("name", "start", "duration", "expected"),
    [
        # Lunch
        ("desk", "2026-03-02T12:00+01:00", "1:00", "2026-03-02T14:00+01:00"),
        ("desk", "2026-03-02T12:45+01:00", "0:15", "2026-03-02T13:45+01:00"),
        ("desk", "2026-03-02T11:30+01:00", "1:00", "2026-03-02T12:30+01:00"),
        ("desk", "2026-03-02T11:30+01:00", "1:01", "2026-03-02T13:31+01:00"),
        # Before opening, over the evening
        ("desk", "2026-03-02T07:00+01:00", "1:00", "2026-03-02T10:00+01:00"),
        ("desk", "2026-03-02T17:00+01:00", "2:00", "2026-03-03T10:00+01:00"),
        # Friday evening and the weekend
        ("desk", "2026-03-06T17:30+01:00", "1:00", "2026-03-07T09:30+01:00"),
        ("desk", "2026-03-06T20:00+01:00", "4:00", "2026-03-09T10:00+01:00"),
        ("desk", "2026-03-07T12:00+01:00", "0:01", "2026-03-09T09:01+01:00"),
        ("desk", "2026-03-08T15:00+01:00", "8:00", "2026-03-09T18:00+01:00"),
        ("desk", "2026-03-08T15:00+01:00", "0:00", "2026-03-08T15:00+01:00"),
        # A whole week
        ("desk", "2026-03-02T09:00+01:00", "40:00", "2026-03-06T18:00+01:00"),
        ("desk", "2026-03-02T09:00+01:00", "43:00", "2026-03-07T12:00+01:00"),
        ("desk", "2026-03-02T09:00+01:00", "44:00", "2026-03-09T10:00+01:00"),
        # Holidays: Easter Monday, the first of May, the fourteenth of July, Christmas with special days, New Year
        ("desk", "2026-04-03T17:00+02:00", "5:00", "2026-04-07T10:00+02:00"),
        ("desk", "2026-04-30T17:30+02:00", "1:00", "2026-05-02T09:30+02:00"),
        ("desk", "2026-07-13T17:00+02:00", "2:00", "2026-07-15T10:00+02:00"),
        ("desk", "2026-12-24T11:00+01:00", "2:00", "2026-12-28T10:00+01:00"),
        ("desk", "2026-12-31T17:00+01:00", "2:00", "2027-01-02T10:00+01:00"),
        ("new_york", "2026-11-25T16:00-05:00", "2:00", "2026-11-27T10:00-05:00"),
        # The weekends on which the clock changes
        ("desk", "2026-03-27T17:00+01:00", "5:00", "2026-03-30T10:00+02:00"),
        ("desk", "2026-10-23T17:00+02:00", "5:00", "2026-10-26T10:00+01:00"),
        ("new_york", "2026-03-06T16:00-05:00", "2:00", "2026-03-09T10:00-04:00"),
        # The spring night has seven hours between 22:00 and 06:00
        ("hub", "2026-03-28T22:00+01:00", "7:00", "2026-03-29T06:00+02:00"),
        ("hub", "2026-03-28T22:00+01:00", "8:00", "2026-03-29T23:00+02:00"),
        # The autumn night has nine, and 02:30 comes twice
        ("hub", "2026-10-24T22:00+02:00", "8:00", "2026-10-25T05:00+01:00"),
        ("hub", "2026-10-24T22:00+02:00", "9:00", "2026-10-25T06:00+01:00"),
        ("hub", "2026-10-24T22:00+02:00", "4:30", "2026-10-25T02:30+02:00"),
        ("hub", "2026-10-24T22:00+02:00", "5:30", "2026-10-25T02:30+01:00"),
        # Hours that begin in the gap begin after it; in the doubled hour, the first time
        ("gap", "2026-03-29T00:00+01:00", "1:00", "2026-03-29T04:30+02:00"),
        ("twice", "2026-10-25T00:00+02:00", "1:30", "2026-10-25T03:00+01:00"),
        # By the clock, hours elapse
        ("clock", "2026-03-28T20:00+01:00", "24:00", "2026-03-29T21:00+02:00"),
        ("clock", "2026-10-24T20:00+02:00", "24:00", "2026-10-25T19:00+01:00"),
    ],
)
def test_a_duration_ends_at_the_hour_worked_out_by_hand(name: str, start: str, duration: str, expected: str) -> None:
    assert at(expected) == hours(name).add(at(start), lasting(duration))


@pytest.mark.parametrize(
    ("name", "first", "last", "expected"),
    [
        ("desk", "2026-03-02T12:00+01:00", "2026-03-02T14:00+01:00", "1:00"),
        ("desk", "2026-03-06T17:00+01:00", "2026-03-09T10:00+01:00", "5:00"),
        ("desk", "2026-12-24T00:00+01:00", "2026-12-28T09:00+01:00", "3:00"),
        ("hub", "2026-03-28T12:00+01:00", "2026-03-29T12:00+02:00", "7:00"),
        ("hub", "2026-10-24T12:00+02:00", "2026-10-25T12:00+01:00", "9:00"),
        ("gap", "2026-03-29T00:00+01:00", "2026-03-29T12:00+02:00", "1:30"),
        ("twice", "2026-10-25T00:00+02:00", "2026-10-25T12:00+01:00", "2:00"),
        ("island", "2026-04-05T00:00+11:00", "2026-04-06T00:00+10:30", "24:30"),
        ("island", "2026-10-04T00:00+10:30", "2026-10-05T00:00+11:00", "23:30"),
        ("desk", "2026-03-08T10:00+01:00", "2026-03-08T20:00+01:00", "0:00"),
        ("desk", "2026-03-03T10:00+01:00", "2026-03-02T10:00+01:00", "0:00"),
    ],
)
def test_so_much_was_open_between_two_instants(name: str, first: str, last: str, expected: str) -> None:
    assert lasting(expected) == hours(name).open_between(at(first), at(last))


@pytest.mark.parametrize(
    ("name", "start", "duration", "pauses", "expected"),
    [
        # Within a period, over lunch, over a weekend, two of them
        (
            "desk",
            "2026-03-02T09:00+01:00",
            "4:00",
            [("2026-03-02T10:00+01:00", "2026-03-02T11:00+01:00")],
            "2026-03-02T15:00+01:00",
        ),
        (
            "desk",
            "2026-03-02T09:00+01:00",
            "4:00",
            [("2026-03-02T12:00+01:00", "2026-03-02T14:00+01:00")],
            "2026-03-02T15:00+01:00",
        ),
        (
            "desk",
            "2026-03-06T16:00+01:00",
            "4:00",
            [("2026-03-06T17:00+01:00", "2026-03-09T11:00+01:00")],
            "2026-03-09T15:00+01:00",
        ),
        (
            "desk",
            "2026-03-02T09:00+01:00",
            "3:00",
            [
                ("2026-03-02T09:30+01:00", "2026-03-02T10:00+01:00"),
                ("2026-03-02T11:00+01:00", "2026-03-02T14:00+01:00"),
            ],
            "2026-03-02T15:30+01:00",
        ),
        # Across both nights on which the clock changes
        (
            "clock",
            "2026-03-28T20:00+01:00",
            "8:00",
            [("2026-03-28T23:00+01:00", "2026-03-29T05:00+02:00")],
            "2026-03-29T10:00+02:00",
        ),
        ("hub", "2026-10-24T22:00+02:00", "8:00", [("2026-10-24T23:00+02:00", "2026-10-25T04:00+01:00")], "2026-10-26T03:00+01:00"),
        # What begins at the due, or while nothing runs, or lasts no time changes nothing
        (
            "desk",
            "2026-03-02T09:00+01:00",
            "1:00",
            [("2026-03-02T10:00+01:00", "2026-03-02T12:00+01:00")],
            "2026-03-02T10:00+01:00",
        ),
        (
            "desk",
            "2026-03-06T17:00+01:00",
            "2:00",
            [("2026-03-06T19:00+01:00", "2026-03-07T08:00+01:00")],
            "2026-03-07T10:00+01:00",
        ),
        (
            "desk",
            "2026-03-02T09:00+01:00",
            "2:00",
            [("2026-03-02T10:00+01:00", "2026-03-02T10:00+01:00")],
            "2026-03-02T11:00+01:00",
        ),
    ],
)
def test_nothing_passes_while_it_is_paused(
    name: str, start: str, duration: str, pauses: list[tuple[str, str]], expected: str
) -> None:
    waited = [(at(since), at(until)) for since, until in pauses]

    assert at(expected) == due_after_pauses(hours(name), at(start), lasting(duration), waited)


def test_a_priority_that_changes_in_the_middle_keeps_the_start_and_every_pause() -> None:
    start, waited = at("2026-03-02T09:00+01:00"), [(at("2026-03-02T10:00+01:00"), at("2026-03-02T12:00+01:00"))]

    normal = due_after_pauses(hours("desk"), start, lasting("16:00"), waited)
    urgent = due_after_pauses(hours("desk"), start, lasting("4:00"), waited)

    # An hour before the pause, half an hour before lunch; the rest after it.
    assert [at("2026-03-04T11:00+01:00"), at("2026-03-02T16:00+01:00")] == [normal, urgent]


def test_a_policy_that_changes_in_the_middle_measures_what_begins_under_it() -> None:
    start = at("2026-03-06T17:00+01:00")

    before, after = CLOCK.add(start, lasting("4:00")), hours("desk").add(start, lasting("4:00"))

    assert [at("2026-03-06T21:00+01:00"), at("2026-03-07T12:00+01:00")] == [before, after]


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        ("2026-03-02T08:59+01:00", False),
        ("2026-03-02T09:00+01:00", True),
        ("2026-03-02T12:29+01:00", True),
        ("2026-03-02T12:30+01:00", False),
        ("2026-03-08T10:00+01:00", False),
    ],
)
def test_an_interval_is_open_from_its_start_and_closed_from_its_end(instant: str, is_open: bool) -> None:
    assert is_open is hours("desk").is_open(at(instant))


def test_beyond_the_horizon_nothing_is_known() -> None:
    desk = hours("desk")

    assert (None, None) == (
        desk.is_open(at("2025-12-31T10:00+01:00")),
        desk.open_between(at("2025-12-31T10:00+01:00"), at("2026-02-01T00:00Z")),
    )
    assert (None, None) == (desk.add(at("2025-06-01T00:00Z"), 1), desk.add(at("2027-12-30T12:00Z"), lasting("40:00")))
    assert due_after_pauses(desk, at("2027-12-30T12:00Z"), lasting("40:00")) is None


@pytest.mark.parametrize(
    ("day", "next_day", "expected"),
    [
        ("2026-03-02T00:00+01:00", "2026-03-03T00:00+01:00", "2026-03-02T18:00+01:00"),
        ("2026-03-07T00:00+01:00", "2026-03-08T00:00+01:00", "2026-03-07T12:00+01:00"),
        ("2026-12-24T00:00+01:00", "2026-12-25T00:00+01:00", "2026-12-24T12:00+01:00"),
    ],
)
def test_a_day_ends_with_its_opening_hours(day: str, next_day: str, expected: str) -> None:
    assert at(expected) == hours("desk").closing_time(at(day), at(next_day))  # type: ignore[union-attr]


def test_a_day_without_opening_hours_has_no_end_of_them() -> None:
    assert hours("desk").closing_time(at("2026-12-25T00:00+01:00"), at("2026-12-26T00:00+01:00")) is None  # type: ignore[union-attr]
