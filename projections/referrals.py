"""Referrals: whom customers were sent on to, and which contacts followed. Several in a row make a chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ledger.api.v1.experience_service_pb2 import ExperienceFilter, Referral
from ledger.event import Event
from ledger.event_id import to_text
from ledger.rules.experience import REFERRAL
from projections import listing
from projections.experience import ORDER, TABLE, choose
from projections.listing import Cursor, Row, given, instant
from projections.versions import Choice
from projections.view import Changes, Read, happened

if TYPE_CHECKING:
    import sqlite_utils

FOLLOWING_MAX: Final = 20
"""So many contacts that followed a referral are shown."""

CHAIN_MAX: Final = 50
"""So far a chain is followed back: a circle has no end."""

_FOLLOWING: Final = frozenset({"contact-received", "message-received"})


class ReferralsView:
    """Remembers which contacts followed which referral."""

    name = "referrals"

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the table in an empty views file."""
        db.execute(
            "CREATE TABLE referral_follow (referral_id TEXT NOT NULL, contact_id TEXT NOT NULL, order_time INTEGER NOT NULL, "
            "position INTEGER NOT NULL, PRIMARY KEY (referral_id, order_time, position)) WITHOUT ROWID"
        )
        db.execute("CREATE INDEX referral_follow_contact ON referral_follow (contact_id, order_time, position)")

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Add a row for each contact that names a referral."""
        rows = []
        for event in events:
            if event.topic in _FOLLOWING and event.payload.referral_id:
                payload = event.payload
                rows.append((payload.referral_id, payload.contact_id, event.order, event.position))
                changes.add(event.position, payload.referral_id, payload.contact_id, event.order)
        if rows:
            db.executemany("INSERT INTO referral_follow VALUES (?, ?, ?, ?)", rows)


def page(
    read: Read, filter: ExperienceFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Referral], Cursor | None]:
    """Return up to `limit` referrals, newest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's.
    """
    choice = choose(read, filter, (REFERRAL,), subjects)
    rows, following = listing.page(read, TABLE, choice, ORDER, limit, after) if choice is not None else ([], None)
    positions = [row.entity for row in rows]
    payloads = listing.contents(read, positions)
    ids = {position: to_text(stored.event_id) for position, stored in read.log.read_positions(positions).items()}
    return [_message(read, row, ids[row.entity], payloads[row.entity].address) for row in rows], following


def _message(read: Read, row: Row, event_id: str, address: str) -> Referral:
    return Referral(
        following_contact_ids=_following(read, row.referral_id),
        chain_length=_chain_length(read, row),
        **given(
            referral_id=row.referral_id,
            event_id=event_id,
            position=row.entity,
            time=instant(row.occur_time),
            from_department=row.department,
            to_department=row.to_department,
            to_organisation=row.to_organisation,
            reason=row.reason,
            contact_id=row.contact_id,
            request_id=row.request_id,
            subject=to_text(row.subject),
            address=address,
        ),
    )


def _following(read: Read, referral_id: str) -> list[str]:
    sql = (
        f"SELECT contact_id FROM referral_follow WHERE referral_id = :referral_id AND {happened(read)} "
        "ORDER BY order_time, position"
    )
    found = read.db.execute(sql, read.parameters | {"referral_id": referral_id})
    return list(dict.fromkeys(contact_id for (contact_id,) in found))[:FOLLOWING_MAX]


def _chain_length(read: Read, row: Row) -> int:
    """Return how many referrals led up to this one, itself included: its contact may have followed one, and so on."""
    length, contact_id = 1, row.contact_id
    while contact_id and length < CHAIN_MAX:
        sql = (
            f"SELECT referral_id FROM referral_follow WHERE contact_id = :contact_id AND {happened(read)} "
            "ORDER BY order_time, position"
        )
        followed = read.db.execute(sql, read.parameters | {"contact_id": contact_id}).fetchone()
        if followed is None:
            break
        length += 1
        choice = Choice(("referral_id <> ''",), states=(REFERRAL,), scopes={"referral_id": (followed[0],)})
        before = listing.only(read, TABLE, choice)
        contact_id = before.contact_id if before is not None else ""
    return length
