"""Handoffs between departments: what is pending, in whose hands, since when."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final

from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_BY_EVER_ACCEPTED,
    HANDOFF_BY_FROM_DEPARTMENT,
    HANDOFF_BY_HANDS,
    HANDOFF_BY_STATE,
    HANDOFF_BY_TO_DEPARTMENT,
    HANDOFF_BY_TYPE,
    HANDOFF_STATE_ACCEPTED,
    HANDOFF_STATE_OFFERED,
    HANDOFF_STATE_RETURNED,
    Handoff,
    HandoffCount,
    HandoffFilter,
    HandoffGroup,
)
from ledger.api.v1.handoff_service_pb2 import HandoffState as State
from ledger.event_id import to_text
from ledger.rules.handoff import PENDING, UNFINISHED, HandoffState
from projections import contacts, listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, seconds_between, text, yes_or_no
from projections.versions import Choice
from projections.view import Read, one_of

_PENDING: Final = (HANDOFF_STATE_OFFERED, HANDOFF_STATE_RETURNED)
_PENDING_SQL: Final = f"state IN ({HANDOFF_STATE_OFFERED}, {HANDOFF_STATE_RETURNED})"
_UNFINISHED: Final = (*_PENDING, HANDOFF_STATE_ACCEPTED)

TABLE: Final = Table(
    name="handoff",
    static=(
        "subject BLOB NOT NULL",
        "handoff_id TEXT NOT NULL",
        "from_department TEXT NOT NULL",
        "to_department TEXT NOT NULL",
        "type TEXT NOT NULL",
        "ownership INTEGER NOT NULL",
        "reason TEXT NOT NULL",
        "next_step TEXT NOT NULL",
        "offered_time INTEGER NOT NULL",
        "accept_by INTEGER",
        "complete_by INTEGER",
        "terms_import_run TEXT NOT NULL",
        "promise_ids TEXT NOT NULL",
        "authentication_event_id BLOB NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "assignee TEXT NOT NULL",
        "since_time INTEGER NOT NULL",
        "expired INTEGER NOT NULL",
        "marked_overdue INTEGER NOT NULL",
        "returned_count INTEGER NOT NULL",
        "ever_accepted INTEGER NOT NULL",
        "accepted_time INTEGER",
        "rated INTEGER NOT NULL",
        "rated_complete INTEGER NOT NULL",
        "rated_usable INTEGER NOT NULL",
        "hands TEXT NOT NULL",
        "term INTEGER",
        "missing_keys TEXT NOT NULL",
        "fact_keys TEXT NOT NULL",
        "fact_positions TEXT NOT NULL",
        "missing_required TEXT NOT NULL",
        "accepted_without TEXT NOT NULL",
        "required_count INTEGER NOT NULL",
    ),
    indexes=(
        "state, since_time, entity, key",
        "hands, state, since_time, entity, key WHERE hands <> ''",
        "subject, state, since_time, entity, key",
        "handoff_id",
        "term WHERE term IS NOT NULL",
    ),
    scopes=("subject", "handoff_id"),
    lead="hands",
    keyed=True,
)

ORDER: Final = Order(("since_time", "entity", "key"))

STATES: Final = tuple(value for value in State.values() if value)
"""All states: every choice names those it asks for."""

_FIELDS: Final = HandoffState._fields
_STATIC: Final = itemgetter(*map(_FIELDS.index, TABLE.names[:12]))
_MOVING: Final = itemgetter(*map(_FIELDS.index, TABLE.names[14:25]))
_GROUPS: Final[dict[int, Group]] = {
    HANDOFF_BY_STATE: ("state", State.Name),
    HANDOFF_BY_TO_DEPARTMENT: ("to_department", text),
    HANDOFF_BY_FROM_DEPARTMENT: ("from_department", text),
    HANDOFF_BY_HANDS: ("hands", text),
    HANDOFF_BY_TYPE: ("type", text),
    HANDOFF_BY_EVER_ACCEPTED: ("ever_accepted", yes_or_no),
}


def _values(handoff: HandoffState) -> Values:
    values: Values = (
        *_STATIC(handoff),
        " ".join(handoff.promise_ids),
        handoff.authentication_event_id,
        *_MOVING(handoff),
        handoff.hands,
        _term(handoff),
        " ".join(handoff.missing_keys),
        " ".join(handoff.fact_keys),
        " ".join(map(str, handoff.fact_positions)),
        " ".join(handoff.missing_required),
        " ".join(handoff.accepted_without),
        handoff.required_count,
    )
    return values


def _term(handoff: HandoffState) -> int | None:
    """Return the next instant at which the clock may mark it; None when there is none."""
    terms = []
    if handoff.accept_by is not None and handoff.state in PENDING and not (handoff.expired or handoff.ever_accepted):
        terms.append(handoff.accept_by)
    if handoff.complete_by is not None and handoff.state in UNFINISHED and not handoff.marked_overdue:
        terms.append(handoff.complete_by)
    return min(terms, default=None)


VIEW: Final = FoldView(
    name="handoffs", family="request", table=TABLE, values=_values, part=attrgetter("handoffs"), key=attrgetter("position")
)


def get(read: Read, request_id: str, handoff_id: str) -> Handoff | None:
    """Return a handoff; None where there is none at the times asked for. `request_id` may be empty: the oldest one of that id."""
    entities = None
    if request_id:
        entity = listing.entity(read, f"request-{request_id}")
        if entity is None:
            return None
        entities = (entity,)
    choice = Choice(states=STATES, scopes={"handoff_id": (handoff_id,)}, entities=entities)
    rows, _ = listing.page(read, TABLE, choice, Order(("entity", "key")), 1, None)
    return _shown(read, rows)[0] if rows else None


def page(
    read: Read, filter: HandoffFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Handoff], Cursor | None]:
    """Return up to `limit` handoffs, longest in the present hands first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    choice = _choice(read, filter, subjects)
    rows, following = listing.page(read, TABLE, choice, ORDER, limit, after) if choice is not None else ([], None)
    return _shown(read, rows), following


