"""What customers had to say again (question 7): facts given twice, and facts asked for although they were given.

- *Given again*: a fact with the same key and an equal mark was given before, under the same identifier. Marks of two identifiers
  cannot be compared, so what is said again under another one is not seen here.
- *Asked again*: the customer was asked for a key that was given before by any identifier of that customer: about the same request,
  or for a key that is stable for the reason of that request, by the policy in force when it was asked (domain rule 8.10). Where it
  was asked about no request, or one without a known reason, a key that is stable for any reason.

Before means earlier in time, and of the same time earlier in the record. The tables are in facts.py. Keys and marks decide; a value
is opened only to be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, NamedTuple

from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.fact_pb2 import ASKED_OF_CUSTOMER
from ledger.api.v1.repetition_pb2 import ASKED_AGAIN, GIVEN_AGAIN, Repetition, RepetitionFilter, RepetitionKind
from ledger.event_id import to_text
from ledger.rules.instant import micros_or_none
from projections import identities, listing, policies, request_rows
from projections.identity_spans import Span, selection
from projections.journey_members import Member
from projections.listing import Cursor, Row, given, instant
from projections.quality import UNKNOWN
from projections.versions import Choice
from projections.view import Read, happened, one_of, stands


class Giving(NamedTuple):
    """A fact that was given."""

    order: int
    position: int
    item: int
    occur: int
    request_id: str | None


class _Found(NamedTuple):
    """A repetition, and what was given before."""

    order: int
    position: int
    item: int
    kind: RepetitionKind.ValueType
    subject: bytes
    key: str
    occur: int
    request_id: str | None
    contact_id: str | None
    department: str
    earlier: Giving


def page(
    read: Read, filter: RepetitionFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Repetition], Cursor | None]:
    """Return up to `limit` repetitions, newest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    found: list[_Found] = []
    for one in merge(_given_again(read, filter, subjects, after), _asked_again(read, filter, subjects, after), reverse=True):
        found.append(one)
        if len(found) > limit:
            break
    shown = found[:limit]
    payloads = listing.contents(read, [one.earlier.position for one in shown])
    return [_message(one, payloads[one.earlier.position]) for one in shown], shown[-1][:3] if len(found) > limit else None


def _message(one: _Found, payload: Any) -> Repetition:
    return Repetition(
        **given(
            kind=one.kind,
            key=one.key,
            occur_time=instant(one.occur),
            position=one.position,
            given_time=instant(one.earlier.occur),
            given_position=one.earlier.position,
            department=one.department,
            request_id=one.request_id,
            contact_id=one.contact_id,
            subject=to_text(one.subject) if one.subject else "",
            given=fact_of(payload, one.earlier.item),
        )
    )


def fact_of(payload: Any, item: int) -> Fact:
    """Return one of the facts that an event gives, of its full payload."""
    fact: Fact = payload.fact if payload.DESCRIPTOR.name == "FactGiven" else payload.intake_facts[item]
    return fact


# Given again


def _given_again(
    read: Read, filter: RepetitionFilter, subjects: Sequence[bytes] | None, after: Sequence[Any] | None
) -> Iterator[_Found]:
    if filter.kinds and GIVEN_AGAIN not in filter.kinds:
        return
    where, parameters = _where(read, filter, subjects, after, "g", "(g.order_time, g.position, g.item)")
    before = (
        "SELECT order_time, position, item, occur_time, request_id FROM fact_given WHERE subject = :subject AND key = :key "
        f"AND value_mark = :mark AND position <= :known AND {stands()} AND (order_time, position) < (:order, :position) "
        "ORDER BY order_time DESC, position DESC, item DESC LIMIT 1"
    )
    rows = read.db.execute(
        "SELECT g.order_time, g.position, g.item, g.subject, g.key, g.occur_time, g.request_id, g.value_mark, g.department "
        f"FROM fact_given AS g WHERE {where} AND g.value_mark IS NOT NULL AND EXISTS (SELECT 1 FROM fact_given AS e "
        "WHERE e.subject = g.subject AND e.key = g.key AND e.value_mark = g.value_mark "
        f"AND {happened(read, 'e.position', 'e.order_time')} AND (e.order_time, e.position) < (g.order_time, g.position)) "
        "ORDER BY g.order_time DESC, g.position DESC, g.item DESC",
        parameters,
    )
    for order, position, item, subject, key, occur, request_id, mark, department in rows:
        named = {"subject": subject, "key": key, "mark": mark, "known": read.known, "order": order, "position": position}
        earlier = Giving(*read.db.execute(before, named).fetchone())
        yield _Found(order, position, item, GIVEN_AGAIN, subject, key, occur, request_id, None, department, earlier)


# Asked again


def _asked_again(
    read: Read, filter: RepetitionFilter, subjects: Sequence[bytes] | None, after: Sequence[Any] | None
) -> Iterator[_Found]:
    if filter.kinds and ASKED_AGAIN not in filter.kinds:
        return
    where, parameters = _where(read, filter, subjects, after, "g", "(g.order_time, g.position, 0)")
    rows = read.db.execute(
        "SELECT g.order_time, g.position, g.subject, g.key, g.occur_time, g.request_id, g.contact_id, g.department "
        f"FROM fact_asked AS g WHERE {where} AND g.asked_of = {ASKED_OF_CUSTOMER} ORDER BY g.order_time DESC, g.position DESC",
        parameters,
    )
    published = policies.rows(read.log, read.known)
    for order, position, subject, key, occur, request_id, contact_id, department in rows:
        earlier = _known_before(read, published, subject, key, request_id, (order, position), occur)
        if earlier is not None:
            yield _Found(order, position, 0, ASKED_AGAIN, subject, key, occur, request_id, contact_id, department, earlier)


