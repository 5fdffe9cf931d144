"""Which identifiers make up one customer: links, marks and the sets they lead to, kept by position.

A link joins the sets of its two identifiers, unless
- one of them is marked as shared (SHARED_IDENTIFIER),
- the joined set would hold two values of a type that a customer has only one of (UNIQUE_TYPE_VETO),
- the joined set would exceed 200 identifiers (SET_TOO_LARGE).
It is judged when it is recorded, and again, in order of position, when a mark at one of its ends changes and when a set at one of
its ends gets smaller; what joins is never undone by a later link. A link that ended (domain rule 9.6, numbers are re-used) joins
no more; it still gives the left side's customer the right identifier's events of its time.

Order of events is order of position alone: what happened when plays no part. The tables are in identities.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from ledger.api.v1.identity_service_pb2 import (
    LINK_INEFFECTIVE_UNSPECIFIED,
    SET_TOO_LARGE,
    SHARED_IDENTIFIER,
    UNIQUE_TYPE_VETO,
)
from projections.view import one_of

UNIQUE_TYPES: Final = frozenset({"customer_number", "account"})
"""Types of identifier that a customer has only one of. The service policy takes this list over when it learns of identifiers."""

SET_SIZE_MAX: Final = 200
"""Identifiers in a set at most: larger ones come from wrong links, and a person has to look."""

JOINS: Final = int(LINK_INEFFECTIVE_UNSPECIFIED)
ENDED: Final = 4
"""State of a link that held for a time only and is over. Beside the values of `LinkIneffective`."""

Note = Callable[..., None]
"""Takes a position and what changed at it."""


class Link(NamedTuple):
    """A link between two identifiers, as it stands from a position on."""

    link: int
    event_id: bytes
    left: bytes
    right: bytes
    valid_from: int | None
    """From when the right identifier was the left side's. Microseconds, inclusive."""
    valid_until: int | None
    """Until when. Exclusive."""
    ended: int
    """1 when it is over, so that it gives events only."""
    state: int


class _Set:
    """The identifiers of one customer, while an event is applied."""

    __slots__ = ("customer", "members", "unique")

    def __init__(self, members: dict[bytes, tuple[int, str]]) -> None:
        self.members = members
        """Subject → (position it was first seen at, type)."""
        self.unique = {type_ for _, type_ in members.values() if type_ in UNIQUE_TYPES}
        self.customer = min((first, subject) for subject, (first, _) in members.items())[1] if len(members) > 1 else None
        """Oldest pseudonym; None for a set of one."""


