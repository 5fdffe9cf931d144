from datetime import UTC, datetime, timedelta

import pytest

from clients.cli.times import parse_as_of, parse_duration, parse_time, show_seconds
from clients.python import AsOf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T14:30", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-01 14:30:05", datetime(2026, 3, 1, 14, 30, 5, tzinfo=UTC)),
        ("2026-03-01T14:30:05+02:00", datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)),
        ("2026-03-01T14:30:05Z", datetime(2026, 3, 1, 14, 30, 5, tzinfo=UTC)),
    ],
)
def test_a_time_may_be_a_date_or_have_a_zone(text: str, expected: datetime) -> None:
    assert expected == parse_time(text, utc=True)


def test_a_time_without_a_zone_is_local() -> None:
    local = datetime(2026, 7, 1, 12, 0).astimezone()

    assert local == parse_time("2026-07-01T12:00")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "14:30"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time: write one such as 2026-03-01"):
        parse_time(text)


def test_digits_after_as_of_are_a_position() -> None:
    assert AsOf(known=4711) == parse_as_of("4711", None)


def test_as_of_and_before_are_the_two_axes() -> None:
    expected = AsOf(known=datetime(2026, 3, 2, tzinfo=UTC), occurred_before=datetime(2026, 3, 1, tzinfo=UTC))

    assert expected == parse_as_of("2026-03-02", "2026-03-01", utc=True)


def test_without_both_the_present_is_meant() -> None:
    assert parse_as_of(None, None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("2m 30s", timedelta(seconds=150)),
        ("1d4h", timedelta(hours=28)),
        ("0.5s", timedelta(seconds=0.5)),
    ],
)
def test_a_duration_is_written_with_its_units(text: str, expected: timedelta) -> None:
    assert expected == parse_duration(text)


@pytest.mark.parametrize("text", ["", "90", "s", "1y"])
def test_a_duration_without_units_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (125, "2m 5s"),
        (3600, "1h"),
        (3_660, "1h 1m"),
        (90_000, "1d 1h"),
        (86_400, "1d"),
        (1.5, "1.5s"),
    ],
)
def test_an_age_is_shown_in_its_two_largest_units(seconds: float, expected: str) -> None:
    assert expected == show_seconds(seconds)
