"""Where departments stand (front office, back office, support), by the policies that a question may know of."""

from __future__ import annotations

from functools import lru_cache

from ledger.catalogue import read_event
from ledger.policy.book import TOPICS, PolicyBook
from projections.view import Read


class Layers:
    """The layers of departments, by the policies recorded up to the position known. Make one for a question."""

    def __init__(self, read: Read) -> None:
        governing = (row for row in read.log.read_governing() if row.position <= read.known and row.topic in TOPICS)
        self._book = _book(tuple((row.position, row.header) for row in governing))

    def at(self, department: str, instant: int) -> int:
        """Return the Layer of a department by the policy in force at an instant; 0 where none says."""
        policy = self._book.in_force(instant)
        known = policy.departments.get(department) if policy is not None else None
        return known.layer if known is not None else 0


@lru_cache(maxsize=8)
def _book(headers: tuple[tuple[int, bytes], ...]) -> PolicyBook:
    """Return the book of policies that events make. Most questions know the same ones as the question before."""
    return PolicyBook.of(read_event(position, header) for position, header in headers)
