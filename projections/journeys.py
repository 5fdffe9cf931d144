"""Journeys of the requests opened in a period (question 9): variants, department pairs, points of rupture and of satisfaction,
expected paths against recorded ones, and what another period has otherwise.

Has no tables: rows of requests carry their path and steps (ledger/rules/journey.py), those of handoffs, contacts and facts the
rest, so every figure is that of the folds at any position and time. Exact: nothing is sampled or rounded. Reads no sealed value.

Definitions stand in docs/journeys.md, and in journey.proto beside each field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_REJECTED, HANDOFF_STATE_WITHDRAWN
from ledger.api.v1.journey_pb2 import (
    VARIANT_OF_STEPS,
    BreakChange,
    BreakPoint,
    DepartmentPair,
    GetJourneysRequest,
    JourneyPeriod,
    Journeys,
    JourneyVariant,
)
from ledger.rules.instant import micros_or_none
from ledger.rules.journey import TOPICS
from projections import handoffs, journey_breaks, journey_paths, journey_satisfaction, listing
from projections.journey_breaks import Place
from projections.journey_members import HandoffRow, Member, members
from projections.versions import Choice, shown
from projections.view import Read

DEFINITION: Final = "journeys@1"
"""Named in every answer; counts up when a definition changes."""

TOP: Final = 20
"""Variants, pairs and break points when the caller does not say how many."""

EXAMPLES_MAX: Final = 3
"""Requests named of a variant."""

_ALL_FROM: Final = 2_000
"""With so many requests all handoffs are read, instead of asking for those of each."""


def of_period(read: Read, request: GetJourneysRequest) -> Journeys:
    """Return the journeys of a period, and of the one to compare with where the request names one."""
    limit = journey_breaks.stall_limit(read, request)
    journeys = Journeys(definition=DEFINITION)
    journeys.stall_limit.FromMicroseconds(limit)
    bounds = _Bounds(micros_or_none(request, "from_time"), micros_or_none(request, "to_time"))
    period, points = _period(read, request, bounds, limit)
    journeys.period.CopyFrom(period)
    if request.HasField("compare_from_time") or request.HasField("compare_to_time"):
        bounds = _Bounds(micros_or_none(request, "compare_from_time"), micros_or_none(request, "compare_to_time"))
        compared, compared_points = _period(read, request, bounds, limit)
        journeys.compared.CopyFrom(compared)
        journeys.changes.extend(_changes(points, compared_points))
    return journeys


class _Bounds(NamedTuple):
    """A period by the time at which requests were opened. Microseconds UTC; None: without that bound."""

    low: int | None
    high: int | None


def _period(read: Read, request: GetJourneysRequest, bounds: _Bounds, limit: int) -> tuple[JourneyPeriod, list[BreakPoint]]:
    """Return a period, and all its points of rupture."""
    found = members(read, *bounds, request.reasons)
    offered = handoffs_of(read, found)
    top = request.top or TOP
    period = JourneyPeriod(
        request_count=len(found),
        customer_count=len({one.customer for one in found.values()}),
        reopened_request_count=sum(one.reopened_count > 0 for one in found.values()),
        reopening_count=sum(one.reopened_count for one in found.values()),
    )
    if bounds.low is not None:
        period.from_time.FromMicroseconds(bounds.low)
    if bounds.high is not None:
        period.to_time.FromMicroseconds(bounds.high)
    variants = _variants(read, found.values(), request.variants_of == VARIANT_OF_STEPS, top)
    period.variant_count = variants[1]
    period.variants.extend(variants[0])
    lost = journey_breaks.fact_losses(read, found, offered)
    pairs = _pairs(found, offered, lost)
    period.pair_count = len(pairs)
    period.pairs.extend(pairs[:top])
    points = journey_breaks.points(read, found, offered, lost, limit)
    period.break_point_count = len(points)
    period.break_points.extend(points[:top])
    period.satisfaction_points.extend(journey_satisfaction.points(read, found))
    period.conformances.extend(journey_paths.conformances(read, found.values()))
    return period, points


def handoffs_of(read: Read, found: Mapping[int, Member]) -> list[HandoffRow]:
    """Return the handoffs of these requests, in the order of their requests and offers."""
    entities = None if len(found) >= _ALL_FROM else sorted(found)
    if entities is not None and not entities:
        return []
    parameters: dict[str, Any] = {}
    choice = Choice(states=handoffs.STATES, entities=entities)
    query = shown(read, handoffs.TABLE, ", ".join(HandoffRow._fields), choice, parameters)
    rows = [HandoffRow._make(row) for row in read.db.execute(query, parameters) if row[0] in found]
    return sorted(rows, key=lambda row: (row.entity, row.key))


def _variants(read: Read, found: Iterable[Member], of_steps: bool, top: int) -> tuple[list[JourneyVariant], int]:
    """Return the most frequent variants, and how many there are."""
    requests: Counter[str] = Counter()
    customers: dict[str, set[Any]] = {}
    examples: dict[str, list[Member]] = {}
    for one in found:
        sequence = one.steps if of_steps else one.departments
        requests[sequence] += 1
        customers.setdefault(sequence, set()).add(one.customer)
        named = examples.setdefault(sequence, [])
        if len(named) < EXAMPLES_MAX:
            named.append(one)
    ranked = sorted(requests.items(), key=lambda item: (-item[1], item[0]))[:top]
    total = requests.total()
    ids = listing.ids_of(read, {one.entity for sequence, _ in ranked for one in examples[sequence]})
    variants = [
        JourneyVariant(
            sequence=[TOPICS.get(step, step) if of_steps else step for step in sequence.split()],
            request_count=count,
            customer_count=len(customers[sequence]),
            share=count / total,
            example_request_ids=[ids[one.entity] for one in examples[sequence]],
        )
        for sequence, count in ranked
    ]
    return variants, len(requests)


def _pairs(found: Mapping[int, Member], offered: Sequence[HandoffRow], lost: frozenset[tuple[int, int]]) -> list[DepartmentPair]:
    """Return all department pairs, those with most handoffs first."""
    by_pair: dict[tuple[str, str], list[HandoffRow]] = {}
    for row in offered:
        by_pair.setdefault((row.from_department, row.to_department), []).append(row)
    pairs = [_pair(*names, rows, found, lost) for names, rows in by_pair.items()]
    return sorted(pairs, key=lambda pair: (-pair.handoff_count, pair.from_department, pair.to_department))


def _pair(
    from_department: str,
    to_department: str,
    rows: Sequence[HandoffRow],
    found: Mapping[int, Member],
    lost: frozenset[tuple[int, int]],
) -> DepartmentPair:
    accepted = [row for row in rows if row.ever_accepted]
    losing = [row for row in rows if (row.entity, row.key) in lost]
    waits = sorted(max(0, (row.accepted_time or 0) - row.offered_time) for row in accepted)
    returned = sum(row.returned_count > 0 for row in rows)
    pair = DepartmentPair(
        from_department=from_department,
        to_department=to_department,
        handoff_count=len(rows),
        accepted_count=len(accepted),
        returned_count=returned,
        fact_loss_count=len(losing),
        withdrawn_count=sum(row.state == HANDOFF_STATE_WITHDRAWN for row in rows),
        rejected_count=sum(row.state == HANDOFF_STATE_REJECTED for row in rows),
        return_rate=returned / len(rows),
        fact_loss_rate=len(losing) / len(accepted) if accepted else 0.0,
        request_count=len({row.entity for row in rows}),
        customer_count=len({found[row.entity].customer for row in rows}),
    )
    if waits:
        pair.acceptance_median.FromMicroseconds(at_share(waits, 50))
        pair.acceptance_p90.FromMicroseconds(at_share(waits, 90))
    return pair


def at_share(ordered: Sequence[int], per_cent: int) -> int:
    """Return the smallest of some ordered values that at least so many per cent of them do not exceed."""
    return ordered[max(0, -(-len(ordered) * per_cent // 100) - 1)]


def _changes(points: Sequence[BreakPoint], compared: Sequence[BreakPoint]) -> list[BreakChange]:
    """Return every point of either period beside that of the other, the greatest change first."""
    here = {_place(point): point for point in points}
    there = {_place(point): point for point in compared}
    changes = []
    for place in here.keys() | there.keys():
        kind, department, to_department = place
        nothing = BreakPoint(kind=kind, department=department, to_department=to_department, count=0)
        point, before = here.get(place, nothing), there.get(place, nothing)
        changes.append(BreakChange(point=point, compared=before, share_change=point.request_share - before.request_share))
    return sorted(changes, key=lambda change: (-abs(change.share_change), *_place(change.point)))


def _place(point: BreakPoint) -> Place:
    return point.kind, point.department, point.to_department
