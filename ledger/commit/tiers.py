"""Which tier a customer had at an instant, as the writer knows it: for targets that depend on the tier (domain rule 8.10).

The writer has no views, so it keeps the classifications of subjects in memory: once a policy has such a target they are read from
the log, and from then on each new one is taken in. A ledger whose policies read no tier keeps nothing.

What counts is the subject that the event names, as classified: links between identifiers are the views' knowledge. Classify the
identifiers that customers use.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ledger.event import Event

TOPIC: Final = "customer-classified"


class Classified(NamedTuple):
    """A subject's tier from an instant on."""

    order: int
    position: int
    tier: str


class TierBook:
    """Tiers by subject. `read` returns the classifications recorded so far, in order of position."""

    def __init__(self, read: Callable[[], Iterable[Event]]) -> None:
        self._read = read
        self._known: dict[bytes, list[Classified]] | None = None
        self._pending: list[Event] = []
        """Of this batch: accepted, not recorded yet."""

    def take(self, event: Event) -> None:
        """Take in an event that was just accepted; those that classify nobody change nothing."""
        if event.topic == TOPIC and event.payload.tier:
            self._pending.append(event)
            if self._known is not None:
                _insert(self._known, event)

    def tier(self, subject: bytes, order: int) -> str:
        """Return the tier at an instant, the one of that instant included; empty where none was said."""
        if self._known is None:
            self._known = {}
            for event in (*self._read(), *self._pending):
                if event.payload.tier:
                    _insert(self._known, event)
        classified = self._known.get(subject)
        if classified is None:
            return ""
        place = bisect_right(classified, order, key=lambda one: one.order)
        return classified[place - 1].tier if place else ""

    @property
    def pending_count(self) -> int:
        """How many classifications this batch holds so far."""
        return len(self._pending)

    def undo(self, pending_count: int) -> None:
        """Put the book back to how it was when the batch held so many classifications."""
        for event in self._pending[pending_count:]:
            if self._known is not None:
                self._known[event.subject].remove(_classified(event))
        del self._pending[pending_count:]

    def committed(self) -> None:
        """The batch is recorded."""
        self._pending.clear()


def _classified(event: Event) -> Classified:
    return Classified(event.order, event.position, event.payload.tier)


def _insert(known: dict[bytes, list[Classified]], event: Event) -> None:
    insort(known.setdefault(event.subject, []), _classified(event))
