"""Calendars for tests, and instants as they are read on a wall: `at("2026-03-29T06:00+02:00")`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clients.connectors.policy_words import read_days, read_periods
from ledger.api.v1.policy_pb2 import Calendar, ExpandedHours
from ledger.policy.calendars import expanded
from ledger.rules.business_time import OpenHours, unpack

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def at(text: str) -> int:
    """Return an instant in microseconds."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def lasting(text: str) -> int:
    """Return a duration such as `1:30` (hours and minutes) in microseconds."""
    hours, _, minutes = text.partition(":")
    return int(hours) * HOUR + int(minutes or 0) * MINUTE


def calendar(week: dict[str, str], zone: str = "Europe/Paris", holidays: str = "", **special: str) -> Calendar:
    """Return a calendar; `special` are dates such as `d2026_12_24` with their hours, empty for a day off."""
    made = Calendar(calendar="desk", zone=zone)
    for days, hours in week.items():
        for weekday in read_days(days):
            made.week.add(weekday=weekday, periods=read_periods(hours))  # type: ignore[arg-type]
    if holidays:
        made.holiday_country = holidays
    for name, hours in special.items():
        made.special_days.add(date=name.removeprefix("d").replace("_", "-"), periods=read_periods(hours))
    return made


def open_hours(made: Calendar, first: str = "2026-01-01", last: str = "2027-12-31") -> OpenHours:
    """Return the hours of a calendar between two dates, as a policy carries them: packed and unpacked."""
    hours: ExpandedHours = expanded(made, datetime.fromisoformat(first + "T00:00Z"), datetime.fromisoformat(last + "T00:00Z"))
    return unpack(hours.step_minutes, hours.horizon_from.ToMicroseconds(), hours.horizon_until.ToMicroseconds())
