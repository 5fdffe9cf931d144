"""Contacts: each one as it stands, inbound and outbound."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from ledger.api.v1.history_service_pb2 import (
    CONTACT_BY_CHANNEL,
    CONTACT_BY_DEPARTMENT,
    CONTACT_BY_DIRECTION,
    CONTACT_BY_IDENTIFIED,
    CONTACT_BY_REASON,
    CONTACT_BY_STATE,
    Contact,
    ContactCount,
    ContactFilter,
    ContactGroup,
)
from ledger.api.v1.history_service_pb2 import ContactState as State
from ledger.rules.contact import ContactState
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text, yes_or_no
from projections.versions import Choice
from projections.view import Read, one_of

TABLE: Final = Table(
    name="contact",
    static=(
        "subject BLOB NOT NULL",
        "outbound INTEGER NOT NULL",
        "channel TEXT NOT NULL",
        "opened_time INTEGER NOT NULL",
        "identified INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "response_due_time INTEGER",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "department TEXT NOT NULL",
        "reason TEXT NOT NULL",
        "queue TEXT NOT NULL",
        "answered_time INTEGER",
        "ended_time INTEGER",
        "disposition TEXT NOT NULL",
        "completeness INTEGER NOT NULL",
    ),
    indexes=("state, opened_time, entity", "subject, opened_time, entity"),
)

ORDER: Final = Order(("opened_time", "entity"), descending=True)

_STATES: Final = tuple(value for value in State.values() if value)
_FIELDS: Final = ContactState._fields
_STATIC: Final = itemgetter(
    *map(_FIELDS.index, ("subject", "outbound", "channel", "opened_time", "identified", "position")),
)
_MOVING: Final = itemgetter(
    *map(
        _FIELDS.index,
        ("state", "department", "reason", "queue", "answered_time", "ended_time", "disposition", "completeness"),
    )
)
_GROUPS: Final[dict[int, Group]] = {
    CONTACT_BY_CHANNEL: ("channel", text),
    CONTACT_BY_DEPARTMENT: ("department", text),
    CONTACT_BY_STATE: ("state", State.Name),
    CONTACT_BY_REASON: ("reason", text),
    CONTACT_BY_DIRECTION: ("outbound", lambda outbound: "outbound" if outbound else "inbound"),
    CONTACT_BY_IDENTIFIED: ("identified", yes_or_no),
}


def _values(state: ContactState) -> Values:
    target = state.target
    values: Values = (*_STATIC(state), target.due_time if target is not None else None, *_MOVING(state))
    return values


VIEW: Final = FoldView(name="contacts", family="contact", table=TABLE, values=_values)


def get(read: Read, contact_id: str) -> Contact | None:
    """Return a contact; None where there is none at the times asked for."""
    entity = listing.entity(read, f"contact-{contact_id}")
    row = listing.only(read, TABLE, Choice(states=_STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, [row])[0] if row is not None else None


def page(
    read: Read, filter: ContactFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Contact], Cursor | None]:
    """Return up to `limit` contacts, newest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    rows, following = listing.page(read, TABLE, _choice(read, filter, subjects), ORDER, limit, after)
    return _shown(read, rows), following


def count(
    read: Read, filter: ContactFilter, group_by: Sequence[ContactGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> ContactCount:
    """Return how many contacts there are of each group. `subjects` as in `page`."""
    rows, total = listing.count(read, TABLE, _choice(read, filter, subjects), [_GROUPS[group] for group in group_by])
    return ContactCount(rows=rows, total=total)


def changed(
    read: Read,
    after_position: int,
    filter: ContactFilter,
    subjects: Sequence[bytes] | None = None,
    limit: int = listing.CHANGES_MAX,
) -> list[tuple[int, Contact]]:
    """Return contacts as they were when they changed, in order of position; also those that a change took out of the filter.

    Stops at the first position at which it has `limit`.
    """
    found = listing.changed(read, TABLE, VIEW.family, _choice(read, filter, subjects), after_position, limit)
    return list(zip([position for position, _ in found], _shown(read, [row for _, row in found]), strict=True))


def _choice(read: Read, filter: ContactFilter, subjects: Sequence[bytes] | None) -> Choice:
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "opened_time", parameters)
    where += [
        one_of(column, values, parameters, column)
        for column, values in (("channel", filter.channels), ("department", filter.departments), ("reason", filter.reasons))
        if values
    ]
    scopes = {} if subjects is None else {"subject": subjects}
    return Choice(tuple(where), parameters, tuple(filter.states) or _STATES, scopes=scopes)


def _shown(read: Read, rows: Sequence[Row]) -> list[Contact]:
    ids = listing.ids(read, rows)
    payloads = listing.contents(read, [row.position for row in rows])
    return [_message(row, ids[row.entity], payloads[row.position]) for row in rows]


def _message(row: Row, contact_id: str, opener: Any) -> Contact:
    return Contact(
        **given(
            contact_id=contact_id,
            state=row.state,
            outbound=bool(row.outbound),
            channel=row.channel,
            department=row.department,
            reason=row.reason,
            queue=row.queue,
            opened_time=instant(row.opened_time),
            answered_time=instant(row.answered_time),
            ended_time=instant(row.ended_time),
            disposition=row.disposition,
            completeness=row.completeness,
            subject=str(UUID(bytes=row.subject)),
            summary=opener.summary,
            identified=bool(row.identified),
            response_due_time=instant(row.response_due_time),
        )
    )
