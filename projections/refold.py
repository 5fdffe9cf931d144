"""Folds all events of one entity at once: its state, its rows' intervals, and what does not fit. Pure.

This is the long way round. fold_engine.py takes the short one where it can, and both must come to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.api.v1.insight_service_pb2 import HELD_BACK, IRREGULAR, OVERTAKEN
from ledger.catalogue import RESTATING
from ledger.event import Event
from ledger.rules import family_of
from ledger.rules.correction import effective
from ledger.rules.fold import steps
from projections.bitemporal import Interval, Values
from projections.fold_view import FoldView
from projections.view import MAX

if TYPE_CHECKING:
    from ledger.rules.verdict import Rules

Place = tuple[int, bool]
"""Where an event stands: its order, and whether it is the clock's. Positions decide the rest."""

BEFORE_ALL: Final[Place] = (-MAX, False)

Findings = dict[tuple[int, int], int]
"""Findings of one fold: (position of the event, FindingKind) → instant after which it shows."""


class Folding(NamedTuple):
    """What all events of an entity come to."""

    state: Any | None
    opened: int
    """Order of the opener; meaningless without a state."""
    last: Place
    """Place of the last event that counts, the opener apart."""
    findings: Findings
    intervals: tuple[dict[int, list[Interval]], ...]
    """For each view, the versions of its rows by key."""


class _Walk:
    """Collects the versions of one view's rows."""

    def __init__(self, view: FoldView) -> None:
        self._view = view
        self._open: dict[int, tuple[int, Values]] = {}
        self.ended: dict[int, list[Interval]] = {}

    def go(self, state: Any | None, order: int) -> None:
        """Take in the state that stands from an instant on."""
        rows = self._view.rows(state)
        for key in [key for key, (_, values) in self._open.items() if rows.get(key) != values]:
            start, values = self._open.pop(key)
            self.ended.setdefault(key, []).append(Interval(start, order, values))
        for key, values in rows.items():
            if key not in self._open:
                self._open[key] = (order, values)

    def end(self) -> dict[int, list[Interval]]:
        """Return all versions, the open ones last."""
        for key, (start, values) in self._open.items():
            self.ended.setdefault(key, []).append(Interval(start, MAX, values))
        return self.ended


def folding(rules: Rules, views: Sequence[FoldView], stream: str, events: list[Event]) -> Folding:
    """Fold the events of one entity, own and foreign, in any order."""
    taken = list(steps(rules, events, stream))
    walks = [_Walk(view) for view in views]
    findings: Findings = {}
    state: Any | None = None
    opened, last = 0, BEFORE_ALL
    for number, (event, order, after, applied) in enumerate(taken):
        if not applied and is_judged_in(event, stream):
            findings[event.position, kind_of(event)] = order
        if state is None and after is not None:
            # The opener comes first, so what stands in a state has one.
            opened = order
        else:
            last = (event.order, event.clock)
        state = after
        if number + 1 == len(taken) or taken[number + 1][1] != order:
            for walk in walks:
                walk.go(state, order)
    counted = {event.position for event, *_ in taken}
    for event in effective(events, stream) if any(event.topic in RESTATING for event in events) else events:
        if event.header.held_back and event.stream == stream and event.position not in counted:
            findings[event.position, HELD_BACK] = event.order
    return Folding(state, opened, last, findings, tuple(walk.end() for walk in walks))


def is_judged_in(event: Event, stream: str) -> bool:
    """True when a stream's fold says whether the event applies: its own, or the only one that takes it."""
    return event.stream == stream or family_of(event.stream) is None


def kind_of(event: Event) -> int:
    """Return what an event that does not apply is called."""
    return IRREGULAR if event.exempt else OVERTAKEN
