"""Times as people write and read them. A time without a zone is local, unless UTC is asked for.

Pure but for the machine's time zone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from clients.python import AsOf

_DURATION: Final = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+(?:\.\d+)?)s)?")
_POSITION: Final = re.compile(r"\d{1,19}")
FORMS: Final = "such as 2026-03-01, 2026-03-01T14:30 or 2026-03-01T14:30:05Z"


def parse_time(text: str, *, utc: bool = False) -> datetime:
    """Return the instant a person wrote. A date alone is its first instant. Raises ValueError that says what to write."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC) if utc else moment.astimezone()
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time: write one {FORMS}.") from None


def parse_duration(text: str) -> timedelta:
    """Return the duration a person wrote, such as `90s`, `2m 30s` or `1d 4h`. Raises ValueError that says what to write."""
    match = _DURATION.fullmatch(text.strip())
    if not text.strip() or match is None:
        raise ValueError(f"{text!r} is not a duration: write one such as 90s, 2m 30s or 1d 4h.")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def parse_as_of(known: str | None, before: str | None, *, utc: bool = False) -> AsOf | None:
    """Return how far back an answer looks: digits are a position, anything else is a time. None: the present.

    Raises ValueError that says what to write.
    """
    if known is None and before is None:
        return None
    at: int | datetime | None = None
    if known is not None:
        try:
            at = int(known) if _POSITION.fullmatch(known.strip()) else parse_time(known, utc=utc)
        except ValueError:
            raise ValueError(f"{known!r} is neither a position nor a time: write 4711, or a time {FORMS}.") from None
    return AsOf(known=at, occurred_before=None if before is None else parse_time(before, utc=utc))


def show_time(moment: Timestamp, *, utc: bool = False, seconds: bool = True) -> str:
    """Return an instant as people read it, in the machine's zone or UTC."""
    at = moment.ToDatetime(tzinfo=UTC)
    if not utc:
        at = at.astimezone()
    return at.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def show_seconds(seconds: float) -> str:
    """Return a duration in its two largest units: `3d 4h`, `12m 5s`."""
    whole = int(seconds)
    if whole < 60 and whole != seconds:
        return f"{seconds:.1f}s"
    units = (("d", whole // 86_400), ("h", whole // 3600 % 24), ("m", whole // 60 % 60), ("s", whole % 60))
    first = next((number for number, (_, count) in enumerate(units) if count), 3)
    return " ".join(f"{count}{unit}" for unit, count in units[first : first + 2] if count) or "0s"


def show_duration(duration: Duration) -> str:
    """Return a duration message in its two largest units."""
    return show_seconds(duration.seconds + duration.nanos / 1e9)


def zone_name(*, utc: bool = False) -> str:
    """Return the name of the zone times are shown in."""
    return "UTC" if utc else datetime.now().astimezone().tzname() or "local time"
