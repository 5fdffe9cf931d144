"""From a time as it was said to the instant it means (domain rule 8.11).

Hours elapse in UTC, days are calendar. A time in the spring gap moves forward by the gap; in the doubled hour it is the first
one, flagged. A date alone is the end of that day: without a calendar, 24:00 local.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.api.v1.core_pb2 import Due
from ledger.api.v1.errors_pb2 import LOCAL_TIME_INVALID
from ledger.errors import LedgerError


class Instant(NamedTuple):
    """What a local time means."""

    micros: int
    ambiguous: bool
    """The local time existed twice; this is the first."""


@lru_cache(maxsize=4096)
def resolve(local: str, zone_name: str) -> Instant:
    """Return the instant of an ISO local date or date and time in an IANA zone. Raises LedgerError (LOCAL_TIME_INVALID)."""
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LedgerError(
            LOCAL_TIME_INVALID, f"{zone_name} is no IANA time zone: use one such as Europe/Paris.", zone=zone_name
        ) from None
    try:
        wall = (
            datetime.fromisoformat(local)
            if "T" in local
            else datetime.combine(date.fromisoformat(local) + timedelta(days=1), time())
        )
    except (ValueError, OverflowError):
        raise LedgerError(
            LOCAL_TIME_INVALID, f"{local} is no date of the calendar: use one such as 2026-03-28 or 2026-03-28T14:30.", local=local
        ) from None
    first = wall.replace(tzinfo=zone, fold=0)
    second = wall.replace(tzinfo=zone, fold=1)
    # In the gap, fold=0 applies the offset before it, which lands after the gap: forward by its length, as the rule wants.
    differs = first.utcoffset() != second.utcoffset()
    in_gap = differs and first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall
    return Instant(_micros(first), differs and not in_gap)


def resolve_due(due: Due, home_zone: str) -> None:
    """Set `due_time` and `ambiguous` from how the due was said. Leaves a due without a date alone."""
    said = due.WhichOneof("said")
    if said == "instant":
        due.due_time.CopyFrom(due.instant)
    elif said == "local":
        if not due.zone:
            due.zone = home_zone
        instant = resolve(due.local, due.zone)
        due.due_time.FromMicroseconds(instant.micros)
        if instant.ambiguous:
            due.ambiguous = True


def _micros(when: datetime) -> int:
    return (when.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
