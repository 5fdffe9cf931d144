"""What escalations cost: how many requests were escalated, what work came after, and what that costs where the policy says prices.

Made of rows in any case, and of the streams of the requests that were escalated. No sealed value is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ledger.api.v1.figure_pb2 import FIGURE_SHARE
from ledger.api.v1.request_pb2 import FUNCTIONAL
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.policy.policy import HOUR_MICROS, Policy
from ledger.rules import FAMILIES
from ledger.rules.fold import steps
from projections import contacts, listing, request_rows
from projections.figures.definition import BUNDLE, Definition, Evidence, Prices, Question, Result, Results, seconds, share
from projections.figures.members import Series
from projections.figures.ruling import Ruling
from projections.figures.tally import Found, Group, few, members_of
from projections.figures.work_figures import REQUESTS
from projections.versions import Choice, shown
from projections.view import Read

_CENTS: Final = 100


class _Handled(NamedTuple):
    """A contact that was worked on."""

    handled: int
    """Talk, hold and wrap-up, microseconds."""
    ended: int
    department: str


class _Escalated(NamedTuple):
    """A request that was escalated, and what came after the first time."""

    escalations: tuple[Event, ...]
    open_micros: int
    """From the first escalation until it ended, else until the evaluated time."""
    ended: bool
    handled: tuple[_Handled, ...]
    """Contacts of it that ended after the first escalation."""
    policy: Policy | None
    """By whose prices it is reckoned: the one in force at the first escalation."""

    @property
    def amount(self) -> float | None:
        """What it costs, in the currency of the policy; None where that says no prices."""
        if self.policy is None or not self.policy.document.HasField("costs"):
            return None
        cents = float(self.policy.document.costs.escalation_cents * len(self.escalations))
        for one in self.handled:
            cents += (self.policy.hour_cents(one.department) or 0) * one.handled / HOUR_MICROS
        return cents / _CENTS

    @property
    def unpriced(self) -> int:
        """How much of the work has no price, microseconds."""
        policy = self.policy
        return sum(one.handled for one in self.handled if policy is None or policy.hour_cents(one.department) is None)


def _found(question: Question) -> tuple[list[Found], dict[int, _Escalated]]:
    """Return the requests of the period, and those of them that were escalated, by number."""
    asked = question.asked

    def find() -> tuple[list[Found], dict[int, _Escalated]]:
        found = list(members_of(question.read, Series.REQUEST, asked))
        return found, _escalated(question.read, {one.entity for one in found})

    return question.once(("escalations", asked.slices, asked.channels, asked.departments), find)


def _escalated(read: Read, entities: set[int]) -> dict[int, _Escalated]:
    parameters: dict[str, Any] = {}
    choice = Choice(("escalated_count > 0",), states=request_rows.STATES, entities=few(entities))
    query = shown(read, request_rows.TABLE, "entity, ended_time, contact_ids", choice, parameters)
    rows = {entity: rest for entity, *rest in read.db.execute(query, parameters) if entity in entities}
    escalations = _escalations(read, sorted(rows))
    handled = _handled(read, {name for _, contact_ids in rows.values() for name in contact_ids.split()})
    ruling = Ruling(read)
    made = {}
    for entity, (ended, contact_ids) in rows.items():
        events = escalations[entity]
        if not events:
            continue
        first = events[0]
        worked = (handled[name] for name in contact_ids.split() if name in handled)
        made[entity] = _Escalated(
            escalations=events,
            open_micros=max(0, (read.evaluated if ended is None else ended) - first.occur),
            ended=ended is not None,
            handled=tuple(one for one in worked if one.ended > first.occur),
            policy=ruling.of(first.position, first.occur),
        )
    return made


def _escalations(read: Read, entities: Sequence[int]) -> dict[int, tuple[Event, ...]]:
    """Return the escalations of requests that apply, in their order."""
    found: dict[int, tuple[Event, ...]] = {}
    for entity, request_id in listing.ids_of(read, entities).items():
        stream = f"request-{request_id}"
        events = [read_event(row.position, row.header) for row in read.log.read_stream(stream, read.known)]
        found[entity] = tuple(
            event
            for event, order, _, applied in steps(FAMILIES["request"], events, stream)
            if applied and event.topic == "request-escalated" and (read.before is None or order < read.before)
        )
    return found


def _handled(read: Read, contact_ids: set[str]) -> dict[str, _Handled]:
    """Return the contacts that say how long they were worked on, and have ended."""
    entities = listing.entities(read, (f"contact-{one}" for one in contact_ids))
    if not entities:
        return {}
    parameters: dict[str, Any] = {}
    where = ("handled IS NOT NULL", "ended_time IS NOT NULL")
    choice = Choice(where, states=contacts.STATES, entities=few(entities))
    query = shown(read, contacts.TABLE, "entity, handled, ended_time, current_department", choice, parameters)
    rows = {entity: _Handled._make(rest) for entity, *rest in read.db.execute(query, parameters)}
    return {one: rows[entity] for entity, one in listing.ids_of(read, set(rows) & set(entities)).items()}


def _escalation(question: Question) -> Results:
    found, escalated = _found(question)
    groups: dict[Group, list[int]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one.entity)
    priced = bool(_prices(question).currency)
    return {
        group: _summed(len(entities), [escalated[entity] for entity in entities if entity in escalated], priced)
        for group, entities in groups.items()
    }


def _summed(count: int, escalated: list[_Escalated], priced: bool) -> Result:
    of_all = [event for one in escalated for event in one.escalations]
    functional = sum(event.payload.kind == FUNCTIONAL for event in of_all)
    handled = sum(contact.handled for one in escalated for contact in one.handled)
    amounts = [one.amount for one in escalated if one.amount is not None] if priced else []
    amount = sum(amounts) if amounts else None
    return Result(
        share(len(escalated), count),
        count,
        (
            ("requests", count),
            ("escalated", len(escalated)),
            ("escalations", len(of_all)),
            ("functional", functional),
            ("hierarchical", len(of_all) - functional),
            ("contacts_after", sum(len(one.handled) for one in escalated)),
            ("handled_seconds", seconds(handled)),
            ("open_seconds", seconds(sum(one.open_micros for one in escalated))),
            ("still_open", sum(not one.ended for one in escalated)),
            ("cost_amount", amount),
            ("each_amount", None if amount is None else amount / len(amounts)),
            ("unpriced", len(escalated) - len(amounts) if amounts else None),
            ("unpriced_seconds", seconds(sum(one.unpriced for one in escalated)) if amounts else None),
        ),
    )


def _prices(question: Question) -> Prices:
    """Return by which versions amounts are reckoned; none where these have several currencies: they add up to nothing."""
    _, escalated = _found(question)
    policies = {one.policy for one in escalated.values() if one.policy is not None and one.policy.document.HasField("costs")}
    currencies = {policy.document.costs.currency for policy in policies}
    if len(currencies) != 1:
        return Prices("", ())
    return Prices(currencies.pop(), tuple(sorted(policies, key=lambda policy: policy.position)))


def _behind_escalation(question: Question) -> Iterator[Evidence]:
    found, escalated = _found(question)
    for one in found:
        if one.entity in escalated:
            yield Evidence(one.entity, escalated[one.entity].escalations[-1].position, "escalated")


DEFINITIONS: Final = (
    Definition(
        name="escalation",
        version=1,
        title="Escalations and what they cost",
        text="Requests escalated at least once ÷ requests, of those opened in the period. The cost stands beside, in time: the "
        "talk, hold and wrap-up of the contacts of these requests that ended after the first escalation, and how long the requests "
        "stayed open after it (until the evaluated time, where they still are). Time open is the customer's wait, not work, and "
        "work that no contact holds is not recorded and not in it. Where the policy in force at the first escalation says prices "
        "(`costs`), the amount is each escalation at its price, and the handle time at the price of an hour in the layer of the "
        "department that had the contact last: what the organisation reckons, no bookkeeping. With several currencies in the "
        "period there is no amount. Department is the present owner.",
        source="domain §6: S4-9",
        unit=FIGURE_SHARE,
        member_time="opened",
        slices=REQUESTS,
        parts={
            "requests": "Requests opened.",
            "escalated": "Of these, requests escalated at least once.",
            "escalations": "Escalations of these.",
            "functional": "Of the escalations, those to more skill.",
            "hierarchical": "Of the escalations, those to more authority.",
            "contacts_after": "Contacts of the escalated requests that ended after the first escalation and say how long.",
            "handled_seconds": "Talk, hold and wrap-up of these contacts together, seconds.",
            "open_seconds": "Time that the escalated requests stayed open after the first escalation, together, seconds.",
            "still_open": "Escalated requests that are open.",
            "cost_amount": "Cost of the escalated requests that have a price, in the currency said.",
            "each_amount": "That ÷ these requests.",
            "unpriced": "Escalated requests that have no price: in no amount.",
            "unpriced_seconds": "Handle time that has no price, seconds: in no amount.",
        },
        measure=_escalation,
        evidence=_behind_escalation,
        prices=_prices,
        bundle=BUNDLE,
        always_exact=True,
    ),
)
