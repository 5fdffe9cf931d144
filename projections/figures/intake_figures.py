"""Whether the first contact took what was needed. Made of rows in any case. Keys decide, and times; no value is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from ledger.api.v1.figure_pb2 import FIGURE_SHARE
from ledger.api.v1.policy_pb2 import ReasonRule
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.policy.policy import missing
from projections import contacts, listing
from projections.figures.definition import Definition, Evidence, Question, Result, Results, share
from projections.figures.facts_given import AskedAbout, Giving, Givings, asked_about
from projections.figures.members import Series
from projections.figures.ruling import Ruling
from projections.figures.tally import Found, Group, few, members_of
from projections.figures.work_figures import REQUESTS
from projections.restated import events_at
from projections.versions import Choice, shown
from projections.view import Read


class _Intake(NamedTuple):
    """A request whose reason has an intake set."""

    found: Found
    position: int
    """Of its opener."""
    required: int
    known: int
    measured: bool
    """False where it was imported from a source that does not say when things were answered (domain rule 8.8)."""


def _intakes(question: Question) -> list[_Intake]:
    """Return the requests of the period whose reasons ask for facts."""
    read, asked = question.read, question.asked

    def find() -> list[_Intake]:
        found = list(members_of(read, Series.REQUEST, asked))
        of = asked_about(read, (one.entity for one in found))
        rules = _rules(read, of.values())
        if not rules:
            return []
        openers = events_at(read, [of[entity].position for entity in rules])
        taking = _Taking(read, {entity: of[entity] for entity in rules}, rules, openers)
        measured = _Measured(read)
        return [
            _Intake(
                one,
                of[one.entity].position,
                len(set(rules[one.entity].intake_facts)),
                taking.known(one.entity),
                measured.of(openers[of[one.entity].position]),
            )
            for one in found
            if one.entity in rules
        ]

    return question.once(("intakes", asked.slices, asked.channels, asked.departments), find)


def _rules(read: Read, found: Iterable[AskedAbout]) -> dict[int, ReasonRule]:
    """Return what the reasons of requests ask for in the policy that ruled each, by request, where they ask for anything."""
    ruling = Ruling(read)
    rules = {}
    for one in found:
        policy = ruling.of(one.position, one.opened)
        rule = policy.reasons.get(one.reason) if policy is not None else None
        if rule is not None and rule.intake_facts:
            rules[one.entity] = rule
    return rules


class _Taking:
    """Says how many of the facts that their reasons ask for were known of some requests when the first contact was over.

    That is the rule by which the ledger fills `keys_not_taken`, carried on to the end of the contact: what the caller named as
    missing was missing; else what is required and was not given.
    """

    def __init__(self, read: Read, of: dict[int, AskedAbout], rules: dict[int, ReasonRule], openers: dict[int, Event]) -> None:
        self._requests = of
        self._rules = rules
        self._openers = openers
        self._ids = listing.ids_of(read, of)
        self._givings = Givings(read, {key for rule in rules.values() for key in rule.intake_facts}, of.values())
        self._ended = _ended(read, {openers[one.position].payload.contact_id for one in of.values()} - {""})
        self._given = {entity: self._candidates(entity) for entity in of}
        later = {one.position for entity in of for one in self._later(entity)}
        self._said_in = {position: str(event.payload.contact_id) for position, event in events_at(read, later).items()}

    def known(self, entity: int) -> int:
        """Return how many of the facts required were known."""
        opener = self._openers[self._requests[entity].position]
        required = list(dict.fromkeys(self._rules[entity].intake_facts))
        until = self._until(entity)
        given = [one for one in self._given[entity] if one.occur <= until]
        given += [one for one in self._later(entity) if self._said_in[one.position] == opener.payload.contact_id]
        named = opener.payload.missing_intake_keys
        if named:
            given = [one for one in given if one.occur > opener.occur]
            wanted = [key for key in required if key in named]
            return len(required) - len(missing(wanted, (one.key for one in given)))
        return len(required) - len(missing(required, (one.key for one in given)))

    def _candidates(self, entity: int) -> list[Giving]:
        rule = self._rules[entity]
        wanted = set(rule.intake_facts)
        given = self._givings.for_request(self._requests[entity], self._ids[entity], rule.stable_facts)
        return [one for one in given if one.key in wanted]

    def _until(self, entity: int) -> int:
        """Return when its first contact was over, or else when it was opened."""
        opener = self._openers[self._requests[entity].position]
        ended = self._ended.get(opener.payload.contact_id)
        return opener.occur if ended is None else max(opener.occur, ended)

    def _later(self, entity: int) -> list[Giving]:
        """Return what was given since it was opened, where its first contact is not over: some of it was said in that."""
        opener = self._openers[self._requests[entity].position]
        contact_id = opener.payload.contact_id
        if not contact_id or self._ended.get(contact_id) is not None:
            return []
        return [one for one in self._given[entity] if one.occur > opener.occur]


def _ended(read: Read, contact_ids: set[str]) -> dict[str, int | None]:
    """Return when these contacts ended; None for one that has not."""
    entities = listing.entities(read, (f"contact-{one}" for one in contact_ids))
    if not entities:
        return {}
    parameters: dict[str, Any] = {}
    choice = Choice(states=contacts.STATES, entities=few(entities))
    query = shown(read, contacts.TABLE, "entity, ended_time", choice, parameters)
    times = dict(read.db.execute(query, parameters).fetchall())
    return {one: times[entity] for entity, one in listing.ids_of(read, set(times) & set(entities)).items()}


class _Measured:
    """Says whether the import of an event says when things were answered."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._runs: dict[str, bool] = {}

    def of(self, event: Event) -> bool:
        """True also of what was not imported."""
        run = event.header.import_run
        if run and run not in self._runs:
            rows = self._read.log.read_stream(f"import-{run}", self._read.known)[:1]
            started = [read_event(row.position, row.header) for row in rows if row.topic == "import-started"]
            self._runs[run] = any(one.payload.answers_recorded for one in started)
        return not run or self._runs[run]


