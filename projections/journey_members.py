"""The requests of a period with their journeys: what the figures of journeys.py are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from ledger.rules.journey import ACCEPTED, NAMED, RETURNED, Stay, stays
from projections.parties import Parties
from projections.request_rows import STATES, TABLE
from projections.versions import Choice, shown
from projections.view import MAX, Read, one_of

EARLIEST: Final = -(2**62)

_COLUMNS: Final = (
    *("entity", "subject", "opened_time", "state", "reason", "path", "steps", "reopened_count", "ended_time", "contact_ids"),
    "owner_department",
)


_SIGNS_AND_TIMES: Final = re.compile(rf"[{NAMED}{ACCEPTED}{RETURNED}]|@-?\d+")


class HandoffRow(NamedTuple):
    """Of a handoff's row, what is asked here."""

    entity: int
    """Number under which the rows of its request stand."""
    key: int
    """Position of the offer."""
    handoff_id: str
    from_department: str
    to_department: str
    state: int
    offered_time: int
    ever_accepted: int
    accepted_time: int | None
    returned_count: int
    accepted_without: str


class Member:
    """A request of the period."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.entity: int
        """Number under which its rows stand."""
        self.subject: bytes
        self.opened_time: int
        self.state: int
        self.reason: str
        self.path: str
        self.steps: str
        self.reopened_count: int
        self.ended_time: int | None
        """When it left open and waiting; None while in one of them."""
        self.contact_ids: str
        self.owner_department: str
        self.entity, self.subject, self.opened_time, self.state, self.reason, self.path, self.steps = row[:7]
        self.reopened_count, self.ended_time, self.contact_ids, self.owner_department = row[7:]
        self.customer: bytes | int = self.entity
        """Customer it belongs to; the request itself where nobody is known."""

    @cached_property
    def stays(self) -> list[Stay]:
        """Who answered for it, in turn."""
        return stays(self.path)

    @property
    def departments(self) -> str:
        """Departments that answered for it, in turn, with spaces between."""
        return _SIGNS_AND_TIMES.sub("", self.path)

    def lasts(self, evaluated: int) -> int:
        """Return how long it has been since the first department answered for it, until it ended, else until an instant."""
        since = self.path.partition(" ")[0].partition("@")[2]
        return (evaluated if self.ended_time is None else self.ended_time) - int(since) if since else 0

    def owner_at(self, instant: int) -> str:
        """Return the department that answered for it at an instant; empty for nobody."""
        department = ""
        for stay in self.stays:
            if stay.since > instant:
                break
            department = stay.department
        return department

    def loops(self) -> list[str]:
        """Return the departments that accepted it although they had it before, each time."""
        if " " not in self.path:
            return []
        had: set[str] = set()
        found = []
        for stay in self.stays:
            if stay.came_by == ACCEPTED and stay.department in had:
                found.append(stay.department)
            had.add(stay.department)
        return found


def members(
    read: Read, low: int | None, high: int | None, reasons: Sequence[str] = (), entities: Sequence[int] | None = None
) -> dict[int, Member]:
    """Return the requests opened in [low, high), by the number under which their rows stand, oldest first.

    `reasons`: only those with one of these; empty: any. `entities`: only these.
    """
    parameters: dict[str, Any] = {}
    bounds: dict[str, Any] = {"low": EARLIEST if low is None else low, "high": MAX if high is None else high}
    where = ["opened_time >= :low", "opened_time < :high"]
    if reasons:
        where.append(one_of("reason", reasons, bounds, "reason"))
    query = shown(read, TABLE, ", ".join(_COLUMNS), Choice(tuple(where), bounds, STATES, entities=entities), parameters)
    found = sorted((Member(row) for row in read.db.execute(query, parameters)), key=lambda one: (one.opened_time, one.entity))
    parties = Parties(read, [one.subject for one in found])
    for one in found:
        if one.subject:
            one.customer = parties.of(one.subject, one.opened_time) or one.entity
    return {one.entity: one for one in found}
