"""Exceptions: approved departures from rules, which of them are in force, and which rules are waived most often (question 10)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from ledger.api.v1.exception_pb2 import ExceptionEffect, ExceptionScope
from ledger.api.v1.exception_service_pb2 import (
    EXCEPTION_BY_APPROVER,
    EXCEPTION_BY_EFFECT,
    EXCEPTION_BY_REASON,
    EXCEPTION_BY_RULE,
    EXCEPTION_BY_STATE,
    EXCEPTION_STATE_ENDED,
    EXCEPTION_STATE_GRANTED,
    ExceptionCount,
    ExceptionFilter,
    ExceptionGroup,
    RuleException,
)
from ledger.api.v1.exception_service_pb2 import ExceptionState as State
from ledger.rules.exception import ExceptionState, Scope
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text
from projections.versions import Choice, shown
from projections.view import Read

TABLE: Final = Table(
    name="exception",
    static=("subject BLOB NOT NULL", "opened_time INTEGER NOT NULL", "department TEXT NOT NULL"),
    moving=(
        "state INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "rule TEXT NOT NULL",
        "reason TEXT NOT NULL",
        "since_time INTEGER NOT NULL",
        "from_time INTEGER",
        "until_time INTEGER",
        "effect INTEGER NOT NULL",
        "extended_to INTEGER",
        "approver TEXT NOT NULL",
        "ended_time INTEGER",
        "promise_ids TEXT NOT NULL",
        "request_ids TEXT NOT NULL",
        "contact_ids TEXT NOT NULL",
        "scope_department TEXT NOT NULL",
        "scope_channel TEXT NOT NULL",
    ),
    indexes=("state, opened_time, entity",),
    lead="rule",
)

ORDER: Final = Order(("opened_time", "entity"))

_STATES: Final = tuple(value for value in State.values() if value)
_FIELDS: Final = ExceptionState._fields
_PLAIN: Final = itemgetter(*(_FIELDS.index(column) for column in TABLE.names[:-5]))
_GROUPS: Final[dict[int, Group]] = {
    EXCEPTION_BY_STATE: ("state", State.Name),
    EXCEPTION_BY_RULE: ("rule", text),
    EXCEPTION_BY_REASON: ("reason", text),
    EXCEPTION_BY_APPROVER: ("approver", text),
    EXCEPTION_BY_EFFECT: ("effect", ExceptionEffect.Name),
}


def _values(state: ExceptionState) -> Values:
    scope = state.scope
    values: Values = (
        *_PLAIN(state),
        " ".join(scope.promise_ids),
        " ".join(scope.request_ids),
        " ".join(scope.contact_ids),
        scope.department,
        scope.channel,
    )
    return values


VIEW: Final = FoldView(name="exceptions", family="exception", table=TABLE, values=_values)


class Cover(NamedTuple):
    """An exception that was granted, as it covers dues."""

    exception_id: str
    rule: str
    from_time: int
    """Inclusive."""
    until_time: int
    """Exclusive: its end, or when somebody ended it before."""
    scope: Scope
    extended_to: int | None
    """None: what it covers is left out."""


def covers(read: Read, due_from: int, due_until: int) -> list[Cover]:
    """Return the exceptions that may cover a due in [due_from, due_until), in order of their ids."""
    columns = "entity, rule, from_time, until_time, extended_to, ended_time, promise_ids, request_ids, contact_ids, "
    columns += "scope_department, scope_channel"
    parameters: dict[str, Any] = {"due_from": due_from, "due_until": due_until}
    choice = Choice(
        ("from_time < :due_until", "until_time > :due_from"), parameters, (EXCEPTION_STATE_GRANTED, EXCEPTION_STATE_ENDED)
    )
    rows = read.db.execute(shown(read, TABLE, columns, choice, parameters), parameters).fetchall()
    names = listing.ids_of(read, {row[0] for row in rows})
    found = []
    for entity, rule, from_time, until_time, extended_to, ended_time, promises, requests, contacts, department, channel in rows:
        scope = Scope(tuple(promises.split()), tuple(requests.split()), tuple(contacts.split()), department, channel)
        until = until_time if ended_time is None else min(until_time, ended_time)
        if from_time < until:
            found.append(Cover(names[entity], rule, from_time, until, scope, extended_to))
    return sorted(found)


def get(read: Read, exception_id: str) -> RuleException | None:
    """Return an exception; None where there is none at the times asked for."""
    entity = listing.entity(read, f"exception-{exception_id}")
    row = listing.only(read, TABLE, Choice(states=_STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, [row])[0] if row is not None else None


def page(
    read: Read, filter: ExceptionFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[RuleException], Cursor | None]:
    """Return up to `limit` exceptions, oldest first, and where the next page begins; None on the last one."""
    rows, following = listing.page(read, TABLE, _choice(read, filter, subjects), ORDER, limit, after)
    return _shown(read, rows), following


def count(
    read: Read, filter: ExceptionFilter, group_by: Sequence[ExceptionGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> ExceptionCount:
    """Return how many exceptions there are of each group."""
    rows, total = listing.count(read, TABLE, _choice(read, filter, subjects), [_GROUPS[group] for group in group_by])
    return ExceptionCount(rows=rows, total=total)


def changed(
    read: Read,
    after_position: int,
    filter: ExceptionFilter,
    subjects: Sequence[bytes] | None = None,
    limit: int = listing.CHANGES_MAX,
) -> list[tuple[int, RuleException]]:
    """Return exceptions as they were when they changed, in order of position; also those that a change took out of the filter.

    Stops at the first position at which it has `limit`.
    """
    found = listing.changed(read, TABLE, VIEW.family, _choice(read, filter, subjects), after_position, limit)
    return list(zip([position for position, _ in found], _shown(read, [row for _, row in found]), strict=True))


def _choice(read: Read, filter: ExceptionFilter, subjects: Sequence[bytes] | None) -> Choice:
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "opened_time", parameters)
    states = tuple(filter.states) or _STATES
    if filter.in_force:
        states = tuple(state for state in states if state == EXCEPTION_STATE_GRANTED)
        where.append("from_time <= :evaluated AND until_time > :evaluated")
        parameters["evaluated"] = read.evaluated
    scopes = {} if subjects is None else {"subject": subjects}
    return Choice(tuple(where), parameters, states, filter.rules, scopes)


def _shown(read: Read, rows: Sequence[Row]) -> list[RuleException]:
    ids = listing.ids(read, rows)
    payloads = listing.contents(read, [row.position for row in rows])
    return [_message(read, row, ids[row.entity], payloads[row.position].why) for row in rows]


def _message(read: Read, row: Row, exception_id: str, why: str) -> RuleException:
    scope = ExceptionScope(
        promise_ids=row.promise_ids.split(),
        request_ids=row.request_ids.split(),
        contact_ids=row.contact_ids.split(),
        **given(department=row.scope_department, channel=row.scope_channel),
    )
    in_force = row.state == EXCEPTION_STATE_GRANTED and row.from_time <= read.evaluated < row.until_time
    return RuleException(
        scope=scope,
        **given(
            exception_id=exception_id,
            state=row.state,
            rule=row.rule,
            reason=row.reason,
            opened_time=instant(row.opened_time),
            since_time=instant(row.since_time),
            from_time=instant(row.from_time),
            until_time=instant(row.until_time),
            effect=row.effect,
            extended_to=instant(row.extended_to),
            approver=row.approver,
            department=row.department,
            in_force=in_force,
            why=why,
        ),
    )
