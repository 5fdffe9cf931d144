"""Figures of what became of requests, for the customer: how long he waited, and how it ended for every department it touched.

Made of rows in any case: they take requests, handoffs, promises, contacts and scores together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from ledger.api.v1.experience_pb2 import CSAT, RESPONDENT_CUSTOMER
from ledger.api.v1.figure_pb2 import FIGURE_SECONDS, FIGURE_SHARE
from ledger.api.v1.request_pb2 import RESOLUTION_DONE
from ledger.rules.journey import stays
from projections import experience, handoffs, listing, promises, repeats, request_rows, silence
from projections.figures.definition import SPREAD, Definition, Evidence, Question, Result, Results, seconds, share, spread
from projections.figures.first_contact import FOREVER
from projections.figures.members import FLAG, Outcome, Series, members_at
from projections.figures.tally import Found, Group, Measured, Slice, few, members_of
from projections.journey_breaks import active
from projections.versions import Choice, shown
from projections.view import Read

# Waits


class _Waits:
    """The waits of a group."""

    def __init__(self) -> None:
        self.measured = Measured()
        self.paused = 0

    def result(self) -> Result:
        """Return the figure."""
        parts = spread(self.measured)
        return Result(seconds(self.measured.percentile(0.5)), self.measured.n, (*parts, ("waited_for_customer", self.paused)))


def _requester_wait(question: Question) -> Results:
    read = question.read
    found = question.members(Series.RESOLVED)
    idle = silence.idle_times(read, [one.entity for one in found])
    groups: dict[Group, _Waits] = {}
    for one in found:
        whole = one.value or 0
        waited = active((one.time - whole, one.time), idle.get(one.entity, ()))
        group = groups.setdefault(one.group, _Waits())
        group.measured.add(1, waited, waited)
        group.paused += waited < whole
    return {group: waits.result() for group, waits in groups.items()}


# Outcomes


class _Request(NamedTuple):
    """A request, as far as it matters here."""

    path: str
    resolution: int
    ended: int | None
    reopened_count: int
    contact_ids: str


class _Outcome(NamedTuple):
    """What became of a request."""

    departments: frozenset[str]
    """Those that answered for it, and those that accepted a handoff of it."""
    decided: bool
    good: bool
    reopened: bool
    repeated: bool
    kept: int
    not_kept: int
    scores: int
    high: int


_NUMBERS: Final = ("decided", "good", "reopened", "repeated", "kept", "not_kept", "scores", "high")
_HIGH: Final = (3, 4)
"""From which part of the scale on a score is high: 4 of 1 to 5."""


class _Outcomes:
    """Says what became of some requests."""

    def __init__(self, question: Question, entities: set[int]) -> None:
        read = question.read
        self._requests = dict(_requests(read, entities))
        self._ids = listing.ids_of(read, entities)
        self._accepted = _accepted(read, entities)
        self._promises = _promises(read)
        self._scores = _scores(read)
        again = repeats.of_period(read, -FOREVER, FOREVER, question.repeat_window, False).repeats
        self._repeating = set(listing.ids_of(read, {one.entity for one in again}).values())

    def of(self, entity: int) -> _Outcome:
        """Return what became of a request."""
        request, name = self._requests[entity], self._ids[entity]
        departments = {stay.department for stay in stays(request.path)} | self._accepted.get(entity, set())
        contact_ids = request.contact_ids.split()
        promised = self._promises.get(name, ())
        not_kept = sum(outcome in (Outcome.KEPT_LATE, Outcome.BROKEN) for outcome in promised)
        # A score belongs to the request that it names, else to those of its contact.
        scores = self._scores.get(("request", name), [])
        for contact_id in contact_ids:
            scores = scores + self._scores.get(("contact", contact_id), [])
        decided = request.ended is not None
        return _Outcome(
            departments=frozenset(departments),
            decided=decided,
            good=decided and request.resolution == RESOLUTION_DONE and not request.reopened_count and not not_kept,
            reopened=request.reopened_count > 0,
            repeated=any(one in self._repeating for one in contact_ids),
            kept=sum(outcome == Outcome.KEPT for outcome in promised),
            not_kept=not_kept,
            scores=len(scores),
            high=sum(scores),
        )


def _requests(read: Read, entities: set[int]) -> Iterator[tuple[int, _Request]]:
    parameters: dict[str, Any] = {}
    columns = "entity, path, resolution, ended_time, reopened_count, contact_ids"
    choice = Choice(states=request_rows.STATES, entities=few(entities))
    for entity, *rest in read.db.execute(shown(read, request_rows.TABLE, columns, choice, parameters), parameters):
        yield entity, _Request._make(rest)


def _accepted(read: Read, entities: set[int]) -> dict[int, set[str]]:
    parameters: dict[str, Any] = {}
    choice = Choice(("ever_accepted = 1",), states=handoffs.STATES, entities=few(entities))
    query = shown(read, handoffs.TABLE, "entity, to_department", choice, parameters)
    found: dict[int, set[str]] = {}
    for entity, department in read.db.execute(query, parameters):
        found.setdefault(entity, set()).add(department)
    return found


def _promises(read: Read) -> dict[str, list[int]]:
    """Return the outcomes of the promises that the kept rate counts, by request."""
    table = promises.TABLE
    place = table.names.index("request_id")
    parameters: dict[str, Any] = {}
    query = shown(read, table, ", ".join(table.names), Choice(("request_id <> ''",), states=range(20)), parameters)
    found: dict[str, list[int]] = {}
    for row in read.db.execute(query, parameters).fetchall():
        for member in members_at(promises.VIEW, row):
            if member[0] == Series.PROMISE:
                found.setdefault(row[place], []).append(member[6] % FLAG)
    return found


def _scores(read: Read) -> dict[tuple[str, str], list[bool]]:
    """Return whether each CSAT score of a customer was high, by the request or contact that it is about."""
    found: dict[tuple[str, str], list[bool]] = {}
    for one in experience.scores(read, -FOREVER, FOREVER):
        if one.respondent == RESPONDENT_CUSTOMER and one.measure == CSAT:
            about = ("request", one.request_id) if one.request_id else ("contact", one.contact_id)
            part, whole = one.score - one.scale_min, one.scale_max - one.scale_min
            found.setdefault(about, []).append(part * _HIGH[1] >= _HIGH[0] * whole)
    return found


def _joint_outcome(question: Question) -> Results:
    asked = question.asked
    place = asked.slices.index(Slice.DEPARTMENT) if Slice.DEPARTMENT in asked.slices else None
    groups: dict[Group, list[_Outcome]] = {}
    for one, outcome, touched in _touching(question):
        for group in _groups(one, place, touched):
            groups.setdefault(group, []).append(outcome)
    return {group: _summed(of_group) for group, of_group in groups.items()}


def _behind_joint_outcome(question: Question) -> Iterator[Evidence]:
    for one, outcome, _ in _touching(question):
        yield Evidence(one.entity, one.position, "good" if outcome.good else "not_good" if outcome.decided else "undecided")


def _touching(question: Question) -> list[tuple[Found, _Outcome, frozenset[str]]]:
    """Return the requests of the period, what became of each, and which of the departments asked for it touched."""
    asked = question.asked

    def find() -> list[tuple[Found, _Outcome]]:
        # By department it counts for every one that it touched, not for its owner alone.
        found = list(members_of(question.read, Series.REQUEST, asked._replace(departments=frozenset())))
        if not found:
            return []
        outcomes = _Outcomes(question, {one.entity for one in found})
        return [(one, outcomes.of(one.entity)) for one in found]

    found = question.once(("joint outcomes", asked.slices, asked.channels), find)
    wanted = asked.departments
    touching = ((one, outcome, outcome.departments & wanted if wanted else outcome.departments) for one, outcome in found)
    return [one for one in touching if one[2] or not wanted]


def _groups(one: Found, place: int | None, touched: Iterable[str]) -> list[Group]:
    if place is None:
        return [one.group]
    return [(*one.group[:place], department, *one.group[place + 1 :]) for department in touched or ("",)]


def _summed(found: list[_Outcome]) -> Result:
    numbers = {name: sum(getattr(one, name) for one in found) for name in _NUMBERS}
    decided = numbers["decided"]
    parts = (("requests", len(found)), *numbers.items(), ("share_high", share(numbers["high"], numbers["scores"])))
    return Result(share(numbers["good"], decided), decided, parts)


_REQUESTS: Final = (Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.TIER, Slice.HOUR, Slice.WEEKDAY)

DEFINITIONS: Final = (
    Definition(
        name="requester_wait",
        version=1,
        title="Time that the customer waited for us",
        text="Median time from a request's opening to its first resolution, less the time in which it waited for the customer "
        "(domain rule 8.9), of those first resolved in the period. Waiting for a department or a partner is in it: the customer "
        "waits all the same. Nothing is paused by a handoff.",
        source="domain §4, requester wait time; S1-2",
        unit=FIGURE_SECONDS,
        member_time="first resolved",
        slices=_REQUESTS,
        parts={**SPREAD, "waited_for_customer": "Of these, requests that waited for the customer at some time."},
        measure=_requester_wait,
        series=(Series.RESOLVED,),
        always_exact=True,
    ),
    Definition(
        name="joint_outcome",
        version=1,
        title="Requests that ended well",
        text="Requests resolved as done, never reopened, with no promise broken or kept late ÷ requests that have ended, of those "
        "opened in the period. One outcome for all: by department it counts for every department that answered for the request, or "
        "accepted a handoff of it, so the sum over departments is more than the whole. Promises are those that the kept rate "
        "counts; scores are those of customers (CSAT); repeats are those of the repeat rate.",
        source="domain §6: S1-21, S1-23",
        unit=FIGURE_SHARE,
        member_time="opened",
        slices=_REQUESTS,
        parts={
            "requests": "Requests opened.",
            "decided": "Of these, those that have ended.",
            "good": "Of these, those that ended well.",
            "reopened": "Requests reopened.",
            "repeated": "Requests about which the customer had to come back.",
            "kept": "Promises kept.",
            "not_kept": "Promises broken or kept late.",
            "scores": "Scores given.",
            "high": "High ones: 4 to 5 of 5.",
            "share_high": "High ÷ scores.",
        },
        measure=_joint_outcome,
        evidence=_behind_joint_outcome,
        always_exact=True,
    ),
)
