"""Which requests a contact belongs to, what these are about, and whether it answers a question of ours. For many contacts at once.

Has no tables: it asks those of contacts and requests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence, Set
from typing import Any, Final, NamedTuple, Protocol

from ledger.api.v1.request_pb2 import WAITING_FOR_CUSTOMER
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_WAITING
from ledger.sqlite_file import in_batches
from projections import contacts, listing, request_rows
from projections.versions import Choice, shown, versions_of
from projections.view import MAX, Read

_COLUMNS: Final = "entity, contact_ids, object_marks, merged_into_request_id"

_MERGES_MAX: Final = 100
"""So often a request may have been merged on before it is left where it is: a circle has no end."""


class Linked(Protocol):
    """What is asked of a contact's row."""

    @property
    def entity(self) -> int:
        """Number under which the contact's rows stand."""

    @property
    def opened_time(self) -> int:
        """When it was received, microseconds UTC."""

    @property
    def reply_to(self) -> str:
        """Contact that it replies to; empty for none."""

    @property
    def request_ids(self) -> str:
        """Requests named at its end, separated by spaces."""


class Link(NamedTuple):
    """What ties a contact to requests. Nothing is there twice, unless requests were merged or share an object."""

    requests: Sequence[str]
    """Ids of the requests it belongs to; of merged ones those that go on."""
    objects: Sequence[str]
    """Type and mark of the objects of those requests."""
    answers_us: bool
    """True when it answers a question of ours: it replies to us, or a request of it waited for the customer."""


class Links:
    """What ties some contacts to requests, as known and as it had happened. Make one for a question."""

    def __init__(self, read: Read, rows: Sequence[Linked]) -> None:
        """`rows`: of the contacts asked about."""
        self._read = read
        self._names = _names(read, rows)
        self._merged: dict[str, str] = {}
        self._objects: dict[str, list[str]] = {}
        self._of_contact: dict[str, set[str]] = {}
        self._numbers: dict[str, int] = {}
        self._take_requests(rows)
        self._waits = self._waits_for_customer()
        self._ours = self._outbound({row.reply_to for row in rows if row.reply_to})

    def of(self, row: Linked) -> Link:
        """Return what ties one of them."""
        named: Set[str] = self._of_contact.get(self._names[row.entity], frozenset())
        if row.request_ids:
            named = named | set(row.request_ids.split())
        answers = bool(row.reply_to) and row.reply_to in self._ours
        if not named:
            return Link((), (), answers)
        return Link(
            [self._goes_on(request_id) for request_id in named],
            [mark for request_id in named for mark in self._objects.get(request_id, ())],
            answers or any(self._waited(request_id, row.opened_time) for request_id in named),
        )

    def _goes_on(self, request_id: str) -> str:
        for _ in range(_MERGES_MAX):
            into = self._merged.get(request_id)
            if into is None:
                break
            request_id = into
        return request_id

    def _waited(self, request_id: str, at: int) -> bool:
        """True when the request waited for the customer just before an instant."""
        stretches = self._waits.get(self._numbers.get(request_id, 0), ())
        place = bisect_left(stretches, (at, MAX)) - 1
        return any(start < at <= end for start, end in stretches[max(0, place - 1) : place + 1])

    def _take_requests(self, rows: Sequence[Linked]) -> None:
        read, wanted = self._read, set(self._names.values())
        parameters: dict[str, Any] = {}
        # Of the others no two contacts have anything in common, and none waited for its only contact.
        several = "(instr(contact_ids, ' ') > 0 OR object_marks <> '' OR merged_into_request_id <> '')"
        query = shown(read, request_rows.TABLE, _COLUMNS, Choice((several,), states=request_rows.STATES), parameters)
        found = read.db.execute(query, parameters).fetchall()
        named = {request_id for row in rows for request_id in row.request_ids.split()}
        entities = set(listing.entities(read, (f"request-{one}" for one in named)))
        if entities:
            parameters = {}
            query = shown(
                read, request_rows.TABLE, _COLUMNS, Choice(states=request_rows.STATES, entities=sorted(entities)), parameters
            )
            found += read.db.execute(query, parameters).fetchall()
        # Most requests concern none of these contacts, where few are asked about.
        concern = [(*row, wanted.intersection(row[1].split())) for row in found]
        concern = [row for row in concern if row[4] or row[3] or row[0] in entities]
        ids = listing.ids_of(read, {row[0] for row in concern})
        for entity, _, object_marks, merged_into, contact_ids in concern:
            request_id = ids[entity]
            self._numbers[request_id] = entity
            if merged_into:
                self._merged[request_id] = merged_into
            self._objects[request_id] = object_marks.split()
            for contact_id in contact_ids:
                self._of_contact.setdefault(contact_id, set()).add(request_id)

    def _waits_for_customer(self) -> dict[int, list[tuple[int, int]]]:
        """Return, by request, the stretches of time in which it waited for the customer, in order."""
        concerned = self._numbers.values()
        found: dict[int, list[tuple[int, int]]] = {}
        waits = f"state = {REQUEST_STATE_WAITING} AND waiting_for = {WAITING_FOR_CUSTOMER}"
        for some in in_batches(sorted(concerned)):
            for entity, start, end in versions_of(self._read, request_rows.TABLE, "entity", (waits,), some):
                if start < end:
                    found.setdefault(entity, []).append((start, end))
        for stretches in found.values():
            stretches.sort()
        return found

    def _outbound(self, contact_ids: set[str]) -> frozenset[str]:
        """Return those of the contacts that we made."""
        entities = listing.entities(self._read, (f"contact-{one}" for one in contact_ids))
        if not entities:
            return frozenset()
        parameters: dict[str, Any] = {}
        choice = Choice(("outbound = 1",), states=contacts.STATES, entities=entities)
        query = shown(self._read, contacts.TABLE, "entity", choice, parameters)
        ours = {entity for (entity,) in self._read.db.execute(query, parameters)}
        return frozenset(listing.ids_of(self._read, ours).values())


def _names(read: Read, rows: Iterable[Linked]) -> dict[int, str]:
    return listing.ids_of(read, {row.entity for row in rows})
