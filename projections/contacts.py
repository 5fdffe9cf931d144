"""Contacts: each one as it stands, inbound and outbound."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from ledger.api.v1.contact_pb2 import Completeness
from ledger.api.v1.customer_pb2 import Authentication
from ledger.api.v1.history_service_pb2 import (
    CONTACT_BY_ATTRIBUTED,
    CONTACT_BY_BOT_TO_HUMAN,
    CONTACT_BY_CHANNEL,
    CONTACT_BY_CHANNEL_SWITCHED,
    CONTACT_BY_COMPLETENESS,
    CONTACT_BY_CURRENT_DEPARTMENT,
    CONTACT_BY_DEPARTMENT,
    CONTACT_BY_DIRECTION,
    CONTACT_BY_IDENTIFIED,
    CONTACT_BY_INCOMPLETE_CAUSE,
    CONTACT_BY_REASON,
    CONTACT_BY_STATE,
    CONTACT_BY_TRANSFERRED,
    Contact,
    ContactCount,
    ContactFilter,
    ContactGroup,
)
from ledger.api.v1.history_service_pb2 import ContactState as State
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT
from ledger.event_id import to_text
from ledger.rules.contact_state import NO_COURSE, AuthenticationState, ContactState
from ledger.rules.instant import micros_or_none
from projections import contact_course, listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text, yes_or_no
from projections.restated import events_at
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
        "reply_to TEXT NOT NULL",
        # Whose contact it is: of whom it was attributed to last, else its own subject. Holds at any time, so it seldom changes.
        "party BLOB NOT NULL",
        "attributed INTEGER NOT NULL",
        "thread_id TEXT NOT NULL",
        "skill_needed TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "department TEXT NOT NULL",
        "reason TEXT NOT NULL",
        "queue TEXT NOT NULL",
        "queued_time INTEGER",
        "answered_time INTEGER",
        "ended_time INTEGER",
        "disposition TEXT NOT NULL",
        "completeness INTEGER NOT NULL",
        "request_ids TEXT NOT NULL",
        # Talk, hold and wrap-up, microseconds.
        "handled INTEGER",
        # Whether its answer came by its target.
        "in_time INTEGER NOT NULL",
        "current_department TEXT NOT NULL",
        "unanswered_since INTEGER",
        "transfer_count INTEGER NOT NULL",
        "incomplete_cause TEXT NOT NULL",
        "bot_to_human INTEGER NOT NULL",
        "channels TEXT NOT NULL",
        "last_answer_time INTEGER",
        # What no list asks for: contact_course.py.
        "course TEXT NOT NULL",
    ),
    indexes=(
        "state, opened_time, entity",
        "party, opened_time, entity",
        "party WHERE attributed = 1",
        "subject WHERE attributed = 1",
    ),
    scopes=("party",),
)

ORDER: Final = Order(("opened_time", "entity"), descending=True)

STATES: Final = tuple(value for value in State.values() if value)
"""All states: every choice names those it asks for."""

_FIELDS: Final = ContactState._fields
_STATIC: Final = itemgetter(
    *map(_FIELDS.index, ("subject", "outbound", "channel", "opened_time", "identified", "position")),
)
_ALSO_STATIC: Final = itemgetter(*map(_FIELDS.index, ("reply_to", "party", "attributed", "thread_id", "skill_needed")))
_MOVING: Final = itemgetter(
    *map(
        _FIELDS.index,
        ("state", "department", "reason", "queue", "queued_time", "answered_time", "ended_time", "disposition", "completeness"),
    )
)
_SWITCHED: Final = "instr(channels, ' ') > 0"
_GROUPS: Final[dict[int, Group]] = {
    CONTACT_BY_CHANNEL: ("channel", text),
    CONTACT_BY_DEPARTMENT: ("department", text),
    CONTACT_BY_STATE: ("state", State.Name),
    CONTACT_BY_REASON: ("reason", text),
    CONTACT_BY_DIRECTION: ("outbound", lambda outbound: "outbound" if outbound else "inbound"),
    CONTACT_BY_IDENTIFIED: ("identified", yes_or_no),
    CONTACT_BY_CURRENT_DEPARTMENT: ("current_department", text),
    CONTACT_BY_TRANSFERRED: ("transfer_count > 0", yes_or_no),
    CONTACT_BY_COMPLETENESS: ("completeness", lambda value: Completeness.Name(value) if value else ""),
    CONTACT_BY_INCOMPLETE_CAUSE: ("incomplete_cause", text),
    CONTACT_BY_BOT_TO_HUMAN: ("bot_to_human", yes_or_no),
    CONTACT_BY_CHANNEL_SWITCHED: (_SWITCHED, yes_or_no),
    CONTACT_BY_ATTRIBUTED: ("attributed", yes_or_no),
}


_MARKS: Final = {
    "attributed": "attributed = 1",
    "transferred": "transfer_count > 0",
    "unanswered": "unanswered_since IS NOT NULL",
    "bot_to_human": "bot_to_human = 1",
    "channel_switched": _SWITCHED,
}
"""What a filter may ask for by a mark, as a condition."""


def _values(state: ContactState) -> Values:
    target = state.target
    due_time = target.due_time if target is not None else None
    in_time = target is not None and target.state == PROMISE_STATE_KEPT
    course = state.course
    quiet = course is NO_COURSE
    values: Values = (
        *_STATIC(state),
        due_time,
        *_ALSO_STATIC(state),
        *_MOVING(state),
        " ".join(state.request_ids),
        None if quiet else course.handled,
        in_time,
        state.current_department,
        state.unanswered_since,
        0 if quiet else course.transfers.total,
        state.incomplete_cause,
        course.bot_to_human,
        state.channels,
        state.last_answer_time,
        "" if quiet else contact_course.pack(state),
    )
    return values


VIEW: Final = FoldView(name="contacts", family="contact", table=TABLE, values=_values)


def get(read: Read, contact_id: str) -> Contact | None:
    """Return a contact; None where there is none at the times asked for."""
    entity = listing.entity(read, f"contact-{contact_id}")
    row = listing.only(read, TABLE, Choice(states=STATES, entities=(entity,))) if entity is not None else None
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
        for column, values in (
            ("channel", filter.channels),
            ("department", filter.departments),
            ("reason", filter.reasons),
            ("current_department", filter.current_departments),
            ("completeness", filter.completeness),
            ("incomplete_cause", filter.incomplete_causes),
            ("skill_needed", filter.skills_needed),
        )
        if values
    ]
    where += [condition for name, condition in _MARKS.items() if getattr(filter, name)]
    scopes = {} if subjects is None else {"party": subjects}
    return Choice(tuple(where), parameters, tuple(filter.states) or STATES, scopes=scopes)


def _shown(read: Read, rows: Sequence[Row]) -> list[Contact]:
    ids = listing.ids(read, rows)
    payloads = listing.words(read, [row.position for row in rows])
    return [_message(row, ids[row.entity], payloads[row.position], read.evaluated) for row in rows]


def authentications(read: Read, event_ids: Sequence[bytes]) -> dict[bytes, Authentication]:
    """Return, by event id, the checks of who the customer is that these events recorded; ids of other events are left out."""
    stored = read.log.find_event_ids(sorted(set(event_ids))) if event_ids else {}
    found: dict[bytes, Authentication] = {}
    for event_id, row in stored.items():
        event = events_at(read, [row.position])[row.position]
        happened = row.position <= read.known and (read.before is None or event.order < read.before)
        entity = listing.entity(read, event.stream) if happened and event.topic == "authentication-checked" else None
        if entity is None:
            continue
        contact = listing.only(read, TABLE, Choice(states=STATES, entities=(entity,)))
        if contact is None:
            continue
        check = contact_course.unpack(contact.course).authentication
        if check is None or check.event_id != event_id:
            said = event.payload
            valid_until = micros_or_none(said, "valid_until")
            check = AuthenticationState(event_id, event.occur, said.method, said.level, said.passed, valid_until)
        contact_id = event.stream.partition("-")[2]
        found[event_id] = contact_course.authentication(check, contact_id, contact.ended_time, read.evaluated)
    return found


def _message(row: Row, contact_id: str, opener: Any, evaluated: int) -> Contact:
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
            subject=to_text(row.subject),
            summary=opener.summary,
            identified=bool(row.identified),
            response_due_time=instant(row.response_due_time),
            party=to_text(row.party),
            attributed=bool(row.attributed),
            current_department=row.current_department,
            unanswered_since=instant(row.unanswered_since),
            bot_to_human=bool(row.bot_to_human),
            channels=row.channels.split(),
            thread_id=row.thread_id,
            incomplete_cause=row.incomplete_cause,
            skill_needed=row.skill_needed,
            queued_time=instant(row.queued_time),
        ),
        **contact_course.fields_of(contact_course.unpack(row.course), contact_id, row.ended_time, evaluated),
    )