class IdentitySets:
    """What one event does to links and sets. Make a new one for each event, call one of the moves, then `write`."""

    def __init__(self, db: sqlite3.Connection, position: int, note: Note) -> None:
        self._db = db
        self._position = position
        self._note = note
        self._sets: dict[bytes, _Set] = {}
        self._before: dict[bytes, bytes | None] = {}
        """Customer of each subject as the rows have it."""
        self._old: dict[int, Link] = {}
        self._new: dict[int, Link | None] = {}

    # The moves

    def link(self, link: Link) -> None:
        """Record a link; its `state` is judged here."""
        left_shared, right_shared = self._is_shared(link.left), self._is_shared(link.right)
        self._settle(link, self._judge(link, left_shared or right_shared))

    def unlink(self, event_id: bytes, ended_at: int | None) -> None:
        """Take a link back, for good, or from an instant on (microseconds, exclusive). One that does not stand stays so."""
        link = self._standing("event_id = :id", {"id": event_id})
        if not link:
            return
        old = link[0]
        self._old[old.link] = old
        self._new[old.link] = None
        if ended_at is not None:
            shared = self._is_shared(old.left) or self._is_shared(old.right)
            state = SHARED_IDENTIFIER if shared else ENDED
            self._new[old.link] = old._replace(valid_until=ended_at, ended=1, state=state)
        if old.state == JOINS:
            self._divide(self._set_of(old.left))

    def relink(self, event_id: bytes, link: Link | None) -> None:
        """Put a link as it stands now in the place of how it stood; None: it stands no more. For one link after another."""
        standing = self._standing("event_id = :id", {"id": event_id})
        if standing and link is not None and standing[0]._replace(state=link.state) == link:
            return
        if standing:
            old = standing[0]
            self._old[old.link] = old
            self._new[old.link] = None
            if old.state == JOINS:
                self._divide(self._set_of(old.left))
        if link is not None:
            shared = self._is_shared(link.left) or self._is_shared(link.right)
            state = self._judge(link, shared)
            self._new[link.link] = link._replace(state=state)
            if state == JOINS:
                self._join(link.left, link.right)

    def share(self, subject: bytes, shared: bool) -> None:
        """Mark an identifier as used by several people, or take the mark away."""
        if shared == self._is_shared(subject):
            return
        touching = self._standing("(left_subject = :subject OR right_subject = :subject)", {"subject": subject})
        if shared:
            self._db.execute("INSERT INTO identity_shared VALUES (?, ?, NULL)", (subject, self._position))
            joined = False
            for link in touching:
                joined |= link.state == JOINS
                self._replace(link, SHARED_IDENTIFIER)
            if joined:
                self._divide(self._set_of(subject))
        else:
            self._db.execute(
                "UPDATE identity_shared SET until_position = ? WHERE subject = ? AND until_position IS NULL",
                (self._position, subject),
            )
            for link in touching:
                other = link.right if link.left == subject else link.left
                if not self._is_shared(other):
                    self._settle(link, self._judge(link, False))
        self._note(self._position, "shared", subject, int(shared))

    def write(self) -> None:
        """Write what changed: link rows and member rows, one of each at most for a link and a subject."""
        position = self._position
        for number in sorted(self._new):
            old, new = self._old.get(number), self._new[number]
            if old == new:
                continue
            if old is not None:
                self._db.execute(
                    "UPDATE identity_link SET until_position = ? WHERE link = ? AND until_position IS NULL", (position, number)
                )
            if new is not None:
                bounded = new.valid_from is not None or new.valid_until is not None
                self._db.execute(
                    "INSERT INTO identity_link VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                    (*new[:6], new.ended, int(bounded), new.state, position),
                )
            self._note(position, "link", number, None if new is None else new.state, None if new is None else new.valid_until)
        for subject in sorted(self._before):
            before, after = self._before[subject], self._sets[subject].customer
            if before == after:
                continue
            if before is not None:
                self._db.execute(
                    "UPDATE identity_member SET until_position = ? WHERE subject = ? AND until_position IS NULL",
                    (position, subject),
                )
            if after is not None:
                self._db.execute("INSERT INTO identity_member VALUES (?, ?, ?, NULL)", (subject, after, position))
            self._note(position, "member", subject, after)

    # How they are made

    def _settle(self, link: Link, state: int) -> None:
        self._replace(link, state)
        if state == JOINS:
            self._join(link.left, link.right)

    def _replace(self, link: Link, state: int) -> None:
        if link.link < self._position:
            self._old.setdefault(link.link, link)
        self._new[link.link] = link._replace(state=state)

    def _judge(self, link: Link, shared: bool) -> int:
        """Return the state in which a link stands, given all the others."""
        if shared:
            return SHARED_IDENTIFIER
        if link.ended:
            return ENDED
        left, right = self._set_of(link.left), self._set_of(link.right)
        if left is right:
            return JOINS
        if left.unique & right.unique:
            return UNIQUE_TYPE_VETO
        if len(left.members) + len(right.members) > SET_SIZE_MAX:
            return SET_TOO_LARGE
        return JOINS

    def _join(self, left: bytes, right: bytes) -> None:
        one, other = self._set_of(left), self._set_of(right)
        if one is not other:
            joined = _Set(one.members | other.members)
            self._sets.update(dict.fromkeys(joined.members, joined))

    def _divide(self, whole: _Set) -> None:
        """Make sets anew from the links that still join; then judge again the links at their borders that do not."""
        rest = set(whole.members)
        neighbours: dict[bytes, set[bytes]] = {subject: set() for subject in rest}
        parameters: dict[str, Any] = {}
        for link in self._standing(f"state = {JOINS} AND {one_of('left_subject', rest, parameters, 's')}", parameters):
            neighbours[link.left].add(link.right)
            neighbours[link.right].add(link.left)
        for made in self._new.values():
            if made is not None and made.state == JOINS and made.left in rest:
                neighbours[made.left].add(made.right)
                neighbours[made.right].add(made.left)
        if len(_reach(next(iter(rest)), neighbours)) == len(rest):
            return
        while rest:
            reached = _reach(rest.pop(), neighbours)
            rest -= reached
            part = _Set({subject: whole.members[subject] for subject in reached})
            self._sets.update(dict.fromkeys(reached, part))
        self._judge_again(list(whole.members))

    def _judge_again(self, subjects: list[bytes]) -> None:
        """Let links at these subjects join that could not before. Those that still cannot keep the reason they have."""
        touching: dict[int, Link] = {}
        for side in ("left_subject", "right_subject"):
            parameters: dict[str, Any] = {}
            where = f"state IN ({UNIQUE_TYPE_VETO}, {SET_TOO_LARGE}) AND {one_of(side, subjects, parameters, 's')}"
            touching.update((link.link, link) for link in self._standing(where, parameters))
        for number in sorted(touching):
            link = touching[number]
            if not self._surely_not(link) and self._judge(link, False) == JOINS:
                self._settle(link, JOINS)

    def _surely_not(self, link: Link) -> bool:
        """True when one side alone tells that the link cannot join: spares reading the other, as one side may have thousands."""
        for near, far in ((link.left, link.right), (link.right, link.left)):
            known = self._sets.get(near)
            if known is not None and far not in known.members:
                if len(known.members) >= SET_SIZE_MAX:
                    return True
                if known.unique and self._type_of(far) in known.unique:
                    return True
        return False

    # What the rows say

    def _standing(self, where: str, parameters: dict[str, Any]) -> list[Link]:
        """Return the links that stand now under a condition, in order of position, this event's own changes included."""
        rows = self._db.execute(
            "SELECT link, event_id, left_subject, right_subject, valid_from, valid_until, ended, state FROM identity_link "
            f"WHERE until_position IS NULL AND {where} ORDER BY link",
            parameters,
        )
        return [Link(*row) for row in rows if row[0] not in self._new]

    def _set_of(self, subject: bytes) -> _Set:
        found = self._sets.get(subject)
        if found is not None:
            return found
        row = self._db.execute(
            "SELECT customer FROM identity_member WHERE subject = ? AND until_position IS NULL", (subject,)
        ).fetchone()
        if row is None:
            members = self._db.execute(
                "SELECT subject, first_position, type FROM identity_subject WHERE subject = ?", (subject,)
            ).fetchall()
        else:
            members = self._db.execute(
                "SELECT subject, first_position, type FROM identity_member JOIN identity_subject USING (subject) "
                "WHERE customer = ? AND until_position IS NULL",
                row,
            ).fetchall()
        found = _Set({member: (first, type_) for member, first, type_ in members})
        customer = None if row is None else row[0]
        self._sets.update(dict.fromkeys(found.members, found))
        self._before.update(dict.fromkeys(found.members, customer))
        return found

    def _is_shared(self, subject: bytes) -> bool:
        row = self._db.execute("SELECT 1 FROM identity_shared WHERE subject = ? AND until_position IS NULL", (subject,)).fetchone()
        return row is not None

    def _type_of(self, subject: bytes) -> str:
        row = self._db.execute("SELECT type FROM identity_subject WHERE subject = ?", (subject,)).fetchone()
        return str(row[0])


def _reach(start: bytes, neighbours: dict[bytes, set[bytes]]) -> set[bytes]:
    reached = {start}
    open_ends = [start]
    while open_ends:
        for subject in neighbours[open_ends.pop()]:
            if subject not in reached:
                reached.add(subject)
                open_ends.append(subject)
    return reached


def seen_before(db: sqlite3.Connection, subjects: Iterable[bytes]) -> set[bytes]:
    """Return those of the subjects that are known already."""
    found: set[bytes] = set()
    wanted = list(subjects)
    for start in range(0, len(wanted), 500):
        parameters: dict[str, Any] = {}
        where = one_of("subject", wanted[start : start + 500], parameters, "s")
        found.update(subject for (subject,) in db.execute(f"SELECT subject FROM identity_subject WHERE {where}", parameters))
    return found
