"""What playbooks may know: the customer's card and the request, as of the trigger's position. Nothing sealed is opened.

Read from a snapshot of the views that stands at the position or beyond: what was recorded later is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, cast

from ledger.api.v1.handoff_service_pb2 import HandoffFilter
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN, PromiseFilter
from ledger.api.v1.request_service_pb2 import RequestFilter
from ledger.catalogue import read_event
from ledger.event import DAY_MICROS, Event
from ledger.event_id import to_text
from ledger.followers.plays import Situation, contact_of, request_of
from ledger.policy.conditions import Card
from ledger.rules import family_of
from ledger.rules.fold import fold
from projections import contacts, handoffs, identities, listing, promises, requests
from projections.identity_spans import selection
from projections.restated import events_at
from projections.versions import Choice
from projections.view import Read, happened

RECENT_MICROS: Final = 30 * DAY_MICROS

_OPEN: Final = PromiseFilter(states=[PROMISE_STATE_OPEN])
_BROKEN: Final = PromiseFilter(states=[PROMISE_STATE_BROKEN])
_PENDING: Final = HandoffFilter(pending=True)
_ACTIVE: Final = RequestFilter(open=True)


def as_of(read: Read, event: Event) -> Read:
    """Return the views as known at an event, evaluated when it was recorded."""
    return replace(read, known=event.position, before=None, evaluated=event.record)


def card_of(read: Read, event: Event) -> Card:
    """Return the card of the customer of an event, as of the event. What nobody asks for is not looked up."""
    return cast(Card, _Card(as_of(read, event), event))


class _Card:
    """A `Card` that looks up each figure when it is asked for the first time."""

    def __init__(self, read: Read, event: Event) -> None:
        self._read = read
        self._event = event

    @cached_property
    def _subjects(self) -> Sequence[bytes]:
        return identities.members(self._read, self._event.subject) if self._event.subject else ()

    @cached_property
    def _tier(self) -> tuple[str, str]:
        return identities.tier(self._read, self._subjects) if self._subjects else ("", "")

    @property
    def tier(self) -> str:
        return self._tier[0]

    @property
    def relation(self) -> str:
        return self._tier[1]

    @cached_property
    def open_promises(self) -> int:
        return self._count(promises, _OPEN)

    @cached_property
    def broken_promises(self) -> int:
        return self._count(promises, _BROKEN)

    @cached_property
    def pending_handoffs(self) -> int:
        return self._count(handoffs, _PENDING)

    @cached_property
    def open_requests(self) -> int:
        return self._count(requests, _ACTIVE)

    @cached_property
    def contacts_30d(self) -> int:
        return _contacts(self._read, self._subjects, self._event)

    def _count(self, view: Any, filter: Any) -> int:
        return int(view.count(self._read, filter, (), self._subjects).total) if self._subjects else 0


def _contacts(read: Read, subjects: Sequence[bytes], event: Event) -> int:
    """Return how many contacts these subjects had received in the thirty days before an event, that one not counted."""
    if not subjects:
        return 0
    where = ("outbound = 0", "opened_time >= :recent", "opened_time <= :now", "position <> :itself")
    parameters = {"recent": event.occur - RECENT_MICROS, "now": event.occur, "itself": event.position}
    choice = Choice(where, parameters, contacts.STATES, scopes={"subject": subjects})
    return listing.count(read, contacts.TABLE, choice, ())[1]


def situation_of(read: Read, event: Event) -> Situation:
    """Return what the steps of a playbook need to know, as of the trigger."""
    opener = _opener(read, event)
    request_id = request_of(event) or (request_of(opener) if opener is not None else "")
    contact_id = contact_of(event) or (contact_of(opener) if opener is not None else "")
    owner = ""
    if request_id:
        stream = f"request-{request_id}"
        rows = read.log.read_stream(stream, event.position)
        rules = family_of(stream)
        state = fold(rules, [read_event(row.position, row.header) for row in rows], stream).state if rows and rules else None
        owner = (state.owner_department or "") if state is not None else ""
    return Situation(request_id, contact_id, owner, _facts(as_of(read, event), event, request_id))


def _opener(read: Read, event: Event) -> Event | None:
    """Return what opened the stream of an event: of a promise or complaint, it says which request and contact it belongs to."""
    if event.revision == 1:
        return None
    rows = read.log.read_stream(event.stream, event.position)
    return read_event(rows[0].position, rows[0].header) if rows else None


def _facts(read: Read, event: Event, request_id: str) -> dict[str, str]:
    """Return, by key, the event by which the customer gave a fact last: about the request, else at all."""
    if not event.subject:
        return {}
    found: dict[str, tuple[bool, int, int]] = {}
    for span in selection(read, identities.members(read, event.subject)):
        rows = read.db.execute(
            "SELECT key, order_time, position, request_id FROM fact_given WHERE subject = :subject AND order_time >= :low "
            f"AND order_time < :high AND {happened(read)}",
            read.parameters | {"subject": span.subject, "low": span.order_from, "high": span.order_until},
        )
        for key, order, position, about in rows:
            place = (bool(request_id) and about == request_id, order, position)
            found[key] = max(found.get(key, place), place)
    events = events_at(read, [position for _, _, position in found.values()])
    return {key: to_text(events[position].event_id) for key, (_, _, position) in found.items()}
