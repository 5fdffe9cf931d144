"""Repeat contacts: customers who had to come back (question 7, domain rule 9.7).

An inbound contact repeats an earlier one of the same party when both have the same known reason, concern the same object, or belong
to the same request, and it was received within the window after the earlier one ended. `unknown` is no reason. Exactly:

- *Earlier* is the one received earlier; on a tie the one recorded earlier.
- *Ended* is when the earlier one ended or was given up. One that has not ended counts from when it was received: who comes back
  before we are done repeats too. A negative interval counts as zero (domain rule 8.1), so the same holds of one that ended only
  after the later one was received. The window is inclusive.
- *Party* is whom the contact was attributed to, else that of its identifier (parties.py): contacts that are anonymous, or come
  from a shared identifier, match nobody else's.
- *Requests* of a contact are those opened from it, linked to it and named at its end; a merged request is the one it was merged
  into. *Objects* of a contact are those of its requests. Their marks are keyed by subject, so an object is recognised only under
  the identifier that it was recorded with.
- A contact that *answers our own question* repeats nothing: one that replies to a contact of ours (`reply_to`), or belongs to a
  request that waited for the customer when it was received.

`any_reason` is another figure, with a name of its own: every contact of the same party within the window.

Has no tables: it asks those of contacts and requests, so it is the fold's answer at any position and time. Reads keys and marks
only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ledger.policy.policy import REPEAT_WINDOW_MICROS
from projections import contacts, identities, policies
from projections.contact_links import Link, Links
from projections.identity_spans import selection
from projections.parties import Parties
from projections.quality import UNKNOWN
from projections.versions import Choice, shown
from projections.view import Read

SAME_REASON: Final = 1
SAME_OBJECT: Final = 2
SAME_REQUEST: Final = 4
SAME_PARTY: Final = 8
"""The variant `any_reason`: nothing but the party has to agree."""


class ContactRow(NamedTuple):
    """Of a contact's row, what is asked here."""

    entity: int
    """Number under which the contact's rows stand."""
    party: bytes
    subject: bytes
    opened_time: int
    ended_time: int | None
    reason: str
    channel: str
    department: str
    reply_to: str
    request_ids: str


class Repeat(NamedTuple):
    """A contact that repeats an earlier one: of those that it repeats, the one received last."""

    entity: int
    """Number under which the contact's rows stand."""
    received: int
    """When it was received, microseconds UTC."""
    of_entity: int
    of_received: int
    of_ended: int
    """When the earlier one ended, as counted here. Never before it was received."""
    rules: int
    """By which rules it repeats that one: a sum of SAME_REASON, SAME_OBJECT, SAME_REQUEST; SAME_PARTY alone for `any_reason`."""
    row: ContactRow
    """The contact."""

    @property
    def gap(self) -> int:
        """Microseconds from the end of the earlier one to this one; 0 where it had not ended."""
        return max(0, self.received - self.of_ended)


class PeriodRepeats(NamedTuple):
    """The repeats of a period."""

    contact_count: int
    """Inbound contacts received in the period: what a rate is out of."""
    repeats: tuple[Repeat, ...]
    """Those of them that repeat an earlier one, whenever that one was received; in order of time, then of record."""


def of_period(
    read: Read,
    from_us: int,
    to_us: int,
    window_us: int,
    any_reason: bool = False,
    parties: frozenset[bytes] | None = None,
    matter: Matter | None = None,
) -> PeriodRepeats:
    """Return the repeats among the contacts received in [from_us, to_us), as known and as it had happened by then.

    Times and the window in microseconds, times UTC. `parties`: only contacts of these customers (oldest pseudonyms). Exact, and a
    function of the log, the times and the arguments. Takes time by the number of contacts in the period and the window before it.
    `matter`: that of the period, where it is there already.
    """
    found = [one for _, one in each(read, from_us, to_us, window_us, any_reason, parties, matter)]
    return PeriodRepeats(len(found), tuple(one for one in found if one is not None))


