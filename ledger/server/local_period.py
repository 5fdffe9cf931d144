"""A period as people say it, from a local date or time to another in a zone, and hours and weekdays of that zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.api.v1.errors_pb2 import FIELD_INVALID, LOCAL_TIME_INVALID
from ledger.errors import LedgerError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone. Raises LedgerError (LOCAL_TIME_INVALID)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LedgerError(LOCAL_TIME_INVALID, f"{name} is no IANA time zone: use one such as Europe/Paris.", zone=name) from None


def instant(local: str, zone: ZoneInfo) -> int:
    """Return the instant of a local date (its first) or date and time, microseconds UTC.

    A time in the spring gap moves forward by the gap, in the doubled hour it is the first (domain rule 8.11). Raises LedgerError
    (LOCAL_TIME_INVALID).
    """
    try:
        wall = datetime.fromisoformat(local).replace(tzinfo=zone)
        return (wall.astimezone(UTC) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise LedgerError(
            LOCAL_TIME_INVALID, f"{local} is no date of the calendar: use one such as 2026-03-28 or 2026-03-28T14:30.", local=local
        ) from None


def period(start: str, end: str, zone: ZoneInfo) -> tuple[int | None, int | None]:
    """Return the instants of a period; None for an end that is not given. Raises LedgerError."""
    first = instant(start, zone) if start else None
    last = instant(end, zone) if end else None
    if first is not None and last is not None and last < first:
        raise LedgerError(FIELD_INVALID, "The period ends before it begins.", violations=[("to_local", "before from_local")])
    return first, last


def local_hours(zone: ZoneInfo) -> Callable[[int], tuple[int, int]]:
    """Return what tells the hour (0 to 23) and weekday (1: Monday) of an instant in microseconds, by the rule of that date."""

    @lru_cache(maxsize=100_000)
    def hour_and_weekday(micros: int) -> tuple[int, int]:
        local = (_EPOCH + timedelta(microseconds=micros)).astimezone(zone)
        return local.hour, local.isoweekday()

    return hour_and_weekday
