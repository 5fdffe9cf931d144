"""Promises, and response targets beside them: what is owed, by when, and what became of it.

Both are asked for in the same words. A target is part of its contact; its id is `response-<contact_id>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger.api.v1.promise_service_pb2 import (
    KEPT_CLAIMED,
    KEPT_PROVEN,
    PROMISE_BY_CHANNEL,
    PROMISE_BY_EVER_BROKEN,
    PROMISE_BY_KIND,
    PROMISE_BY_OWNER,
    PROMISE_BY_STATE,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    Promise,
    PromiseCount,
    PromiseFilter,
    PromiseGroup,
)
from ledger.api.v1.promise_service_pb2 import PromiseState as State
from ledger.rules.instant import micros
from ledger.rules.promise import PromiseState
from ledger.rules.target import TargetState
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text, yes_or_no
from projections.versions import Choice
from projections.view import MAX, Read, one_of

FIRST_RESPONSE: Final = "first_response"
"""Kind of every response target."""

RESPONSE: Final = "response-"
"""What the id of a response target begins with; its contact's id follows."""

UNBROKEN: Final = f"state = {PROMISE_STATE_KEPT_LATE} AND broken_time IS NULL"
"""Kept late, and the breach in between is not recorded yet: an import, or the keep was faster than the clock."""

TABLE: Final = Table(
    name="promise",
    static=(
        "subject BLOB NOT NULL",
        "kind TEXT NOT NULL",
        "contact_id TEXT NOT NULL",
        "request_id TEXT NOT NULL",
        "promising_department TEXT NOT NULL",
        "channel TEXT NOT NULL",
        "made_time INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "replaces_promise_id TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "owner_department TEXT NOT NULL",
        "assignee TEXT NOT NULL",
        "first_due_time INTEGER",
        "not_before INTEGER",
        "due_set_by_event_id BLOB NOT NULL",
        "due_import_run TEXT NOT NULL",
        "ended_time INTEGER",
        "broken_time INTEGER",
        "kept_evidence INTEGER NOT NULL",
        "renegotiated_count INTEGER NOT NULL",
        "moved_by_us_count INTEGER NOT NULL",
        "told INTEGER NOT NULL",
        # MAX while undated, so that undated ones sort last.
        "due_time INTEGER NOT NULL",
        "partly_kept INTEGER NOT NULL",
        "proof_event_id BLOB NOT NULL",
    ),
    indexes=(
        "state, due_time, entity",
        "owner_department, state, due_time, entity",
        "subject, due_time, entity",
        "request_id WHERE request_id <> ''",
    ),
    lead="owner_department",
    scopes=("subject", "request_id"),
)

TARGET_TABLE: Final = Table(
    name="target",
    static=(
        "subject BLOB NOT NULL",
        "channel TEXT NOT NULL",
        "department TEXT NOT NULL",
        "made_time INTEGER NOT NULL",
        "due_time INTEGER NOT NULL",
        "due_set_by_event_id BLOB NOT NULL",
        "due_import_run TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "ended_time INTEGER",
        "broken_time INTEGER",
        "kept_evidence INTEGER NOT NULL",
    ),
    indexes=("state, due_time, entity",),
    scopes_of="contact",
)

ORDER: Final = Order(("due_time", "entity"))

_STATES: Final = tuple(value for value in State.values() if value)
_PROMISE: Final = itemgetter(*map(PromiseState._fields.index, TABLE.names[:-3]))
_TARGET: Final = itemgetter(*map(TargetState._fields.index, TARGET_TABLE.names))
_GROUPS: Final[dict[int, Group]] = {
    PROMISE_BY_STATE: ("state", State.Name),
    PROMISE_BY_OWNER: ("owner_department", text),
    PROMISE_BY_CHANNEL: ("channel", text),
    PROMISE_BY_KIND: ("kind", text),
    PROMISE_BY_EVER_BROKEN: ("broken_time IS NOT NULL", yes_or_no),
}
_TARGET_GROUPS: Final[dict[int, Group]] = {
    **_GROUPS,
    PROMISE_BY_OWNER: ("department", text),
    PROMISE_BY_KIND: (f"'{FIRST_RESPONSE}'", text),
}


def _values(state: PromiseState) -> Values:
    keep = state.keep
    values: Values = (
        *_PROMISE(state),
        MAX if state.due_time is None else state.due_time,
        bool(state.partial_kept_event_ids),
        keep.proof_event_id if keep is not None else b"",
    )
    return values


VIEW: Final = FoldView(name="promises", family="promise", table=TABLE, values=_values)
TARGETS: Final = FoldView(name="targets", family="contact", table=TARGET_TABLE, values=_TARGET, part=attrgetter("target"))


