"""Figures of information are those of the plainest reading of the events, as known at any position and before any time."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from clients.connectors.policy_text import read_policy
from ledger.api.v1.contact_pb2 import ContactEnded, ContactReceived
from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.fact_pb2 import ASKED_OF_CUSTOMER, ASKED_OF_DEPARTMENT, FactAsked, FactGiven
from ledger.api.v1.request_pb2 import CLOSED_INVALID, RequestClosed, RequestOpened
from ledger.event import Event
from tests.build import at
from tests.figure_story import Story

KEYS = ("number", "address")
STABLE = frozenset({"address"})
SUBJECTS = (b"a" * 16, b"b" * 16)

minutes = st.integers(1, 12)
requests = st.sampled_from(("", "r-0", "r-1"))
contacts = st.sampled_from(("c-0", "c-1", ""))
some_keys = st.lists(st.sampled_from(KEYS), unique=True, max_size=2)
askers = st.sampled_from((ASKED_OF_CUSTOMER, ASKED_OF_DEPARTMENT))

said = st.one_of(
    st.tuples(st.just("given"), minutes, st.sampled_from(KEYS), st.sampled_from(SUBJECTS), requests, contacts),
    st.tuples(st.just("asked"), minutes, st.sampled_from(KEYS), st.sampled_from(SUBJECTS), requests, askers),
    st.tuples(st.just("ended"), minutes, st.sampled_from(("c-0", "c-1"))),
    st.tuples(st.just("closed"), st.integers(6, 14), st.sampled_from(("r-0", "r-1"))),
)
openings = st.tuples(minutes, st.sampled_from(SUBJECTS), contacts, some_keys, some_keys)


def unset(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def told(first: tuple[Any, ...], second: tuple[Any, ...], rest: list[tuple[Any, ...]]) -> Story:
    story = Story()
    rule = "{intake_facts: [number, address], stable_facts: [address]}"
    published = read_policy(f"reasons: {{delivery: {rule}}}", "policy.yaml").published
    published.policy_id, published.policy_version = "p", 1
    published.in_force_from.FromMicroseconds(0)
    story.tell(-90, published)
    for name in ("c-0", "c-1"):
        story.tell(0, ContactReceived(contact_id=name, reason="delivery"))
    for number, (minute, subject, contact_id, keys, missing) in enumerate((first, second)):
        payload = RequestOpened(
            request_id=f"r-{number}", reason="delivery", owner_department="desk", **unset(contact_id=contact_id)
        )
        payload.intake_facts.extend(Fact(key=key) for key in keys)
        payload.missing_intake_keys.extend(missing)
        story.tell(minute, payload, subject=subject)
    # In any order of record, so that some are late.
    for kind, minute, *more in rest:
        if kind == "given":
            key, subject, request_id, contact_id = more
            story.tell(
                minute, FactGiven(fact=Fact(key=key), **unset(request_id=request_id, contact_id=contact_id)), subject=subject
            )
        elif kind == "asked":
            key, subject, request_id, of = more
            story.tell(minute, FactAsked(key=key, asked_of=of, **unset(request_id=request_id)), subject=subject)
        elif kind == "ended":
            story.tell(minute, ContactEnded(contact_id=more[0]))
        else:
            story.tell(minute, RequestClosed(request_id=more[0], outcome=CLOSED_INVALID))
    return story


class Giving(NamedTuple):
    key: str
    occur: int
    position: int
    request_id: str
    contact_id: str
    subject: bytes


def givings(events: list[Event]) -> list[Giving]:
    found = []
    for one in events:
        facts = {"fact-given": lambda said: [said.fact], "request-opened": lambda said: said.intake_facts}.get(one.topic)
        place = (one.occur, one.position, one.payload.request_id, one.payload.contact_id, one.subject) if facts else ()
        found += [Giving(fact.key, *place) for fact in facts(one.payload)] if facts else []
    return found


def first_ended(events: list[Event], topic: str, field: str, name: str) -> int | None:
    """Return when the earliest such event of an entity happened: only one of them applies."""
    return min((one.occur for one in events if one.topic == topic and getattr(one.payload, field) == name), default=None)


def plain_intake(events: list[Event]) -> list[int]:
    required = known = complete = 0
    opened = [one for one in events if one.topic == "request-opened"]
    for one in opened:
        contact_id = one.payload.contact_id
        ended = first_ended(events, "contact-ended", "contact_id", contact_id) if contact_id else None
        until = one.occur if ended is None else max(one.occur, ended)
        for_it = [
            fact
            for fact in givings(events)
            if fact.request_id == one.payload.request_id
            or (fact.subject == one.subject and (not fact.request_id or fact.key in STABLE))
        ]
        by_then = [
            fact for fact in for_it if fact.occur <= until or (contact_id and ended is None and fact.contact_id == contact_id)
        ]
        named = list(one.payload.missing_intake_keys)
        if named:
            since = {fact.key for fact in by_then if fact.occur > one.occur}
            has = [key for key in KEYS if key not in named or key in since]
        else:
            has = [key for key in KEYS if key in {fact.key for fact in by_then}]
        required, known, complete = required + 2, known + len(has), complete + (len(has) == 2)
    return [complete, len(opened), required, known]


def plain_waits(events: list[Event]) -> tuple[list[int], int, int]:
    given_times: list[int] = []
    still_open = given_up = 0
    opened = {one.payload.request_id: one for one in events if one.topic == "request-opened"}
    for one in events:
        if one.topic != "fact-asked":
            continue
        request = opened.get(one.payload.request_id)
        place = (one.occur, one.position)
        answers = []
        for fact in givings(events):
            if request is not None:
                fits = fact.request_id == request.payload.request_id or (fact.subject == request.subject and not fact.request_id)
            else:
                fits = fact.subject == one.subject
            if fits and fact.key == one.payload.key and (fact.occur, fact.position) > place:
                answers.append(fact.occur)
        closed = request is not None and first_ended(events, "request-closed", "request_id", one.payload.request_id) is not None
        if answers:
            given_times.append((min(answers) - one.occur) // 1_000_000)
        elif closed:
            given_up += 1
        else:
            still_open += 1
    return sorted(given_times), still_open, given_up


@given(openings, openings, st.lists(said, min_size=6, max_size=16), st.integers(0, 12), st.one_of(st.none(), st.integers(6, 14)))
def test_they_are_those_of_the_events_known_that_had_happened(
    first: tuple[Any, ...], second: tuple[Any, ...], rest: list[tuple[Any, ...]], back: int, minute: int | None
) -> None:
    story = told(first, second, rest)
    known = max(1, len(story.events) - back)
    before = None if minute is None else at(minute)
    events = [one for one in story.events if one.position <= known and (before is None or one.occur < before)]

    def shown(name: str, *parts: str) -> list[float]:
        rows = story.ask(name, known=known, before=before, evaluated=at(100)).rows
        found = {part.name: part.value for row in rows for part in row.parts}
        return [found.get(part, 0) for part in parts]

    assert plain_intake(events) == shown("intake_completeness", "complete", "requests", "required", "known")
    times, still_open, given_up = plain_waits(events)
    assert [len(times), still_open, given_up] == shown("information_wait", "given", "open", "given_up")
    if times:
        middle = times[(len(times) - 1) // 2]
        assert [sum(times) / len(times), middle] == shown("information_wait", "mean_seconds", "median_seconds")
    inside = [one for one in events if one.topic == "fact-asked" and one.payload.asked_of == ASKED_OF_DEPARTMENT]
    opened = {one.payload.request_id for one in events if one.topic == "request-opened"}
    assert [sum(one.payload.request_id in opened for one in inside)] == shown("information_requests", "asked")
