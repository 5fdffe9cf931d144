"""Facts that customers have given, and that were asked for: what a department need not ask again.

Rows hold keys and marks; values are opened when shown.
A fact is given by `fact-given` and by `request-opened` (its intake facts). Facts passed in a handoff are not given anew.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.history_service_pb2 import KnownFact
from ledger.event import Event
from ledger.event_id import to_text
from ledger.rules.instant import uuid_bytes
from projections.identity_spans import Span, selection
from projections.restated import RestatingEvent, as_said, events_at
from projections.view import Changes, Read, happened

if TYPE_CHECKING:
    import sqlite_utils

FACTS_MAX: Final = 200
"""Most facts of a customer that are shown, by key."""

_TABLES: Final = (
    """CREATE TABLE fact_given (
        subject BLOB NOT NULL, key TEXT NOT NULL, order_time INTEGER NOT NULL, position INTEGER NOT NULL, item INTEGER NOT NULL,
        request_id TEXT, value_mark BLOB, department TEXT NOT NULL, occur_time INTEGER NOT NULL,
        PRIMARY KEY (subject, key, order_time, position, item)
    ) WITHOUT ROWID""",
    "CREATE INDEX fact_given_order ON fact_given (order_time, position)",
    "CREATE INDEX fact_given_request ON fact_given (request_id) WHERE request_id IS NOT NULL",
    """CREATE TABLE fact_confirmed (
        subject BLOB NOT NULL, key TEXT NOT NULL, order_time INTEGER NOT NULL, position INTEGER NOT NULL,
        occur_time INTEGER NOT NULL, event_id BLOB NOT NULL,
        PRIMARY KEY (subject, key, order_time, position)
    ) WITHOUT ROWID""",
    """CREATE TABLE fact_asked (
        order_time INTEGER NOT NULL, position INTEGER NOT NULL, subject BLOB NOT NULL, key TEXT NOT NULL,
        occur_time INTEGER NOT NULL, asked_of INTEGER NOT NULL, request_id TEXT, contact_id TEXT, department TEXT NOT NULL,
        PRIMARY KEY (order_time, position)
    ) WITHOUT ROWID""",
    """CREATE TABLE fact_count (
        subject BLOB NOT NULL, key TEXT NOT NULL, given INTEGER NOT NULL, PRIMARY KEY (subject, key)
    ) WITHOUT ROWID""",
)
"""`item` counts the facts of one event from 0. `event_id` is that of the event that gave the fact confirmed. `department` is the
one that was told, or the one that asked. `given` is how many givings stand now: a card need not count them.
"""


class FactsView:
    """Applies events to the facts' rows."""

    name = "facts"
    takes_restating = True

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the tables in an empty views file."""
        for statement in _TABLES:
            db.execute(statement)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Add a row for each fact given, confirmed or asked for."""
        given: list[tuple[Any, ...]] = []
        confirmed: list[tuple[Any, ...]] = []
        asked: list[tuple[Any, ...]] = []
        counts: Counter[tuple[bytes, str]] = Counter()
        for event in as_said(events):
            topic = event.topic
            if topic == "fact-asked":
                asked.append(_asked(event))
                changes.add(event.position, "asked", *asked[-1][:1], *asked[-1][2:])
                continue
            if not event.subject:
                continue
            if topic == "fact-confirmed":
                payload = event.payload
                named = uuid_bytes(payload.fact_event_id)
                confirmed.append((event.subject, payload.key, event.order, event.position, event.occur, named))
                changes.add(event.position, "confirmed", event.subject, payload.key, event.order, named)
            elif topic in ("fact-given", "request-opened"):
                for item, fact in enumerate(facts_of(event)):
                    request_id = event.payload.request_id or None
                    mark = fact.value_mark if fact.HasField("value_mark") else None
                    told = (request_id, mark, _told(event), event.occur)
                    given.append((event.subject, fact.key, event.order, event.position, item, *told))
                    changes.add(event.position, "given", event.subject, fact.key, event.order, item, *told)
        if asked:
            db.executemany("INSERT INTO fact_asked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", asked)
        if given:
            db.executemany("INSERT INTO fact_given VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", given)
        if confirmed:
            db.executemany("INSERT INTO fact_confirmed VALUES (?, ?, ?, ?, ?, ?)", confirmed)
        for event in events:
            if isinstance(event, RestatingEvent) and event.original is not None:
                _count(counts, event.before, -1)
                _count(counts, event.after, 1)
            else:
                _count(counts, event, 1)
        db.executemany(
            "INSERT INTO fact_count VALUES (?, ?, ?) ON CONFLICT (subject, key) DO UPDATE SET given = given + excluded.given",
            [(*place, more) for place, more in counts.items()],
        )