def _completeness(question: Question) -> Results:
    groups: dict[Group, list[_Intake]] = {}
    for one in _intakes(question):
        groups.setdefault(one.found.group, []).append(one)
    results = {}
    for group, found in groups.items():
        counted = [one for one in found if one.measured]
        required, known = sum(one.required for one in counted), sum(one.known for one in counted)
        results[group] = Result(
            share(known, required),
            required,
            (
                ("complete", sum(one.known == one.required for one in counted)),
                ("requests", len(counted)),
                ("required", required),
                ("known", known),
                ("unmeasured", len(found) - len(counted)),
            ),
        )
    return results


def _behind_completeness(question: Question) -> Iterator[Evidence]:
    for one in _intakes(question):
        outcome = "unmeasured" if not one.measured else "complete" if one.known == one.required else "incomplete"
        yield Evidence(one.position, one.found.position, outcome)


DEFINITIONS: Final = (
    Definition(
        name="intake_completeness",
        version=1,
        title="Facts taken at the first contact",
        text="Facts known when the first contact was over ÷ facts that the intake set of the reason asks for, of the requests "
        "opened in the period whose reason has a set in the policy in force at the opening. Over is the contact at its end; one "
        "that has not ended counts with what was said in it; without a contact it is the opening. Known is a fact that the "
        "customer had given by then, about this request or about none, or, of a key that the policy calls stable for the reason, "
        "about another one. Where the caller named what is missing, that is missing, unless it was given since. Imports that do "
        "not say when things were answered are unmeasured, beside. Department is the present owner.",
        source="domain §6: S1-20",
        unit=FIGURE_SHARE,
        member_time="opened",
        slices=REQUESTS,
        parts={
            "complete": "Requests of which all of the set was known.",
            "requests": "Requests that had a set.",
            "required": "Facts required.",
            "known": "Of these, facts known.",
            "unmeasured": "Requests that had a set and are not measured.",
        },
        measure=_completeness,
        evidence=_behind_completeness,
        always_exact=True,
    ),
)
