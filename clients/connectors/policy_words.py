"""The words of a policy as people write it: durations, hours, days, choices. Pure; each comes in both directions.

What cannot be read is a ValueError that says what to write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import takewhile
from math import isfinite
from typing import Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.policy_pb2 import OpenPeriod, Weekday

DAY_NAMES: Final = {value.name.lower(): value.number for value in Weekday.DESCRIPTOR.values if value.number}
CLOSED: Final = "closed"
NONE: Final = "none"

_DURATION: Final = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?")
_PERIOD: Final = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_HOLIDAYS: Final = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")


def read_duration(text: str) -> Duration:
    """Return a duration such as `30s`, `1h 30m` or `3d`; a day is 24 hours."""
    match = _DURATION.fullmatch(text.strip())
    if not text.strip() or match is None:
        hint = "; for business time write hours and `measure: business`" if "business" in text else ""
        raise ValueError(f"{text!r} is no duration: write one such as 30s, 90m, 4h or 3d 12h{hint}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = Duration()
    try:
        duration.FromTimedelta(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
    except (OverflowError, ValueError):
        raise ValueError(f"{text!r} is too long: policies think in days, not in ages") from None
    return duration


def read_number(text: str) -> float:
    """Return a number: `4.2`; a share such as `70%` as 0.7; a duration such as `6m` in seconds."""
    said = text.strip()
    try:
        number = float(said.removesuffix("%")) / (100 if said.endswith("%") else 1)
    except ValueError:
        try:
            return float(read_duration(said).ToMilliseconds()) / 1000
        except ValueError:
            raise ValueError(f"{text!r} is no number: write one such as 0.7, 70% or, for seconds, 6m") from None
    if not isfinite(number):
        raise ValueError(f"{text!r} is no number: write one such as 0.7, 70% or, for seconds, 6m")
    return number


def write_duration(duration: Duration) -> str:
    """Return a duration as `read_duration` reads it, whole days as days; what is finer than a second is cut off."""
    left = duration.seconds
    if left and left % 86_400 == 0:
        return f"{left // 86_400}d"
    parts = []
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def read_periods(text: str) -> list[OpenPeriod]:
    """Return hours such as `09:00-12:30, 14:00-18:00`; `closed` is none."""
    if text.strip() in ("", CLOSED):
        return []
    return [_read_period(part) for part in text.split(",")]


def _read_period(text: str) -> OpenPeriod:
    match = _PERIOD.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()!r} are no hours: write them such as 09:00-12:30, or {CLOSED}")
    hours = [int(part) for part in match.groups()]
    opens, closes = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if hours[1] > 59 or hours[3] > 59 or opens >= 1440 or not 0 < closes <= 1440:
        raise ValueError(f"{text.strip()!r} is no time of a day: hours run from 00:00 to 24:00")
    return OpenPeriod(from_minute=opens, until_minute=closes)


def write_periods(periods: Sequence[OpenPeriod]) -> str:
    """Return hours as `read_periods` reads them."""
    return ", ".join(f"{_clock(period.from_minute)}-{_clock(period.until_minute)}" for period in periods) or CLOSED


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def read_days(text: str) -> list[int]:
    """Return the days of `monday`, `monday-friday` or `monday, wednesday`, as numbers of Weekday."""
    days: list[int] = []
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        unknown = [word for word in (first, *([last] if dash else [])) if word not in DAY_NAMES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no day: write one such as monday, or monday-friday")
        start, end = DAY_NAMES[first], DAY_NAMES[last if dash else first]
        days.extend(range(start, end + 1) if start <= end else (*range(start, 8), *range(1, end + 1)))
    return days


def read_holidays(text: str) -> tuple[str, str]:
    """Return country and subdivision of `FR` or `DE-BY`."""
    match = _HOLIDAYS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no country: write an ISO code such as FR, or DE-BY for a part of it")
    return match[1], match[2] or ""


def read_choice(enum: EnumDescriptor, text: str) -> int:
    """Return the number of a choice, by its word or its full name."""
    wanted = text.strip().lower().replace("-", "_").replace(" ", "_")
    known = choices(enum)
    for number, word in known.items():
        if wanted in (word, enum.values_by_number[number].name.lower()):
            return number
    raise ValueError(f"{text!r} is not one of {', '.join(known.values())}")


@cache
def choices(enum: EnumDescriptor) -> dict[int, str]:
    """Return the words of an enum: `BUSINESS_TIME` is `business`, since all its values end in TIME."""
    names = {value.number: value.name.lower().split("_") for value in enum.values if value.number}
    longest = min(map(len, names.values())) - 1
    start = min(_common(list(names.values())), longest)
    end = min(_common([parts[::-1] for parts in names.values()]), longest - start)
    return {number: "_".join(parts[start : len(parts) - end]) for number, parts in names.items()}


def _common(names: Sequence[Sequence[str]]) -> int:
    return len(list(takewhile(lambda words: len(set(words)) == 1, zip(*names, strict=False))))
