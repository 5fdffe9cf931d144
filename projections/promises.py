"""Promises, and response targets beside them: what is owed, by when, and what became of it.

Both are asked for in the same words. A target is part of its contact; its id is `response-<contact_id>` for the first response, and
`next-response-<event id of the message>` for a message that came later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

from ledger.api.v1.consistency_pb2 import CountRow
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
from ledger.event_id import to_text
from ledger.rules.derived import NEXT_RESPONSE_PREFIX, RESOLUTION
from ledger.rules.instant import micros
from ledger.rules.promise import PromiseState
from ledger.rules.target import FIRST_RESPONSE as FIRST_RESPONSE
from ledger.rules.target import NEXT_RESPONSE, TargetState, message_of
from projections import derived_targets, listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text, yes_or_no
from projections.versions import Choice
from projections.view import MAX, Read, one_of

RESPONSE: Final = "response-"
"""What the id of the target of a first response begins with; its contact's id follows."""

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
        "origin INTEGER NOT NULL",
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
        # Whether it was kept by the first due said.
        "kept_by_first_date INTEGER NOT NULL",
    ),
    indexes=(
        "state, due_time, entity",
        "owner_department, state, due_time, entity",
        "subject, state, due_time, entity",
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
        "kind TEXT NOT NULL",
        # Empty for the first response.
        "message_event_id BLOB NOT NULL",
        "party BLOB NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "ended_time INTEGER",
        "broken_time INTEGER",
        "kept_evidence INTEGER NOT NULL",
    ),
    indexes=("state, due_time, entity, key",),
    scopes=("party",),
    scopes_of="contact",
    keyed=True,
)

ORDER: Final = Order(("due_time", "entity"))
TARGET_ORDER: Final = Order(("due_time", "entity", "key"))

_STATES: Final = tuple(value for value in State.values() if value)
_PROMISE: Final = itemgetter(*map(PromiseState._fields.index, TABLE.names[:-4]))
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
    PROMISE_BY_KIND: ("kind", text),
}


def _values(state: PromiseState) -> Values:
    keep = state.keep
    values: Values = (
        *_PROMISE(state),
        MAX if state.due_time is None else state.due_time,
        bool(state.partial_kept_event_ids),
        keep.proof_event_id if keep is not None else b"",
        keep is not None and state.first_due_time is not None and keep.earliest_time <= state.first_due_time,
    )
    return values


VIEW: Final = FoldView(name="promises", family="promise", table=TABLE, values=_values)
TARGETS: Final = FoldView(
    name="targets",
    family="contact",
    table=TARGET_TABLE,
    values=_TARGET,
    part=attrgetter("targets"),
    key=attrgetter("message_position"),
)

_TARGET_VIEWS: Final = (TARGETS, *dict.fromkeys(derived_targets.VIEWS.values()))
_KINDS_OF: Final = {
    view.family: frozenset(kind for kind, of_kind in derived_targets.VIEWS.items() if of_kind is view)
    or frozenset({FIRST_RESPONSE, NEXT_RESPONSE})
    for view in _TARGET_VIEWS
}


