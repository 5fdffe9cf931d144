"""First-contact resolution and repeats: what one contact sufficed for, and who had to come back.

Made of rows in any case: it takes facts of contacts, requests, handoffs, promises and referrals together. It takes time by the
number of contacts in the period, and of the requests there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from ledger.api.v1.contact_pb2 import FULL
from ledger.api.v1.figure_pb2 import FIGURE_SHARE
from ledger.api.v1.history_service_pb2 import CONTACT_STATE_ABANDONED
from ledger.rules.experience import REFERRAL
from ledger.rules.promise import CALL_BACK
from projections import contacts, experience, listing, promises, repeats, request_rows
from projections.figures.definition import Definition, PeriodTooLongError, Question, Result, Results, share
from projections.figures.members import Series
from projections.figures.ruling import Ruling
from projections.figures.tally import Group, Slice
from projections.versions import Choice, shown
from projections.view import Read

SLICES: Final = (Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.SKILL, Slice.TIER, Slice.HOUR, Slice.WEEKDAY)

FOREVER: Final = 2**61
"""Beyond every time that an event can have."""


CONTACTS_MAX: Final = 200_000
"""So many contacts at most are looked at one by one for one question: some 15 seconds."""


class _Contact(NamedTuple):
    """A contact of the period, as far as it matters here."""

    contact_id: str
    state: int
    reason: str
    opened: int
    ended: int | None
    completeness: int
    transfer_count: int


class _Request(NamedTuple):
    """A request, as far as it matters here."""

    first_contact_id: str
    resolved_in: str
    first_reopened: int | None
    handoff_count: int


def _contacts(read: Read, start: int, end: int) -> dict[int, _Contact]:
    parameters: dict[str, Any] = {}
    columns = "entity, state, reason, opened_time, ended_time, completeness, transfer_count"
    choice = Choice(("outbound = 0", "opened_time >= :start", "opened_time < :end"), {"start": start, "end": end}, contacts.STATES)
    rows = read.db.execute(shown(read, contacts.TABLE, columns, choice, parameters), parameters).fetchall()
    ids = listing.ids_of(read, {row[0] for row in rows})
    return {entity: _Contact._make((ids[entity], *rest)) for entity, *rest in rows}


def _requests(read: Read, contact_ids: Iterable[str]) -> dict[str, list[_Request]]:
    """Return the requests of each of these contacts: those said in it first, and those it was linked to."""
    wanted = set(contact_ids)
    found: dict[str, list[_Request]] = {}
    parameters: dict[str, Any] = {}
    columns = "contact_ids, resolved_in, first_reopened_time, handoff_count"
    query = shown(read, request_rows.TABLE, columns, Choice(("contact_ids <> ''",), states=request_rows.STATES), parameters)
    for contact_ids_of, resolved_in, reopened, handoff_count in read.db.execute(query, parameters):
        names = contact_ids_of.split()
        request = _Request(names[0], resolved_in, reopened, handoff_count)
        for name in names:
            if name in wanted:
                found.setdefault(name, []).append(request)
    return found


def _called_back(read: Read, start: int) -> set[str]:
    """Return the contacts in which a call back was promised."""
    parameters: dict[str, Any] = {}
    where = (f"kind = '{CALL_BACK}'", "contact_id <> ''", "made_time >= :start")
    query = shown(read, promises.TABLE, "contact_id", Choice(where, {"start": start}, range(20)), parameters)
    return {contact_id for (contact_id,) in read.db.execute(query, parameters)}


def _referred(read: Read) -> set[str]:
    """Return the contacts in which the customer was sent elsewhere."""
    parameters: dict[str, Any] = {}
    query = shown(read, experience.TABLE, "contact_id", Choice(("contact_id <> ''",), states=(REFERRAL,)), parameters)
    return {contact_id for (contact_id,) in read.db.execute(query, parameters)}


class _Count:
    """What the contacts of a group come to."""

    def __init__(self) -> None:
        self.mature = self.immature = self.resolved = self.possible = self.resolved_possible = 0

    def result(self, *, net: bool) -> Result:
        """Return the figure, gross or net."""
        gross, of_possible = share(self.resolved, self.mature), share(self.resolved_possible, self.possible)
        return Result(
            of_possible if net else gross,
            self.possible if net else self.mature,
            (
                ("resolved", self.resolved),
                ("mature", self.mature),
                ("immature", self.immature),
                ("not_at_level_one", self.mature - self.possible),
                ("gross", gross),
                ("net", of_possible),
            ),
        )


class _Judge:
    """Says of the contacts of a period which were resolved at first contact (domain §4, definitions that bind)."""

    def __init__(self, question: Question) -> None:
        read, asked = question.read, question.asked
        start, end = bounds(asked.start, asked.end)
        self._window = question.first_contact_window
        self._evaluated = read.evaluated
        self._contacts = _contacts(read, start, end)
        self._requests = _requests(read, (one.contact_id for one in self._contacts.values()))
        self._called_back = _called_back(read, start)
        self._referred = _referred(read)
        widest = max(self._window, question.repeat_window)
        matter = question.once("matter", lambda: repeats.matter_of(read, start, end, widest))
        self._followed = repeats.first_after(read, start, end, self._window, matter=matter)
        self._repeating = repeating(question, self._window)
        self._ruling = Ruling(read)

    def mature(self, entity: int) -> bool:
        """True when nothing can come back within the window any more."""
        ended = self._contacts[entity].ended
        return ended is not None and ended + self._window <= self._evaluated

    def resolved(self, entity: int) -> bool:
        """True when the contact sufficed."""
        contact = self._contacts[entity]
        name = contact.contact_id
        if (
            contact.state == CONTACT_STATE_ABANDONED
            or contact.transfer_count
            or name in self._called_back
            or name in self._referred
        ):
            return False
        if entity in self._followed or contact.ended is None:
            return False
        of_contact = self._requests.get(name, ())
        if not of_contact:
            return contact.completeness == FULL and entity not in self._repeating
        until = contact.ended + self._window
        return all(
            one.first_contact_id == name
            and one.resolved_in == name
            and not one.handoff_count
            and (one.first_reopened is None or one.first_reopened > until)
            for one in of_contact
        )

    def possible(self, entity: int) -> bool:
        """True unless the policy in force at the contact says that its reason cannot be resolved at level one."""
        contact = self._contacts[entity]
        policy = self._ruling.of(entity, contact.opened)
        rule = policy.reasons.get(contact.reason) if policy is not None else None
        return rule is None or not rule.not_at_level_one


def _first_contact_resolution(question: Question, *, net: bool = False) -> Results:
    _check_size(question)
    asked = question.asked
    key = ("first contact counts", asked.slices, asked.channels, asked.departments)
    counts: dict[Group, _Count] = question.once(key, lambda: _counted(question))
    return {group: count.result(net=net) for group, count in counts.items()}


def _counted(question: Question) -> dict[Group, _Count]:
    judge: _Judge = question.once("first contact", lambda: _Judge(question))
    counts: dict[Group, _Count] = {}
    for found in question.members(Series.CONTACT):
        count = counts.setdefault(found.group, _Count())
        if not judge.mature(found.entity):
            count.immature += 1
            continue
        resolved, possible = judge.resolved(found.entity), judge.possible(found.entity)
        count.mature += 1
        count.resolved += resolved
        count.possible += possible
        count.resolved_possible += resolved and possible
    return counts


def _check_size(question: Question) -> None:
    """Refuse a period with more contacts than can be looked at one by one in time."""
    count = question.once("contacts", lambda: _received(question))
    if count > CONTACTS_MAX:
        raise PeriodTooLongError(count, "contacts", CONTACTS_MAX)


def _received(question: Question) -> int:
    plain = replace(question, asked=question.asked._replace(slices=(), channels=frozenset(), departments=frozenset()))
    return sum(measured.n for outcomes in plain.tally(Series.CONTACT).values() for measured in outcomes.values())


def _net(question: Question) -> Results:
    return _first_contact_resolution(question, net=True)


def _repeat_rate(question: Question, *, any_reason: bool = False) -> Results:
    _check_size(question)
    again = repeating(question, question.repeat_window, any_reason=any_reason)
    counts: dict[Group, list[int]] = {}
    for found in question.members(Series.CONTACT):
        count = counts.setdefault(found.group, [0, 0])
        count[0] += found.entity in again
        count[1] += 1
    return {
        group: Result(share(repeated, all_), all_, (("repeats", repeated), ("contacts", all_)))
        for group, (repeated, all_) in counts.items()
    }


def _repeat_rate_any_reason(question: Question) -> Results:
    return _repeat_rate(question, any_reason=True)


def repeating(question: Question, window: int, *, any_reason: bool = False) -> frozenset[int]:
    """Return the contacts of the period that repeat an earlier one."""

    def find() -> frozenset[int]:
        start, end = bounds(question.asked.start, question.asked.end)
        # First-contact resolution, where it is asked too, has found what repeats what may be made of.
        found = repeats.of_period(question.read, start, end, window, any_reason, matter=question.found.get("matter"))
        return frozenset(one.entity for one in found.repeats)

    return question.once(("repeating", window, any_reason), find)


def bounds(start: int | None, end: int | None) -> tuple[int, int]:
    """Return a period that has both its ends."""
    return -FOREVER if start is None else start, FOREVER if end is None else end


_PARTS: Final = {
    "resolved": "Mature contacts that were resolved at first contact.",
    "mature": "Contacts whose window is over: what gross is out of.",
    "immature": "Contacts not ended, or ended less than the window ago: in neither part of the fraction.",
    "not_at_level_one": "Mature contacts whose reason cannot be resolved at level one, by the policy in force at the contact.",
    "gross": "Resolved ÷ mature.",
    "net": "The same without those whose reason cannot be resolved at level one.",
}
_TEXT: Final = (
    "A contact received in the period is resolved at first contact when it was not given up; was the first contact of its "
    "requests, or without a request repeats none; was resolved in itself (request-resolved names it as done; without a "
    "request: its completeness is full); there was no transfer, handoff, referral or promise of a call back from it; and no "
    "repeat and no reopening within the window after its end. A repeat that came before its end counts too. Contacts are "
    "mature when the window after their end is over."
)

DEFINITIONS: Final = (
    Definition(
        name="first_contact_resolution",
        version=1,
        title="First-contact resolution, gross",
        text=f"Resolved at first contact ÷ all mature inbound contacts. {_TEXT}",
        source="domain §4, definitions that bind: first-contact resolution; S2-3, S4-16",
        unit=FIGURE_SHARE,
        member_time="received",
        slices=SLICES,
        parts=_PARTS,
        measure=_first_contact_resolution,
        series=(Series.CONTACT,),
        always_exact=True,
    ),
    Definition(
        name="first_contact_resolution_net",
        version=1,
        title="First-contact resolution, net",
        text="Resolved at first contact ÷ mature inbound contacts whose reason can be resolved at level one by the policy in "
        f"force at the contact. {_TEXT}",
        source="domain §4, FCR, net",
        unit=FIGURE_SHARE,
        member_time="received",
        slices=SLICES,
        parts=_PARTS,
        measure=_net,
        series=(Series.CONTACT,),
        always_exact=True,
    ),
    Definition(
        name="repeat_rate",
        version=1,
        title="Repeat-contact rate",
        text="Contacts that repeat an earlier one ÷ contacts, of those received in the period: same party and same known "
        "reason, or shared object, or same request, received within the window after the earlier one ended. An answer to our "
        "own question is none; `unknown` matches nothing; identities that are not joined hide repeats.",
        source="domain §4, repeat-contact rate; domain rule 9.7",
        unit=FIGURE_SHARE,
        member_time="received",
        slices=SLICES,
        parts={"repeats": "Contacts that repeat an earlier one.", "contacts": "Contacts received."},
        measure=_repeat_rate,
        series=(Series.CONTACT,),
        always_exact=True,
    ),
    Definition(
        name="repeat_rate_any_reason",
        version=1,
        title="Repeat-contact rate, any reason",
        text="Contacts received within the window after an earlier one of the same party ended, whatever they were about ÷ "
        "contacts. A new question is no repeat: this is a figure of its own, never the repeat rate.",
        source="domain rule 9.7, variant",
        unit=FIGURE_SHARE,
        member_time="received",
        slices=SLICES,
        parts={"repeats": "Contacts after an earlier one of the same party.", "contacts": "Contacts received."},
        measure=_repeat_rate_any_reason,
        series=(Series.CONTACT,),
        always_exact=True,
    ),
)
