from __future__ import annotations

import pytest

from ledger.rules.business_time import CLOCK, MINUTE_MICROS, OpenHours, pack, unpack


def minutes(*intervals: tuple[int, int], until: int = 100) -> OpenHours:
    return OpenHours([(start * MINUTE_MICROS, end * MINUTE_MICROS) for start, end in intervals], 0, until * MINUTE_MICROS)


@pytest.mark.parametrize("intervals", [[(5, 5)], [(7, 5)], [(1, 5), (4, 9)], [(10, 20), (1, 5)], [(-1, 5)], [(90, 101)]])
def test_intervals_that_are_empty_backward_overlapping_unordered_or_outside_are_refused(intervals: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="interval"):
        minutes(*intervals)


def test_intervals_that_touch_are_one() -> None:
    assert [(0, 20 * MINUTE_MICROS)] == minutes((0, 10), (10, 20)).intervals


def test_hours_come_back_from_how_they_are_stored() -> None:
    hours = minutes((5, 10), (20, 99))

    steps = pack(hours.intervals, 0)

    assert [5, 5, 10, 79] == steps
    assert hours.intervals == unpack(steps, 0, 100 * MINUTE_MICROS).intervals
    assert (0, 100 * MINUTE_MICROS) == unpack(steps, 0, 100 * MINUTE_MICROS).horizon


def test_what_is_no_whole_minute_cannot_be_stored() -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        pack([(5, MINUTE_MICROS)], 0)


def test_an_interval_that_only_begins_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="does not end"):
        unpack([5], 0, 100 * MINUTE_MICROS)


@pytest.mark.parametrize("hours", [CLOCK, minutes((0, 10))])
def test_a_negative_duration_is_refused(hours: OpenHours) -> None:
    with pytest.raises(ValueError, match="negative"):
        hours.add(0, -1)


def test_the_last_open_minute_of_the_horizon_can_be_reached_and_nothing_after_it() -> None:
    hours = minutes((0, 10), (90, 100))

    assert 100 * MINUTE_MICROS == hours.add(0, 20 * MINUTE_MICROS)
    assert hours.add(0, 20 * MINUTE_MICROS + 1) is None


def test_by_the_clock_everything_is_open() -> None:
    assert (True, 7, 0, 12) == (CLOCK.is_open(5), CLOCK.open_between(5, 12), CLOCK.open_between(12, 5), CLOCK.add(5, 7))
