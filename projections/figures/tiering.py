"""Which tier a customer had at an instant, for many customers at once. Has no tables: it asks those of the identities view."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from projections.parties import Parties
from projections.view import Read, happened


class Tiers:
    """The tiers of some subjects over time, as known. Make one for a question."""

    def __init__(self, read: Read, subjects: Iterable[bytes]) -> None:
        rows = read.db.execute(
            f"SELECT subject, order_time, position, tier FROM identity_tier WHERE {happened(read)} AND tier IS NOT NULL",
            read.parameters,
        ).fetchall()
        self._parties = Parties(read, {*subjects, *(subject for subject, *_ in rows)})
        self._of: dict[bytes, list[tuple[int, int, str]]] = {}
        for subject, order, position, tier in rows:
            party = self._parties.of(subject, order)
            if party is not None:
                self._of.setdefault(party, []).append((order, position, tier))
        for found in self._of.values():
            found.sort()

    def at(self, subject: bytes, time: int) -> str:
        """Return the tier that a subject's customer had at an instant, microseconds UTC; empty for none."""
        party = self._parties.of(subject, time)
        found = self._of.get(party, []) if party is not None else []
        place = bisect_right(found, time, key=lambda one: one[0])
        return found[place - 1][2] if place else ""
