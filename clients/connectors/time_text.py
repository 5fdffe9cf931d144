"""From times as files write them to instants, with the zone rules of their own date (domain rule 8.11).

A local time in the spring gap moves forward by the gap; in the doubled hour of autumn it is the first one. Both are noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ISO: Final = "iso"
UNIX: Final = "unix"
UNIX_MS: Final = "unix_ms"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_NUMBERS: Final = {
    "Y": r"(\d{4})",
    "m": r"(\d{1,2})",
    "d": r"(\d{1,2})",
    "H": r"(\d{1,2})",
    "M": r"(\d{1,2})",
    "S": r"(\d{1,2})",
    "f": r"(\d{1,6})",
}
_WORDS: Final = frozenset("abABpIyjz")
"""Directives that datetime.strptime reads for us: slower, and only where they are used."""
_CLOCK: Final = frozenset("HISfp")
_TEXTS_KEPT_MAX: Final = 50_000

Parse = Callable[[str], datetime]


class TimeReader:
    """Reads the times of one file.

    `ambiguous` and `moved` hold the instants (microseconds UTC) that came from a doubled hour, and from a time that the night
    skipped. They stay small: one hour a year each.
    """

    def __init__(self, format: str = ISO, zone: str = "UTC") -> None:
        self._format = format
        self._zone = zone
        self.ambiguous: set[int] = set()
        self.moved: set[int] = set()
        self._kept: dict[tuple[str, str, str], datetime] = {}

    def instant(self, text: str, format: str = "", zone: str = "") -> datetime:
        """Return the instant of a time in a format and zone (default: the file's). Raises ValueError saying what cannot be read."""
        key = (text, format, zone)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _TEXTS_KEPT_MAX:
                self._kept.clear()
            found = self._kept[key] = self._instant(text, format or self._format, zone or self._zone)
        return found

    def local(self, text: str, format: str = "") -> str:
        """Return a local time as it was said, as ISO text: `2026-03-28T14:30:00`, or `2026-03-28` without a time of day."""
        format = format or self._format
        wall = parse_time(text, format)
        if wall.tzinfo is not None:
            raise ValueError(f"{text!r} says its zone, so it is an instant: use time() for it")
        if has_clock(format) and not (format == ISO and len(text.strip()) <= 10):
            return wall.isoformat(timespec="seconds")
        return wall.date().isoformat()

    def _instant(self, text: str, format: str, zone: str) -> datetime:
        wall = parse_time(text, format)
        if wall.tzinfo is not None:
            return wall.astimezone(UTC)
        rules = zone_rules(zone)
        first = wall.replace(tzinfo=rules, fold=0)
        instant = first.astimezone(UTC)
        if first.utcoffset() != wall.replace(tzinfo=rules, fold=1).utcoffset():
            # In the gap the offset before it applies, which lands after the gap, forward by its length.
            noted = self.ambiguous if instant.astimezone(rules).replace(tzinfo=None) == wall else self.moved
            noted.add(micros(instant))
        return instant


def micros(instant: datetime) -> int:
    """Return an instant as microseconds since 1970 UTC."""
    return (instant - EPOCH) // timedelta(microseconds=1)


@cache
def zone_rules(zone: str) -> ZoneInfo:
    """Return the rules of an IANA zone. Raises ValueError."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{zone!r} is no IANA time zone: use one such as Europe/Paris") from None


def parse_time(text: str, format: str) -> datetime:
    """Return what a text says in a format, without a zone unless it says one. Raises ValueError."""
    try:
        return parser(format)(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time of the form {format}") from None


@cache
def parser(format: str) -> Parse:
    """Return what reads a format: `iso`, `unix`, `unix_ms`, or a pattern of strptime. Raises ValueError where it is none."""
    if format == ISO:
        return datetime.fromisoformat
    if format == UNIX:
        return lambda text: EPOCH + timedelta(seconds=float(text))
    if format == UNIX_MS:
        return lambda text: EPOCH + timedelta(milliseconds=int(text))
    letters = directives(format)
    unknown = [letter for letter in letters if letter not in _NUMBERS and letter not in _WORDS]
    if unknown or not letters:
        what = f"the directive %{unknown[0]}" if unknown else "no directive"
        raise ValueError(f"the time format {format!r} has {what}: use %Y %m %d %H %M %S %f %z %y %b %p ..., or iso, unix, unix_ms")
    if any(letter in _WORDS for letter in letters):
        return lambda text: datetime.strptime(text, format)
    return _fast_parser(format, letters)


def _fast_parser(format: str, letters: list[str]) -> Parse:
    """A fifth of the time of strptime, which costs 15 µs a call."""
    pieces = re.split(r"%.", format)
    pattern = re.escape(pieces[0]) + "".join(_NUMBERS[a] + re.escape(b) for a, b in zip(letters, pieces[1:], strict=True))
    match = re.compile(pattern).fullmatch
    places = {letter: letters.index(letter) for letter in _NUMBERS if letter in letters}
    year, month, day = places.get("Y"), places.get("m"), places.get("d")
    clock = [places.get(letter) for letter in "HMS"]
    fraction = places.get("f")

    def read(text: str) -> datetime:
        found = match(text)
        if found is None:
            raise ValueError
        groups = found.groups()
        hour, minute, second = (0 if place is None else int(groups[place]) for place in clock)
        return datetime(
            1970 if year is None else int(groups[year]),
            1 if month is None else int(groups[month]),
            1 if day is None else int(groups[day]),
            hour,
            minute,
            second,
            0 if fraction is None else int(groups[fraction].ljust(6, "0")),
        )

    return read


def directives(format: str) -> list[str]:
    """Return the letters of a pattern's directives, in order."""
    return [piece[1] for piece in re.findall(r"%.", format)]


def has_clock(format: str) -> bool:
    """True when times of the format have a time of day."""
    return format in (ISO, UNIX, UNIX_MS) or any(letter in _CLOCK for letter in directives(format))
