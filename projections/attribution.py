"""Whose contacts are by attribution (domain rule 9.6): a contact belongs to whom contact-attributed names, else to its identifier.

An attribution obeys `known`, never `occurred_before`: from its position on the contact was the customer's from its beginning. The
last one recorded counts. Two cases:

- The contact was received with a subject of its own (anonymous, or from a shared identifier). Then that subject belongs to the
  customer: with the contact come all requests, facts and promises that inherited it (`joined`).
- The contact came under an identifier of somebody. Then the contact alone moves, with the events of its stream (`moves`); what was
  recorded elsewhere under that identifier stays there: a wrong customer recorded is corrected, not attributed.

Has no tables: it asks those of contacts and identities. Content stays sealed under the subject that it was recorded under.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from ledger.sqlite_file import in_batches
from projections import contacts, listing
from projections.versions import Choice, shown
from projections.view import Read, one_of

TOPICS: Final = ("contact-attributed", "event-corrected", "event-retracted")
"""Topics of the events that may change whose a contact is."""


class Attributed(NamedTuple):
    """A contact that is attributed, or once was."""

    entity: int
    subject: bytes
    """Under which it was recorded."""
    party: bytes
    """Whose it is: the subject itself, where it is attributed no longer."""
    outbound: int
    position: int
    """Position of its opener."""


class Moves(NamedTuple):
    """How attributions change the history of a customer's subjects, by positions of events."""

    come: frozenset[int]
    """Events of contacts recorded under other subjects that are the customer's."""
    gone: frozenset[int]
    """Events of contacts that are somebody else's."""
    come_openers: frozenset[int]
    gone_openers: frozenset[int]
    come_subjects: frozenset[bytes]
    """Subjects that what comes was recorded under."""


NONE: Final = Moves(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())


def party_of(read: Read, contact_id: str) -> bytes | None:
    """Return the subject that a contact belongs to as known: attributed to, else its own. None for a contact that is not known."""
    entity = listing.entity(read, f"contact-{contact_id}")
    found = _as_known(read, [entity]) if entity is not None else []
    return found[0].party if found else None


def followed(read: Read, subject: bytes) -> bytes:
    """Return the subject that one belongs to: of a contact's own subject, whom the contact is attributed to; else itself."""
    for one in _attributed(read, [subject]):
        if one.subject == subject and one.party != subject and _is_own(read, one):
            return one.party
    return subject


def followed_of(read: Read, subjects: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return, of those of these subjects that are a contact's own and attributed, whom they belong to."""
    wanted = set(subjects)
    return {
        one.subject: one.party
        for some in in_batches(list(subjects))
        for one in _attributed(read, some)
        if one.subject in wanted and one.party != one.subject and _is_own(read, one)
    }


def joined(read: Read, subjects: Sequence[bytes]) -> list[bytes]:
    """Return the own subjects of contacts that are attributed to these, oldest first."""
    inside = set(subjects)
    found = [one for one in _attributed(read, subjects) if one.party in inside and one.subject not in inside]
    return [one.subject for one in sorted(found, key=lambda one: one.position) if _is_own(read, one)]


def moves(read: Read, subjects: Sequence[bytes]) -> Moves:
    """Return what comes to, and goes from, the history of a customer's subjects; those that `joined` found are among them."""
    return read.once(("moves", *subjects), lambda: _find_moves(read, subjects))


def _find_moves(read: Read, subjects: Sequence[bytes]) -> Moves:
    found = _attributed(read, subjects)
    if not found:
        return NONE
    inside = set(subjects)
    come = [one for one in found if one.party in inside and one.subject not in inside]
    gone = [one for one in found if one.party not in inside]
    return Moves(
        _positions(read, come),
        _positions(read, gone),
        frozenset(one.position for one in come),
        frozenset(one.position for one in gone),
        frozenset(one.subject for one in come),
    )


def changed(read: Read, positions: Iterable[int], subjects: Sequence[bytes]) -> bool:
    """Tell whether one of the events at these positions attributed a contact to or from a customer's subjects."""
    streams = {row.stream for row in read.log.read_positions(list(positions)).values() if row.stream.startswith("contact-")}
    if not streams:
        return False
    concerned = {one.entity for one in _attributed(read, subjects)}
    return not concerned.isdisjoint(listing.entities(read, streams))


def _attributed(read: Read, subjects: Sequence[bytes]) -> list[Attributed]:
    """Return the contacts of these subjects that are or were attributed, and those that are or were attributed to them."""
    return read.once(("attributed", *subjects), lambda: _find_attributed(read, subjects))


def _find_attributed(read: Read, subjects: Sequence[bytes]) -> list[Attributed]:
    db = read.db
    if db.execute("SELECT 1 FROM contact_former LIMIT 1").fetchone() is None:
        # Nothing was ever attributed, or corrected: most ledgers, most of the time.
        return []
    parameters: dict[str, Any] = {}
    of, to = (one_of(column, subjects, parameters, "s") for column in ("subject", "party"))
    once = one_of("value", subjects, parameters, "s")
    entities = db.execute(
        f"SELECT entity FROM contact_now WHERE attributed = 1 AND {of} UNION SELECT entity FROM contact_now WHERE attributed = 1 "
        f"AND {to} UNION SELECT entity FROM contact_former WHERE scope = 'party' AND {once}",
        parameters,
    ).fetchall()
    return _as_known(read, [entity for (entity,) in entities])


def _as_known(read: Read, entities: Sequence[int]) -> list[Attributed]:
    """Return contacts as known, whatever had happened."""
    if not entities:
        return []
    parameters: dict[str, Any] = {}
    choice = Choice(states=contacts.STATES, entities=entities)
    query = shown(replace(read, before=None), contacts.TABLE, ", ".join(Attributed._fields), choice, parameters)
    return [Attributed._make(row) for row in read.db.execute(query, parameters)]


def _is_own(read: Read, one: Attributed) -> bool:
    """True when the subject is the contact's own: it was received under it, and no event names it as an identifier."""
    if one.outbound:
        return False
    row = read.db.execute(
        "SELECT 1 FROM identity_subject WHERE subject = :subject AND first_position <= :known",
        {"subject": one.subject, "known": read.known},
    ).fetchone()
    return row is None


def _positions(read: Read, found: Sequence[Attributed]) -> frozenset[int]:
    names = listing.ids_of(read, [one.entity for one in found])
    return frozenset(
        row.position for contact_id in names.values() for row in read.log.read_stream(f"contact-{contact_id}", read.known)
    )
