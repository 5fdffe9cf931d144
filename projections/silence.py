"""Silence: customers who wait without word from us (question 4, requirements S1-7 and S1-18).

A request is silent when it is open, does not wait for the customer, and the customer has had no word for longer than the silence
limit of the policy in force at the evaluated time. Silence begins with the last of these: the opening; customer-informed; the end
of the last wait for the customer, or of the last time the request had ended; and in the contacts of the request one that we made,
and our last answer or message that was not automatic.

Has no tables: it asks those of requests and contacts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ledger.api.v1.request_pb2 import WAITING_FOR_CUSTOMER
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_OPEN, REQUEST_STATE_WAITING
from ledger.event import DAY_MICROS
from ledger.sqlite_file import in_batches
from projections import contacts, listing, policies
from projections.request_rows import OPEN, TABLE
from projections.versions import Choice, shown, versions_of
from projections.view import MAX, Read

DEFAULT_MICROS: Final = 7 * DAY_MICROS
"""The limit where the policy says none."""

_OURS: Final = f"(state = {REQUEST_STATE_OPEN} OR (state = {REQUEST_STATE_WAITING} AND waiting_for <> {WAITING_FOR_CUSTOMER}))"
"""It is for us to act."""


def limit(read: Read) -> int:
    """Return the silence limit of the policy in force at the evaluated time, in microseconds."""
    policy = policies.book(read.log, read.known).in_force(read.evaluated)
    said = policy.silence_limit if policy is not None else None
    return DEFAULT_MICROS if said is None else said


def silent(read: Read) -> list[int]:
    """Return the requests that are silent at the evaluated time, by the number under which their rows stand."""
    since = read.evaluated - limit(read)
    parameters: dict[str, Any] = {}
    # What had word since then is not silent whatever else there was.
    where = (_OURS, "opened_time < :since", "coalesce(informed_time, opened_time) < :since")
    choice = Choice(where, {"since": since}, OPEN)
    query = shown(read, TABLE, "entity, opened_time, informed_time, contact_ids", choice, parameters)
    rows = read.db.execute(query, parameters).fetchall()
    begun = begins(read, rows)
    return sorted(entity for entity, start in begun.items() if start < since)


def begins(read: Read, rows: Sequence[tuple[int, int, int | None, str]]) -> dict[int, int]:
    """Return since when each of some open requests has been silent: microseconds UTC, by number.

    `rows`: number, opening, when the customer was informed last, and contacts.
    """
    idle = idle_times(read, [entity for entity, *_ in rows])
    words = _words(read, {contact_id for *_, contact_ids in rows for contact_id in contact_ids.split()})
    found = {}
    for entity, opened, informed, contact_ids in rows:
        ends = [until for _, until in idle.get(entity, ()) if until != MAX]
        said = [words[contact_id] for contact_id in contact_ids.split() if contact_id in words]
        found[entity] = max(opened, informed or opened, *ends, *said)
    return found


def idle_times(read: Read, entities: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """Return, by request, when it was not for us to act: it waited for the customer, or had ended. MAX: it still is."""
    before = MAX if read.before is None else read.before
    idle: dict[int, list[tuple[int, int]]] = {}
    for some in in_batches(entities):
        for entity, since, until in set(versions_of(read, TABLE, "entity", (f"NOT {_OURS}",), some)):
            if since < before and since < until:
                idle.setdefault(entity, []).append((since, MAX if until >= before else until))
    return idle


def _words(read: Read, contact_ids: Iterable[str]) -> dict[str, int]:
    """Return when the customer last had word from us in each of these contacts; those without any are left out."""
    entities = listing.entities(read, (f"contact-{contact_id}" for contact_id in contact_ids))
    if not entities:
        return {}
    word = "max(CASE WHEN outbound THEN opened_time ELSE 0 END, coalesce(last_answer_time, 0), coalesce(answered_time, 0))"
    parameters: dict[str, Any] = {}
    choice = Choice((f"{word} > 0",), states=contacts.STATES, entities=entities)
    query = shown(read, contacts.TABLE, f"entity, {word}", choice, parameters)
    times = dict(read.db.execute(query, parameters).fetchall())
    return {contact_id: times[entity] for entity, contact_id in listing.ids_of(read, times).items()}
