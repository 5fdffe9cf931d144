"""Which policy ruled each of many events: the one in force at its time, of those published before it (domain rule 8.10)."""

from __future__ import annotations

from bisect import bisect_left

from ledger.policy.book import PolicyBook
from ledger.policy.policy import Policy
from projections import policies
from projections.view import Read


class Ruling:
    """The policies as they ruled, as known. Make one for a question."""

    def __init__(self, read: Read) -> None:
        self._rows = policies.rows(read.log, read.known)
        self._positions = [position for position, _ in self._rows]
        self._books: dict[int, PolicyBook] = {}

    def of(self, position: int, occur: int) -> Policy | None:
        """Return the policy for an event; None where there was none."""
        published = bisect_left(self._positions, position)
        book = self._books.get(published)
        if book is None:
            book = self._books[published] = policies.book_of(self._rows[:published], position)
        return book.in_force(occur)