def _count(counts: Counter[tuple[bytes, str]], event: Event | None, more: int) -> None:
    """Count the facts that an event gives, or gives no longer."""
    if event is not None and event.subject:
        for fact in facts_of(event):
            counts[event.subject, fact.key] += more


def facts_of(event: Event, payload: Any = None) -> Sequence[Fact]:
    """Return the facts that an event gives, of its clear payload or of a full one."""
    payload = event.payload if payload is None else payload
    if event.topic == "fact-given":
        return (payload.fact,)
    if event.topic == "request-opened":
        return tuple(payload.intake_facts)
    return ()


def _told(event: Event) -> str:
    """Return the department that was told a fact."""
    named = event.payload.to_department if event.topic == "fact-given" else ""
    return str(named or event.header.department)


def _asked(event: Event) -> tuple[Any, ...]:
    """Return the row of a fact asked for."""
    payload = event.payload
    of = (payload.asked_of, payload.request_id or None, payload.contact_id or None, event.header.department)
    return (event.order, event.position, event.subject, payload.key, event.occur, *of)


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
    events = events_at(read, [given.position for given in shown])
    payloads = read.content.open_payloads(list(events.values()))
    opened = {
        position: (event, facts_of(event, payload))
        for (position, event), (payload, _) in zip(events.items(), payloads, strict=True)
    }
    return [_known_fact(read, spans, given, *opened[given.position]) for given in shown]


def _given(read: Read, span: Span) -> list[_Given]:
    """Return the last giving of each key within one stretch, and how many there are: now the number that is kept, else counted."""
    if read.present and span.whole:
        sql = "SELECT key, given FROM fact_count WHERE subject = ? AND given > 0"
        return [_last(read, span, key, times) for key, times in read.db.execute(sql, (span.subject,)).fetchall()]
    bounds = read.parameters | {"subject": span.subject, "low": span.order_from, "high": span.order_until}
    within = f"subject = :subject AND order_time >= :low AND order_time < :high AND {happened(read)}"
    counts = read.db.execute(f"SELECT key, count(*) FROM fact_given WHERE {within} GROUP BY key", bounds).fetchall()
    return [_last(read, span, key, times) for key, times in counts]


def _last(read: Read, span: Span, key: str, times: int) -> _Given:
    """Return the last giving of a key within one stretch, where there is one."""
    order, position, item, request_id = read.db.execute(
        "SELECT order_time, position, item, request_id FROM fact_given WHERE subject = :subject AND key = :key "
        f"AND order_time >= :low AND order_time < :high AND {happened(read)} "
        "ORDER BY order_time DESC, position DESC, item DESC LIMIT 1",
        read.parameters | {"subject": span.subject, "key": key, "low": span.order_from, "high": span.order_until},
    ).fetchone()
    return _Given(order, position, item, key, request_id, times)


def _known_fact(read: Read, spans: Sequence[Span], given: _Given, event: Event, facts: Sequence[Fact]) -> KnownFact:
    fact = Fact()
    fact.CopyFrom(facts[given.item])
    if not fact.HasField("fact_event_id"):
        fact.fact_event_id = to_text(event.event_id)
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
