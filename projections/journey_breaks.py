"""Where journeys break: stalls, loops, returns, lost facts, abandonment, ranked by the customers they hit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.api.v1.history_service_pb2 import CONTACT_STATE_ABANDONED
from ledger.api.v1.journey_pb2 import (
    BREAK_ABANDONMENT,
    BREAK_FACT_LOSS,
    BREAK_LOOP,
    BREAK_RETURN,
    BREAK_STALL,
    BreakKind,
    BreakPoint,
)
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_WITHDRAWN
from projections import contacts, listing, repetitions, silence
from projections.journey_members import HandoffRow, Member
from projections.versions import Choice, shown
from projections.view import Read

Place = tuple[BreakKind.ValueType, str, str]
"""Kind, department, and for a handoff the department it went to."""


def stall_limit(read: Read, request: Any) -> int:
    """Return what counts as a stall, in microseconds: what the request says, else the silence limit."""
    if request.HasField("stall_limit"):
        return int(request.stall_limit.ToMicroseconds())
    return silence.limit(read)


class _Hits:
    """What breaks at one place."""

    def __init__(self) -> None:
        self.customers: set[bytes | int] = set()
        self.requests: set[int] = set()
        self.count = 0

    def add(self, member: Member, times: int = 1) -> None:
        self.customers.add(member.customer)
        self.requests.add(member.entity)
        self.count += times


def points(
    read: Read, found: Mapping[int, Member], offered: Sequence[HandoffRow], lost: frozenset[tuple[int, int]], limit: int
) -> list[BreakPoint]:
    """Return all points of rupture of these requests and their handoffs, those that hit most customers first."""
    hits: dict[Place, _Hits] = {}

    def hit(kind: BreakKind.ValueType, department: str, member: Member, times: int = 1, to_department: str = "") -> None:
        hits.setdefault((kind, department, to_department), _Hits()).add(member, times)

    for member, department in stalls(read, found.values(), limit):
        hit(BREAK_STALL, department, member)
    for member in found.values():
        for department in member.loops():
            hit(BREAK_LOOP, department, member)
        if member.state == REQUEST_STATE_WITHDRAWN:
            hit(BREAK_ABANDONMENT, member.owner_department, member)
    for member, department in abandoned(read, found.values()):
        hit(BREAK_ABANDONMENT, department, member)
    for row in offered:
        if row.returned_count:
            hit(BREAK_RETURN, row.from_department, found[row.entity], row.returned_count, row.to_department)
        if (row.entity, row.key) in lost:
            hit(BREAK_FACT_LOSS, row.from_department, found[row.entity], 1, row.to_department)
    return _ranked(hits, len(found))


def _ranked(hits: Mapping[Place, _Hits], request_count: int) -> list[BreakPoint]:
    made = [
        BreakPoint(
            kind=kind,
            department=department,
            to_department=to_department,
            customer_count=len(one.customers),
            request_count=len(one.requests),
            count=one.count,
            request_share=len(one.requests) / request_count,
        )
        for (kind, department, to_department), one in hits.items()
    ]
    return sorted(
        made,
        key=lambda point: (
            -point.customer_count,
            -point.request_count,
            -point.count,
            point.kind,
            point.department,
            point.to_department,
        ),
    )


# Stalls


def stalls(read: Read, found: Iterable[Member], limit: int) -> list[tuple[Member, str]]:
    """Return each stay that lasted longer than the limit, with its request."""
    lasting = [member for member in found if member.lasts(read.evaluated) > limit]
    long = [member for member in lasting if any(end - start > limit for start, end in spans(read, member))]
    idle = silence.idle_times(read, [member.entity for member in long])
    return [
        (member, stay.department)
        for member in long
        for stay, span in zip(member.stays, spans(read, member), strict=True)
        if active(span, idle.get(member.entity, ())) > limit
    ]


def spans(read: Read, member: Member) -> list[tuple[int, int]]:
    """Return from when to when each stay of a request lasts, microseconds UTC.

    The last one lasts until the request ended, else until the evaluated time.
    """
    starts = [stay.since for stay in member.stays]
    last = read.evaluated if member.ended_time is None else member.ended_time
    return list(zip(starts, [*starts[1:], last], strict=True)) if starts else []


def active(span: tuple[int, int], idle: Iterable[tuple[int, int]]) -> int:
    """Return how long a stretch of time lasts without the idle times in it. Never negative."""
    start, end = span
    return max(0, end - start) - sum(max(0, min(end, until) - max(start, since)) for since, until in idle)


# Abandonment


def abandoned(read: Read, found: Iterable[Member]) -> list[tuple[Member, str]]:
    """Return each contact of these requests that the customer gave up: the request, and the department it was with."""
    parameters: dict[str, Any] = {}
    query = shown(read, contacts.TABLE, "entity, department", Choice(states=(CONTACT_STATE_ABANDONED,)), parameters)
    departments = dict(read.db.execute(query, parameters).fetchall())
    if not departments:
        return []
    by_id = {contact_id: departments[entity] for entity, contact_id in listing.ids_of(read, departments).items()}
    return [(member, by_id[contact_id]) for member in found for contact_id in member.contact_ids.split() if contact_id in by_id]


# Lost facts


def fact_losses(read: Read, found: Mapping[int, Member], offered: Sequence[HandoffRow]) -> frozenset[tuple[int, int]]:
    """Return the handoffs that lost facts, as (number of the request, key of the handoff's row).

    Accepted without a fact that the policy requires, or the receiver asked the customer again, after accepting, for one that the
    sender knew at the offer.
    """
    lost = {(row.entity, row.key) for row in offered if row.accepted_without}
    asked = repetitions.asked_of_requests(read, found)
    for row in offered:
        if row.ever_accepted and row.entity in asked:
            lost.update((row.entity, row.key) for one in asked[row.entity] if repetitions.lost_in(one, row))
    return frozenset(lost)
