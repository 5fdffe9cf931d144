"""Business time: how much open time lies between two instants, and when so much of it has passed (domain rules 8.9, 8.11).

Pure: intervals of instants, no time zone, no calendar. Whoever resolves a calendar does it once, at publication of the policy
(`ledger/policy/calendars.py`), with the rules of each date; here an hour is an hour of UTC. All instants and durations are
whole microseconds, instants since 1970 UTC.

**Beyond the horizon** nothing is known: a calendar was expanded for a stated horizon, and an answer that would need to look
beyond it is None, never a guess.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise
from typing import Final

MINUTE_MICROS: Final = 60_000_000


class OpenHours:
    """The open time of one calendar: disjoint half-open intervals [start, end), in ascending order, within a horizon.

    Immutable. Every question takes time logarithmic in the number of intervals.
    """

    __slots__ = ("_before", "_ends", "_from", "_starts", "_until")

    def __init__(self, intervals: Iterable[tuple[int, int]], horizon_from: int, horizon_until: int) -> None:
        """Take the intervals and the horizon [horizon_from, horizon_until] within which they say everything.

        Intervals that touch are joined. Raises ValueError for an empty, backward, overlapping or unordered interval and for
        one outside the horizon.
        """
        starts: list[int] = []
        ends: list[int] = []
        for start, end in intervals:
            if not horizon_from <= start < end <= horizon_until:
                raise ValueError(f"interval {start}..{end} is empty, backward or outside the horizon")
            if ends and start < ends[-1]:
                raise ValueError(f"interval {start}..{end} begins before the one before it ends")
            if ends and start == ends[-1]:
                ends[-1] = end
            else:
                starts.append(start)
                ends.append(end)
        self._starts: Final = starts
        self._ends: Final = ends
        self._from: Final = horizon_from
        self._until: Final = horizon_until
        self._before: Final = [0, *accumulate(end - start for start, end in zip(starts, ends, strict=True))]
        """Open time before interval i; the last entry is the whole."""

    @property
    def horizon(self) -> tuple[int, int]:
        """The first and the last instant about which these hours know anything, both inclusive."""
        return self._from, self._until

    @property
    def intervals(self) -> list[tuple[int, int]]:
        """The open intervals, joined and in order."""
        return list(zip(self._starts, self._ends, strict=True))

    def is_open(self, instant: int) -> bool | None:
        """Return whether the instant is open (the start of an interval is, its end is not); None beyond the horizon."""
        if not self._from <= instant <= self._until:
            return None
        place = bisect_right(self._starts, instant) - 1
        return place >= 0 and instant < self._ends[place]

    def open_between(self, first: int, last: int) -> int | None:
        """Return the open time in [first, last]; 0 where last is not after first; None where either is beyond the horizon."""
        if last <= first:
            return 0
        if first < self._from or last > self._until:
            return None
        return self._open_until(last) - self._open_until(first)

    def add(self, start: int, duration: int) -> int | None:
        """Return the first instant from `start` on at which `duration` of open time has passed; None beyond the horizon.

        So a quarter of an hour from 11:45 ends at 12:00, though the desk closes then, and zero ends at `start`, open or not.
        Raises ValueError for a negative duration.
        """
        if duration < 0:
            raise ValueError(f"a duration of {duration} is negative")
        if not self._from <= start <= self._until:
            return None
        if duration == 0:
            return start
        wanted = self._open_until(start) + duration
        place = bisect_left(self._before, wanted) - 1
        if place >= len(self._starts):
            return None
        return self._starts[place] + wanted - self._before[place]

    def closing_time(self, first: int, last: int) -> int | None:
        """Return when the last interval that is open within [first, last) ends there; None where none is (domain rule 8.11).

        With the two midnights of a local day it is the end of that day's opening hours.
        """
        place = bisect_left(self._starts, last) - 1
        if place < 0 or self._ends[place] <= first:
            return None
        return min(self._ends[place], last)

    def _open_until(self, instant: int) -> int:
        place = bisect_right(self._starts, instant) - 1
        if place < 0:
            return 0
        return self._before[place] + min(instant, self._ends[place]) - self._starts[place]


class ClockHours:
    """Clock time: always open, without a horizon. Answers the questions of OpenHours."""

    __slots__ = ()

    def is_open(self, instant: int) -> bool:
        """Return True."""
        return True

    def open_between(self, first: int, last: int) -> int:
        """Return the time from first to last; 0 where last is not after first."""
        return max(last - first, 0)

    def add(self, start: int, duration: int) -> int:
        """Return the instant after the duration. Raises ValueError for a negative one."""
        if duration < 0:
            raise ValueError(f"a duration of {duration} is negative")
        return start + duration


Hours = OpenHours | ClockHours
"""What measures a duration: business time or clock time."""

CLOCK: Final = ClockHours()


def due_after_pauses(hours: Hours, start: int, duration: int, pauses: Sequence[tuple[int, int]] = ()) -> int | None:
    """Return when a duration that began at `start` ends, with pauses in which nothing of it passes (domain rule 8.9).

    `pauses` are [from, until) in ascending order and disjoint; those that begin at or after the end change nothing. None beyond
    the horizon of the hours. Because what has passed is counted again from the start, a duration that changes in the middle
    (another priority) keeps every pause.
    """
    running_since, left = start, duration
    for pause_from, pause_until in pauses:
        if pause_until <= running_since:
            continue
        due = hours.add(running_since, left)
        if due is not None and due <= pause_from:
            return due
        passed = hours.open_between(running_since, pause_from)
        if passed is None:
            return None
        running_since, left = pause_until, left - passed
    return hours.add(running_since, left)


def pack(intervals: Iterable[tuple[int, int]], horizon_from: int) -> list[int]:
    """Return intervals as whole minutes: how long closed, how long open, in turns from the horizon's start on.

    Small numbers, so that a calendar of four years takes about ten kilobytes. Raises ValueError for what is no whole minute.
    """
    edges = [horizon_from, *chain.from_iterable(intervals)]
    steps = [later - earlier for earlier, later in pairwise(edges)]
    if any(step % MINUTE_MICROS for step in steps):
        raise ValueError("intervals begin and end at whole minutes")
    return [step // MINUTE_MICROS for step in steps]


def unpack(steps: Sequence[int], horizon_from: int, horizon_until: int) -> OpenHours:
    """Return the hours that `pack` wrote. Raises ValueError for what it did not write."""
    if len(steps) % 2:
        raise ValueError("an interval begins and does not end")
    edges = list(accumulate((step * MINUTE_MICROS for step in steps), initial=horizon_from))[1:]
    return OpenHours(zip(edges[::2], edges[1::2], strict=True), horizon_from, horizon_until)