def count(
    read: Read, filter: HandoffFilter, group_by: Sequence[HandoffGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> HandoffCount:
    """Return how many handoffs there are of each group. `subjects` as in `page`."""
    choice = _choice(read, filter, subjects)
    if choice is None:
        return HandoffCount(total=0)
    rows, total = listing.count(read, TABLE, choice, [_GROUPS[group] for group in group_by])
    return HandoffCount(rows=rows, total=total)


def changed(
    read: Read,
    after_position: int,
    filter: HandoffFilter,
    subjects: Sequence[bytes] | None = None,
    limit: int = listing.CHANGES_MAX,
) -> list[tuple[int, Handoff]]:
    """Return handoffs as they were when they changed, in order of position; also those that a change took out of the filter.

    Stops at the first position at which it has `limit`.
    """
    choice = _choice(read, filter, subjects)
    found = listing.changed(read, TABLE, VIEW.family, choice, after_position, limit) if choice is not None else []
    return list(zip([position for position, _ in found], _shown(read, [row for _, row in found]), strict=True))


def _choice(read: Read, filter: HandoffFilter, subjects: Sequence[bytes] | None) -> Choice | None:
    """Return the rows asked for; None where there can be none."""
    parameters: dict[str, Any] = {}
    where: list[str] = []
    states = tuple(filter.states) or STATES
    entities = None
    if filter.pending:
        states = tuple(state for state in _PENDING if state in states)
    if filter.overdue:
        states = tuple(state for state in _UNFINISHED if state in states)
        where.append(f"(complete_by < :evaluated OR (accept_by < :evaluated AND {_PENDING_SQL} AND NOT ever_accepted))")
        parameters["evaluated"] = read.evaluated
    if filter.incomplete:
        states = tuple(state for state in _PENDING if state in states)
        where.append("missing_keys <> ''")
    if filter.hands:
        where.append("hands <> ''")
    if filter.to_departments:
        where.append(one_of("to_department", filter.to_departments, parameters, "to"))
    if filter.from_departments:
        where.append(one_of("from_department", filter.from_departments, parameters, "from"))
    if filter.request_id:
        entity = listing.entity(read, f"request-{filter.request_id}")
        if entity is None:
            return None
        entities = (entity,)
    scopes = {} if subjects is None else {"subject": subjects}
    return Choice(tuple(where), parameters, states, filter.hands, scopes, entities)


def _shown(read: Read, rows: Sequence[Row]) -> list[Handoff]:
    ids = listing.ids(read, rows)
    positions = {id(row): [int(position) for position in row.fact_positions.split()] for row in rows}
    payloads = listing.contents(read, [position for of_row in positions.values() for position in of_row])
    checks = contacts.authentications(read, [row.authentication_event_id for row in rows if row.authentication_event_id])
    shown = [
        _message(read, row, ids[row.entity], [fact for position in positions[id(row)] for fact in payloads[position].facts])
        for row in rows
    ]
    for row, message in zip(rows, shown, strict=True):
        if row.authentication_event_id in checks:
            message.authentication.CopyFrom(checks[row.authentication_event_id])
    return shown


def _message(read: Read, row: Row, request_id: str, facts: Sequence[Fact]) -> Handoff:
    message = Handoff(
        **given(
            handoff_id=row.handoff_id,
            request_id=request_id,
            state=row.state,
            from_department=row.from_department,
            to_department=row.to_department,
            hands=row.hands,
            assignee=row.assignee,
            type=row.type,
            ownership=row.ownership,
            reason=row.reason,
            next_step=row.next_step,
            offered_time=instant(row.offered_time),
            since_time=instant(row.since_time),
            accept_by=instant(row.accept_by),
            complete_by=instant(row.complete_by),
            expired=bool(row.expired),
            marked_overdue=bool(row.marked_overdue),
            overdue=_overdue(read, row),
            returned_count=row.returned_count,
            missing_keys=row.missing_keys.split(),
            fact_keys=row.fact_keys.split(),
            facts=facts,
            ever_accepted=bool(row.ever_accepted),
            accepted_time=instant(row.accepted_time),
            subject=to_text(row.subject),
            promise_ids=row.promise_ids.split(),
            age_seconds=seconds_between(row.offered_time, read.evaluated),
            hands_age_seconds=seconds_between(row.since_time, read.evaluated) if row.hands else 0,
        )
    )
    if row.rated:
        message.rated_complete = bool(row.rated_complete)
        message.rated_usable = bool(row.rated_usable)
    return message


def _overdue(read: Read, row: Row) -> bool:
    if row.state not in UNFINISHED:
        return False
    if row.complete_by is not None and row.complete_by < read.evaluated:
        return True
    waits = row.state in PENDING and not row.ever_accepted
    return waits and row.accept_by is not None and row.accept_by < read.evaluated