def window(read: Read) -> int:
    """Return the repeat window of the policy in force at the evaluated time, in microseconds."""
    policy = policies.book(read.log, read.known).in_force(read.evaluated)
    return REPEAT_WINDOW_MICROS if policy is None else policy.repeat_window


def each(
    read: Read,
    from_us: int,
    to_us: int,
    window_us: int,
    any_reason: bool,
    parties: frozenset[bytes] | None,
    matter: Matter | None = None,
) -> Iterator[tuple[ContactRow, Repeat | None]]:
    """Yield the row of every contact received in [from_us, to_us), and what it repeats, if it does. See `of_period`."""
    matter = matter or Matter(read, from_us - window_us, to_us, parties)
    for row, found in matter.walk(window_us, any_reason):
        if from_us <= row.opened_time < to_us:
            yield row, None if found is None else matter.repeat(row, found, any_reason)


def time_of(read: Read, from_us: int, to_us: int, number: int) -> int | None:
    """Return when the contact was received that comes after `number` others of those received in [from_us, to_us); None: none does.

    So that a page looks at no more of a period than it needs.
    """
    parameters: dict[str, int | None] = {"number": number}
    choice = Choice(_RECEIVED_IN, {"low": from_us, "high": to_us}, contacts.STATES)
    query = shown(read, contacts.TABLE, "opened_time", choice, parameters, sorted_=True)
    row = read.db.execute(f"{query} ORDER BY opened_time LIMIT 1 OFFSET :number", parameters).fetchone()
    return None if row is None else int(row[0])


def matter_of(read: Read, from_us: int, to_us: int, window_us: int) -> Matter:
    """Return all that `of_period` and `first_after` look at, of a period and windows up to this: where both are asked, once."""
    return Matter(read, from_us - window_us, max(to_us, _ended_by(read, from_us, to_us) + window_us + 1), None)


def first_after(
    read: Read, from_us: int, to_us: int, window_us: int, any_reason: bool = False, matter: Matter | None = None
) -> dict[int, Repeat]:
    """Return the first contact that repeats each contact received in [from_us, to_us); those that nothing repeats are left out.

    By the number under which the contact's rows stand (`entity`). For first-contact resolution: a contact that is here was not the
    last word. Note that a contact which came before this one had ended counts too: its `gap` is 0. `matter` as in `of_period`.
    """
    matter = matter or matter_of(read, from_us, to_us, window_us)
    followed: dict[int, Repeat] = {}
    open_ones: dict[Key, list[_Contact]] = {}
    for contact in matter.contacts:
        keys = contact.keys(any_reason)
        if not contact.answers_us:
            for key in keys:
                for earlier in open_ones.pop(key, ()):
                    if contact.row.opened_time - earlier.ended <= window_us and earlier.row.entity not in followed:
                        followed[earlier.row.entity] = matter.repeat(contact.row, earlier, any_reason)
        if from_us <= contact.row.opened_time < to_us:
            for key in keys:
                open_ones.setdefault(key, []).append(contact)
    return followed


def _ended_by(read: Read, from_us: int, to_us: int) -> int:
    """Return when the last of the contacts received in [from_us, to_us) ended, as counted here; `to_us` at least."""
    parameters: dict[str, int | None] = {}
    choice = Choice(_RECEIVED_IN, {"low": from_us, "high": to_us}, contacts.STATES)
    query = f"SELECT max(ended_time) FROM ({shown(read, contacts.TABLE, 'ended_time', choice, parameters)})"
    (ended,) = read.db.execute(query, parameters).fetchone()
    return max(to_us, ended or 0)


_RECEIVED_IN: Final = ("outbound = 0", "opened_time >= :low", "opened_time < :high")
_MATTERS: Final = ("outbound = 0", "(opened_time >= :low OR ended_time >= :low)", "opened_time < :high")

Key = tuple[bytes, str]
"""What two contacts have in common: the party, and a reason, object or request with the letter of its kind before it."""


