"""Counts and differences of a comparison as they come up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ledger.api.v1.whatif_pb2 import (
    COMPARED_OUTCOME_UNSPECIFIED,
    OUTCOME_BROKEN,
    OUTCOME_MET,
    OUTCOME_OPEN,
    OUTCOME_VOID,
    ComparedCount,
    ComparedSide,
    ComparedValue,
    PolicyDifference,
)
from ledger.event import Event
from ledger.event_id import to_text
from ledger.server.times import timestamp
from ledger.server.whatif.outcomes import Due

_COUNTS: Final[dict[int, str]] = {
    OUTCOME_MET: "met_count",
    OUTCOME_BROKEN: "broken_count",
    OUTCOME_OPEN: "open_count",
    OUTCOME_VOID: "void_count",
    COMPARED_OUTCOME_UNSPECIFIED: "without_count",
}


class Tally:
    """What a piece of the log came to; lists `limit` differences, and counts all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: dict[int, ComparedCount] = {}
        self._found: list[PolicyDifference] = []
        self.event_count = 0
        self.left_out_count = 0

    @property
    def counts(self) -> list[ComparedCount]:
        """One row a kind, in order of kind."""
        return [self._counts[kind] for kind in sorted(self._counts)]

    def differences(self) -> tuple[list[PolicyDifference], int]:
        """Return the differences to list, in order of the log, and how many more there are."""
        found = sorted(self._found, key=lambda one: (one.position, one.kind, one.about))
        return found[: self._limit], max(0, len(found) - self._limit)

    def due(self, kind: int, about: str, event: Event, recorded: Due, candidate: Due) -> None:
        """Note a due under both policies."""
        count = self._count(kind)
        for side, due in ((count.recorded, recorded), (count.candidate, candidate)):
            # A due that is met or over has an outcome also where it is paused and shows no time.
            _add(side, _COUNTS[due.outcome])
        if (recorded.time, recorded.outcome) != (candidate.time, candidate.outcome):
            self._differs(kind, about, event, _due_value(recorded), _due_value(candidate))

    def marked(self, kind: int, about: str, event: Event, recorded: Sequence[str], candidate: Sequence[str], refused: bool) -> None:
        """Note what an event lacks, or names wrongly, under both policies."""
        count = self._count(kind)
        if recorded:
            _add(count.recorded, "marked_count")
        if candidate:
            _add(count.candidate, "refused_count" if refused else "marked_count")
        if refused or list(recorded) != list(candidate):
            value = ComparedValue(codes=candidate)
            if refused:
                value.refused = True
            self._differs(kind, about, event, ComparedValue(codes=recorded), value)

    def fired(self, kind: int, about: str, event: Event, recorded: Sequence[str] | None, candidate: Sequence[str] | None) -> None:
        """Note the steps of a playbook that an event sets off under each policy; None where it does not."""
        count = self._count(kind)
        for side, steps in ((count.recorded, recorded), (count.candidate, candidate)):
            if steps is not None:
                _add(side, "fired_count")
        if recorded is None or candidate is None or list(recorded) != list(candidate):
            self._differs(kind, about, event, _fired_value(recorded), _fired_value(candidate))

    def looked(self, kind: int) -> None:
        """Note that something was looked at that neither policy concerns."""
        self._count(kind)

    def _count(self, kind: int) -> ComparedCount:
        count = self._counts.setdefault(kind, ComparedCount(kind=kind))  # type: ignore[arg-type]
        count.looked_count += 1
        return count

    def _differs(self, kind: int, about: str, event: Event, recorded: ComparedValue, candidate: ComparedValue) -> None:
        self._counts[kind].changed_count += 1
        found = PolicyDifference(
            kind=kind,  # type: ignore[arg-type]
            event_id=to_text(event.event_id),
            position=event.position,
            topic=event.topic,
            stream=event.stream,
            occur_time=timestamp(event.occur),
            recorded=recorded,
            candidate=candidate,
        )
        if about:
            found.about = about
        self._found.append(found)


def _add(side: ComparedSide, name: str) -> None:
    setattr(side, name, getattr(side, name) + 1)


def _due_value(due: Due) -> ComparedValue:
    value = ComparedValue()
    if due.time is not None:
        value.due_time.CopyFrom(timestamp(due.time))
    if due.outcome:
        value.outcome = due.outcome  # type: ignore[assignment]
    return value


def _fired_value(steps: Sequence[str] | None) -> ComparedValue:
    value: Any = ComparedValue(codes=steps or ())
    if steps is not None:
        value.fired = True
    return value  # type: ignore[no-any-return]
