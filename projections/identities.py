"""Who is who: the identifiers seen, the sets they make up, and the tier of each.

A customer is a set of identifiers joined by links (identity_sets.py), as of a position; its public id is the oldest pseudonym in
it: the one an event named first, on a tie the smaller bytes. `occurred_before` never changes a set. Which stretch of each
identifier's events counts for a set is in identity_spans.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.identity_service_pb2 import DuplicateCandidate, IdentifierList, KnownIdentifier
from ledger.catalogue import BY_TOPIC
from ledger.event import Event
from ledger.event_id import to_text
from ledger.rules.instant import uuid_bytes
from projections import attribution, identity_restating, tiers
from projections.identity_restating import LINKED, UNLINKED, ended_at, link_of, note, restate
from projections.identity_sets import IdentitySets, seen_before
from projections.identity_spans import selection, stands
from projections.restated import RestatingEvent, as_said
from projections.view import MAX, Changes, Read, one_of

if TYPE_CHECKING:
    import sqlite_utils

SEEN_CACHED: Final = 100_000
"""Pseudonyms (as text) known to have a row, kept in memory while applying."""

_TABLES: Final = (
    """CREATE TABLE identity_subject (
        subject BLOB PRIMARY KEY, type TEXT NOT NULL, first_position INTEGER NOT NULL, first_time INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE identity_shared (
        subject BLOB NOT NULL, from_position INTEGER NOT NULL, until_position INTEGER,
        PRIMARY KEY (subject, from_position)
    ) WITHOUT ROWID""",
    """CREATE TABLE identity_link (
        link INTEGER NOT NULL, event_id BLOB NOT NULL, left_subject BLOB NOT NULL, right_subject BLOB NOT NULL,
        valid_from INTEGER, valid_until INTEGER, ended INTEGER NOT NULL, bounded INTEGER NOT NULL,
        state INTEGER NOT NULL, from_position INTEGER NOT NULL, until_position INTEGER,
        PRIMARY KEY (link, from_position)
    ) WITHOUT ROWID""",
    "CREATE INDEX identity_link_event ON identity_link (event_id)",
    "CREATE INDEX identity_link_left ON identity_link (left_subject, until_position)",
    "CREATE INDEX identity_link_right ON identity_link (right_subject, until_position)",
    "CREATE INDEX identity_link_bounded_left ON identity_link (left_subject) WHERE bounded = 1",
    "CREATE INDEX identity_link_bounded_right ON identity_link (right_subject) WHERE bounded = 1",
    "CREATE INDEX identity_link_without_effect ON identity_link (link) WHERE state BETWEEN 1 AND 3 AND ended = 0",
    """CREATE TABLE identity_member (
        subject BLOB NOT NULL, customer BLOB NOT NULL, from_position INTEGER NOT NULL, until_position INTEGER,
        PRIMARY KEY (subject, from_position)
    ) WITHOUT ROWID""",
    "CREATE INDEX identity_member_customer ON identity_member (customer, until_position)",
)
"""`link` is the position of the `identity-linked` event. A set of one has no member row."""

_NAMES_IDENTIFIERS: Final = {topic: kind.identifiers for topic, kind in BY_TOPIC.items() if kind.identifiers}
_MOVES: Final = frozenset({"identity-linked", "identity-unlinked", "identifier-shared"})


class IdentitiesView:
    """Applies events to identifiers, links, sets and tiers."""

    name = "identities"
    takes_restating = True

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the tables in an empty views file."""
        for statement in (*_TABLES, *identity_restating.TABLES, *tiers.TABLES):
            db.execute(statement)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Take in identifiers named for the first time, then links, unlinks, marks and classifications one by one."""
        said = as_said(events)
        ops: list[tuple[int, tuple[Any, ...]]] = self._see(said, db)

        def changed(position: int, *op: Any) -> None:
            ops.append((position, op))

        for event in said:
            if event.topic == "customer-classified":
                tiers.apply(event, db, changed)
        for event in events:
            if event.topic in _MOVES:
                _move(event, db, IdentitySets(db, event.position, changed))
            elif isinstance(event, RestatingEvent) and event.original is not None and event.original.topic in (LINKED, UNLINKED):
                sets = IdentitySets(db, event.position, changed)
                restate(event, db, sets)
                sets.write()
        # Stable: of one event, identifiers seen come first, whatever else was in the batch.
        ops.sort(key=lambda op: op[0])
        for position, op in ops:
            changes.add(position, *op)

    def _see(self, events: Sequence[Event], db: sqlite3.Connection) -> list[tuple[int, tuple[Any, ...]]]:
        """Write a row for each identifier that no event named before."""
        if len(self._seen) > SEEN_CACHED:
            self._seen.clear()
        seen = self._seen
        named: dict[str, tuple[str, int, int]] = {}
        for event in events:
            for field in _NAMES_IDENTIFIERS.get(event.topic, ()):
                if event.payload.HasField(field):
                    identifier = getattr(event.payload, field)
                    subject = identifier.subject
                    if subject not in seen and subject not in named:
                        named[subject] = (identifier.type, event.position, event.occur)
        if not named:
            return []
        rows = {uuid_bytes(subject): row for subject, row in named.items()}
        known = seen_before(db, rows)
        new = [(subject, *row) for subject, row in rows.items() if subject not in known]
        db.executemany("INSERT INTO identity_subject VALUES (?, ?, ?, ?)", new)
        seen.update(named)
        return [(position, ("seen", subject, type_)) for subject, type_, position, _ in new]


def _move(event: Event, db: sqlite3.Connection, sets: IdentitySets) -> None:
    payload = event.payload
    if event.topic == LINKED:
        note(event, db)
        sets.link(link_of(event))
    elif event.topic == UNLINKED:
        note(event, db)
        sets.unlink(uuid_bytes(payload.link_event_id), ended_at(event))
    else:
        sets.share(uuid_bytes(payload.identifier.subject), payload.shared)
    sets.write()


# Questions


def members(read: Read, subject: bytes) -> list[bytes]:
    """Return the pseudonyms of the customer a subject belongs to, oldest first; of one that nothing joins, itself alone.

    After the identifiers come the subjects of contacts that were attributed to the customer (attribution.py).
    """
    identifiers = _joined(read, attribution.followed(read, subject))
    return [*identifiers, *attribution.joined(read, identifiers)]


def _joined(read: Read, subject: bytes) -> list[bytes]:
    """Return the identifiers that links join with a subject, itself included, oldest first."""
    row = read.db.execute(
        f"SELECT customer FROM identity_member WHERE subject = :subject AND {stands(read)}",
        {"subject": subject, "known": read.known},
    ).fetchone()
    if row is None:
        return [subject]
    rows = read.db.execute(
        "SELECT subject FROM identity_member JOIN identity_subject USING (subject) "
        f"WHERE customer = :customer AND {stands(read)} ORDER BY first_position, subject",
        {"customer": row[0], "known": read.known},
    )
    return [member for (member,) in rows]


def customer_id(read: Read, subject: bytes) -> str:
    """Return the public id of the customer a subject belongs to: the oldest pseudonym of the set, as a UUID."""
    return to_text(members(read, subject)[0])


def identifiers(read: Read, subject: bytes) -> IdentifierList:
    """Return the identifiers of the customer a subject belongs to, oldest first. Their values are empty where they are withheld."""
    return IdentifierList(identifiers=identifiers_of(read, members(read, subject)))


def identifiers_of(read: Read, subjects: Sequence[bytes]) -> list[KnownIdentifier]:
    """Return those of the subjects that are identifiers, in the order given. A subject without one (anonymous) is left out."""
    parameters: dict[str, Any] = {"known": read.known}
    where = one_of("subject", subjects, parameters, "s")
    rows = read.db.execute(
        f"SELECT subject, type, first_time FROM identity_subject WHERE first_position <= :known AND {where}", parameters
    )
    seen = {subject: (type_, first_time) for subject, type_, first_time in rows}
    shared = {
        subject
        for (subject,) in read.db.execute(f"SELECT subject FROM identity_shared WHERE {where} AND {stands(read)}", parameters)
    }
    known = []
    for subject in subjects:
        if subject not in seen:
            continue
        type_, first_time = seen[subject]
        named = read.content.identifier(subject)
        identifier = Identifier(type=type_, subject=to_text(subject))
        if named is not None:
            identifier.value = named[1]
        entry = KnownIdentifier(identifier=identifier, shared=subject in shared)
        entry.first_seen_time.FromMicroseconds(first_time)
        known.append(entry)
    return known


def duplicate_candidates(read: Read, limit: int, after: tuple[int] | None) -> tuple[list[DuplicateCandidate], tuple[int] | None]:
    """Return up to `limit` links that do not join, newest first, and where the next page begins; None on the last one."""
    rows = read.db.execute(
        "SELECT link, event_id, left_subject, right_subject, state FROM identity_link INDEXED BY identity_link_without_effect "
        f"WHERE state BETWEEN 1 AND 3 AND ended = 0 AND {stands(read)} AND link < :after ORDER BY link DESC LIMIT :limit",
        {"known": read.known, "after": MAX if after is None else after[0], "limit": limit + 1},
    ).fetchall()
    candidates = [
        DuplicateCandidate(
            link_event_id=to_text(event_id),
            left_subject=to_text(left),
            right_subject=to_text(right),
            why=state,
            position=position,
        )
        for position, event_id, left, right, state in rows[:limit]
    ]
    return candidates, (rows[limit - 1][0],) if len(rows) > limit else None


def membership_changed(read: Read, after_position: int, subjects: Sequence[bytes]) -> bool:
    """Tell whether, after a position (exclusive), the set these subjects made up changed, or a bound on what counts for it."""
    parameters: dict[str, Any] = {"after": after_position, "known": read.known}
    of_set = f"({one_of('subject', subjects, parameters, 's')} OR {one_of('customer', subjects, parameters, 's')})"
    of_link = f"({one_of('left_subject', subjects, parameters, 's')} OR {one_of('right_subject', subjects, parameters, 's')})"
    window = "((from_position > :after AND from_position <= :known) OR (until_position > :after AND until_position <= :known))"
    row = read.db.execute(
        f"SELECT EXISTS (SELECT 1 FROM identity_member WHERE {of_set} AND {window}) "
        f"OR EXISTS (SELECT 1 FROM identity_link WHERE bounded = 1 AND {of_link} AND {window})",
        parameters,
    ).fetchone()
    return bool(row[0])


def tier(read: Read, subjects: Sequence[bytes]) -> tuple[str, str]:
    """Return the tier and the relation (its enum's name) in force for a customer's subjects; empty where none was set."""
    return tiers.in_force(read, selection(read, subjects))
