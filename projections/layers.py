"""Where departments stand (front office, back office, support), by the policies that a question may know of."""

from __future__ import annotations

from projections import policies
from projections.view import Read


class Layers:
    """The layers of departments, by the policies recorded up to the position known. Make one for a question."""

    def __init__(self, read: Read) -> None:
        self._book = policies.book(read.log, read.known)

    def at(self, department: str, instant: int) -> int:
        """Return the Layer of a department by the policy in force at an instant; 0 where none says."""
        policy = self._book.in_force(instant)
        known = policy.departments.get(department) if policy is not None else None
        return known.layer if known is not None else 0
