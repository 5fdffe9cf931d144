"""Notices: what will go wrong unless somebody acts, in the order in which it matters, and as it is shown. Has no tables."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_OFFERED
from ledger.api.v1.notice_service_pb2 import (
    NOTICE_DUE_SOON,
    NOTICE_SILENT,
    NOTICE_UNACCEPTED,
    Notice,
    NoticeFilter,
)
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN
from ledger.event_id import to_text
from projections import handoffs, identities, listing, promises
from projections.listing import given, instant
from projections.notice_kinds import LOOKED_MAX, LOOKS, Found, Limits
from projections.versions import Choice, shown
from projections.view import MAX, Read, one_of


class Ranked(NamedTuple):
    """A notice and its place: the tier's rank, newest customer first, what is due first, then the id."""

    rank: int
    newness: int
    due: int
    notice_id: str
    found: Found
    tier: str
    since: int | None


Place = tuple[int, int, int, str]


def standing(read: Read, limits: Limits, filter: NoticeFilter) -> tuple[list[Ranked], bool]:
    """Return the notices that stand at the evaluated time, in order, and whether there was more to look at than was looked at."""
    kinds: set[int] = {*filter.kinds} or {*LOOKS}
    found: list[Found] = []
    more = False
    for kind, look in LOOKS.items():
        if kind in kinds:
            some, beyond = look(read, limits, tuple(filter.departments))
            found.extend(some)
            more = more or beyond
    ranked = _ranked(read, limits, found)
    if filter.tiers:
        wanted = set(filter.tiers)
        ranked = [one for one in ranked if one.tier in wanted]
    return ranked, more


def page(ranked: Sequence[Ranked], limit: int, after: Sequence[Any] | None) -> tuple[list[Ranked], Place | None]:
    """Return up to `limit` notices that follow a place, and the place of the last one where there are more."""
    start = 0 if after is None else bisect_right([_place(one) for one in ranked], tuple(after))
    rows = list(ranked[start : start + limit])
    return rows, _place(rows[-1]) if start + limit < len(ranked) else None


def messages(read: Read, ranked: Sequence[Ranked]) -> list[Notice]:
    """Return notices as they are shown."""
    ids = listing.ids(read, [one.found.row for one in ranked])
    competing = _competing(read, [one.found for one in ranked])
    return [_message(one, ids[one.found.row.entity], competing(one.found)) for one in ranked]


# In which order


def _ranked(read: Read, limits: Limits, found: Iterable[Found]) -> list[Ranked]:
    rank = {tier: number for number, tier in enumerate(limits.tiers)}
    customers: dict[bytes, tuple[str, int | None]] = {}
    ranked = []
    for one in found:
        known = customers.get(one.subject)
        if known is None:
            known = customers[one.subject] = _customer(read, one.subject)
        tier, since = known
        newness = MAX if since is None else -since
        ranked.append(Ranked(rank.get(tier, len(rank)), newness, one.due, one.notice_id, one, tier, since))
    return sorted(ranked, key=_place)


def _place(one: Ranked) -> Place:
    return one.rank, one.newness, one.due, one.notice_id


def _customer(read: Read, subject: bytes) -> tuple[str, int | None]:
    """Return the tier of a subject's customer, and when the customer was first seen; None for one without an identifier."""
    subjects = identities.members(read, subject)
    return identities.tier(read, subjects)[0], _first_seen(read, subjects)


def _first_seen(read: Read, subjects: Sequence[bytes]) -> int | None:
    parameters: dict[str, Any] = {"known": read.known}
    where = one_of("subject", subjects, parameters, "s")
    sql = f"SELECT min(first_time) FROM identity_subject WHERE first_position <= :known AND {where}"
    (first,) = read.db.execute(sql, parameters).fetchone()
    return None if first is None else int(first)


# How it is shown


def _competing(read: Read, found: Sequence[Found]) -> Callable[[Found], int]:
    """Return what counts how much else the same person, else department, has to do by the due of a notice."""
    departments = sorted({one.department for one in found if one.department})
    if not departments:
        return lambda one: 0
    owned = {"last": max(one.due for one in found)}
    promised = Choice(("due_time <= :last",), owned, (PROMISE_STATE_OPEN,), departments)
    dues: dict[tuple[str, str], list[int]] = {}
    for department, assignee, due in _values(read, promises.TABLE, "owner_department, assignee, due_time", promised):
        for owner in {(department, ""), (department, assignee)}:
            dues.setdefault(owner, []).append(due)
    for some in dues.values():
        some.sort()
    waiting: dict[tuple[str, str], int] = {}
    offered = Choice(states=(HANDOFF_STATE_OFFERED,), leads=departments)
    for department, assignee in _values(read, handoffs.TABLE, "hands, assignee", offered):
        for owner in {(department, ""), (department, assignee)}:
            waiting[owner] = waiting.get(owner, 0) + 1

    def count(one: Found) -> int:
        owner = (one.department, one.assignee)
        itself = one.kind in (NOTICE_DUE_SOON, NOTICE_UNACCEPTED)
        return max(0, bisect_right(dues.get(owner, []), one.due) + waiting.get(owner, 0) - itself)

    return count


def _values(read: Read, table: Any, columns: str, choice: Choice) -> Iterable[tuple[Any, ...]]:
    parameters: dict[str, Any] = {}
    # Bounded: what a department has to do by then beyond that is as good as endless.
    yield from read.db.execute(f"{shown(read, table, columns, choice, parameters)} LIMIT {LOOKED_MAX}", parameters)


def _message(one: Ranked, entity_id: str, competing_count: int) -> Notice:
    found, row = one.found, one.found.row
    request_id, about, promise_id, handoff_id, sender = entity_id, "", "", "", ""
    if found.kind == NOTICE_DUE_SOON:
        promise_id, request_id, about = entity_id, row.request_id, row.kind
    elif found.kind == NOTICE_SILENT:
        about = row.reason
    else:
        handoff_id, about, sender = row.handoff_id, row.type, row.from_department
    return Notice(
        notice_id=found.notice_id,
        kind=found.kind,  # type: ignore[arg-type]
        **given(
            notice_time=instant(found.time),
            due_time=instant(found.due),
            since_time=instant(found.since),
            department=found.department,
            assignee=found.assignee,
            promise_id=promise_id,
            request_id=request_id,
            handoff_id=handoff_id,
            from_department=sender,
            about=about,
            tier=one.tier,
            customer_since=instant(one.since),
            subject=to_text(found.subject),
            competing_count=competing_count,
        ),
    )
