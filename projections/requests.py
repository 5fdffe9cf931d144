"""Requests: each one as it stands, who answers for it, and those that nobody answers for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ledger.api.v1.request_pb2 import WAITING_FOR_CUSTOMER
from ledger.api.v1.request_service_pb2 import (
    REQUEST_BY_CHANNEL_SWITCHED,
    REQUEST_BY_ESCALATED,
    REQUEST_BY_OWNER,
    REQUEST_BY_PRIORITY,
    REQUEST_BY_REASON,
    REQUEST_BY_REFUSED_RULE,
    REQUEST_BY_ROOT_CAUSE,
    REQUEST_BY_STATE,
    Request,
    RequestCount,
    RequestFilter,
    RequestGroup,
)
from ledger.api.v1.request_service_pb2 import RequestState as State
from ledger.event_id import to_text
from projections import listing, repeats, silence
from projections.identity_spans import EARLIEST
from projections.listing import Cursor, Group, Row, given, instant, text, yes_or_no
from projections.request_rows import OPEN, ORDER, STATES, TABLE, VIEW
from projections.versions import Choice, shown
from projections.view import MAX, Read, one_of

_SWITCHED: Final = "instr(channels, ' ') > 0"
_GROUPS: Final[dict[int, Group]] = {
    REQUEST_BY_STATE: ("state", State.Name),
    REQUEST_BY_OWNER: ("owner_department", text),
    REQUEST_BY_REASON: ("reason", text),
    REQUEST_BY_PRIORITY: ("priority", text),
    REQUEST_BY_REFUSED_RULE: ("refused_rule", text),
    REQUEST_BY_ESCALATED: ("escalated_count > 0", yes_or_no),
    REQUEST_BY_ROOT_CAUSE: ("root_cause", text),
    REQUEST_BY_CHANNEL_SWITCHED: (_SWITCHED, yes_or_no),
}


def get(read: Read, request_id: str) -> Request | None:
    """Return a request; None where there is none at the times asked for."""
    entity = listing.entity(read, f"request-{request_id}")
    row = listing.only(read, TABLE, Choice(states=STATES, entities=(entity,))) if entity is not None else None
    return _shown(read, [row])[0] if row is not None else None


def page(
    read: Read, filter: RequestFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Request], Cursor | None]:
    """Return up to `limit` requests, oldest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    rows, following = listing.page(read, TABLE, _choice(read, filter, subjects), ORDER, limit, after)
    return _shown(read, rows), following


def count(
    read: Read, filter: RequestFilter, group_by: Sequence[RequestGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> RequestCount:
    """Return how many requests there are of each group. `subjects` as in `page`."""
    rows, total = listing.count(read, TABLE, _choice(read, filter, subjects), [_GROUPS[group] for group in group_by])
    return RequestCount(rows=rows, total=total)


def changed(
    read: Read,
    after_position: int,
    filter: RequestFilter,
    subjects: Sequence[bytes] | None = None,
    limit: int = listing.CHANGES_MAX,
) -> list[tuple[int, Request]]:
    """Return requests as they were when they changed, in order of position; also those that a change took out of the filter.

    Stops at the first position at which it has `limit`.
    """
    found = listing.changed(read, TABLE, VIEW.family, _choice(read, filter, subjects), after_position, limit)
    return list(zip([position for position, _ in found], _shown(read, [row for _, row in found]), strict=True))


def _choice(read: Read, filter: RequestFilter, subjects: Sequence[bytes] | None) -> Choice:
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "opened_time", parameters)
    states = tuple(filter.states) or STATES
    if filter.open or filter.orphaned:
        states = tuple(state for state in OPEN if state in states)
    if filter.orphaned:
        where.append("owner_department = ''")
    if filter.reasons:
        where.append(one_of("reason", filter.reasons, parameters, "reason"))
    if filter.reopened:
        where.append("reopened_count > 0")
    if filter.channel_switched:
        where.append(_SWITCHED)
    if filter.strands_open:
        where += ["strand_count > 1", "strand_done_count < strand_count"]
    scopes = {} if subjects is None else {"subject": subjects}
    return Choice(tuple(where), parameters, states, filter.owner_departments, scopes, _entities(read, filter))


def _entities(read: Read, filter: RequestFilter) -> list[int] | None:
    """Return the requests that filters leave which rows alone do not decide; None where there is no such filter."""
    silent = set(silence.silent(read)) if filter.silent else None
    repeated = _repeated(read) if filter.repeated else None
    if silent is None or repeated is None:
        return None if silent is repeated else sorted(silent if silent is not None else repeated or ())
    return sorted(silent & repeated)


def _repeated(read: Read) -> set[int]:
    """Return the requests that follow an earlier one, or were opened in a repeat contact."""
    found = repeats.of_period(read, EARLIEST, MAX, repeats.window(read)).repeats
    contacts = set(listing.ids_of(read, {one.entity for one in found}).values())
    parameters: dict[str, Any] = {}
    query = shown(read, TABLE, "entity, follows_request_id, contact_ids", Choice(states=STATES), parameters)
    return {
        entity
        for entity, follows, contact_ids in read.db.execute(query, parameters)
        if follows or contact_ids.partition(" ")[0] in contacts
    }


def _shown(read: Read, rows: Sequence[Row]) -> list[Request]:
    ids = listing.ids(read, rows)
    payloads = listing.contents(read, [row.position for row in rows])
    ours = [row for row in rows if row.state in OPEN and row.waiting_for != WAITING_FOR_CUSTOMER]
    silent = silence.begins(read, [(row.entity, row.opened_time, row.informed_time, row.contact_ids) for row in ours])
    return [_message(read, row, ids[row.entity], payloads[row.position], silent.get(row.entity)) for row in rows]


def _message(read: Read, row: Row, request_id: str, opener: Any, silent_since: int | None) -> Request:
    return Request(
        **given(
            request_id=request_id,
            state=row.state,
            owner_department=row.owner_department,
            assignee=row.assignee,
            reason=row.reason,
            priority=row.priority,
            complexity=row.complexity,
            opened_time=instant(row.opened_time),
            since_time=instant(row.since_time),
            waiting_for=row.waiting_for,
            first_resolved_time=instant(row.first_resolved_time),
            last_resolved_time=instant(row.last_resolved_time),
            closed_time=instant(row.closed_time),
            reopened_count=row.reopened_count,
            pending_handoff_count=row.pending_handoff_count,
            handoff_count=row.handoff_count,
            contact_ids=row.contact_ids.split(),
            subject=to_text(row.subject),
            wish=opener.wish,
            informed_time=instant(row.informed_time),
            next_step=row.next_step,
            merged_into_request_id=row.merged_into_request_id,
            resolution=row.resolution,
            outcome=row.outcome,
            refused_rule=row.refused_rule,
            escalated_count=row.escalated_count,
            root_cause=row.root_cause,
            age_seconds=listing.seconds_between(row.opened_time, min(read.evaluated, row.ended_time or read.evaluated)),
            strand_count=row.strand_count,
            strand_done_count=row.strand_done_count,
            silent_since_time=instant(silent_since),
            follows_request_id=row.follows_request_id,
            channels=row.channels.split(),
            missing_intake_keys=[*(opener.missing_intake_keys or opener.keys_not_taken)],
        )
    )