class _Contact:
    """A contact with what it may have in common with others."""

    __slots__ = ("_keys", "answers_us", "ended", "matter", "party", "row")

    def __init__(self, row: ContactRow, party: bytes | None, matter: frozenset[str], answers_us: bool) -> None:
        self.row = row
        self.party = party
        self.matter = matter
        self.answers_us = answers_us
        self.ended = max(row.opened_time, row.ended_time or 0)
        self._keys: list[Key] = [] if party is None else [(party, one) for one in matter]

    def keys(self, any_reason: bool) -> list[Key]:
        """Return by what others may repeat it, or it others."""
        return [(self.party, "")] if any_reason and self.party is not None else self._keys

    def rules(self, other: _Contact) -> int:
        """Return by which rules the two concern the same matter."""
        return sum({_KINDS[one[0]] for one in self.matter & other.matter})


_KINDS: Final = {"r": SAME_REASON, "o": SAME_OBJECT, "q": SAME_REQUEST}


class Matter:
    """All inbound contacts that matter for a stretch of time, oldest first."""

    def __init__(self, read: Read, low: int, high: int, parties: frozenset[bytes] | None) -> None:
        parameters: dict[str, int | None] = {}
        scopes = {} if parties is None else {"party": _subjects(read, parties)}
        choice = Choice(_MATTERS, {"low": low, "high": high}, contacts.STATES, scopes=scopes)
        query = shown(read, contacts.TABLE, ", ".join(ContactRow._fields), choice, parameters)
        rows = list(map(ContactRow._make, read.db.execute(query, parameters)))
        of = Parties(read, [row.party for row in rows])
        found = [(row, of.of(row.party, row.opened_time)) for row in rows]
        if parties is not None:
            found = [(row, party) for row, party in found if party in parties]
        links = Links(read, [row for row, _ in found])
        self.contacts = [_contact(row, party, links.of(row)) for row, party in found]
        self.contacts.sort(key=lambda one: (one.row.opened_time, one.row.entity))
        self._by_entity = {one.row.entity: one for one in self.contacts}

    def walk(self, window: int, any_reason: bool) -> Iterator[tuple[ContactRow, _Contact | None]]:
        """Yield every contact with the one that it repeats, of several the one received last; None when it repeats none."""
        before: dict[Key, list[_Contact]] = {}
        for contact in self.contacts:
            keys = contact.keys(any_reason)
            found: _Contact | None = None
            if not contact.answers_us:
                for key in keys:
                    one = _last_within(before.get(key, []), contact.row.opened_time - window)
                    if one is not None and (found is None or _place(one) > _place(found)):
                        found = one
            for key in keys:
                _remember(before.setdefault(key, []), contact)
            yield contact.row, found

    def repeat(self, row: ContactRow, of: _Contact, any_reason: bool) -> Repeat:
        """Return that a contact repeats another one."""
        rules = SAME_PARTY if any_reason else self._by_entity[row.entity].rules(of)
        return Repeat(row.entity, row.opened_time, of.row.entity, of.row.opened_time, of.ended, rules, row)


def _subjects(read: Read, parties: frozenset[bytes]) -> list[bytes]:
    """Return the subjects of which some contacts may be these customers'."""
    spans = (span for party in parties for span in selection(read, identities.members(read, party)))
    return sorted({span.subject for span in spans})


def _place(contact: _Contact) -> tuple[int, int]:
    return contact.row.opened_time, contact.row.entity


def _last_within(stack: list[_Contact], ended_from: int) -> _Contact | None:
    """Return the last one received that ended at an instant or later. Those that ended earlier never match again: time goes on."""
    while stack and stack[-1].ended < ended_from:
        stack.pop()
    return stack[-1] if stack else None


def _remember(stack: list[_Contact], contact: _Contact) -> None:
    """Add a contact. What was received before it and ended no later is never the answer any more."""
    while stack and stack[-1].ended <= contact.ended:
        stack.pop()
    stack.append(contact)


def _contact(row: ContactRow, party: bytes | None, link: Link) -> _Contact:
    matter = [f"q{request}" for request in link.requests]
    matter += [f"o{mark}" for mark in link.objects]
    if row.reason and row.reason != UNKNOWN:
        matter.append(f"r{row.reason}")
    return _Contact(row, party, frozenset(matter), link.answers_us)
