"""Links and unlinks that were corrected or retracted: from the correction's position on a link is as the last word on it says.

What each link said, and which unlinks name it, is kept as it stands now: a link that is restated is made anew of these. Part of the
identities view; serves `apply` only.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from ledger.api.v1.identity_pb2 import ENDED as UNLINK_ENDED
from ledger.event import Event
from ledger.rules.instant import micros_or_none, uuid_bytes
from projections.identity_sets import JOINS, IdentitySets, Link
from projections.restated import RestatingEvent

LINKED: Final = "identity-linked"
UNLINKED: Final = "identity-unlinked"

TABLES: Final = (
    """CREATE TABLE identity_said (
        link INTEGER PRIMARY KEY, event_id BLOB NOT NULL UNIQUE, left_subject BLOB NOT NULL, right_subject BLOB NOT NULL,
        valid_from INTEGER, valid_until INTEGER, ended INTEGER NOT NULL, stands INTEGER NOT NULL
    )""",
    "CREATE TABLE identity_unlink (position INTEGER PRIMARY KEY, link_event_id BLOB NOT NULL, ended_at INTEGER)",
    "CREATE INDEX identity_unlink_link ON identity_unlink (link_event_id)",
)
"""`position` is that of the `identity-unlinked` event."""


def link_of(event: Event) -> Link:
    """Return the link that an event says; its state is not judged yet."""
    payload = event.payload
    valid_until = micros_or_none(payload, "valid_until")
    return Link(
        event.position,
        event.event_id,
        uuid_bytes(payload.left.subject),
        uuid_bytes(payload.right.subject),
        micros_or_none(payload, "valid_from"),
        valid_until,
        int(valid_until is not None and valid_until <= event.record),
        JOINS,
    )


def ended_at(event: Event) -> int | None:
    """Return from when on an unlink ends its link; None: it never held."""
    if event.payload.unlink_reason != UNLINK_ENDED:
        return None
    when = micros_or_none(event.payload, "ended_at")
    return event.occur if when is None else when


def note(event: Event, db: sqlite3.Connection) -> None:
    """Keep what a link or an unlink says."""
    if event.topic == LINKED:
        db.execute("INSERT OR REPLACE INTO identity_said VALUES (?, ?, ?, ?, ?, ?, ?, 1)", link_of(event)[:7])
    else:
        named = uuid_bytes(event.payload.link_event_id)
        db.execute("INSERT OR REPLACE INTO identity_unlink VALUES (?, ?, ?)", (event.position, named, ended_at(event)))


def restate(event: RestatingEvent, db: sqlite3.Connection, sets: IdentitySets) -> None:
    """Make the links anew that a corrected or retracted link or unlink is about."""
    original, after = event.original, event.after
    assert original is not None
    if original.topic == LINKED:
        links = {original.event_id}
        if after is not None:
            note(after, db)
        else:
            db.execute("UPDATE identity_said SET stands = 0 WHERE link = ?", (original.position,))
    else:
        # A correction may name another link.
        sql = "SELECT link_event_id FROM identity_unlink WHERE position = ?"
        links = {named for (named,) in db.execute(sql, (original.position,))}
        db.execute("DELETE FROM identity_unlink WHERE position = ?", (original.position,))
        if after is not None:
            note(after, db)
            links.add(uuid_bytes(after.payload.link_event_id))
    for event_id in sorted(links):
        sets.relink(event_id, _as_it_stands(db, event_id))


def _as_it_stands(db: sqlite3.Connection, event_id: bytes) -> Link | None:
    """Return a link as the last word on it says; None: it does not stand."""
    row = db.execute(
        "SELECT link, event_id, left_subject, right_subject, valid_from, valid_until, ended FROM identity_said "
        "WHERE event_id = ? AND stands",
        (event_id,),
    ).fetchone()
    if row is None:
        return None
    link = Link._make((*row, JOINS))
    for position, until in db.execute(
        "SELECT position, ended_at FROM identity_unlink WHERE link_event_id = ? ORDER BY position", (event_id,)
    ):
        # An unlink recorded before the link it names did nothing.
        if position < link.link:
            continue
        if until is None:
            return None
        link = link._replace(valid_until=until, ended=1)
    return link
