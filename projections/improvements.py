"""Improvements: the problems to be solved together, the events that show them, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from ledger.api.v1.improvement_pb2 import ImprovementEffect
from ledger.api.v1.improvement_service_pb2 import (
    IMPROVEMENT_BY_EFFECT,
    IMPROVEMENT_BY_FIGURE,
    IMPROVEMENT_BY_PROBLEM,
    IMPROVEMENT_BY_STATE,
    IMPROVEMENT_BY_STEP,
    IMPROVEMENT_STATE_PROPOSED,
    EvidenceEvent,
    Improvement,
    ImprovementCount,
    ImprovementFilter,
    ImprovementGroup,
)
from ledger.api.v1.improvement_service_pb2 import ImprovementState as State
from ledger.event_id import to_bytes, to_text
from ledger.rules.improvement import ImprovementState
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Group, Order, Row, given, instant, text
from projections.restated import events_at
from projections.versions import Choice
from projections.view import Read, one_of

TABLE: Final = Table(
    name="improvement",
    static=(
        "problem TEXT NOT NULL",
        "step TEXT NOT NULL",
        "figure TEXT NOT NULL",
        "department TEXT NOT NULL",
        "proposed_time INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "evidence_event_ids TEXT NOT NULL",
        "owner_departments TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "closed_time INTEGER",
        "outcome_position INTEGER NOT NULL",
        "effect INTEGER NOT NULL",
    ),
    indexes=("state, proposed_time, entity",),
    scopes=("problem",),
)

ORDER: Final = Order(("proposed_time", "entity"))

_STATES: Final = tuple(value for value in State.values() if value)
_FIELDS: Final = ImprovementState._fields
_STATIC: Final = itemgetter(*map(_FIELDS.index, TABLE.names[:6]))
_MOVING: Final = itemgetter(*map(_FIELDS.index, TABLE.names[8:]))
_GROUPS: Final[dict[int, Group]] = {
    IMPROVEMENT_BY_STATE: ("state", State.Name),
    IMPROVEMENT_BY_PROBLEM: ("problem", text),
    IMPROVEMENT_BY_STEP: ("step", text),
    IMPROVEMENT_BY_FIGURE: ("figure", text),
    IMPROVEMENT_BY_EFFECT: ("effect", lambda effect: ImprovementEffect.Name(effect) if effect else ""),
}


def _values(state: ImprovementState) -> Values:
    values: Values = (*_STATIC(state), " ".join(state.evidence_event_ids), " ".join(state.owner_departments), *_MOVING(state))
    return values


VIEW: Final = FoldView(name="improvements", family="improvement", table=TABLE, values=_values)


def get(read: Read, improvement_id: str) -> Improvement | None:
    """Return an improvement; None where there is none at the times asked for."""
    entity = listing.entity(read, f"improvement-{improvement_id}")
    row = listing.only(read, TABLE, Choice(states=_STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, [row])[0] if row is not None else None


def page(read: Read, filter: ImprovementFilter, limit: int, after: Sequence[Any] | None) -> tuple[list[Improvement], Cursor | None]:
    """Return up to `limit` improvements, oldest first, and where the next page begins; None on the last one."""
    rows, following = listing.page(read, TABLE, _choice(read, filter), ORDER, limit, after)
    return _shown(read, rows), following


def count(read: Read, filter: ImprovementFilter, group_by: Sequence[ImprovementGroup.ValueType]) -> ImprovementCount:
    """Return how many improvements there are of each group."""
    rows, total = listing.count(read, TABLE, _choice(read, filter), [_GROUPS[group] for group in group_by])
    return ImprovementCount(rows=rows, total=total)


def _choice(read: Read, filter: ImprovementFilter) -> Choice:
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "proposed_time", parameters)
    states = tuple(filter.states) or _STATES
    if filter.open:
        states = tuple(state for state in states if state == IMPROVEMENT_STATE_PROPOSED)
    for column, values in (("step", filter.steps), ("figure", filter.figures), ("effect", filter.effects)):
        if values:
            where.append(one_of(column, values, parameters, column))
    if filter.departments:
        where.append(_lists("owner_departments", filter.departments, parameters))
    if filter.evidence_event_id:
        where.append(_lists("evidence_event_ids", [filter.evidence_event_id.lower()], parameters))
    scopes = {"problem": tuple(filter.problems)} if filter.problems else {}
    return Choice(tuple(where), parameters, states, scopes=scopes)


def _lists(column: str, values: Sequence[str], parameters: dict[str, Any]) -> str:
    """Return the condition that the column lists one of the values."""
    names = {f"{column}{number}": value for number, value in enumerate(values)}
    parameters.update(names)
    parts = [f"instr(' ' || {column} || ' ', ' ' || :{name} || ' ') > 0" for name in names]
    return f"({' OR '.join(parts)})"


def _shown(read: Read, rows: Sequence[Row]) -> list[Improvement]:
    ids = listing.ids(read, rows)
    payloads = listing.contents(read, [position for row in rows for position in (row.position, row.outcome_position) if position])
    evidence = _evidence(read, {event_id for row in rows for event_id in row.evidence_event_ids.split()})
    return [_message(read, row, ids[row.entity], payloads, evidence) for row in rows]


def _evidence(read: Read, event_ids: set[str]) -> dict[str, EvidenceEvent]:
    """Return what the ledger knew of these events at the position asked, by id."""
    found = {event_id: EvidenceEvent(event_id=event_id) for event_id in event_ids}
    stored = read.log.find_event_ids([to_bytes(event_id) for event_id in sorted(event_ids)]) if event_ids else {}
    for event in events_at(read, [row.position for row in stored.values() if row.position <= read.known]).values():
        found[to_text(event.event_id)].MergeFrom(
            EvidenceEvent(
                **given(
                    position=event.position,
                    topic=event.topic,
                    stream=event.stream,
                    occur_time=instant(event.occur),
                    department=event.header.department,
                )
            )
        )
    return found


def _message(
    read: Read, row: Row, improvement_id: str, payloads: Mapping[int, Any], evidence: Mapping[str, EvidenceEvent]
) -> Improvement:
    return Improvement(
        **given(
            improvement_id=improvement_id,
            state=row.state,
            problem=row.problem,
            evidence=[evidence[event_id] for event_id in row.evidence_event_ids.split()],
            owner_departments=row.owner_departments.split(),
            step=row.step,
            figure=row.figure,
            effect=row.effect,
            proposed_time=instant(row.proposed_time),
            closed_time=instant(row.closed_time),
            department=row.department,
            text=payloads[row.position].text,
            outcome_text=payloads[row.outcome_position].text if row.outcome_position else "",
            age_seconds=listing.seconds_between(row.proposed_time, min(read.evaluated, row.closed_time or read.evaluated)),
        )
    )
