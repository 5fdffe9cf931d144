"""What came of one link between two identifiers (domain rule 9.6): whether others join the two, and what was recorded across it.

A wrong link is undone by an unlink, but not what people did meanwhile because of it: a call of the one customer noted under a
request of the other, a fact of the one given in a contact of the other. Such events bring together two entities, or an entity and
an identifier, that belong to different sides. *Side* is the customer that each identifier would belong to without this link.

Has no tables: it asks those of identities, history and entities, and reads the events of the two sides while the link stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor

from ledger.api.v1.identity_service_pb2 import LINK_INEFFECTIVE_UNSPECIFIED, IdentityLink, LinkIneffective
from ledger.event import Event
from ledger.event_id import to_text
from ledger.rules.instant import uuid_bytes
from ledger.rules.touch import touches
from ledger.sqlite_file import in_batches, places
from projections import attribution
from projections.identity_restating import UNLINKED
from projections.identity_sets import ENDED, JOINS
from projections.identity_spans import stands
from projections.restated import events_at
from projections.view import Read, one_of

AT_ONCE: Final = 500
"""So many events are looked at in one piece."""

_KINDS: Final = ("contact", "request", "complaint", "promise")
"""Entities with a customer. A field that ends in `contact_id` names a contact, one in `contact_ids` several, and so on."""


class _Row(NamedTuple):
    """How a link stands, as known."""

    link: int
    left: bytes
    right: bytes
    state: int
    ended_position: int | None


class _Sides(NamedTuple):
    """The customers that the two identifiers would be without the link."""

    left: frozenset[bytes]
    right: frozenset[bytes]
    chain: tuple[bytes, ...]
    """Ids of the other links that join them, from left to right. The sides are the same then."""


def link(read: Read, event_id: bytes, limit: int, after: Sequence[int] | None) -> tuple[IdentityLink, tuple[int] | None] | None:
    """Return a link with up to `limit` events recorded across it, and where the next page begins; None when it is not known.

    Takes time by the number of events of both sides while it stood, up to the end of the page.
    """
    row = _row(read, event_id)
    if row is None:
        return None
    sides = _sides(read, row)
    found = IdentityLink(
        link_event_id=to_text(event_id),
        left_subject=to_text(row.left),
        right_subject=to_text(row.right),
        position=row.link,
        why=LINK_INEFFECTIVE_UNSPECIFIED if row.state == ENDED else LinkIneffective.ValueType(row.state),
        joined_otherwise=bool(sides.chain),
        joined_by_event_ids=map(to_text, sides.chain),
    )
    if row.ended_position is not None:
        ending = events_at(read, [row.ended_position])[row.ended_position]
        found.ended_position = row.ended_position
        found.ended_by_event_id = to_text(ending.event_id)
        if ending.topic == UNLINKED:
            found.unlink_reason = ending.payload.unlink_reason
    across = [] if sides.chain else _across(read, row, sides, limit + 1, row.link if after is None else after[0])
    found.across.extend(read.content.recorded_events(across[:limit]))
    return found, (across[limit - 1].position,) if len(across) > limit else None


def _row(read: Read, event_id: bytes) -> _Row | None:
    rows = read.db.execute(
        "SELECT link, left_subject, right_subject, state, ended, from_position, until_position FROM identity_link "
        "INDEXED BY identity_link_event WHERE event_id = :id AND from_position <= :known ORDER BY from_position DESC LIMIT 1",
        {"id": event_id, "known": read.known},
    ).fetchall()
    if not rows:
        return None
    ((number, left, right, state, ended, from_position, until_position),) = rows
    if until_position is not None and until_position <= read.known:
        return _Row(number, left, right, state, until_position)
    return _Row(number, left, right, state, from_position if ended and from_position != number else None)


def _sides(read: Read, row: _Row) -> _Sides:
    """Walk from the one identifier over all links but this one that join."""
    came_by: dict[bytes, tuple[bytes, bytes]] = {}
    left = _reach(read, row.left, row.link, came_by)
    if row.right in left:
        chain: list[bytes] = []
        subject = row.right
        while subject != row.left:
            event_id, subject = came_by[subject]
            chain.append(event_id)
        return _Sides(left, left, tuple(reversed(chain)))
    right = _reach(read, row.right, row.link, {})
    return _Sides(_with_contacts(read, left), _with_contacts(read, right), ())


def _with_contacts(read: Read, side: frozenset[bytes]) -> frozenset[bytes]:
    """Add the own subjects of contacts that are attributed to a side."""
    return side.union(attribution.joined(read, sorted(side)))


def _reach(read: Read, start: bytes, without: int, came_by: dict[bytes, tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Return what links but one join with an identifier; in `came_by` each with the link and the identifier it was reached by."""
    reached, border = {start}, [start]
    while border:
        parameters: dict[str, Any] = {"known": read.known, "without": without}
        of_left, of_right = (one_of(f"{side}_subject", border, parameters, "s") for side in ("left", "right"))
        rows = read.db.execute(
            "SELECT event_id, left_subject, right_subject FROM identity_link "
            f"WHERE ({of_left} OR {of_right}) AND state = {JOINS} AND link <> :without AND {stands(read)} ORDER BY link",
            parameters,
        ).fetchall()
        following: list[bytes] = []
        for event_id, left, right in rows:
            for here, there in ((left, right), (right, left)):
                if here in border and there not in reached:
                    reached.add(there)
                    following.append(there)
                    came_by[there] = event_id, here
        border = following
    return frozenset(reached)