def _known_before(
    read: Read, published: policies.Rows, subject: bytes, key: str, request_id: str | None, place: tuple[int, int], occur: int
) -> Giving | None:
    """Return the last giving before a place that makes asking for a key a repetition; None when there is none."""
    before = [one for one in givings(read, subject, key, request_id) if (one.order, one.position) < place]
    if not _is_stable(read, published, key, request_id, place[1], occur):
        before = [one for one in before if request_id is not None and one.request_id == request_id]
    return before[-1] if before else None


def _is_stable(read: Read, published: policies.Rows, key: str, request_id: str | None, position: int, occur: int) -> bool:
    """True when the policy in force for an event calls the key stable for the reason of its request."""
    policy = policies.book_of(published, position).in_force(occur)
    if policy is None:
        return False
    reason = _reason(read, request_id) if request_id is not None else ""
    if reason and reason != UNKNOWN:
        rule = policy.reasons.get(reason)
        return rule is not None and key in rule.stable_facts
    return any(key in rule.stable_facts for rule in policy.reasons.values())


def _reason(read: Read, request_id: str) -> str:
    entity = listing.entity(read, f"request-{request_id}")
    if entity is None:
        return ""
    row = listing.only(read, request_rows.TABLE, Choice(states=request_rows.STATES, entities=(entity,)))
    return str(row.reason) if row is not None else ""


def givings(read: Read, subject: bytes, key: str, request_id: str | None) -> list[Giving]:
    """Return every giving of a key by a customer, or about a request, as known and as it had happened; in order of time."""
    columns = "SELECT order_time, position, item, occur_time, request_id FROM fact_given"
    times = read.parameters | {"key": key, "request_id": request_id}
    found: set[Giving] = set()
    if request_id is not None:
        query = f"{columns} WHERE request_id = :request_id AND key = :key AND {happened(read)}"
        found.update(Giving(*row) for row in read.db.execute(query, times))
    query = f"{columns} WHERE subject = :subject AND key = :key AND {happened(read)} AND order_time >= :low AND order_time < :high"
    for span in spans_of(read, subject):
        rows = read.db.execute(query, times | {"subject": span.subject, "low": span.order_from, "high": span.order_until})
        found.update(Giving(*row) for row in rows)
    return sorted(found, key=lambda one: one[:3])


def spans_of(read: Read, subject: bytes) -> list[Span]:
    """Return which stretches of whose events count for the customer of a subject; none for an event of nobody."""
    return selection(read, identities.members(read, subject)) if subject else []


def _where(
    read: Read, filter: RepetitionFilter, subjects: Sequence[bytes] | None, after: Sequence[Any] | None, table: str, place: str
) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = dict(read.parameters)
    where = [happened(read, f"{table}.position", f"{table}.order_time")]
    low, high = micros_or_none(filter, "from_time"), micros_or_none(filter, "to_time")
    if low is not None:
        where.append(f"{table}.occur_time >= :low")
        parameters["low"] = low
    if high is not None:
        where.append(f"{table}.occur_time < :high")
        parameters["high"] = high
    if filter.request_id:
        where.append(f"{table}.request_id = :request_id")
        parameters["request_id"] = filter.request_id
    listed = (("key", filter.keys), ("department", filter.departments), ("subject", subjects))
    where += [one_of(f"{table}.{column}", values, parameters, column) for column, values in listed if values]
    if subjects is not None and not subjects:
        where.append("0")
    if after is not None:
        where.append(f"{place} < (:after_order, :after_position, :after_item)")
        parameters.update(zip(("after_order", "after_position", "after_item"), after, strict=True))
    return " AND ".join(where), parameters


# What the receivers of handoffs asked again


class Asked(NamedTuple):
    """The customer was asked for a fact about a request."""

    key: str
    occur: int
    department: str
    given: tuple[int, ...]
    """When it had been given, about this request or about none: occur times."""


def asked_of_requests(read: Read, found: Mapping[int, Member]) -> dict[int, list[Asked]]:
    """Return what customers were asked about these requests, by the number under which the request's rows stand."""
    rows = read.db.execute(
        "SELECT request_id, key, occur_time, department FROM fact_asked WHERE request_id IS NOT NULL "
        f"AND asked_of = {ASKED_OF_CUSTOMER} AND {happened(read)} ORDER BY order_time, position",
        read.parameters,
    ).fetchall()
    asked: dict[int, list[Asked]] = {}
    numbers = {request_id: entity for entity, request_id in _ids_of(read, {row[0] for row in rows}).items()}
    for request_id, key, occur, department in rows:
        entity = numbers.get(request_id)
        if entity is not None and entity in found:
            times = known_times(read, found[entity].subject, key, request_id)
            asked.setdefault(entity, []).append(Asked(key, occur, department, times))
    return asked


def known_times(read: Read, subject: bytes, key: str, request_id: str) -> tuple[int, ...]:
    """Return when a fact was given about a request, or about none, by its customer: what its owner can know. Occur times."""
    return tuple(sorted(one.occur for one in givings(read, subject, key, request_id) if one.request_id in (None, request_id)))


def lost_in(one: Asked, handoff: Row) -> bool:
    """True when asking lost the receiver's time and the customer's: it had accepted, and the sender knew it at the offer."""
    if one.department != handoff.to_department or one.occur < handoff.accepted_time:
        return False
    return any(when <= handoff.offered_time for when in one.given)


def _ids_of(read: Read, request_ids: set[str]) -> dict[int, str]:
    return listing.ids_of(read, listing.entities(read, (f"request-{one}" for one in request_ids)))
