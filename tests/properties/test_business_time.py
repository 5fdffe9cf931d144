"""Business time against a counter that walks minute by minute, over calendars in zones whose clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.api.v1.policy_pb2 import Calendar
from ledger.policy.calendars import expanded
from ledger.rules.business_time import MINUTE_MICROS, OpenHours, due_after_pauses, unpack

ZONES = ("Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC")
DAYS = 6
HORIZON = DAYS * 1440
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Edges within an hour that comes twice, or not at all, are cases of their own: see test_business_hours.py.
edges = st.integers(0, 1440).filter(lambda minute: not 60 < minute < 180)
firsts = st.sampled_from(
    [date(2026, 3, 27), date(2026, 10, 23), date(2026, 3, 6), date(2026, 10, 30), date(2026, 7, 1), date(2027, 12, 30)]
)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    made = Calendar(calendar="any", zone=draw(st.sampled_from(ZONES)))
    for weekday in range(1, 8):
        said = sorted(draw(st.lists(edges, max_size=6, unique=True)))
        periods = list(zip(said[::2], said[1::2], strict=False))
        hours = made.week.add(weekday=weekday)  # type: ignore[arg-type]
        for start, end in periods:
            hours.periods.add(from_minute=start, until_minute=end)
    return made


def expand(made: Calendar, first: date) -> OpenHours:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    hours = expanded(made, start, start + timedelta(days=DAYS))
    return unpack(hours.step_minutes, hours.horizon_from.ToMicroseconds(), hours.horizon_until.ToMicroseconds())


def counted(made: Calendar, first: date) -> list[bool]:
    """Return for each minute whether the wall shows a time that is open."""
    shown = [[False] * 1440 for _ in range(8)]
    for hours in made.week:
        for period in hours.periods:
            for minute in range(period.from_minute, period.until_minute):
                shown[hours.weekday][minute] = True
    return [shown[weekday][minute] for weekday, minute in wall(made.zone, first)]


@cache
def wall(zone_name: str, first: date) -> list[tuple[int, int]]:
    """Return what the wall shows at each minute: day of the week and minute of the day."""
    zone, start = ZoneInfo(zone_name), datetime(first.year, first.month, first.day, tzinfo=UTC)
    moments = ((start + timedelta(minutes=minute)).astimezone(zone) for minute in range(HORIZON))
    return [(moment.isoweekday(), moment.hour * 60 + moment.minute) for moment in moments]


def instant(first: date, minute: int) -> int:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(minutes=minute)
    return (start - EPOCH) // timedelta(microseconds=1)


places = st.integers(0, HORIZON)


@given(calendars(), firsts, st.lists(st.tuples(places, places), min_size=1, max_size=5))
def test_open_time_is_what_a_counter_of_minutes_finds(made: Calendar, first: date, spans: list[tuple[int, int]]) -> None:
    hours, minutes = expand(made, first), counted(made, first)

    for one, other in spans:
        expected = sum(minutes[one:other]) * MINUTE_MICROS
        assert expected == hours.open_between(instant(first, one), instant(first, other))
        if one < HORIZON:
            assert minutes[one] == hours.is_open(instant(first, one))


@given(calendars(), firsts, places, st.integers(0, 2000))
def test_a_duration_ends_when_a_counter_has_counted_it(made: Calendar, first: date, start: int, duration: int) -> None:
    hours, minutes = expand(made, first), counted(made, first)

    end, left = start, duration
    while left and end < HORIZON:
        left -= minutes[end]
        end += 1
    expected = instant(first, end) if not left else None

    assert expected == hours.add(instant(first, start), duration * MINUTE_MICROS)


@given(calendars(), firsts, places, st.integers(1, 2000), st.lists(st.tuples(places, places), max_size=4))
def test_a_paused_duration_ends_when_a_counter_that_pauses_has_counted_it(
    made: Calendar, first: date, start: int, duration: int, spans: list[tuple[int, int]]
) -> None:
    ends = sorted({place for span in spans for place in span if place >= start})
    pauses = list(zip(ends[::2], ends[1::2], strict=False))
    hours, minutes = expand(made, first), counted(made, first)
    paused = [any(since <= minute < until for since, until in pauses) for minute in range(HORIZON)]

    end, left = start, duration
    while left and end < HORIZON:
        left -= minutes[end] and not paused[end]
        end += 1
    assume(not left)

    waited = [(instant(first, since), instant(first, until)) for since, until in pauses]
    assert instant(first, end) == due_after_pauses(hours, instant(first, start), duration * MINUTE_MICROS, waited)


@given(calendars(), firsts)
def test_adding_what_was_open_leads_to_where_it_was_counted(made: Calendar, first: date) -> None:
    hours = expand(made, first)

    for start, end in hours.intervals:
        assert end == hours.add(start, end - start)
        assert end - start == hours.open_between(start, end)
