"""Journeys, silence, repetitions and fact diffs at any position and time are those of the folds and the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import sqlite_utils
from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import ContactAbandoned, ContactAnswered, ContactMade, ContactReceived
from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.experience_pb2 import JourneyStepReached
from ledger.api.v1.fact_pb2 import FactAsked, FactGiven
from ledger.api.v1.journey_pb2 import (
    BREAK_ABANDONMENT,
    BREAK_FACT_LOSS,
    BREAK_LOOP,
    BREAK_RETURN,
    BREAK_STALL,
    VARIANT_OF_STEPS,
    GetJourneysRequest,
)
from ledger.api.v1.repetition_pb2 import ASKED_AGAIN, GIVEN_AGAIN, RepetitionFilter
from ledger.api.v1.request_pb2 import (
    CustomerInformed,
    RequestAssigned,
    RequestClosed,
    RequestOpened,
    RequestReopened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
    RequestWithdrawn,
)
from ledger.api.v1.request_service_pb2 import RequestFilter
from ledger.catalogue import RESTATING
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.correction import CorrectedEvent, as_stands, standing
from ledger.rules.fold import state_at, steps
from ledger.rules.journey import STEPS
from ledger.store.recorder import LogReader
from projections import journeys, repetitions, requests, silence
from projections.facts import FactsView
from projections.identities import IdentitiesView
from projections.restated import RestatedView, as_said, resolved
from projections.view import Changes
from tests.build import MINUTE, at, timestamp
from tests.folded import FoldedViews, belonging
from tests.histories import HANDOFFS, Move, histories, instants_of

ONE, TWO = b"\1" * 16, b"\2" * 16
LIMIT = 3 * MINUTE
EVALUATED = at(15)

REQUESTS: tuple[Move, ...] = (
    *[lambda d: RequestOpened(request_id=d.request, contact_id=d.of("c-1", "c-2"), owner_department=d.of("", "north"))] * 3,
    lambda d: RequestAssigned(request_id=d.request, department=d.department),
    lambda d: RequestWaiting(request_id=d.request, waiting_for=d.of(1, 1, 2)),
    lambda d: RequestResumed(request_id=d.request),
    lambda d: CustomerInformed(request_id=d.request),
    lambda d: RequestResolved(request_id=d.request, resolution=d.of(1)),
    lambda d: RequestReopened(request_id=d.request),
    lambda d: RequestWithdrawn(request_id=d.request),
    lambda d: RequestClosed(request_id=d.request, outcome=d.of(1)),
    lambda d: JourneyStepReached(request_id=d.request, step=d.of("basket", "paid")),
)
CONTACTS: tuple[Move, ...] = (
    *[lambda d: ContactReceived(contact_id=d.contact, reason="billing")] * 3,
    lambda d: ContactMade(contact_id=d.contact, reached=d.of(1)),
    lambda d: ContactAnswered(contact_id=d.contact, answered_by=d.of(1, 3)),
    lambda d: ContactAbandoned(contact_id=d.contact),
)
FACTS: tuple[Move, ...] = (
    lambda d: FactGiven(
        fact=Fact(key=d.of("size", "colour"), value_mark=d.of(b"a", b"b")), request_id=d.of("", "r-1", "r-1"), to_department="north"
    ),
    lambda d: FactGiven(fact=Fact(key="size", value_mark=d.of(b"a", b"b"))),
    lambda d: FactAsked(key=d.of("size", "colour"), asked_of=d.of(1, 1, 1, 2), request_id=d.of("", "r-1", "r-1")),
)


def views_of(history: Sequence[Event]) -> FoldedViews:
    """Return the fold views over a history, with the tables that single events make."""
    views = FoldedViews(history)
    wrapped = sqlite_utils.Database(views.db)
    taken = resolved(history, cast(LogReader, views.log))
    if "restated" not in wrapped.table_names():
        RestatedView().create_tables(wrapped)
        RestatedView().apply(taken, views.db, Changes())
    IdentitiesView().create_tables(wrapped)
    FactsView().create_tables(wrapped)
    FactsView().apply(as_said(taken), views.db, Changes())
    return views


def standing_events(history: Sequence[Event], known: int) -> list[Event]:
    """Return the events up to a position as they stand: not those retracted, corrected ones at the position of the correction."""
    recorded = [event for event in history if event.position <= known]
    chains = standing(recorded)
    stand = [as_stands(event, chains.get(event.event_id, ())) for event in recorded if event.topic not in RESTATING]
    return [event.at(event.correction.position) if isinstance(event, CorrectedEvent) else event for event in stand if event]


class Walked:
    """A request as its fold goes from event to event: what the view keeps, looked for the long way."""

    def __init__(self, history: Sequence[Event], request_id: str, known: int, before: int | None) -> None:
        stream = f"request-{request_id}"
        self.state: Any = None
        self.steps: list[str] = []
        self.stays: list[tuple[str, int, str]] = []
        self.idle: list[tuple[int, int]] = []
        idle_since: int | None = None
        owner = None
        events = [event for event in belonging(stream, history) if event.position <= known]
        for event, order, state, applied in steps(FAMILIES["request"], events, stream):
            if before is not None and order >= before:
                break
            if applied and event.topic == "journey-step-reached":
                self.steps.append(f":{event.payload.step}")
            elif applied and event.topic in STEPS:
                self.steps.append(event.topic)
            self.state = state
            if state is None:
                continue
            moved = applied and event.topic in ("handoff-accepted", "handoff-returned") and event.payload.handoff_id
            by = state.handoffs[event.payload.handoff_id] if moved else None
            took = by is not None and event.topic == "handoff-accepted" and by.ownership == 1
            if state.owner_department is not None and (state.owner_department != owner or took):
                came_by = "accepted" if took else "returned" if by is not None else "named"
                self.stays.append((state.owner_department, event.occur, came_by))
            owner = state.owner_department
            ours = state.state == 1 or (state.state == 2 and state.waiting_for != 1)
            if not ours and idle_since is None:
                idle_since = order
            elif ours and idle_since is not None:
                if idle_since < order:
                    self.idle.append((idle_since, order))
                idle_since = None
        if idle_since is not None:
            self.idle.append((idle_since, 2**62))

    def spans(self) -> list[tuple[str, int, int, str]]:
        ends = [since for _, since, _ in self.stays[1:]]
        ends.append(EVALUATED if self.state.ended_time is None else self.state.ended_time)
        return [(department, since, end, by) for (department, since, by), end in zip(self.stays, ends, strict=True)]

    def active(self, since: int, end: int) -> int:
        return max(0, end - since) - sum(max(0, min(end, until) - max(since, start)) for start, until in self.idle)


def _walked(history: Sequence[Event], known: int, before: int | None) -> dict[str, Walked]:
    found = {request_id: Walked(history, request_id, known, before) for request_id in ("r-1", "r-2")}
    return {request_id: walked for request_id, walked in found.items() if walked.state is not None}


questions = st.tuples(histories([HANDOFFS, REQUESTS, CONTACTS]), st.data())


@given(question=questions)
def test_journeys_are_those_of_the_folds_at_any_position_and_time(question: tuple[list[Event], Any]) -> None:
    history, data = question
    views = views_of(history)
    known = data.draw(st.integers(0, len(history)) | st.just(len(history)))
    before = data.draw(instants_of(history))
    low, high = sorted((data.draw(st.integers(0, 12)), data.draw(st.integers(0, 13))))
    asked = GetJourneysRequest(from_time=timestamp(at(low)), to_time=timestamp(at(high)), variants_of=VARIANT_OF_STEPS, top=500)
    asked.stall_limit.FromMicroseconds(LIMIT)

    period = journeys.of_period(views.read(known, before, EVALUATED), asked).period

    walked = {name: one for name, one in _walked(history, known, before).items() if at(low) <= one.state.opened_time < at(high)}
    assert len(walked) == period.request_count
    assert sum(one.state.reopened_count for one in walked.values()) == period.reopening_count
    assert Counter(tuple(one.steps) for one in walked.values()) == {tuple(v.sequence): v.request_count for v in period.variants}
    offered = [handoff for one in walked.values() for handoff in one.state.handoffs.values()]
    pairs = Counter((handoff.from_department, handoff.to_department) for handoff in offered)
    assert pairs == {(pair.from_department, pair.to_department): pair.handoff_count for pair in period.pairs}
    waits = sorted(max(0, one.accepted_time - one.offered_time) for one in offered if one.ever_accepted)
    for pair in period.pairs:
        assert len(waits) == pair.accepted_count
        if waits:
            middle, late = waits[(len(waits) + 1) // 2 - 1], waits[-(-len(waits) * 9 // 10) - 1]
            assert (middle, late) == (pair.acceptance_median.ToMicroseconds(), pair.acceptance_p90.ToMicroseconds())
    assert _breaks(history, walked, known, before) == {
        (point.kind, point.department, point.to_department): (point.request_count, point.count) for point in period.break_points
    }


def _breaks(history: Sequence[Event], walked: dict[str, Walked], known: int, before: int | None) -> dict[Any, tuple[int, int]]:
    hits: dict[Any, list[str]] = {}
    for name, one in walked.items():
        had: set[str] = set()
        for department, since, end, by in one.spans() if one.stays else ():
            if one.active(since, end) > LIMIT:
                hits.setdefault((BREAK_STALL, department, ""), []).append(name)
            if by == "accepted" and department in had:
                hits.setdefault((BREAK_LOOP, department, ""), []).append(name)
            had.add(department)
        if one.state.state == 5:
            hits.setdefault((BREAK_ABANDONMENT, one.state.owner_department or "", ""), []).append(name)
        for contact_id in one.state.contact_ids:
            stream = f"contact-{contact_id}"
            contact: Any = state_at(FAMILIES["contact"], belonging(stream, history), known, before, stream)
            if contact is not None and contact.state == 3:
                hits.setdefault((BREAK_ABANDONMENT, contact.department, ""), []).append(name)
        for handoff in one.state.handoffs.values():
            place = (handoff.from_department, handoff.to_department)
            hits.setdefault((BREAK_RETURN, *place), []).extend([name] * handoff.returned_count)
            if handoff.accepted_without:
                hits.setdefault((BREAK_FACT_LOSS, *place), []).append(name)
    return {place: (len(set(names)), len(names)) for place, names in hits.items() if names}


@given(question=questions)
def test_silence_begins_with_the_last_word_the_customer_had(question: tuple[list[Event], Any]) -> None:
    history, data = question
    views = views_of(history)
    known = data.draw(st.integers(0, len(history)) | st.just(len(history)))
    before = data.draw(instants_of(history))
    read = views.read(known, before, EVALUATED + silence.DEFAULT_MICROS - 6 * MINUTE)

    found, _ = requests.page(read, RequestFilter(silent=True), 50, None)

    expected = {}
    for name, one in _walked(history, known, before).items():
        state = one.state
        if state.state == 1 or (state.state == 2 and state.waiting_for != 1):
            words = [state.opened_time, state.informed_time or 0, *(end for _, end in one.idle if end < 2**62)]
            for contact_id in state.contact_ids:
                stream = f"contact-{contact_id}"
                contact: Any = state_at(FAMILIES["contact"], belonging(stream, history), known, before, stream)
                if contact is not None:
                    words += [
                        contact.opened_time if contact.outbound else 0,
                        contact.answered_time or 0,
                        contact.last_answer_time or 0,
                    ]
            if max(words) < EVALUATED - 6 * MINUTE:
                expected[name] = max(words)
    assert expected == {one.request_id: one.silent_since_time.ToMicroseconds() for one in found}


@given(history=histories([FACTS, REQUESTS[:5]]), data=st.data(), size=st.sampled_from((1, 50)))
def test_repetitions_are_what_was_given_or_asked_for_again(history: list[Event], data: st.DataObject, size: int) -> None:
    views = views_of(history)
    known = data.draw(st.integers(0, len(history)) | st.just(len(history)))
    before = data.draw(instants_of(history))

    found: list[Any] = []
    after = None
    while True:
        page, after = repetitions.page(views.read(known, before), RepetitionFilter(), size, after)
        found.extend(page)
        if after is None:
            break

    seen = sorted(
        (one for one in standing_events(history, known) if before is None or one.order < before),
        key=lambda one: (one.order, one.position),
    )
    expected = []
    for number, one in enumerate(seen):
        given = [
            each for each in seen[:number] if each.topic == "fact-given" and (each.order, each.position) < (one.order, one.position)
        ]
        if one.topic == "fact-given":
            key, mark = one.payload.fact.key, one.payload.fact.value_mark
            same = [each for each in given if each.subject == one.subject]
            same = [each for each in same if (each.payload.fact.key, each.payload.fact.value_mark) == (key, mark)]
            kind = GIVEN_AGAIN
        elif one.topic == "fact-asked" and one.payload.asked_of == 1 and one.payload.request_id:
            same = [each for each in given if each.payload.fact.key == one.payload.key]
            same = [each for each in same if each.payload.request_id == one.payload.request_id]
            kind = ASKED_AGAIN
        else:
            continue
        if same:
            expected.append((kind, one.position, same[-1].position))
    assert expected[::-1] == [(one.kind, one.position, one.given_position) for one in found]
