"""Complaints: each one as it stands, at which stage, who has to act, and how long every department took for its part."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from ledger.api.v1.complaint_service_pb2 import (
    COMPLAINT_BY_ABOUT,
    COMPLAINT_BY_HANDS,
    COMPLAINT_BY_OWNER,
    COMPLAINT_BY_REASON,
    COMPLAINT_BY_ROOT_CAUSE,
    COMPLAINT_BY_SEVERITY,
    COMPLAINT_BY_STATE,
    Complaint,
    ComplaintClock,
    ComplaintCount,
    ComplaintFilter,
    ComplaintGroup,
    ComplaintStep,
)
from ledger.api.v1.complaint_service_pb2 import ComplaintState as State
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN
from ledger.event_id import to_text
from ledger.rules import complaint as rules
from ledger.rules.complaint import ComplaintState
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.layers import Layers
from projections.listing import Cursor, Group, Order, Row, given, instant, text
from projections.versions import Choice
from projections.view import Read, one_of

_PREFIX: Final = "complaint-"
_TARGETS: Final = ("acknowledge", "respond")

TABLE: Final = Table(
    name="complaint",
    static=(
        "subject BLOB NOT NULL",
        "started_time INTEGER NOT NULL",
        "received_time INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "owner_department TEXT NOT NULL",
        "about_department TEXT NOT NULL",
        "contact_id TEXT NOT NULL",
        "request_id TEXT NOT NULL",
        "reason TEXT NOT NULL",
        "channel TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "hands TEXT NOT NULL",
        "since_time INTEGER NOT NULL",
        "severity TEXT NOT NULL",
        "complexity TEXT NOT NULL",
        "impact TEXT NOT NULL",
        "safety INTEGER NOT NULL",
        "immediate_action INTEGER NOT NULL",
        "root_cause TEXT NOT NULL",
        "cause_department TEXT NOT NULL",
        "decision INTEGER NOT NULL",
        "appeal_told INTEGER NOT NULL",
        "response_position INTEGER NOT NULL",
        "response_count INTEGER NOT NULL",
        "contested_count INTEGER NOT NULL",
        "reopened_count INTEGER NOT NULL",
        "escalation INTEGER NOT NULL",
        "closing INTEGER NOT NULL",
        "ended_time INTEGER",
        # One line a step: what it was, when, which department.
        "steps TEXT NOT NULL",
        "acknowledge_due_time INTEGER",
        "acknowledge_target INTEGER NOT NULL",
        "respond_due_time INTEGER",
        "respond_target INTEGER NOT NULL",
    ),
    indexes=("state, started_time, entity", "subject, started_time, entity"),
    lead="hands",
)

ORDER: Final = Order(("started_time", "entity"))

_STATES: Final = tuple(value for value in State.values() if value)
_FIELDS: Final = ComplaintState._fields
_PLAIN: Final = itemgetter(*(_FIELDS.index(column) for column in TABLE.names[:-5]))
_GROUPS: Final[dict[int, Group]] = {
    COMPLAINT_BY_STATE: ("state", State.Name),
    COMPLAINT_BY_HANDS: ("hands", text),
    COMPLAINT_BY_SEVERITY: ("severity", text),
    COMPLAINT_BY_REASON: ("reason", text),
    COMPLAINT_BY_ABOUT: ("about_department", text),
    COMPLAINT_BY_ROOT_CAUSE: ("root_cause", text),
    COMPLAINT_BY_OWNER: ("owner_department", text),
}


def _values(state: ComplaintState) -> Values:
    steps = "\n".join(f"{step.topic.removeprefix(_PREFIX)} {step.time} {step.department}" for step in state.steps)
    values: list[Any] = [*_PLAIN(state), steps]
    for target in (state.acknowledge, state.respond):
        values += (None, 0) if target is None else (target.due_time, target.state)
    return tuple(values)


VIEW: Final = FoldView(name="complaints", family="complaint", table=TABLE, values=_values)


def get(read: Read, complaint_id: str) -> Complaint | None:
    """Return a complaint; None where there is none at the times asked for."""
    entity = listing.entity(read, f"complaint-{complaint_id}")
    row = listing.only(read, TABLE, Choice(states=_STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, [row])[0] if row is not None else None


def page(
    read: Read, filter: ComplaintFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Complaint], Cursor | None]:
    """Return up to `limit` complaints, oldest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    rows, following = listing.page(read, TABLE, _choice(read, filter, subjects), ORDER, limit, after)
    return _shown(read, rows), following


