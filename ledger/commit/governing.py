"""What rules the events of a batch beyond their own streams: policies and tiers, those of the batch itself included.

An event is ruled by what stands before it, also within a batch (domain rule 8.10); so what is accepted is taken in at once, and
given back when its group is refused or the batch is not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ledger.commit import tiers
from ledger.commit.tiers import TierBook
from ledger.event import Event
from ledger.policy import book
from ledger.policy.book import PolicyBook
from ledger.policy.policy import Policy

TAKEN: Final = frozenset({*book.TOPICS, tiers.TOPIC})
"""Topics of the events that change what governs others."""


class Mark(NamedTuple):
    """What was known at a point of a batch."""

    policies: tuple[Policy, ...]
    classifications: int


class Governing:
    """Policies and tiers. Used by one thread."""

    def __init__(self, policies: PolicyBook, classifications: Callable[[], Iterable[Event]]) -> None:
        self.policies = policies
        self.tiers = TierBook(classifications)
        self._recorded = policies.mark()

    def begin(self) -> None:
        """Begin a batch: what an earlier one held that was not recorded is given back."""
        self.undo(Mark(self._recorded, 0))

    def take(self, event: Event) -> None:
        """Take in an event that was just accepted; one whose topic is not TAKEN changes nothing."""
        self.policies.take(event)
        self.tiers.take(event)

    def mark(self) -> Mark:
        """Return what is known now, for `undo`."""
        return Mark(self.policies.mark(), self.tiers.pending_count)

    def undo(self, mark: Mark) -> None:
        """Give back what was taken in since the mark."""
        self.policies.undo(mark.policies)
        self.tiers.undo(mark.classifications)

    def learned(self, events: Iterable[Event]) -> None:
        """Take in what other processes recorded. What a batch under way held is given back: it is decided anew."""
        self.begin()
        for event in events:
            self.take(event)
        self.committed()

    def committed(self) -> None:
        """The batch is recorded."""
        self._recorded = self.policies.mark()
        self.tiers.committed()
