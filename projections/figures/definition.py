"""What a figure is: its definition as data, and what its measure is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from ledger.api.v1.figure_pb2 import FigureUnit
from ledger.policy.policy import Policy
from projections.figures import tally
from projections.figures.members import FLAG, Outcome
from projections.figures.tally import Asked, Found, Group, Measured, Outcomes, Slice, Tally
from projections.view import Read

HUMAN_SECONDS: Final = 1_000_000.0
"""Microseconds in the unit in which durations are given."""


class Evidence(NamedTuple):
    """A member of a figure, named by events."""

    opener: int
    """Position of the event that opened it."""
    last: int
    """Position of the event by which it stands as it does."""
    outcome: str
    """What it counts as."""


class Prices(NamedTuple):
    """By what amounts are reckoned."""

    currency: str
    """ISO 4217; empty where there are no amounts."""
    policies: tuple[Policy, ...]
    """Versions whose prices were used, in the order published."""


class Result(NamedTuple):
    """A figure for one group."""

    value: float | None
    """None: nothing to divide by, or nothing measured."""
    member_count: int
    parts: tuple[tuple[str, float | None], ...] = ()
    """Name and value; a part without a value is left out."""


Results = dict[Group, Result]

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """A figure's question of one snapshot: which members, and by which windows."""

    read: Read
    asked: Asked
    exact: bool
    """Values are read one by one."""
    first_contact_window: int
    """Microseconds."""
    repeat_window: int
    """Microseconds."""
    answered_within: int | None
    """Microseconds; None: each contact's own target."""
    found: dict[Any, Any] = field(default_factory=dict, compare=False)
    """What figures of one request found out and share, by what it is. Slices are no part of it."""

    def once(self, key: Any, find: Callable[[], T]) -> T:
        """Return what was found out under a key; find it out the first time."""
        if key not in self.found:
            self.found[key] = find()
        found: T = self.found[key]
        return found

    @cached_property
    def by_cells(self) -> bool:
        """True when cells can answer."""
        return not self.exact and self.read.before is None and self.asked.cells_can

    def tally(self, series: int) -> Tally:
        """Count the members of a series. Not to be changed: other figures of the request look at it too."""
        count = tally.of_cells if self.by_cells else tally.of_rows
        asked = self.asked
        key = ("tally", series, asked.slices, asked.channels, asked.departments)
        return self.once(key, lambda: count(self.read, series, asked))

    def members(self, series: int) -> list[Found]:
        """Return the members of a series one by one, from the rows. Not to be changed, as of `tally`."""
        asked = self.asked
        key = ("members", series, asked.slices, asked.channels, asked.departments)
        return self.once(key, lambda: list(tally.members_of(self.read, series, asked)))

    def not_yet_due(self, series: int) -> dict[Group, int]:
        """Count the open members whose time is not before the evaluated time: the rest of the open ones is past it."""
        start, end, now = self.asked.start, self.asked.end, self.read.evaluated
        if end is not None and end <= now:
            return {}
        later = self.asked._replace(start=now if start is None or start < now else start)
        found = tally.of_rows(self.read, series, later, OPEN_STATES)
        return {group: sum_of(outcomes, Outcome.WAITING) for group, outcomes in found.items()}


BUNDLE: Final = ("first_contact_resolution", "repeat_rate", "satisfaction_csat")
"""Figures without which handle time is never served: what it must not be bought with."""

OPEN_STATES: Final = (1,)
"""The state in which a promise or target is open: PROMISE_STATE_OPEN."""


@dataclass(frozen=True)
class Definition:
    """A figure. The same facts give the same value as long as the version stays."""

    name: str
    version: int
    title: str
    text: str
    source: str
    unit: FigureUnit.ValueType
    member_time: str
    slices: tuple[Slice, ...]
    parts: Mapping[str, str]
    """What each part means."""
    measure: Callable[[Question], Results]
    series: tuple[int, ...] = ()
    """Whose members stand behind it; empty where they are named otherwise, or not at all."""
    evidence: Callable[[Question], Iterable[Evidence]] | None = None
    """Names its members where they are not those of a series."""
    prices: Callable[[Question], Prices] | None = None
    """Says by what its amounts are reckoned, where it has any."""
    bundle: tuple[str, ...] = ()
    """Figures without which it is never served."""
    always_exact: bool = False
    """True where it is made of rows in any case."""
    buckets: bool = False
    """True where its value or a part comes from single values."""


class PeriodTooLongError(Exception):
    """A period has more members than one question may look at one by one."""

    def __init__(self, count: int, what: str, most: int) -> None:
        super().__init__(f"The period has {count:,} {what}, and figures made of rows take {most:,} at most: ask for a shorter one.")


def sum_of(outcomes: Outcomes, *wanted: int, with_flag: int = 0) -> int:
    """Return how many members have one of these outcomes, whatever their flags; `with_flag`: only those with it."""
    return sum(
        measured.n for outcome, measured in outcomes.items() if outcome % FLAG in wanted and (not with_flag or outcome & with_flag)
    )


def all_of(outcomes: Outcomes, *wanted: int) -> Measured:
    """Return the members with one of these outcomes together; all members where none is named."""
    together = Measured()
    for outcome, measured in outcomes.items():
        if not wanted or outcome % FLAG in wanted:
            together.merge(measured)
    return together


def share(part: float, whole: float) -> float | None:
    """Return a share; None of nothing."""
    return part / whole if whole else None


def seconds(micros: float | None) -> float | None:
    """Return microseconds as seconds."""
    return None if micros is None else micros / HUMAN_SECONDS


def spread(measured: Measured) -> tuple[tuple[str, float | None], ...]:
    """Return mean, median and p90 as parts."""
    mean = measured.total / measured.valued if measured.valued else None
    return (
        ("mean_seconds", seconds(mean)),
        ("median_seconds", seconds(measured.percentile(0.5))),
        ("p90_seconds", seconds(measured.percentile(0.9))),
    )


SPREAD: Final = {
    "mean_seconds": "Mean, seconds.",
    "median_seconds": "Median (nearest rank), seconds.",
    "p90_seconds": "90th percentile (nearest rank), seconds.",
}


def by_group(of_tally: Callable[[Outcomes], Result], series: int) -> Callable[[Question], Results]:
    """Return the measure of a figure that looks at one series, group by group."""

    def measure(question: Question) -> Results:
        return {group: of_tally(outcomes) for group, outcomes in question.tally(series).items()}

    return measure


def groups_of(*mappings: Iterable[Group]) -> list[Group]:
    """Return every group that is in any of the mappings, each once."""
    return list(dict.fromkeys(group for mapping in mappings for group in mapping))
