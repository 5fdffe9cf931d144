"""Official statements: which one is in force for whom, who has read it, and how it was sent out."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from ledger.api.v1.answer_service_pb2 import (
    STATEMENT_BY_ANSWER,
    STATEMENT_BY_QUESTION,
    STATEMENT_BY_STATE,
    STATEMENT_STATE_PAST,
    STATEMENT_STATE_PUBLISHED,
    STATEMENT_STATE_REPLACED,
    STATEMENT_STATE_WITHDRAWN,
    Acknowledgement,
    Announcement,
    Statement,
    StatementCount,
    StatementFilter,
    StatementGroup,
)
from ledger.api.v1.answer_service_pb2 import StatementState as State
from ledger.rules.statement import StatementState
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text
from projections.versions import Choice
from projections.view import MAX, Read, one_of

TABLE: Final = Table(
    name="statement",
    static=(
        "question_key TEXT NOT NULL",
        "answer_key TEXT NOT NULL",
        "object_key TEXT NOT NULL",
        "department TEXT NOT NULL",
        "published_time INTEGER NOT NULL",
        "record_time INTEGER NOT NULL",
        "valid_from INTEGER NOT NULL",
        "valid_until INTEGER",
        "replaces_statement_id TEXT NOT NULL",
        "position INTEGER NOT NULL",
        "departments TEXT NOT NULL",
        "channels TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "withdrawn_time INTEGER",
        "withdrawn_position INTEGER NOT NULL",
        "replaced_time INTEGER",
        "replaced_by_statement_id TEXT NOT NULL",
        # The first of its ends.
        "over_time INTEGER NOT NULL",
        "acknowledged TEXT NOT NULL",
        "announced TEXT NOT NULL",
    ),
    indexes=("state, valid_from, entity", "question_key, valid_from, entity", "object_key, question_key, valid_from, entity"),
    scopes=("question_key", "object_key"),
)

ORDER: Final = Order(("valid_from", "entity"), descending=True)

STATES: Final = (STATEMENT_STATE_PUBLISHED, STATEMENT_STATE_REPLACED, STATEMENT_STATE_WITHDRAWN)
"""The states that rows have: that a statement is past follows from the time asked about."""

IN_FORCE: Final = "(valid_from <= :evaluated AND over_time > :evaluated)"

_FIELDS: Final = StatementState._fields
_STATIC: Final = itemgetter(*map(_FIELDS.index, TABLE.names[:10]))
_MOVING: Final = itemgetter(*map(_FIELDS.index, TABLE.names[12:17]))

_STATE_SQL: Final = (
    f"(CASE WHEN over_time > :evaluated THEN {STATEMENT_STATE_PUBLISHED} "
    f"WHEN coalesce(replaced_time, {MAX}) = over_time THEN {STATEMENT_STATE_REPLACED} "
    f"WHEN coalesce(withdrawn_time, {MAX}) = over_time THEN {STATEMENT_STATE_WITHDRAWN} ELSE {STATEMENT_STATE_PAST} END)"
)
"""The state at the evaluated time: as `StatementState.over`, PUBLISHED before any end."""

_GROUPS: Final[dict[int, Group]] = {
    STATEMENT_BY_STATE: (_STATE_SQL, State.Name),
    STATEMENT_BY_QUESTION: ("question_key", text),
    STATEMENT_BY_ANSWER: ("answer_key", text),
}


def _values(state: StatementState) -> Values:
    values: Values = (
        *_STATIC(state),
        " ".join(state.departments),
        " ".join(state.channels),
        *_MOVING(state),
        min(end for end in (state.valid_until, state.withdrawn_time, state.replaced_time, MAX) if end is not None),
        " ".join(f"{desk}={time}" for desk, time in state.acknowledged),
        " ".join(f"{one.occur_time}/{one.channel}/{one.audience}/{one.recipient_count}" for one in state.announced),
    )
    return values


VIEW: Final = FoldView(name="statements", family="statement", table=TABLE, values=_values)


def get(read: Read, statement_id: str) -> Statement | None:
    """Return a statement; None where there is none at the times asked for."""
    found = row(read, statement_id)
    return shown(read, [found])[0] if found is not None else None


def row(read: Read, statement_id: str) -> Row | None:
    """Return the row of a statement; None where there is none at the times asked for."""
    entity = listing.entity(read, f"statement-{statement_id}")
    return listing.only(read, TABLE, Choice(states=STATES, entities=(entity,))) if entity is not None else None


def official(read: Read, question_key: str, object_key: str, department: str, channel: str) -> Row | None:
    """Return the statement in force at the evaluated time: the latest valid one that binds the department and channel.

    Empty ones are not looked at. None where none is in force.
    """
    parameters: dict[str, Any] = {"evaluated": read.evaluated, "object_key": object_key}
    where = [IN_FORCE, "object_key = :object_key"]
    if department:
        where.append(_binds("departments", [department], parameters, "department"))
    if channel:
        where.append(_binds("channels", [channel], parameters, "channel"))
    choice = Choice(tuple(where), parameters, STATES, scopes={"question_key": (question_key,)})
    rows, _ = listing.page(read, TABLE, choice, ORDER, 1, None)
    return rows[0] if rows else None


def page(read: Read, filter: StatementFilter, limit: int, after: Sequence[Any] | None) -> tuple[list[Statement], Cursor | None]:
    """Return up to `limit` statements, latest validity first, and where the next page begins; None on the last one."""
    rows, following = listing.page(read, TABLE, _choice(read, filter), ORDER, limit, after)
    return shown(read, rows), following


def count(read: Read, filter: StatementFilter, group_by: Sequence[StatementGroup.ValueType]) -> StatementCount:
    """Return how many statements there are of each group."""
    rows, total = listing.count(read, TABLE, _choice(read, filter), [_GROUPS[group] for group in group_by])
    return StatementCount(rows=rows, total=total)


def changed(
    read: Read, after_position: int, filter: StatementFilter, limit: int = listing.CHANGES_MAX
) -> list[tuple[int, Statement]]:
    """Return statements as they were when they changed, in order of position; also those that a change took out of the filter.

    Stops at the first position at which it has `limit`.
    """
    found = listing.changed(read, TABLE, VIEW.family, _choice(read, filter), after_position, limit)
    return list(zip([position for position, _ in found], shown(read, [row for _, row in found]), strict=True))


def _choice(read: Read, filter: StatementFilter) -> Choice:
    parameters: dict[str, Any] = {"evaluated": read.evaluated}
    where: list[str] = []
    if filter.object_key:
        where.append("object_key = :object_key")
        parameters["object_key"] = filter.object_key
    if filter.departments:
        where.append(_binds("departments", filter.departments, parameters, "department"))
    if filter.channels:
        where.append(_binds("channels", filter.channels, parameters, "channel"))
    if filter.states:
        where.append(one_of(_STATE_SQL, filter.states, parameters, "state"))
    if filter.in_force:
        where.append(IN_FORCE)
    if filter.unacknowledged_by:
        desk = [filter.unacknowledged_by]
        where.append(_binds("departments", desk, parameters, "desk"))
        where.append("instr(' ' || acknowledged, ' ' || :desk0 || '=') = 0")
    scopes = {"question_key": tuple(filter.question_keys)} if filter.question_keys else {}
    return Choice(tuple(where), parameters, STATES, scopes=scopes)


def _binds(column: str, codes: Sequence[str], parameters: dict[str, Any], prefix: str) -> str:
    """Return the condition that one of the codes is listed in the column; one that lists none takes all."""
    parts = [f"{column} = ''"]
    for number, code in enumerate(codes):
        parameters[f"{prefix}{number}"] = code
        parts.append(f"instr(' ' || {column} || ' ', ' ' || :{prefix}{number} || ' ') > 0")
    return f"({' OR '.join(parts)})"


def shown(read: Read, rows: Sequence[Row]) -> list[Statement]:
    """Return rows as messages, with their words."""
    ids = listing.ids(read, rows)
    payloads = listing.contents(read, [position for row in rows for position in (row.position, row.withdrawn_position) if position])
    return [_message(read, row, ids[row.entity], payloads) for row in rows]


def _message(read: Read, row: Row, statement_id: str, payloads: dict[int, Any]) -> Statement:
    departments = row.departments.split()
    acknowledged = [item.rpartition("=") for item in row.acknowledged.split()]
    read_it = {desk for desk, _, _ in acknowledged}
    return Statement(
        **given(
            statement_id=statement_id,
            state=_state(row, read.evaluated),
            question_key=row.question_key,
            answer_key=row.answer_key,
            object_key=row.object_key,
            department=row.department,
            published_time=instant(row.published_time),
            record_time=instant(row.record_time),
            valid_from=instant(row.valid_from),
            valid_until=instant(row.valid_until),
            withdrawn_time=instant(row.withdrawn_time),
            replaced_time=instant(row.replaced_time),
            replaced_by_statement_id=row.replaced_by_statement_id,
            replaces_statement_id=row.replaces_statement_id,
            departments=departments,
            channels=row.channels.split(),
            in_force=row.valid_from <= read.evaluated < row.over_time,
            acknowledgements=[Acknowledgement(department=desk, occur_time=instant(int(time))) for desk, _, time in acknowledged],
            missing_departments=[department for department in departments if department not in read_it],
            announcements=[_announcement(item) for item in row.announced.split()],
            text=payloads[row.position].text,
            why=payloads[row.withdrawn_position].why if row.withdrawn_position else "",
        )
    )


def _state(row: Row, evaluated: int) -> int:
    if row.over_time > evaluated:
        return STATEMENT_STATE_PUBLISHED
    ends = ((row.replaced_time, STATEMENT_STATE_REPLACED), (row.withdrawn_time, STATEMENT_STATE_WITHDRAWN))
    return next((state for end, state in ends if end == row.over_time), STATEMENT_STATE_PAST)


def _announcement(item: str) -> Announcement:
    time, channel, audience, recipients = item.split("/")
    return Announcement(**given(occur_time=instant(int(time)), channel=channel, audience=audience, recipient_count=int(recipients)))
