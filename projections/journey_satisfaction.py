"""Points of satisfaction: what customers said of their requests, by the department that answered for the request then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.api.v1.experience_pb2 import CES, CSAT, NPS, RESPONDENT_CUSTOMER
from ledger.api.v1.journey_pb2 import SatisfactionPoint
from projections import experience, listing
from projections.experience import Score
from projections.journey_members import EARLIEST, Member
from projections.view import MAX, Read

_GOOD: Final[dict[int, tuple[int, int]]] = {CSAT: (3, 4), NPS: (9, 10), CES: (2, 3)}
"""From which part of the scale on an answer is good."""

_BAD: Final[dict[int, tuple[int, int]]] = {CSAT: (1, 4), NPS: (6, 10), CES: (1, 3)}
"""Up to which part of the scale an answer is bad."""


def points(read: Read, found: Mapping[int, Member]) -> list[SatisfactionPoint]:
    """Return what customers said of these requests, by department and measure; most answers first.

    A score belongs to the request that it names, else to each of these requests that its contact belongs to. What employees say
    is left out.
    """
    said: dict[tuple[str, int], list[Score]] = {}
    scores = [one for one in experience.scores(read, EARLIEST, MAX) if one.respondent == RESPONDENT_CUSTOMER]
    if not scores:
        return []
    by_request, by_contact = _by_name(read, found)
    for score in scores:
        of_request = by_request.get(score.request_id)
        about = [of_request] if of_request is not None else [] if score.request_id else by_contact.get(score.contact_id, [])
        for member in about:
            said.setdefault((member.owner_at(score.occur_time), score.measure), []).append(score)
    made = [_point(department, measure, of_place) for (department, measure), of_place in said.items()]
    return sorted(made, key=lambda point: (-point.count, point.department, point.measure))


def _by_name(read: Read, found: Mapping[int, Member]) -> tuple[dict[str, Member], dict[str, list[Member]]]:
    by_request = {request_id: found[entity] for entity, request_id in listing.ids_of(read, found).items()}
    by_contact: dict[str, list[Member]] = {}
    for member in found.values():
        for contact_id in member.contact_ids.split():
            by_contact.setdefault(contact_id, []).append(member)
    return by_request, by_contact


def _point(department: str, measure: int, scores: list[Score]) -> SatisfactionPoint:
    places = [(one.score - one.scale_min, one.scale_max - one.scale_min) for one in scores]
    good, bad = _GOOD[measure], _BAD[measure]
    return SatisfactionPoint(
        department=department,
        measure=measure,  # type: ignore[arg-type]
        count=len(scores),
        good_count=sum(part * good[1] >= good[0] * whole for part, whole in places),
        bad_count=sum(part * bad[1] <= bad[0] * whole for part, whole in places),
        # Summed as whole millionths, so that the order of the scores plays no part.
        mean=sum(part * 1_000_000 // whole for part, whole in places) / len(places) / 1_000_000,
    )
