from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clients.connectors.time_text import TimeReader, micros, parse_time, parser

DAY_FIRST = "%d/%m/%Y %H:%M"


@pytest.mark.parametrize(
    ("text", "format", "expected"),
    [
        ("29/2/2016 01:16", DAY_FIRST, datetime(2016, 2, 29, 1, 16)),
        ("2016-02-29 01:16:07.25", "%Y-%m-%d %H:%M:%S.%f", datetime(2016, 2, 29, 1, 16, 7, 250_000)),
        ("2016-02-29", "%Y-%m-%d", datetime(2016, 2, 29)),
        (" 2016-02-29T01:16 ", "iso", datetime(2016, 2, 29, 1, 16)),
        ("Feb 29 2016 1:16 PM", "%b %d %Y %I:%M %p", datetime(2016, 2, 29, 13, 16)),
        ("1456708560", "unix", datetime(2016, 2, 29, 1, 16, tzinfo=UTC)),
        ("1456708560250", "unix_ms", datetime(2016, 2, 29, 1, 16, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_its_format(text: str, format: str, expected: datetime) -> None:
    assert expected == parse_time(text, format)


@pytest.mark.parametrize("text", ["", "?", "30/2/2016 01:16", "29/2/2016", "29/2/2016 01:16 x", "29/2/16 01:16"])
def test_what_is_no_time_says_so_with_the_format_wanted(text: str) -> None:
    with pytest.raises(ValueError, match="is no time of the form %d/%m/%Y %H:%M") as raised:
        parse_time(text, DAY_FIRST)

    assert repr(text) in str(raised.value)


@pytest.mark.parametrize("format", ["%d/%Q", "dd/mm/yyyy", ""])
def test_a_format_without_known_directives_is_refused(format: str) -> None:
    with pytest.raises(ValueError, match="directive"):
        parser(format)


def test_a_local_time_is_read_with_the_offset_of_its_own_date() -> None:
    times = TimeReader(DAY_FIRST, "America/New_York")

    assert datetime(2016, 1, 15, 17, 0, tzinfo=UTC) == times.instant("15/1/2016 12:00")
    assert datetime(2016, 7, 15, 16, 0, tzinfo=UTC) == times.instant("15/7/2016 12:00")


def test_a_time_in_the_spring_gap_moves_forward_by_the_gap_and_is_noted() -> None:
    times = TimeReader(DAY_FIRST, "Europe/Paris")

    found = times.instant("27/3/2016 02:30")

    assert datetime(2016, 3, 27, 1, 30, tzinfo=UTC) == found  # 03:30 summer time
    assert {micros(found)} == times.moved
    assert set() == times.ambiguous


def test_a_time_in_the_doubled_hour_is_the_first_one_and_is_noted() -> None:
    times = TimeReader(DAY_FIRST, "Europe/Paris")

    found = times.instant("30/10/2016 02:30")

    assert datetime(2016, 10, 30, 0, 30, tzinfo=UTC) == found  # still summer time
    assert {micros(found)} == times.ambiguous
    assert set() == times.moved


def test_the_hours_around_a_change_are_neither_moved_nor_ambiguous() -> None:
    times = TimeReader(DAY_FIRST, "Europe/Paris")

    for text in ("27/3/2016 01:59", "27/3/2016 03:00", "30/10/2016 01:59", "30/10/2016 03:00"):
        times.instant(text)

    assert (set(), set()) == (times.ambiguous, times.moved)


def test_a_time_that_says_its_zone_needs_none() -> None:
    times = TimeReader("iso", "Europe/Paris")

    assert datetime(2016, 10, 30, 0, 30, tzinfo=UTC) == times.instant("2016-10-30T02:30:00+02:00")
    assert set() == times.ambiguous


def test_format_and_zone_may_be_given_for_one_time() -> None:
    times = TimeReader(DAY_FIRST, "Europe/Paris")

    assert datetime(2016, 7, 15, 3, 0, tzinfo=UTC) == times.instant("2016-07-15 12:00", "%Y-%m-%d %H:%M", "Asia/Tokyo")


def test_an_unknown_zone_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match="Europe/Paris"):
        TimeReader(DAY_FIRST, "Paris").instant("15/1/2016 12:00")


@pytest.mark.parametrize(
    ("text", "format", "expected"),
    [
        ("2016-03-28 14:30:00", "iso", "2016-03-28T14:30:00"),
        ("28/3/2016 14:30", DAY_FIRST, "2016-03-28T14:30:00"),
        ("28/3/2016", "%d/%m/%Y", "2016-03-28"),
        ("2016-03-28", "iso", "2016-03-28"),
    ],
)
def test_a_due_is_kept_as_it_was_said(text: str, format: str, expected: str) -> None:
    assert expected == TimeReader(format, "Europe/Paris").local(text)


def test_a_time_that_says_its_zone_is_no_local_time() -> None:
    with pytest.raises(ValueError, match="use time"):
        TimeReader("iso").local("2016-03-28T14:30:00Z")
