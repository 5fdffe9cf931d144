"""How often one asked another for information, and for how long one waited for it.

Made of rows in any case. Keys decide, and times; no value is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from ledger.api.v1.fact_pb2 import ASKED_OF_CUSTOMER, ASKED_OF_DEPARTMENT, ASKED_OF_PARTNER
from ledger.api.v1.figure_pb2 import FIGURE_PER_MEMBER, FIGURE_SECONDS
from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_RETURNED, HANDOFF_STATE_WITHDRAWN
from ledger.sqlite_file import in_batches
from projections import handoffs, listing
from projections.figures.definition import SPREAD, Definition, Evidence, Question, Result, Results, seconds, share, spread
from projections.figures.facts_given import AskedAbout, Giving, Givings, asked_about
from projections.figures.first_contact import bounds
from projections.figures.members import Series
from projections.figures.tally import Asked, Found, Group, Measured, Slice, few, localised, members_of
from projections.figures.work_figures import REQUESTS
from projections.restated import events_at
from projections.versions import Choice, shown, versions_of
from projections.view import MAX, Read, happened, one_of


class _Asking(NamedTuple):
    """A fact that was asked for."""

    order: int
    position: int
    subject: bytes
    key: str
    occur: int
    asked_of: int
    request_id: str | None
    department: str


_KINDS: Final[dict[int, str]] = {ASKED_OF_CUSTOMER: "customer", ASKED_OF_DEPARTMENT: "department", ASKED_OF_PARTNER: "partner"}
"""Of whom a fact was asked, as figures call it."""
_RETURNED: Final = "handoff_returned"


def _askings(read: Read, start: int | None = None, end: int | None = None, of: Iterable[int] = tuple(_KINDS)) -> list[_Asking]:
    """Return what was asked for in a period, of some."""
    first, last = bounds(start, end)
    parameters: dict[str, Any] = {**read.parameters, "start": first, "end": last}
    where = one_of("asked_of", of, parameters, "of")
    rows = read.db.execute(
        "SELECT order_time, position, subject, key, occur_time, asked_of, request_id, department FROM fact_asked "
        f"WHERE occur_time >= :start AND occur_time < :end AND {where} AND {happened(read)} ORDER BY order_time, position",
        parameters,
    )
    return [_Asking._make(row) for row in rows]


def _asked_inside(question: Question) -> tuple[list[Found], dict[int, list[_Asking]]]:
    """Return the requests of the period, and what was asked inside about each, by its number."""
    read = question.read
    found = list(members_of(read, Series.REQUEST, question.asked))
    numbers = {request_id: entity for entity, request_id in listing.ids_of(read, {one.entity for one in found}).items()}
    asked: dict[int, list[_Asking]] = {}
    for one in _askings(read, of=(ASKED_OF_DEPARTMENT, ASKED_OF_PARTNER)):
        if one.request_id in numbers:
            asked.setdefault(numbers[one.request_id], []).append(one)
    return found, asked


def _information_requests(question: Question) -> Results:
    found, asked = _asked_inside(question)
    returned = _returned_counts(question.read, {one.entity for one in found})
    groups: dict[Group, list[int]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one.entity)
    results = {}
    for group, entities in groups.items():
        of_group = [asking for entity in entities for asking in asked.get(entity, ())]
        of_partners = sum(one.asked_of == ASKED_OF_PARTNER for one in of_group)
        results[group] = Result(
            share(len(of_group), len(entities)),
            len(entities),
            (
                ("asked", len(of_group)),
                ("asked_departments", len(of_group) - of_partners),
                ("asked_partners", of_partners),
                ("requests", len(entities)),
                ("requests_asked_about", sum(entity in asked for entity in entities)),
                ("handoffs_returned", sum(returned.get(entity, 0) for entity in entities)),
            ),
        )
    return results


def _behind_information_requests(question: Question) -> Iterator[Evidence]:
    _, asked = _asked_inside(question)
    for of_request in asked.values():
        for one in of_request:
            yield Evidence(one.position, one.position, f"asked_of_{_KINDS[one.asked_of]}")


def _returned_counts(read: Read, entities: set[int]) -> dict[int, int]:
    """Return how often handoffs of requests were returned, by request."""
    parameters: dict[str, Any] = {}
    choice = Choice(("returned_count > 0",), states=handoffs.STATES, entities=few(entities))
    counts: dict[int, int] = {}
    for entity, count in read.db.execute(shown(read, handoffs.TABLE, "entity, returned_count", choice, parameters), parameters):
        counts[entity] = counts.get(entity, 0) + count
    return counts


# Waiting for it


class _Wait(NamedTuple):
    """Somebody waited for a fact."""

    begun: int
    """Microseconds UTC."""
    ended: int | None
    """When it was there; None: it is not."""
    given_up: bool
    """Nobody waits any more, and it never came."""
    kind: str
    department: str
    entity: int | None
    """Number of the request it is about; None for none."""
    opener: int
    last: int


def _waits(question: Question) -> list[tuple[_Wait, Group]]:
    """Return the waits that began in the period, with their groups."""
    asked = question.asked

    def find() -> list[tuple[_Wait, Group]]:
        read = question.read
        waits = [*_for_answers(read, asked), *_for_supplies(read, asked)]
        of = asked_about(read, {one.entity for one in waits if one.entity is not None})
        return [(one, group) for one in waits if (group := _group(one, of, asked)) is not None]

    return question.once(("waits for facts", asked.slices, asked.channels, asked.departments), find)


def _group(one: _Wait, of: dict[int, AskedAbout], asked: Asked) -> Group | None:
    """Return the group of a wait; None where it is not asked for."""
    request = of.get(one.entity) if one.entity is not None else None
    channel = request.channel if request is not None else ""
    if not asked.wants(channel, one.department):
        return None
    values = {Slice.CHANNEL: channel, Slice.DEPARTMENT: one.department, Slice.KIND: one.kind}
    values[Slice.REASON] = request.reason if request is not None else ""
    return localised(tuple(values.get(name, "") for name in asked.slices), asked, one.begun)


def _for_answers(read: Read, asked: Asked) -> list[_Wait]:
    """Return the waits that began with a question: to when the fact was given about the request, or passed in a handoff of it.

    Where the question was about no request: to when the customer gave it.
    """
    askings = _askings(read, asked.start, asked.end)
    if not askings:
        return []
    streams = {f"request-{one.request_id}" for one in askings if one.request_id is not None}
    numbers = {request_id: entity for entity, request_id in listing.ids_of(read, listing.entities(read, streams)).items()}
    of = asked_about(read, numbers.values())
    givings = Givings(read, {one.key for one in askings}, [*of.values(), *(_asker(one) for one in askings)])
    passed = _passed(read, set(of))
    waits = []
    for one in askings:
        entity = numbers.get(one.request_id) if one.request_id is not None else None
        request = of.get(entity) if entity is not None else None
        if request is not None and one.request_id is not None:
            answers = [*givings.for_request(request, one.request_id), *passed.get(request.entity, ())]
        else:
            answers = givings.by_customer(one.subject, one.order)
        later = [(given.occur, given.position) for given in answers if given.key == one.key and given.occur >= one.occur]
        # What was given at the same instant and recorded before the question did not answer it.
        later = [place for place in later if place > (one.occur, one.position)]
        ended, last = min(later, default=(None, one.position))
        given_up = ended is None and request is not None and request.ended is not None
        waits.append(_Wait(one.occur, ended, given_up, _KINDS[one.asked_of], one.department, entity, one.position, last))
    return waits


def _asker(one: _Asking) -> AskedAbout:
    """Return whose fact was asked for, in the form of a request, for the sake of its customer."""
    return AskedAbout(0, one.subject, one.order, one.position, "", "", None)


def _passed(read: Read, entities: set[int]) -> dict[int, list[Giving]]:
    """Return the facts that handoffs of requests passed, by request: with an offer, or supplied."""
    parameters: dict[str, Any] = {}
    choice = Choice(("fact_positions <> ''",), states=handoffs.STATES, entities=few(entities))
    rows = read.db.execute(shown(read, handoffs.TABLE, "entity, fact_positions", choice, parameters), parameters).fetchall()
    places = {int(place): entity for entity, listed in rows if entity in entities for place in listed.split()}
    found: dict[int, list[Giving]] = {}
    for position, event in events_at(read, places).items():
        for fact in event.payload.facts:
            found.setdefault(places[position], []).append(Giving(fact.key, event.occur, position, None))
    return found


def _for_supplies(read: Read, asked: Asked) -> list[_Wait]:
    """Return the waits that began with the return of a handoff that lacked facts: to when it was offered again."""
    parameters: dict[str, Any] = {}
    choice = Choice(("returned_count > 0",), states=handoffs.STATES)
    columns = "entity, key, to_department, state, since_time"
    rows = read.db.execute(shown(read, handoffs.TABLE, columns, choice, parameters), parameters).fetchall()
    of = {(entity, key): rest for entity, key, *rest in rows}
    before = MAX if read.before is None else read.before
    where = (f"state = {HANDOFF_STATE_RETURNED}", "missing_keys <> ''")
    spans: dict[tuple[int, int, int], tuple[int, int]] = {}
    for some in in_batches(sorted({entity for entity, _ in of})):
        for entity, key, since, position, begun, until in versions_of(
            read, handoffs.TABLE, "entity, key, since_time, from_position", where, some
        ):
            if begun < before and begun < until and (entity, key) in of:
                place = (entity, key, since)
                end, first = spans.get(place, (0, position))
                spans[place] = (max(end, until), min(first, position))
    waits = []
    for (entity, key, since), (until, position) in spans.items():
        if not asked.within(since):
            continue
        department, state, state_since = of[entity, key]
        over = until < before
        # A return that a withdrawal ended is the last one.
        given_up = over and state == HANDOFF_STATE_WITHDRAWN and until >= state_since
        supplied = until if over and not given_up else None
        waits.append(_Wait(since, supplied, given_up, _RETURNED, department, entity, key, position))
    return waits


class _Waited:
    """The waits of a group."""

    def __init__(self) -> None:
        self.given = Measured()
        self.open = Measured()
        self.given_up = 0

    def result(self) -> Result:
        """Return the figure."""
        of_open = self.open.total / self.open.n if self.open.n else None
        return Result(
            seconds(self.given.percentile(0.5)),
            self.given.n,
            (
                *spread(self.given),
                ("given", self.given.n),
                ("open", self.open.n),
                ("open_mean_seconds", seconds(of_open)),
                ("given_up", self.given_up),
            ),
        )


def _information_wait(question: Question) -> Results:
    now = question.read.evaluated
    groups: dict[Group, _Waited] = {}
    for one, group in _waits(question):
        waited = groups.setdefault(group, _Waited())
        if one.given_up:
            waited.given_up += 1
            continue
        lasted = max(0, (now if one.ended is None else one.ended) - one.begun)
        (waited.open if one.ended is None else waited.given).add(1, lasted, lasted)
    return {group: waited.result() for group, waited in groups.items()}


def _behind_information_wait(question: Question) -> Iterator[Evidence]:
    for one, _ in _waits(question):
        yield Evidence(one.opener, one.last, "given_up" if one.given_up else "open" if one.ended is None else "given")


DEFINITIONS: Final = (
    Definition(
        name="information_requests",
        version=1,
        title="Information asked for inside, for each request",
        text="Facts asked of departments and partners about the requests opened in the period ÷ these requests. A fact asked "
        "twice counts twice. Returns of handoffs ask for facts, too, and stand beside. Department is the present owner.",
        source="domain §6: S1-19",
        unit=FIGURE_PER_MEMBER,
        member_time="opened",
        slices=REQUESTS,
        parts={
            "asked": "Facts asked of departments and partners.",
            "asked_departments": "Of these, those asked of departments.",
            "asked_partners": "Of these, those asked of partners.",
            "requests": "Requests opened.",
            "requests_asked_about": "Of these, those about which something was asked inside.",
            "handoffs_returned": "Times that their handoffs were returned.",
        },
        measure=_information_requests,
        evidence=_behind_information_requests,
        always_exact=True,
    ),
    Definition(
        name="information_wait",
        version=1,
        title="Time waiting for facts",
        text="Median time from asking for a fact in the period until it was there, clock time. Asked for is a fact by fact-asked, "
        "and there when it is given about that request or by its customer about none, or passed in a handoff of the request, "
        "whichever is first; and the facts of a handoff by its return for missing or wrong ones, and there when it is offered "
        "again. What is still awaited stands beside, with its age, and so does what never came before the request ended or the "
        "handoff was withdrawn. Kind is of whom: customer, department, partner, handoff_returned. Department is the one that "
        "asked, or returned.",
        source="domain §6: S1-19",
        unit=FIGURE_SECONDS,
        member_time="asked",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.KIND, Slice.REASON, Slice.HOUR, Slice.WEEKDAY),
        parts={
            **SPREAD,
            "given": "Facts that came: what the times are of.",
            "open": "Still awaited: in no time.",
            "open_mean_seconds": "How long these have been awaited, mean, seconds.",
            "given_up": "Not awaited any more, and never there: in no time.",
        },
        measure=_information_wait,
        evidence=_behind_information_wait,
        always_exact=True,
    ),
)
