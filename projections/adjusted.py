"""Outcomes of a period raw, and adjusted by exceptions, side by side (domain rule 9.11).

An exception changes no raw outcome. In the adjusted one a due inside its period and scope is left out, or judged by the time that
it is extended to; where several cover a due, one that leaves it out comes first, then the one that extends it furthest.
Has no tables: it reads those of promises, derived targets and exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.api.v1.exception_service_pb2 import AdjustedOutcome, GetAdjustedRequest, OutcomeCounts, OutcomeDifference
from ledger.api.v1.promise_pb2 import FROM_PLAYBOOK
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PromiseState,
)
from ledger.rules.instant import micros
from projections import exceptions, listing
from projections.dues import DUES, Dues
from projections.exceptions import Cover
from projections.listing import given, instant
from projections.versions import Choice, shown
from projections.view import Read, one_of

DIFFERENCES_MAX: Final = 1_000

_STATES: Final = tuple(value for value in PromiseState.values() if value)

TARGET_KINDS: Final = frozenset({"first_response", "next_response", "resolution", "complaint_acknowledge", "complaint_respond"})
"""Rules that are kinds of dues: an exception from one covers dues of that kind only."""

_FIELDS: Final[Mapping[int, str]] = {
    PROMISE_STATE_KEPT: "kept",
    PROMISE_STATE_KEPT_LATE: "kept_late",
    PROMISE_STATE_BROKEN: "broken",
    PROMISE_STATE_OPEN: "undecided",
    0: "beside",
}


class Due(NamedTuple):
    """A promise or target as it is judged. Times are microseconds UTC, unset strings empty."""

    promise_id: str
    state: int
    due_time: int
    ended_time: int | None
    broken_time: int | None
    kind: str
    department: str
    channel: str
    contact_id: str
    request_id: str

    @property
    def raw(self) -> int:
        """What became of it: kept, kept late, broken, open; 0 for released, withdrawn or void in time."""
        if self.state in (PROMISE_STATE_KEPT, PROMISE_STATE_KEPT_LATE, PROMISE_STATE_OPEN):
            return self.state
        return PROMISE_STATE_BROKEN if self.broken_time is not None else 0


def adjusted(read: Read, request: GetAdjustedRequest) -> AdjustedOutcome:
    """Return the outcomes of the promises, or of the derived targets, whose last due in force falls in a period.

    Promises count when they were said and told to the customer.
    """
    due_from, due_until = micros(request.due_from), micros(request.due_until)
    covers = exceptions.covers(read, due_from, due_until)
    outcome = AdjustedOutcome(excluded_count=0, extended_count=0)
    raw, changed = dict.fromkeys(_FIELDS.values(), 0), dict.fromkeys(_FIELDS.values(), 0)
    for due in _dues(read, request, due_from, due_until):
        raw[_FIELDS[due.raw]] += 1
        cover = _covering(due, covers)
        if cover is None:
            changed[_FIELDS[due.raw]] += 1
            continue
        state = None
        if cover.extended_to is None:
            outcome.excluded_count += 1
        else:
            outcome.extended_count += 1
            state = _judged(due, cover.extended_to, read.evaluated)
            changed[_FIELDS[state]] += 1
        if len(outcome.differences) < DIFFERENCES_MAX:
            outcome.differences.append(
                OutcomeDifference(
                    promise_id=due.promise_id,
                    exception_id=cover.exception_id,
                    due_time=instant(due.due_time),
                    **given(raw=due.raw, adjusted=state, extended_to=instant(cover.extended_to)),
                )
            )
    outcome.raw.CopyFrom(OutcomeCounts(**raw))
    outcome.adjusted.CopyFrom(OutcomeCounts(**changed))
    return outcome


def _dues(read: Read, request: GetAdjustedRequest, due_from: int, due_until: int) -> list[Due]:
    sources = [source for source in DUES if source.derived == request.response_targets]
    found: list[Due] = []
    for source in sources:
        found += _dues_of(read, request, source, due_from, due_until)
    return sorted(found, key=lambda due: (due.due_time, due.promise_id))


def _dues_of(read: Read, request: GetAdjustedRequest, source: Dues, due_from: int, due_until: int) -> list[Due]:
    parameters: dict[str, Any] = {"due_from": due_from, "due_until": due_until}
    where = ["due_time >= :due_from", "due_time < :due_until"]
    if not source.derived:
        where.append(f"told = 1 AND origin <> {FROM_PLAYBOOK}")
    for column, values in (
        ("kind", request.kinds),
        (source.department, request.owner_departments),
        ("channel", request.channels),
    ):
        if values:
            where.append(one_of(column, values, parameters, column))
    columns = (
        f"entity, state, due_time, ended_time, broken_time, kind, {source.department} AS due_department, channel, "
        f"{source.contact_id} AS due_contact, {source.request_id} AS due_request, {source.message_event_id} AS due_message"
    )
    choice = Choice(tuple(where), parameters, _STATES)
    rows = read.db.execute(shown(read, source.table, columns, choice, parameters), parameters).fetchall()
    names = listing.ids_of(read, {row[0] for row in rows})
    return [_due(source, names[entity], *values) for entity, *values in rows]


def _due(source: Dues, entity_id: str, *values: Any) -> Due:
    *plain, contact_id, request_id, message_event_id = values
    promise_id = source.promise_id(entity_id, plain[4], message_event_id)
    of = {"contact": (entity_id, ""), "request": ("", entity_id)}.get(source.family, (contact_id, request_id))
    return Due._make((promise_id, *plain, *of))


def _covering(due: Due, covers: Sequence[Cover]) -> Cover | None:
    found = [cover for cover in covers if _covers(cover, due)]
    if not found:
        return None
    excluding = next((cover for cover in found if cover.extended_to is None), None)
    return excluding or max(found, key=lambda cover: (cover.extended_to or 0, cover.exception_id))


def _covers(cover: Cover, due: Due) -> bool:
    if not cover.from_time <= due.due_time < cover.until_time:
        return False
    if cover.rule in TARGET_KINDS and cover.rule != due.kind:
        return False
    scope = cover.scope
    if scope.department or scope.channel:
        return scope.department in ("", due.department) and scope.channel in ("", due.channel)
    return due.promise_id in scope.promise_ids or due.request_id in scope.request_ids or due.contact_id in scope.contact_ids


def _judged(due: Due, extended_to: int, evaluated: int) -> int:
    """Return what becomes of a due that is extended: kept by then is kept, and nothing is broken before."""
    raw = due.raw
    if raw == PROMISE_STATE_KEPT_LATE and due.ended_time is not None and due.ended_time <= extended_to:
        return PROMISE_STATE_KEPT
    if raw == PROMISE_STATE_BROKEN:
        if due.state == PROMISE_STATE_BROKEN:
            return PROMISE_STATE_OPEN if evaluated <= extended_to else PROMISE_STATE_BROKEN
        # Released, withdrawn or replaced since: before the extended due that is in no rate.
        return 0 if due.ended_time is not None and due.ended_time <= extended_to else PROMISE_STATE_BROKEN
    return raw