def _across(read: Read, row: _Row, sides: _Sides, limit: int, after: int) -> list[Event]:
    """Return up to `limit` events after a position (exclusive) that bring the two sides together, in order of record.

    Links obey `known` alone; of the events, only those that had happened.
    """
    until = read.known if row.ended_position is None else row.ended_position - 1
    positions = _positions(read, sides.left | sides.right, after, until)
    found: list[Event] = []
    for start in range(0, len(positions), AT_ONCE):
        events = [event for _, event in sorted(events_at(read, positions[start : start + AT_ONCE]).items())]
        named = {event.position: _streams(event) for event in events}
        whose = _owners(read, {stream for streams in named.values() for stream in streams})
        for event in events:
            if read.before is not None and event.order >= read.before:
                continue
            subjects = {*_identifiers(event), *(whose[one] for one in named[event.position] if one in whose)}
            if event.stream not in whose:
                subjects.add(event.subject)
            if not subjects.isdisjoint(sides.left) and not subjects.isdisjoint(sides.right):
                found.append(event)
                if len(found) == limit:
                    return found
    return found


def _positions(read: Read, subjects: Iterable[bytes], after: int, until: int) -> list[int]:
    """Return where events of these subjects stand, after a position and up to another."""
    found: set[int] = set()
    for some in in_batches(sorted(subjects)):
        numbers = f"SELECT number FROM history_subject WHERE subject IN ({places(len(some))})"
        query = f"SELECT position FROM history WHERE subject IN ({numbers}) AND position > ? AND position <= ?"
        found.update(position for (position,) in read.db.execute(query, (*some, after, until)))
    return sorted(found)


def _streams(event: Event) -> set[str]:
    """Return the streams of the entities that an event is about."""
    named = {event.stream, *touches(event)}
    for name, kind, several in _references(event.payload.DESCRIPTOR):
        value = getattr(event.payload, name)
        named.update(f"{kind}-{one}" for one in (value if several else [value]) if one)
    return named


@cache
def _references(message: Descriptor) -> tuple[tuple[str, str, bool], ...]:
    """Return the fields that name entities: the field, the kind of entity, whether it names several."""
    return tuple(
        (field.name, kind, field.is_repeated)
        for field in message.fields
        for kind in _KINDS
        if re.fullmatch(rf"(.*_)?{kind}_ids?", field.name)
    )


def _identifiers(event: Event) -> set[bytes]:
    """Return the pseudonyms of the identifiers that an event names. A link names two, and says nothing across any other."""
    if event.topic == "identity-linked":
        return set()
    payload = event.payload
    return {
        uuid_bytes(identifier.subject)
        for field in payload.DESCRIPTOR.fields
        if field.message_type is not None
        and field.message_type.name == "Identifier"
        and payload.HasField(field.name)
        and (identifier := getattr(payload, field.name)).subject
    }


def _owners(read: Read, streams: Iterable[str]) -> dict[str, bytes]:
    """Return whose the entities of these streams are: as their openers stand, and of contacts, whom they are attributed to."""
    numbers: dict[int, str] = {}
    for some in in_batches(sorted(streams)):
        rows = read.db.execute(f"SELECT id, stream FROM entity WHERE stream IN ({places(len(some))})", some)
        numbers.update((number, stream) for number, stream in rows if number <= read.known)
    owners = {numbers[position]: event.subject for position, event in events_at(read, numbers).items()}
    for stream in owners:
        kind, _, contact_id = stream.partition("-")
        if kind == "contact" and (party := attribution.party_of(read, contact_id)) is not None:
            owners[stream] = party
    return owners
