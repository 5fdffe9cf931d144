"""Opportunities that arise from service: what was suggested, to what the customer consented, what was taken or dismissed."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from ledger.api.v1.opportunity_pb2 import OpportunityKind
from ledger.api.v1.opportunity_service_pb2 import (
    OPPORTUNITY_BY_CONSENT,
    OPPORTUNITY_BY_DEPARTMENT,
    OPPORTUNITY_BY_KIND,
    OPPORTUNITY_BY_PRODUCT,
    OPPORTUNITY_BY_REASON,
    OPPORTUNITY_BY_STATE,
    Opportunity,
    OpportunityCount,
    OpportunityFilter,
    OpportunityGroup,
)
from ledger.api.v1.opportunity_service_pb2 import OpportunityState as State
from ledger.event_id import to_text
from ledger.rules.opportunity import OPEN, OpportunityState
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text, yes_or_no
from projections.versions import Choice
from projections.view import Read, one_of

TABLE: Final = Table(
    name="opportunity",
    static=(
        "subject BLOB NOT NULL",
        "opened_time INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "actor_kind INTEGER NOT NULL",
        "department TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "kind INTEGER NOT NULL",
        "product TEXT NOT NULL",
        "consent INTEGER NOT NULL",
        "contact_id TEXT NOT NULL",
        "request_id TEXT NOT NULL",
        "since_time INTEGER NOT NULL",
        "noted_time INTEGER",
        "noted_position INTEGER NOT NULL",
        "ended_time INTEGER",
        "taken_contact_id TEXT NOT NULL",
        "dismissed_reason TEXT NOT NULL",
    ),
    indexes=("state, opened_time, entity", "subject, opened_time, entity"),
)

ORDER: Final = Order(("opened_time", "entity"))

_STATES: Final = tuple(value for value in State.values() if value)
_VALUES: Final = itemgetter(*map(OpportunityState._fields.index, TABLE.names))
_GROUPS: Final[dict[int, Group]] = {
    OPPORTUNITY_BY_STATE: ("state", State.Name),
    OPPORTUNITY_BY_KIND: ("kind", lambda kind: OpportunityKind.Name(kind) if kind else ""),
    OPPORTUNITY_BY_PRODUCT: ("product", text),
    OPPORTUNITY_BY_DEPARTMENT: ("department", text),
    OPPORTUNITY_BY_CONSENT: ("consent", yes_or_no),
    OPPORTUNITY_BY_REASON: ("dismissed_reason", text),
}


def _values(state: OpportunityState) -> Values:
    values: Values = _VALUES(state)
    return values


VIEW: Final = FoldView(name="opportunities", family="opportunity", table=TABLE, values=_values)


def get(read: Read, opportunity_id: str) -> Opportunity | None:
    """Return an opportunity; None where there is none at the times asked for."""
    entity = listing.entity(read, f"opportunity-{opportunity_id}")
    row = listing.only(read, TABLE, Choice(states=_STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, [row])[0] if row is not None else None


def page(
    read: Read, filter: OpportunityFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Opportunity], Cursor | None]:
    """Return up to `limit` opportunities, oldest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    rows, following = listing.page(read, TABLE, _choice(read, filter, subjects), ORDER, limit, after)
    return _shown(read, rows), following


def count(
    read: Read, filter: OpportunityFilter, group_by: Sequence[OpportunityGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> OpportunityCount:
    """Return how many opportunities there are of each group. `subjects` as in `page`."""
    rows, total = listing.count(read, TABLE, _choice(read, filter, subjects), [_GROUPS[group] for group in group_by])
    return OpportunityCount(rows=rows, total=total)


def _choice(read: Read, filter: OpportunityFilter, subjects: Sequence[bytes] | None) -> Choice:
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "opened_time", parameters)
    states = tuple(filter.states) or _STATES
    if filter.open:
        states = tuple(state for state in states if state in OPEN)
    for column, values in (("kind", filter.kinds), ("product", filter.products), ("department", filter.departments)):
        if values:
            where.append(one_of(column, values, parameters, column))
    if filter.consented:
        where.append("consent")
    if filter.request_id:
        where.append("request_id = :request_id")
        parameters["request_id"] = filter.request_id
    scopes = {} if subjects is None else {"subject": subjects}
    return Choice(tuple(where), parameters, states, scopes=scopes)


def _shown(read: Read, rows: Sequence[Row]) -> list[Opportunity]:
    ids = listing.ids(read, rows)
    payloads = listing.contents(read, [row.noted_position for row in rows if row.noted_position])
    return [_message(read, row, ids[row.entity], payloads[row.noted_position].text if row.noted_position else "") for row in rows]


def _message(read: Read, row: Row, opportunity_id: str, words: str) -> Opportunity:
    return Opportunity(
        **given(
            opportunity_id=opportunity_id,
            state=row.state,
            kind=row.kind,
            product=row.product,
            consent=bool(row.consent),
            department=row.department,
            actor_kind=row.actor_kind,
            contact_id=row.contact_id,
            request_id=row.request_id,
            opened_time=instant(row.opened_time),
            since_time=instant(row.since_time),
            noted_time=instant(row.noted_time),
            ended_time=instant(row.ended_time),
            taken_contact_id=row.taken_contact_id,
            dismissed_reason=row.dismissed_reason,
            subject=to_text(row.subject),
            text=words,
            age_seconds=listing.seconds_between(row.opened_time, min(read.evaluated, row.ended_time or read.evaluated)),
        )
    )
