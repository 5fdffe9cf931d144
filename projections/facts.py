"""Facts that customers have given: what a department need not ask again. Rows hold keys and marks; values are opened when shown.

A fact is given by `fact-given` and by `request-opened` (its intake facts). Facts passed in a handoff are not given anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.history_service_pb2 import KnownFact
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.rules.instant import uuid_bytes
from projections.identity_spans import Span, selection
from projections.view import Changes, Read, happened

if TYPE_CHECKING:
    import sqlite_utils

FACTS_MAX: Final = 200
"""Most facts of a customer that are shown, by key."""

_TABLES: Final = (
    """CREATE TABLE fact_given (
        subject BLOB NOT NULL, key TEXT NOT NULL, order_time INTEGER NOT NULL, position INTEGER NOT NULL, item INTEGER NOT NULL,
        request_id TEXT, value_mark BLOB,
        PRIMARY KEY (subject, key, order_time, position, item)
    ) WITHOUT ROWID""",
    """CREATE TABLE fact_confirmed (
        subject BLOB NOT NULL, key TEXT NOT NULL, order_time INTEGER NOT NULL, position INTEGER NOT NULL,
        occur_time INTEGER NOT NULL, event_id BLOB NOT NULL,
        PRIMARY KEY (subject, key, order_time, position)
    ) WITHOUT ROWID""",
)
"""`item` counts the facts of one event from 0. `event_id` is that of the event that gave the fact confirmed."""


class FactsView:
    """Applies events to the facts' rows."""

    name = "facts"

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the tables in an empty views file."""
        for statement in _TABLES:
            db.execute(statement)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Add a row for each fact given or confirmed."""
        given: list[tuple[Any, ...]] = []
        confirmed: list[tuple[Any, ...]] = []
        for event in events:
            topic = event.topic
            if not event.subject:
                continue
            if topic == "fact-confirmed":
                payload = event.payload
                named = uuid_bytes(payload.fact_event_id)
                confirmed.append((event.subject, payload.key, event.order, event.position, event.occur, named))
                changes.add(event.position, "confirmed", event.subject, payload.key, event.order, named)
            elif topic in ("fact-given", "request-opened"):
                for item, fact in enumerate(facts_of(event)):
                    request_id = event.payload.request_id if event.payload.HasField("request_id") else None
                    mark = fact.value_mark if fact.HasField("value_mark") else None
                    given.append((event.subject, fact.key, event.order, event.position, item, request_id, mark))
                    changes.add(event.position, "given", event.subject, fact.key, event.order, item, request_id, mark)
        if given:
            db.executemany("INSERT INTO fact_given VALUES (?, ?, ?, ?, ?, ?, ?)", given)
        if confirmed:
            db.executemany("INSERT INTO fact_confirmed VALUES (?, ?, ?, ?, ?, ?)", confirmed)


def facts_of(event: Event, payload: Any = None) -> Sequence[Fact]:
    """Return the facts that an event gives, of its clear payload or of a full one."""
    payload = event.payload if payload is None else payload
    if event.topic == "fact-given":
        return (payload.fact,)
    if event.topic == "request-opened":
        return tuple(payload.intake_facts)
    return ()


class _Given(NamedTuple):
    """The last giving of a fact, and how often it was given."""

    order: int
    position: int
    item: int
    key: str
    request_id: str | None
    times: int


def known_facts(read: Read, subjects: Sequence[bytes]) -> list[KnownFact]:
    """Return what these subjects gave, the last giving of each key, in order of key; at most 200.

    A value is empty once it is erased. A fact counts as confirmed when the customer confirmed that very giving of it.
    """
    spans = selection(read, subjects)
    last: dict[str, _Given] = {}
    for span in spans:
        for given in _given(read, span):
            before = last.get(given.key)
            times = given.times + (before.times if before else 0)
            last[given.key] = max(given, before)._replace(times=times) if before else given
    shown = [last[key] for key in sorted(last)[:FACTS_MAX]]
    rows = read.log.read_positions([given.position for given in shown]) if shown else {}
    events = [read_event(position, row.header, row.parts) for position, row in rows.items()]
    payloads = read.content.open_payloads(events)
    opened = {event.position: (event, facts_of(event, payload)) for event, (payload, _) in zip(events, payloads, strict=True)}
    return [_known_fact(read, spans, given, *opened[given.position]) for given in shown]


def _given(read: Read, span: Span) -> list[_Given]:
    """Return the last giving of each key within one stretch."""
    bounds = read.parameters | {"subject": span.subject, "low": span.order_from, "high": span.order_until}
    within = f"subject = :subject AND order_time >= :low AND order_time < :high AND {happened(read)}"
    counts = read.db.execute(
        f"SELECT key, count(*), max(order_time) FROM fact_given WHERE {within} GROUP BY key", bounds
    ).fetchall()
    found = []
    for key, times, order in counts:
        position, item, request_id = read.db.execute(
            "SELECT position, item, request_id FROM fact_given WHERE subject = :subject AND key = :key AND order_time = :order "
            "AND position <= :known ORDER BY position DESC, item DESC LIMIT 1",
            bounds | {"key": key, "order": order},
        ).fetchone()
        found.append(_Given(order, position, item, key, request_id, times))
    return found


def _known_fact(read: Read, spans: Sequence[Span], given: _Given, event: Event, facts: Sequence[Fact]) -> KnownFact:
    fact = Fact()
    fact.CopyFrom(facts[given.item])
    if not fact.HasField("fact_event_id"):
        fact.fact_event_id = str(UUID(bytes=event.event_id))
    known = KnownFact(fact=fact, given_count=given.times)
    known.given_time.FromMicroseconds(event.occur)
    if given.request_id is not None:
        known.request_id = given.request_id
    confirmed = _confirmed(read, spans, given.key, event.event_id)
    if confirmed is not None:
        known.confirmed_time.FromMicroseconds(confirmed)
    return known


def _confirmed(read: Read, spans: Sequence[Span], key: str, event_id: bytes) -> int | None:
    """Return when the giving was last confirmed."""
    found = []
    for span in spans:
        row = read.db.execute(
            "SELECT order_time, position, occur_time FROM fact_confirmed WHERE subject = :subject AND key = :key "
            f"AND event_id = :event_id AND order_time >= :low AND order_time < :high AND {happened(read)} "
            "ORDER BY order_time DESC, position DESC LIMIT 1",
            read.parameters
            | {"subject": span.subject, "key": key, "event_id": event_id, "low": span.order_from, "high": span.order_until},
        ).fetchone()
        if row is not None:
            found.append(row)
    return int(max(found)[2]) if found else None
