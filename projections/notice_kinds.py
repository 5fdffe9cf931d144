"""What is worth a notice: promises due soon, silent requests, handoffs not accepted; found in the rows of those views.

What it is depends on limits, which the caller takes from the policy, and on the evaluated time. Has no tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_OFFERED
from ledger.api.v1.notice_service_pb2 import (
    NOTICE_DUE_SOON,
    NOTICE_SILENT,
    NOTICE_UNACCEPTED,
)
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN
from ledger.api.v1.request_pb2 import WAITING_FOR_CUSTOMER
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_OPEN, REQUEST_STATE_WAITING
from ledger.event_id import derived_id
from ledger.policy.policy import Policy
from projections import handoffs, listing, promises, request_rows, silence
from projections.listing import Row
from projections.versions import Choice
from projections.view import MAX, Read, one_of

LOOKED_MAX: Final = 10_000
"""So many things of each kind are looked at, those due, or waiting, the longest."""


class Limits(NamedTuple):
    """When something is worth a notice. Microseconds; None: never."""

    remind_before: Mapping[str, int]
    """By kind of promise, how long before its due."""
    silence: int | None
    """How long a customer may wait without word."""
    unaccepted: int | None
    """How long an offer without a term may wait."""
    tiers: tuple[str, ...]
    """Tiers, those that matter most first."""
    since: int
    """When the first policy came into force: nothing is derived for what was begun before (domain rule 8.8)."""

    @classmethod
    def of(cls, policy: Policy | None, since: int | None) -> Limits:
        """Return the limits of a policy; without one nothing but a handoff's own term is worth a notice."""
        if policy is None or since is None:
            return cls({}, None, None, (), MAX)
        document = policy.document
        kinds = {one.kind: one.remind_before.ToMicroseconds() for one in document.promise_kinds if one.HasField("remind_before")}
        unaccepted = document.unaccepted_limit.ToMicroseconds() if document.HasField("unaccepted_limit") else None
        return cls(kinds, policy.silence_limit, unaccepted, tuple(document.tiers), since)


class Found(NamedTuple):
    """A notice, before its customer is known."""

    kind: int
    notice_id: str
    time: int
    due: int
    since: int
    department: str
    assignee: str
    subject: bytes
    row: Row


_WORD: Final = "coalesce(informed_time, opened_time)"
"""When the customer had word at the earliest: silence.py says what else counts."""
_OWED: Final = (REQUEST_STATE_OPEN, REQUEST_STATE_WAITING)
_WAITING_SQL: Final = f"state IN {_OWED} AND waiting_for <> {WAITING_FOR_CUSTOMER}"
_TERM: Final = "accept_by IS NOT NULL AND NOT ever_accepted"


def _due_soon(read: Read, limits: Limits, departments: Sequence[str]) -> tuple[list[Found], bool]:
    kinds = limits.remind_before
    if not kinds:
        return [], False
    parameters: dict[str, Any] = {"until": read.evaluated + max(kinds.values()), "since": limits.since}
    where = ("due_time <= :until", "made_time >= :since", one_of("kind", kinds, parameters, "kind"))
    choice = Choice(where, parameters, (PROMISE_STATE_OPEN,), departments)
    rows, following = listing.page(read, promises.TABLE, choice, promises.ORDER, LOOKED_MAX, None)
    found = []
    for row in rows:
        time = row.due_time - kinds[row.kind]
        if time <= read.evaluated:
            name = f"due-soon:{row.entity}:{row.due_set_by_event_id.hex()}"
            made = row.made_time
            found.append(
                Found(
                    NOTICE_DUE_SOON,
                    derived_id(row.due_time, name),
                    max(time, made),
                    row.due_time,
                    made,
                    row.owner_department,
                    row.assignee,
                    row.subject,
                    row,
                )
            )
    return found, following is not None


def _silent(read: Read, limits: Limits, departments: Sequence[str]) -> tuple[list[Found], bool]:
    limit = limits.silence
    if limit is None:
        return [], False
    rows, begins, more = _without_word(read, limits, limit, departments)
    found = [
        Found(
            NOTICE_SILENT,
            derived_id(begins[row.entity], f"silent:{row.entity}"),
            begins[row.entity] + limit,
            begins[row.entity] + limit,
            begins[row.entity],
            row.owner_department,
            row.assignee,
            row.subject,
            row,
        )
        for row in rows
        if begins[row.entity] + limit < read.evaluated
    ]
    return found, more


