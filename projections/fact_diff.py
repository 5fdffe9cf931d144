"""What became of the facts on their way through a handoff: known to the sender, passed, missing, asked again (question 2).

Known to the sender at the offer is what the customer gave, up to the offer's time, about this request or about none. What was
passed is compared with the last of it by its mark; marks of two identifiers cannot be compared. Keys and marks decide; values are
opened only to be shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.repetition_pb2 import (
    FACT_DIFFERS,
    FACT_NEW,
    FACT_NOT_PASSED,
    FACT_SAME,
    FACT_UNCOMPARED,
    FACT_UNKNOWN,
    FactDiff,
    FactPassed,
    FactPassing,
)
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import steps
from projections import handoffs, listing, repetitions
from projections.journey_members import Member, members
from projections.listing import Order, Row, given, instant
from projections.repetitions import Giving, fact_of, spans_of
from projections.versions import Choice
from projections.view import Read, happened


class _Passed(NamedTuple):
    """A fact that was passed: where it stands, and whether it came with a supply."""

    position: int
    item: int
    mark: bytes
    supplied: bool


class _Course(NamedTuple):
    """What happened to a handoff, as far as facts are concerned, by key."""

    passed: dict[str, _Passed]
    """The last passing of each key."""
    required: set[str]
    """Keys that the policy requires and that the offer lacked."""
    missing: Counter[str]
    wrong: Counter[str]


class _Known(NamedTuple):
    """The last giving of a fact that the sender knew."""

    giving: Giving
    mark: bytes
    same_subject: bool
    """It was given under the identifier of the request, so that its mark compares."""


def of_handoff(read: Read, request_id: str, handoff_id: str) -> FactDiff | None:
    """Return the fact diff of a handoff; None where there is none at the times asked for.

    `request_id` may be empty: the oldest handoff of that id.
    """
    row = _row(read, request_id, handoff_id)
    if row is None:
        return None
    member = members(read, None, None, entities=[row.entity])[row.entity]
    request_id = listing.ids_of(read, [row.entity])[row.entity]
    course = _course(read, request_id, row)
    known = _known(read, member.subject, request_id, row.offered_time)
    asked = _asked(read, member, row)
    keys = sorted({*course.passed, *known, *course.required, *course.missing, *course.wrong, *asked})
    opened = listing.contents(
        read, [*(one.position for one in course.passed.values()), *(one.giving.position for one in known.values())]
    )
    lost = bool(row.accepted_without) or any(key in known for key in asked)
    return FactDiff(
        **given(
            handoff_id=row.handoff_id,
            request_id=request_id,
            from_department=row.from_department,
            to_department=row.to_department,
            offered_time=instant(row.offered_time),
            accepted_time=instant(row.accepted_time),
            facts=[_fact(key, course, known.get(key), asked[key], opened) for key in keys],
        ),
        fact_loss=lost,
    )


def _row(read: Read, request_id: str, handoff_id: str) -> Row | None:
    entities = None
    if request_id:
        entity = listing.entity(read, f"request-{request_id}")
        if entity is None:
            return None
        entities = (entity,)
    choice = Choice(states=handoffs.STATES, scopes={"handoff_id": (handoff_id,)}, entities=entities)
    rows, _ = listing.page(read, handoffs.TABLE, choice, Order(("entity", "key")), 1, None)
    return rows[0] if rows else None


def _course(read: Read, request_id: str, row: Row) -> _Course:
    """Return what the events of the handoff that apply say of facts, in their order."""
    course = _Course({}, set(), Counter(), Counter())
    for event in _applied(read, f"request-{request_id}"):
        if getattr(event.payload, "handoff_id", "") != row.handoff_id:
            continue
        if event.topic in ("handoff-offered", "handoff-supplied"):
            supplied = event.topic == "handoff-supplied"
            for item, fact in enumerate(event.payload.facts):
                course.passed[fact.key] = _Passed(event.position, item, fact.value_mark, supplied)
            if not supplied:
                course.required.update(event.payload.missing_required_keys)
        elif event.topic == "handoff-returned":
            course.missing.update(event.payload.missing_keys)
            course.wrong.update(event.payload.wrong_keys)
    return course


def _applied(read: Read, stream: str) -> Iterable[Event]:
    events = [read_event(row.position, row.header) for row in read.log.read_stream(stream, read.known)]
    for event, order, _, applied in steps(FAMILIES["request"], events, stream):
        if applied and (read.before is None or order < read.before):
            yield event


def _known(read: Read, subject: bytes, request_id: str, offered_time: int) -> dict[str, _Known]:
    """Return the last giving of each key that the sender knew at the offer."""
    columns = "SELECT order_time, position, item, occur_time, request_id, key, value_mark, subject FROM fact_given"
    shows = f"{happened(read)} AND occur_time <= :offered"
    parameters = read.parameters | {"offered": offered_time, "request_id": request_id}
    rows = set(read.db.execute(f"{columns} WHERE request_id = :request_id AND {shows}", parameters))
    for span in spans_of(read, subject):
        bounds = {"subject": span.subject, "low": span.order_from, "high": span.order_until}
        within = "subject = :subject AND order_time >= :low AND order_time < :high AND request_id IS NULL"
        rows.update(read.db.execute(f"{columns} WHERE {within} AND {shows}", parameters | bounds))
    found: dict[str, _Known] = {}
    for *place, key, mark, of_subject in sorted(rows, key=lambda row: row[:3]):
        found[key] = _Known(Giving(*place), mark or b"", of_subject == subject)
    return found


def _asked(read: Read, member: Member, row: Row) -> Counter[str]:
    """Return how often the receiver asked the customer for each key once it had accepted."""
    if not row.ever_accepted:
        return Counter()
    asked = repetitions.asked_of_requests(read, {member.entity: member}).get(member.entity, [])
    return Counter(one.key for one in asked if one.department == row.to_department and one.occur >= row.accepted_time)


def _fact(key: str, course: _Course, known: _Known | None, asked_count: int, opened: dict[int, Any]) -> FactPassed:
    passed = course.passed.get(key)
    made = FactPassed(
        **given(
            key=key,
            passing=_passing(passed, known),
            supplied=passed is not None and passed.supplied,
            required_missing=key in course.required,
            returned_missing=course.missing[key] > 0,
            returned_wrong=course.wrong[key] > 0,
            asked_again_count=asked_count,
        )
    )
    if known is not None:
        made.given_time.FromMicroseconds(known.giving.occur)
        made.given_position = known.giving.position
        made.given.CopyFrom(fact_of(opened[known.giving.position], known.giving.item))
    if passed is not None:
        made.passed.CopyFrom(_passed_fact(opened[passed.position], passed.item))
    return made


def _passing(passed: _Passed | None, known: _Known | None) -> FactPassing.ValueType:
    if passed is None:
        return FACT_UNKNOWN if known is None else FACT_NOT_PASSED
    if known is None:
        return FACT_NEW
    if not known.same_subject or not known.mark or not passed.mark:
        return FACT_UNCOMPARED
    return FACT_SAME if known.mark == passed.mark else FACT_DIFFERS


def _passed_fact(payload: Any, item: int) -> Fact:
    fact: Fact = payload.facts[item]
    return fact