def get(read: Read, promise_id: str) -> Promise | None:
    """Return a promise, or a response target under its id; None where there is none at the times asked for."""
    where: tuple[str, ...] = ()
    if promise_id.startswith(RESPONSE):
        table, stream = TARGET_TABLE, f"contact-{promise_id.removeprefix(RESPONSE)}"
        where = (f"kind = '{FIRST_RESPONSE}'",)
    elif promise_id.startswith(NEXT_RESPONSE_PREFIX):
        message_id = message_of(promise_id) or b""
        message = read.log.find_event_ids([message_id]).get(message_id)
        if message is None or message.position > read.known:
            return None
        table, stream, where = TARGET_TABLE, message.stream, (f"key = {message.position}",)
    else:
        table, stream = TABLE, f"promise-{promise_id}"
        for kind, prefix in derived_targets.PREFIXES.items():
            if promise_id.startswith(prefix):
                view = derived_targets.VIEWS[kind]
                table, stream = view.table, f"{view.family}-{promise_id.removeprefix(prefix)}"
                where = (f"kind = '{kind}'",)
    entity = listing.entity(read, stream)
    row = listing.only(read, table, Choice(where, states=_STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, [(row, table)])[0] if row is not None else None


def page(
    read: Read, filter: PromiseFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Promise], Cursor | None]:
    """Return up to `limit` promises, earliest due first, undated ones last, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    found: list[tuple[Row, Table]] = []
    for asked in _asked(read, filter, subjects):
        order = TARGET_ORDER if asked.table.keyed else ORDER
        found += [(row, asked.table) for row in listing.page(read, asked.table, asked.choice, order, limit + 1, after)[0]]
    # Entities are numbered in one row, so that those of several tables have one order.
    found.sort(key=lambda one: _place(*one))
    shown = _shown(read, found[:limit])
    return shown, _place(*found[limit - 1]) if len(found) > limit else None


def count(
    read: Read, filter: PromiseFilter, group_by: Sequence[PromiseGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> PromiseCount:
    """Return how many promises there are of each group. `subjects` as in `page`."""
    totals: dict[tuple[str, ...], int] = {}
    for asked in _asked(read, filter, subjects):
        for row in listing.count(read, asked.table, asked.choice, [asked.groups[group] for group in group_by])[0]:
            values = tuple(row.values)
            totals[values] = totals.get(values, 0) + row.count
    rows = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return PromiseCount(
        rows=[CountRow(values=values, count=number) for values, number in rows], total=sum(number for _, number in rows)
    )


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
    found: list[tuple[int, Row, Table]] = []
    end = MAX
    for asked in _asked(read, filter, subjects):
        changes = listing.changed(read, asked.table, asked.family, asked.choice, after_position, limit)
        if len(changes) >= limit:
            end = min(end, changes[-1][0])
        found += [(position, row, asked.table) for position, row in changes]
    found = sorted((one for one in found if one[0] <= end), key=lambda one: (one[0], one[1].entity, one[1].key))
    shown = _shown(read, [(row, table) for _, row, table in found])
    return list(zip([position for position, *_ in found], shown, strict=True))


class _Asked(NamedTuple):
    """Promises or targets, and which of them."""

    table: Table
    family: str
    groups: Mapping[int, Group]
    choice: Choice


def _asked(read: Read, filter: PromiseFilter, subjects: Sequence[bytes] | None) -> list[_Asked]:
    """Return what the filter asks for; nothing where nothing can be it."""
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
        if filter.kinds:
            where.append(one_of("kind", filter.kinds, parameters, "kind"))
        if filter.undated:
            where.append(f"due_time = {MAX}")
        entities = listing.entities(read, [f"request-{filter.request_id}"]) if filter.request_id else None
        choice = Choice(tuple(where), parameters, states, entities=entities)
        return [
            _Asked(view.table, view.family, _TARGET_GROUPS, choice._replace(scopes=_of_subjects(view.table, subjects)))
            for view in _TARGET_VIEWS
            if not filter.kinds or _KINDS_OF[view.family].intersection(filter.kinds)
        ]
    if filter.kinds:
        where.append(one_of("kind", filter.kinds, parameters, "kind"))
    if filter.undated:
        where.append(f"due_time = {MAX}")
    if filter.request_id:
        where.append("request_id <> ''")
        scopes["request_id"] = (filter.request_id,)
    return [_Asked(TABLE, VIEW.family, _GROUPS, Choice(tuple(where), parameters, states, filter.owner_departments, scopes))]


def _of_subjects(table: Table, subjects: Sequence[bytes] | None) -> dict[str, Sequence[Any]]:
    return {} if subjects is None else {table.scopes[0]: subjects}


def _place(row: Row, table: Table) -> Cursor:
    return (row.due_time, row.entity, row.key) if table.keyed else (row.due_time, row.entity)


def _shown(read: Read, found: Sequence[tuple[Row, Table]]) -> list[Promise]:
    ids = listing.ids(read, [row for row, _ in found])
    promises = [row for row, table in found if table is TABLE]
    payloads = listing.words(read, [row.position for row in promises])
    proven = _proven(read, promises)
    return [
        _promise(read, row, ids[row.entity], payloads[row.position].what, proven)
        if table is TABLE
        else _target(read, row, ids[row.entity])
        if table is TARGET_TABLE
        else _derived(read, row, ids[row.entity])
        for row, table in found
    ]


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
            promise_id=NEXT_RESPONSE_PREFIX + to_text(row.message_event_id) if row.message_event_id else RESPONSE + contact_id,
            response_target=True,
            kind=row.kind,
            contact_id=contact_id,
            promising_department=row.department,
            owner_department=row.department,
            first_due_time=instant(row.due_time),
            kept_evidence=row.kept_evidence,
        ),
    )


def _derived(read: Read, row: Row, entity_id: str) -> Promise:
    return Promise(
        **_common(read, row),
        **given(
            promise_id=derived_targets.PREFIXES[row.kind] + entity_id,
            response_target=True,
            kind=row.kind,
            request_id=entity_id if row.kind == RESOLUTION else "",
            complaint_id="" if row.kind == RESOLUTION else entity_id,
            promising_department=row.department,
            owner_department=row.department,
            first_due_time=instant(row.first_due_time),
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
        due_set_by_event_id=to_text(row.due_set_by_event_id),
        ended_time=instant(row.ended_time),
        broken_time=instant(row.broken_time),
        overdue=row.state == PROMISE_STATE_OPEN and dated and row.due_time < read.evaluated,
        subject=to_text(row.subject),
    )