def _without_word(read: Read, limits: Limits, limit: int, departments: Sequence[str]) -> tuple[list[Row], dict[int, int], bool]:
    """Return the requests that may be silent, since when each is without word, and whether there were more to look at."""
    parameters: dict[str, Any] = {"word_before": read.evaluated - limit, "since": limits.since}
    where = (f"{_WORD} < :word_before", "opened_time >= :since", f"waiting_for <> {WAITING_FOR_CUSTOMER}")
    choice = Choice(where, parameters, _OWED, departments)
    rows, following = listing.page(read, request_rows.TABLE, choice, request_rows.ORDER, LOOKED_MAX, None)
    words = [(row.entity, row.opened_time, row.informed_time, row.contact_ids) for row in rows]
    return rows, silence.begins(read, words), following is not None


def _unaccepted(read: Read, limits: Limits, departments: Sequence[str]) -> tuple[list[Found], bool]:
    parameters: dict[str, Any] = {"evaluated": read.evaluated}
    late = f"({_TERM} AND accept_by < :evaluated)"
    if limits.unaccepted is not None:
        late += f" OR (NOT ({_TERM}) AND since_time < :since_before AND offered_time >= :since)"
        parameters |= {"since_before": read.evaluated - limits.unaccepted, "since": limits.since}
    choice = Choice((f"({late})",), parameters, (HANDOFF_STATE_OFFERED,), departments)
    rows, following = listing.page(read, handoffs.TABLE, choice, handoffs.ORDER, LOOKED_MAX, None)
    found = []
    for row in rows:
        term = row.accept_by if row.accept_by is not None and not row.ever_accepted else row.since_time + (limits.unaccepted or 0)
        found.append(
            Found(
                NOTICE_UNACCEPTED,
                derived_id(row.since_time, f"unaccepted:{row.entity}:{row.key}"),
                term,
                term,
                row.since_time,
                row.hands,
                row.assignee,
                row.subject,
                row,
            )
        )
    return found, following is not None


LOOKS: Final[dict[int, Callable[[Read, Limits, Sequence[str]], tuple[list[Found], bool]]]] = {
    NOTICE_DUE_SOON: _due_soon,
    NOTICE_SILENT: _silent,
    NOTICE_UNACCEPTED: _unaccepted,
}


def next_time(read: Read, limits: Limits) -> int:
    """Return the first instant after the evaluated time at which a notice comes by time alone; MAX when none does.

    The snapshot has to be of the present.
    """
    times: list[int | None] = []
    for kind, before in limits.remind_before.items():
        times.append(
            _first(
                read,
                f"SELECT min(due_time) - :before FROM promise_now WHERE state = {PROMISE_STATE_OPEN} AND kind = :kind "
                f"AND due_time < {MAX} AND due_time - :before > :evaluated AND made_time >= :since",
                kind=kind,
                before=before,
                since=limits.since,
            )
        )
    if limits.silence is not None:
        _, begins, _ = _without_word(read, limits, limits.silence, ())
        times.extend(begun + limits.silence for begun in begins.values() if begun + limits.silence >= read.evaluated)
        times.append(
            _first(
                read,
                f"SELECT min({_WORD}) + :limit FROM request_now WHERE {_WAITING_SQL} AND {_WORD} >= :evaluated - :limit "
                "AND opened_time >= :since",
                limit=limits.silence,
                since=limits.since,
            )
        )
    offered = f"FROM handoff_now WHERE state = {HANDOFF_STATE_OFFERED}"
    times.append(_first(read, f"SELECT min(accept_by) {offered} AND {_TERM} AND accept_by >= :evaluated"))
    if limits.unaccepted is not None:
        times.append(
            _first(
                read,
                f"SELECT min(since_time) + :limit {offered} AND NOT ({_TERM}) AND since_time >= :evaluated - :limit "
                "AND offered_time >= :since",
                limit=limits.unaccepted,
                since=limits.since,
            )
        )
    return min((time for time in times if time is not None), default=MAX)


def _first(read: Read, sql: str, **parameters: Any) -> int | None:
    row = read.db.execute(sql, {"evaluated": read.evaluated, **parameters}).fetchone()
    return int(row[0]) if row[0] is not None else None