def get(read: Read, promise_id: str) -> Promise | None:
    """Return a promise, or a response target under its id; None where there is none at the times asked for."""
    if promise_id.startswith(RESPONSE):
        table, stream = TARGET_TABLE, f"contact-{promise_id.removeprefix(RESPONSE)}"
    else:
        table, stream = TABLE, f"promise-{promise_id}"
    entity = listing.entity(read, stream)
    row = listing.only(read, table, Choice(states=_STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, table, [row])[0] if row is not None else None


def page(
    read: Read, filter: PromiseFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Promise], Cursor | None]:
    """Return up to `limit` promises, earliest due first, undated ones last, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    asked = _asked(read, filter, subjects)
    if asked is None:
        return [], None
    rows, following = listing.page(read, asked.table, asked.choice, ORDER, limit, after)
    return _shown(read, asked.table, rows), following


def count(
    read: Read, filter: PromiseFilter, group_by: Sequence[PromiseGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> PromiseCount:
    """Return how many promises there are of each group. `subjects` as in `page`."""
    asked = _asked(read, filter, subjects)
    if asked is None:
        return PromiseCount(total=0)
    rows, total = listing.count(read, asked.table, asked.choice, [asked.groups[group] for group in group_by])
    return PromiseCount(rows=rows, total=total)


def changed(
    read: Read,
    after_position: int,
    filter: PromiseFilter,
    subjects: Sequence[bytes] | None = None,
    limit: int = listing.CHANGES_MAX,
) -> list[tuple[int, Promise]]:
    """Return promises as they were when they changed, in order of position; also those that a change took out of the filter.

    Stops at the first position at which it has `limit`.
    """
    asked = _asked(read, filter, subjects)
    if asked is None:
        return []
    found = listing.changed(read, asked.table, asked.family, asked.choice, after_position, limit)
    return list(zip([position for position, _ in found], _shown(read, asked.table, [row for _, row in found]), strict=True))


class _Asked(NamedTuple):
    """Promises or targets, and which of them."""

    table: Table
    family: str
    groups: Mapping[int, Group]
    choice: Choice


def _asked(read: Read, filter: PromiseFilter, subjects: Sequence[bytes] | None) -> _Asked | None:
    """Return what the filter asks for; None where nothing can be it."""
    parameters: dict[str, Any] = {}
    where: list[str] = []
    targets = filter.response_targets
    states = tuple(filter.states) or _STATES
    if filter.overdue:
        states = tuple(state for state in (PROMISE_STATE_OPEN,) if state in states)
        where.append("due_time < :evaluated")
        parameters["evaluated"] = read.evaluated
    if filter.owner_departments and targets:
        where.append(one_of("department", filter.owner_departments, parameters, "owner"))
    if filter.channels:
        where.append(one_of("channel", filter.channels, parameters, "channel"))
    if filter.HasField("due_before"):
        where.append("due_time < :due_before")
        parameters["due_before"] = micros(filter.due_before)
    scopes: dict[str, Sequence[Any]] = {} if subjects is None else {"subject": subjects}
    if targets:
        if filter.undated or filter.request_id or (filter.kinds and FIRST_RESPONSE not in filter.kinds):
            return None
        return _Asked(TARGET_TABLE, TARGETS.family, _TARGET_GROUPS, Choice(tuple(where), parameters, states, scopes=scopes))
    if filter.kinds:
        where.append(one_of("kind", filter.kinds, parameters, "kind"))
    if filter.undated:
        where.append(f"due_time = {MAX}")
    if filter.request_id:
        where.append("request_id <> ''")
        scopes["request_id"] = (filter.request_id,)
    return _Asked(TABLE, VIEW.family, _GROUPS, Choice(tuple(where), parameters, states, filter.owner_departments, scopes))


def _shown(read: Read, table: Table, rows: Sequence[Row]) -> list[Promise]:
    ids = listing.ids(read, rows)
    if table is TARGET_TABLE:
        return [_target(read, row, ids[row.entity]) for row in rows]
    payloads = listing.contents(read, [row.position for row in rows])
    proven = _proven(read, rows)
    return [_promise(read, row, ids[row.entity], payloads[row.position].what, proven) for row in rows]


def _proven(read: Read, rows: Sequence[Row]) -> frozenset[bytes]:
    """Return the events named as proof of a claimed keep that were themselves recorded by its due (domain rule 8.6)."""
    claimed = {row.proof_event_id: row.due_time for row in rows if row.kept_evidence == KEPT_CLAIMED and row.proof_event_id}
    proofs = read.log.find_event_ids(list(claimed)) if claimed else {}
    return frozenset(
        event_id for event_id, proof in proofs.items() if proof.position <= read.known and proof.record_time <= claimed[event_id]
    )


def _promise(read: Read, row: Row, promise_id: str, what: str, proven: frozenset[bytes]) -> Promise:
    return Promise(
        **_common(read, row),
        **given(
            promise_id=promise_id,
            kind=row.kind,
            what=what,
            contact_id=row.contact_id,
            request_id=row.request_id,
            promising_department=row.promising_department,
            owner_department=row.owner_department,
            assignee=row.assignee,
            first_due_time=instant(row.first_due_time),
            not_before=instant(row.not_before),
            kept_evidence=KEPT_PROVEN if row.kept_evidence == KEPT_CLAIMED and row.proof_event_id in proven else row.kept_evidence,
            renegotiated_count=row.renegotiated_count,
            moved_by_us_count=row.moved_by_us_count,
            told=bool(row.told),
            replaces_promise_id=row.replaces_promise_id,
            partly_kept=bool(row.partly_kept),
        ),
    )


def _target(read: Read, row: Row, contact_id: str) -> Promise:
    return Promise(
        **_common(read, row),
        **given(
            promise_id=RESPONSE + contact_id,
            response_target=True,
            kind=FIRST_RESPONSE,
            contact_id=contact_id,
            promising_department=row.department,
            owner_department=row.department,
            first_due_time=instant(row.due_time),
            kept_evidence=row.kept_evidence,
        ),
    )


def _common(read: Read, row: Row) -> dict[str, Any]:
    dated = row.due_time < MAX
    return given(
        state=row.state,
        channel=row.channel,
        made_time=instant(row.made_time),
        due_time=instant(row.due_time) if dated else None,
        due_set_by_event_id=str(UUID(bytes=row.due_set_by_event_id)) if row.due_set_by_event_id else "",
        ended_time=instant(row.ended_time),
        broken_time=instant(row.broken_time),
        overdue=row.state == PROMISE_STATE_OPEN and dated and row.due_time < read.evaluated,
        subject=str(UUID(bytes=row.subject)) if row.subject else "",
    )
