"""From a calendar as people write it to the instants at which it is open, once, at publication.

The zone rules are those *of each date*, so hours of a day with a clock change are as long as they were on the wall. Zone and
holiday data are read here and nowhere else in the policy; views get the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.api.v1.policy_pb2 import Calendar, ExpandedHours, OpenPeriod, PolicyPublished
from ledger.event import MINUTE_MICROS
from ledger.rules.business_time import pack

HORIZON_BEFORE: Final = timedelta(days=366)
HORIZON_AFTER: Final = timedelta(days=3 * 366)
"""How long before and after it comes into force a policy knows its calendars."""

EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(2199, 12, 30, tzinfo=UTC)
"""The horizon is cut here: whole minutes and every zone rule hold in between."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownZoneError(ValueError):
    """There is no such IANA time zone."""


class UnknownHolidaysError(ValueError):
    """There are no holidays known of this country, or of this part of it."""


def expand(published: PolicyPublished) -> None:
    """Set what the ledger makes of the calendars of a policy: their hours in UTC, for the horizon of its in-force time.

    The policy must be without mistakes (`ledger.policy.check`).
    """
    if not published.policy.calendars:
        return
    in_force = min(max(published.in_force_from.ToDatetime(UTC), EARLIEST + HORIZON_BEFORE), LATEST - HORIZON_AFTER)
    first = _whole_day(in_force - HORIZON_BEFORE)
    last = _whole_day(in_force + HORIZON_AFTER)
    for calendar in published.policy.calendars:
        calendar.expanded.CopyFrom(expanded(calendar, first, last))


def expanded(calendar: Calendar, first: datetime, last: datetime) -> ExpandedHours:
    """Return the hours of a calendar within [first, last]: whole minutes, UTC.

    Raises UnknownZoneError or UnknownHolidaysError.
    """
    horizon_from, horizon_until = _micros(first), _micros(last)
    hours = ExpandedHours()
    hours.horizon_from.FromMicroseconds(horizon_from)
    hours.horizon_until.FromMicroseconds(horizon_until)
    hours.step_minutes.extend(pack(_joined(_intervals(calendar, first, last), horizon_from, horizon_until), horizon_from))
    return hours


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA zone. Raises UnknownZoneError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZoneError(f"{name} is no IANA time zone") from None


@cache
def holidays_of(country: str, subdivision: str, year: int) -> frozenset[date]:
    """Return the public holidays of a year; of the country alone without a subdivision. Raises UnknownHolidaysError."""
    # Imported here: half of all ledgers have no holidays, and none needs them to start.
    import holidays

    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    except (NotImplementedError, AttributeError, ValueError):
        where = f"{country}-{subdivision}" if subdivision else country
        raise UnknownHolidaysError(f"no public holidays are known of {where}") from None
    return frozenset(found)


def opening_hours(calendar: Calendar, day: date) -> Sequence[OpenPeriod]:
    """Return when a calendar is open on a local day: a special day's own hours, else none on a holiday, else the weekday's."""
    text = day.isoformat()
    for special in calendar.special_days:
        if special.date == text:
            return special.periods
    if calendar.holiday_country and day in holidays_of(calendar.holiday_country, calendar.holiday_subdivision, day.year):
        return ()
    for hours in calendar.week:
        if hours.weekday == day.isoweekday():
            return hours.periods
    return ()


def _intervals(calendar: Calendar, first: datetime, last: datetime) -> Iterator[tuple[int, int]]:
    zone = zone_of(calendar.zone)
    special = {one.date for one in calendar.special_days}
    week: dict[int, Sequence[OpenPeriod]] = {hours.weekday: hours.periods for hours in calendar.week}
    # A day earlier and later than the horizon: midnight is at another instant in every zone.
    day = (first - timedelta(days=1)).date()
    end = (last + timedelta(days=1)).date()
    while day <= end:
        if calendar.holiday_country or day.isoformat() in special:
            periods = opening_hours(calendar, day)
        else:
            periods = week.get(day.isoweekday(), ())
        for period in periods:
            yield _instant(day, period.from_minute, zone), _instant(day, period.until_minute, zone)
        day += timedelta(days=1)


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    """Return when it is so many minutes after midnight on the wall.

    A time in the gap of spring moves forward by the gap (02:30 is 03:30); one in the doubled hour of autumn is the first, so that
    hours from 02:00 to 03:00 are two hours that night (domain rule 8.11).
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    return _micros(wall)


def _joined(intervals: Iterator[tuple[int, int]], horizon_from: int, horizon_until: int) -> list[tuple[int, int]]:
    """Return the intervals within the horizon, joined where they touch, without those that a clock change makes empty."""
    joined: list[tuple[int, int]] = []
    for start, end in intervals:
        low, high = max(start, horizon_from), min(end, horizon_until)
        if joined:
            low = max(low, joined[-1][1])
        if low >= high:
            continue
        if joined and joined[-1][1] == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def _whole_day(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _micros(instant: datetime) -> int:
    micros = (instant.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    return micros - micros % MINUTE_MICROS