def count(
    read: Read, filter: ComplaintFilter, group_by: Sequence[ComplaintGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> ComplaintCount:
    """Return how many complaints there are of each group. `subjects` as in `page`."""
    rows, total = listing.count(read, TABLE, _choice(read, filter, subjects), [_GROUPS[group] for group in group_by])
    return ComplaintCount(rows=rows, total=total)


def changed(
    read: Read,
    after_position: int,
    filter: ComplaintFilter,
    subjects: Sequence[bytes] | None = None,
    limit: int = listing.CHANGES_MAX,
) -> list[tuple[int, Complaint]]:
    """Return complaints as they were when they changed, in order of position; also those that a change took out of the filter.

    Stops at the first position at which it has `limit`.
    """
    found = listing.changed(read, TABLE, VIEW.family, _choice(read, filter, subjects), after_position, limit)
    return list(zip([position for position, _ in found], _shown(read, [row for _, row in found]), strict=True))


def _choice(read: Read, filter: ComplaintFilter, subjects: Sequence[bytes] | None) -> Choice:
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "started_time", parameters)
    states = tuple(filter.states) or _STATES
    if filter.open or filter.overdue:
        states = tuple(state for state in states if state in rules.OPEN)
    if filter.overdue:
        late = [
            f"{target}_target = {PROMISE_STATE_BROKEN} OR "
            f"({target}_target = {PROMISE_STATE_OPEN} AND {target}_due_time < :evaluated)"
            for target in _TARGETS
        ]
        where.append(f"({' OR '.join(late)})")
        parameters["evaluated"] = read.evaluated
    if filter.safety:
        where.append("safety = 1")
    for column, values in (
        ("about_department", filter.about_departments),
        ("severity", filter.severities),
        ("reason", filter.reasons),
    ):
        if values:
            where.append(one_of(column, values, parameters, column))
    scopes = {} if subjects is None else {"subject": subjects}
    return Choice(tuple(where), parameters, states, filter.hands, scopes)


def _shown(read: Read, rows: Sequence[Row]) -> list[Complaint]:
    if not rows:
        return []
    ids = listing.ids(read, rows)
    positions = [row.position for row in rows] + [row.response_position for row in rows if row.response_position]
    payloads = listing.words(read, positions)
    layers = Layers(read)
    return [_message(read, row, ids[row.entity], payloads, layers) for row in rows]


def _message(read: Read, row: Row, complaint_id: str, payloads: dict[int, Any], layers: Layers) -> Complaint:
    opener = payloads[row.position]
    steps = _steps(row, layers)
    return Complaint(
        steps=steps,
        clocks=_clocks(read, row, steps, layers),
        **given(
            complaint_id=complaint_id,
            state=row.state,
            owner_department=row.owner_department,
            hands=row.hands,
            about_department=row.about_department,
            reason=row.reason,
            contact_id=row.contact_id,
            request_id=row.request_id,
            channel=row.channel,
            received_time=instant(row.received_time),
            started_time=instant(row.started_time),
            since_time=instant(row.since_time),
            ended_time=instant(row.ended_time),
            severity=row.severity,
            complexity=row.complexity,
            impact=row.impact,
            safety=bool(row.safety),
            immediate_action=bool(row.immediate_action),
            root_cause=row.root_cause,
            cause_department=row.cause_department,
            decision=row.decision,
            appeal_told=bool(row.appeal_told),
            response_count=row.response_count,
            contested_count=row.contested_count,
            reopened_count=row.reopened_count,
            escalation=row.escalation,
            closing=row.closing,
            acknowledge_due_time=instant(row.acknowledge_due_time),
            acknowledge_target=row.acknowledge_target,
            respond_due_time=instant(row.respond_due_time),
            respond_target=row.respond_target,
            overdue=row.state in rules.OPEN and any(_is_late(read, row, target) for target in _TARGETS),
            age_seconds=listing.seconds_between(row.started_time, _until(read, row)),
            subject=to_text(row.subject),
            text=opener.text,
            remedy_sought=opener.remedy_sought,
            redress=payloads[row.response_position].redress if row.response_position else "",
        ),
    )


def _is_late(read: Read, row: Row, target: str) -> bool:
    state, due = getattr(row, f"{target}_target"), getattr(row, f"{target}_due_time")
    return bool(state == PROMISE_STATE_BROKEN or (state == PROMISE_STATE_OPEN and due < read.evaluated))


def _until(read: Read, row: Row) -> int:
    """Return until when the complaint's clock runs."""
    return min(read.evaluated, row.ended_time or read.evaluated)


def _steps(row: Row, layers: Layers) -> list[ComplaintStep]:
    found = []
    before = row.started_time
    for line in row.steps.split("\n"):
        name, time, department = line.split(" ")
        at = int(time)
        seconds = listing.seconds_between(before, at)
        found.append(
            ComplaintStep(
                topic=_PREFIX + name,
                time=instant(at),
                seconds=seconds,
                **given(department=department, layer=layers.at(department, at)),
            )
        )
        before = at
    return found


def _clocks(read: Read, row: Row, steps: Sequence[ComplaintStep], layers: Layers) -> list[ComplaintClock]:
    clocks: dict[tuple[str, int], ComplaintClock] = {}

    def clock(department: str, layer: int) -> ComplaintClock:
        return clocks.setdefault(
            (department, layer), ComplaintClock(step_count=0, seconds=0, **given(department=department, layer=layer))
        )

    for step in steps:
        of = clock(step.department, step.layer)
        of.step_count += 1
        of.seconds += step.seconds
    if row.state in rules.OPEN:
        last = steps[-1].time.ToMicroseconds()
        clock(row.hands, layers.at(row.hands, read.evaluated)).seconds += listing.seconds_between(last, read.evaluated)
    return list(clocks.values())
