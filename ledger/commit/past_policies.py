"""The policy that ruled an event when it was recorded: correcting it derives again under that version (domain rule 8.10).

Reads the published policies once for each state of the book, and keeps what it has built.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ledger.catalogue import read_event
from ledger.event import Event
from ledger.policy.book import PolicyBook
from ledger.policy.policy import Policy
from ledger.store.recorder import LogReader


class PastPolicies:
    """Books as of earlier positions. Used by one thread."""

    def __init__(self, reader: LogReader, policies: PolicyBook) -> None:
        self._reader = reader
        self._policies = policies
        self._mark: object = None
        self._events: Sequence[Event] = ()
        self._positions: Sequence[int] = ()
        self._books: dict[int, PolicyBook] = {}

    def ruled(self, event: Event) -> Policy | None:
        """Return the policy that ruled a recorded event: of those published before it, what was withdrawn since included."""
        mark = self._policies.mark()
        if mark is not self._mark:
            self._events = [read_event(row.position, row.header) for row in self._reader.read_policies()]
            self._positions = [one.position for one in self._events]
            self._books = {}
            self._mark = mark
        count = bisect_left(self._positions, event.position)
        book = self._books.get(count)
        if book is None:
            book = self._books[count] = PolicyBook.of(self._events[:count])
        return book.in_force(event.occur)
