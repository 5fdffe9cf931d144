"""What holds for every history: the fold is total, ordered by occur time, and no life cycle breaks by how things were recorded."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import (
    AuthenticationChecked,
    ColleagueConsulted,
    ContactAbandoned,
    ContactAnswered,
    ContactAttributed,
    ContactEnded,
    ContactMade,
    ContactQueued,
    ContactReceived,
    ContactTransferred,
    ContactWrappedUp,
    MessageReceived,
    MessageSent,
    NoteAdded,
)
from ledger.api.v1.core_pb2 import DAY, EXACT, MINUTE, MOVES, Identifier
from ledger.api.v1.governance_pb2 import EventConfirmed
from ledger.api.v1.handoff_pb2 import (
    HandoffAccepted,
    HandoffCompleted,
    HandoffExpired,
    HandoffOffered,
    HandoffOverdue,
    HandoffRated,
    HandoffRejected,
    HandoffReturned,
    HandoffSupplied,
    HandoffWithdrawn,
)
from ledger.api.v1.promise_pb2 import (
    PromiseBroken,
    PromiseDated,
    PromiseDisputed,
    PromiseKept,
    PromiseMade,
    PromiseReassigned,
    PromiseReleased,
    PromiseRenegotiated,
    PromiseWithdrawn,
)
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT
from ledger.api.v1.request_pb2 import (
    ContactLinked,
    CustomerInformed,
    RequestAssigned,
    RequestClassified,
    RequestClosed,
    RequestConfirmed,
    RequestEscalated,
    RequestMerged,
    RequestOpened,
    RequestRefused,
    RequestReopened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
    RequestWithdrawn,
)
from ledger.api.v1.request_service_pb2 import (
    REQUEST_STATE_CLOSED,
    REQUEST_STATE_MERGED,
    REQUEST_STATE_REFUSED,
    REQUEST_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules import FAMILIES, family_of
from ledger.rules.fold import REACHES_BACK, fold, in_order, judge, state_at, steps
from tests import answer_payloads, complaint_payloads
from tests.build import START, at, due, event, event_id_text, timestamp
from tests.folded import effective
from tests.histories import histories as recorded_histories
from tests.histories import instants_of

ENDED = {REQUEST_STATE_CLOSED, REQUEST_STATE_MERGED, REQUEST_STATE_REFUSED, REQUEST_STATE_WITHDRAWN}
STREAMS = {
    "contact": "contact-c-1",
    "request": "request-r-1",
    "promise": "promise-p-1",
    **answer_payloads.STREAMS,
    **complaint_payloads.STREAMS,
}

minutes = st.integers(0, 12)
precisions = st.sampled_from([EXACT, EXACT, EXACT, MINUTE, DAY])
names = st.sampled_from([f"event {number}" for number in range(1, 9)])
handoffs = st.sampled_from(["h-1", "h-2", "h-3"])
departments = st.sampled_from(["desk", "repair", "lab"])


def _message_broken(name: str) -> PromiseBroken:
    set_by = event_id_text(name)
    return PromiseBroken(promise_id=f"next-response-{set_by}", contact_id="c-1", set_by_event_id=set_by)


@st.composite
def contact_payloads(draw: st.DrawFn) -> Any:
    due_time = timestamp(at(draw(minutes)))
    own = {"contact_id": "c-1"}
    return draw(
        st.sampled_from(
            [
                ContactReceived(**own, reason="x", response_due_time=due_time, bot_answers=draw(st.booleans())),
                ContactMade(contact_id=draw(st.sampled_from(["c-1", "c-2"])), in_reply_to="c-1", reached=draw(st.integers(1, 3))),
                ContactQueued(**own, queue="q"),
                ContactAnswered(**own, answered_by=draw(st.integers(1, 3))),
                ContactAbandoned(**own),
                ContactEnded(**own, disposition=draw(st.sampled_from(["", "spam"]))),
                ContactWrappedUp(**own),
                NoteAdded(**own),
                *[MessageReceived(**own, response_due_time=due_time)] * 2,
                MessageSent(**own, sent_by=draw(st.integers(1, 3))),
                ContactTransferred(**own, to_department=draw(departments), kind=draw(st.integers(1, 3))),
                ColleagueConsulted(**own, of_department="lab"),
                AuthenticationChecked(**own, method="knowledge", passed=draw(st.booleans())),
                ContactAttributed(**own, customer=Identifier(type="phone", subject=event_id_text(draw(names)))),
                _message_broken(draw(names)),
                PromiseBroken(promise_id="response-c-1", contact_id="c-1", set_by_event_id=event_id_text(draw(names))),
                EventConfirmed(stream="contact-c-1", confirmed_event_id=event_id_text(draw(names))),
            ]
        )
    )


@st.composite
def request_payloads(draw: st.DrawFn) -> Any:
    own = {"request_id": "r-1"}
    one = {**own, "handoff_id": draw(handoffs)}
    mark = {**one, "set_by_event_id": event_id_text(draw(names))}
    term = timestamp(at(draw(minutes)))
    offer = HandoffOffered(
        **one,
        from_department=draw(departments),
        to_department=draw(departments),
        ownership=draw(st.integers(1, 2)),
        accept_by=term,
        complete_by=term,
    )
    return draw(
        st.sampled_from(
            [
                RequestOpened(**own, owner_department=draw(st.sampled_from([None, "desk"]))),
                *[offer] * 6,
                *[HandoffAccepted(**one)] * 4,
                *[HandoffReturned(**one)] * 3,
                HandoffRejected(**one),
                HandoffSupplied(**one),
                HandoffWithdrawn(**one),
                HandoffCompleted(**one, outcome=draw(st.integers(1, 2))),
                HandoffRated(**one),
                HandoffExpired(**mark),
                HandoffOverdue(**mark),
                RequestClassified(**own, reason="x"),
                RequestAssigned(**own, department=draw(departments)),
                RequestEscalated(**own, kind=1),
                ContactLinked(**own, contact_id="c-1"),
                CustomerInformed(**own),
                RequestWaiting(**own, waiting_for=1),
                RequestResumed(**own),
                RequestResolved(**own, resolution=1),
                RequestConfirmed(**own),
                RequestReopened(**own),
                RequestWithdrawn(**own),
                RequestRefused(**own, rule="x"),
                RequestMerged(**own, into_request_id="r-2"),
                RequestClosed(**own, outcome=1),
                EventConfirmed(stream="request-r-1", confirmed_event_id=event_id_text(draw(names))),
            ]
        )
    )


@st.composite
def promise_payloads(draw: st.DrawFn) -> Any:
    own = {"promise_id": "p-1"}
    said = due(at(draw(minutes)), draw(st.sampled_from([None, at(3)])))
    kind = draw(st.sampled_from(["call_back", "delivery"]))
    moving = {"to_department": draw(departments), "moves": True, "promise_ids": ["p-1"]}
    return draw(
        st.sampled_from(
            [
                PromiseMade(**own, kind=kind, due=said),
                PromiseMade(**own, kind=kind),
                PromiseMade(promise_id="p-2", kind=kind, replaces_promise_id="p-1"),
                PromiseDated(**own, due=said),
                PromiseReassigned(**own, owner_department=draw(departments)),
                *[PromiseKept(**own, partial=draw(st.booleans()))] * 3,
                *[PromiseRenegotiated(**own, due=said, customer_told=True)] * 3,
                PromiseReleased(**own),
                PromiseWithdrawn(**own),
                PromiseDisputed(**own, kept_event_id=event_id_text(draw(names))),
                *[PromiseBroken(**own, set_by_event_id=event_id_text(draw(names)))] * 3,
                HandoffAccepted(request_id="r-1", handoff_id="h-1", **moving),
                HandoffReturned(request_id="r-1", handoff_id="h-1", **moving),
                CustomerInformed(request_id="r-1", promise_id="p-1"),
                EventConfirmed(stream="promise-p-1", confirmed_event_id=event_id_text(draw(names))),
            ]
        )
    )


PAYLOADS = {
    "contact": contact_payloads(),
    "request": request_payloads() | complaint_payloads.target_payloads(),
    "promise": promise_payloads(),
    **answer_payloads.PAYLOADS,
    **complaint_payloads.PAYLOADS,
}
OPENERS = {
    "contact": ContactReceived(contact_id="c-1", reason="x", response_due_time=timestamp(at(6))),
    "request": RequestOpened(request_id="r-1", owner_department="desk"),
    "promise": PromiseMade(promise_id="p-1", kind="delivery", due=due(at(6))),
    **answer_payloads.OPENERS,
    **complaint_payloads.OPENERS,
}


@st.composite
def histories(draw: st.DrawFn, family: str, *, reaching_back: bool = True, size: int = 12) -> list[Event]:
    """Draw events of one entity in the order recorded, at any times, in most cases opened first."""
    payloads = draw(st.lists(PAYLOADS[family], max_size=size))
    if draw(st.integers(0, 9)):
        payloads.insert(0, OPENERS[family])
    events = []
    for position, payload in enumerate(payloads, 1):
        one = event(
            payload,
            position=position,
            name=f"event {position}",
            occur=at(draw(minutes)),
            precision=draw(precisions),
            record_late=True,
            held_back=reaching_back and position > 1 and not draw(st.integers(0, 5)),
        )
        if reaching_back or one.topic not in REACHES_BACK:
            events.append(one)
    return events


families = pytest.mark.parametrize("family", FAMILIES)


@families
@given(data=st.data())
def test_the_fold_is_total_and_does_not_depend_on_how_events_are_listed(family: str, data: st.DataObject) -> None:
    events = data.draw(histories(family))
    shuffled = data.draw(st.permutations(events))

    assert fold(FAMILIES[family], events, STREAMS[family]) == fold(FAMILIES[family], shuffled, STREAMS[family])


@families
@given(data=st.data())
def test_an_event_applies_exactly_when_it_is_not_refused_and_else_leaves_the_same_state(family: str, data: st.DataObject) -> None:
    rules = FAMILIES[family]
    state = fold(rules, data.draw(histories(family)), STREAMS[family]).state
    one = event(data.draw(PAYLOADS[family]), name="event 99", occur=at(data.draw(minutes)))

    after, applied = rules.step(state, one)

    assert applied == (rules.refusal(state, one) is None)
    assert after == rules.evolve(state, one)
    assert applied or after is state


@families
@given(data=st.data())
def test_the_state_as_of_is_the_fold_of_what_was_known_and_had_happened(family: str, data: st.DataObject) -> None:
    rules, stream = FAMILIES[family], STREAMS[family]
    events = data.draw(histories(family, reaching_back=False))
    known, before = data.draw(st.integers(0, 13)), at(data.draw(minutes))

    listed = [one for one in events if one.position <= known]
    ordered = in_order(listed, stream)
    happened = [one for one in listed if one.order < before]
    opener = ordered[0] if ordered and rules.evolve(None, ordered[0]) is not None and ordered[0].stream == stream else None
    expected = fold(rules, happened, stream).state if opener in happened else None

    assert expected == state_at(rules, events, known, before, stream)


@families
@given(data=st.data())
def test_folding_step_by_step_in_order_comes_to_the_same(family: str, data: st.DataObject) -> None:
    rules, stream = FAMILIES[family], STREAMS[family]
    events = data.draw(histories(family, reaching_back=False))

    state = None
    for one in in_order(events, stream):
        if state is not None or one.stream == stream:
            state = rules.evolve(state, one)

    assert fold(rules, events, stream).state == state


@families
@given(data=st.data())
def test_a_verdict_foretells_what_the_fold_will_make_of_the_event(family: str, data: st.DataObject) -> None:
    rules, stream = FAMILIES[family], STREAMS[family]
    events = data.draw(histories(family, reaching_back=False))
    new = event(data.draw(PAYLOADS[family]), position=99, name="event 99", occur=at(data.draw(minutes)), record_late=True)
    if new.topic in REACHES_BACK or new.stream != stream:
        return

    verdict = judge(rules, events, new)
    afterwards = steps(rules, [*events, new], stream)
    applied_then = {one.position: applied for one, _, _, applied in afterwards}
    applied_now = {one.position: applied for one, _, _, applied in steps(rules, events, stream)}

    assert (verdict.refusal is None) == applied_then.pop(99)
    assert sorted(one.position for one in verdict.overtakes) == [
        position for position, applied in sorted(applied_then.items()) if applied_now[position] and not applied
    ]


@families
@given(data=st.data())
def test_when_it_was_recorded_changes_nothing_but_what_says_so(family: str, data: st.DataObject) -> None:
    events = data.draw(histories(family, size=20))
    later = [
        event(one.payload, **_placed(one), record=one.record + 1 + data.draw(st.integers(0, 60)) * 3_600_000_000) for one in events
    ]

    states = [fold(FAMILIES[family], listed, STREAMS[family]).state for listed in (events, later)]

    assert _without_record_times(states[0]) == _without_record_times(states[1])


def _placed(one: Event) -> dict[str, Any]:
    header = one.header
    return {
        "position": one.position,
        "name": f"event {one.position}",
        "occur": one.occur,
        "precision": header.precision,
        "record_late": header.record_late,
        "held_back": header.held_back,
    }


def _without_record_times(state: Any) -> Any:
    """Blank what is about recording by its meaning: when a due or a keep was recorded, and the evidence that rests on it."""
    if isinstance(state, dict):
        return {key: _without_record_times(value) for key, value in state.items()}
    if not hasattr(state, "_asdict"):
        return state
    blank = {"due_record_time", "terms_record_time", "record_time", "kept_evidence"}
    return {key: _without_record_times(value) for key, value in state._asdict().items() if key not in blank}


@given(events=histories("request", size=25))
def test_at_most_one_pending_handoff_moves_the_ownership_and_nothing_ended_over_one(events: list[Event]) -> None:
    for _, _, state, _ in steps(FAMILIES["request"], events, "request-r-1"):
        if state is None:
            continue
        pending = [one for one in state.handoffs.values() if one.pending]
        assert len([one for one in pending if one.ownership == MOVES]) <= 1
        assert not (pending and state.state in ENDED)
        assert pending == [state.handoffs[one] for one in state.pending_handoff_ids]


@given(events=histories("request", size=25))
def test_a_request_once_owned_is_never_an_orphan_again(events: list[Event]) -> None:
    owned = False
    for _, _, state, _ in steps(FAMILIES["request"], events, "request-r-1"):
        assert not (owned and (state is None or state.owner_department is None))
        owned = state is not None and state.owner_department is not None


@given(events=histories("request", size=25))
def test_the_owner_changes_only_at_an_acceptance_a_return_or_by_assigning_an_orphan(events: list[Event]) -> None:
    before = None
    for one, _, state, _ in steps(FAMILIES["request"], events, "request-r-1"):
        if before is not None and state is not None and before.owner_department != state.owner_department:
            orphan = before.owner_department is None and one.topic == "request-assigned"
            assert orphan or one.topic in ("handoff-accepted", "handoff-returned")
        before = state


@given(events=histories("promise", size=20))
def test_the_due_moves_only_by_an_event_that_sets_one_and_names_it(events: list[Event]) -> None:
    by_id = {one.event_id: one for one in events}
    for _, _, state, _ in steps(FAMILIES["promise"], events, "promise-p-1"):
        if state is not None and state.due_time is not None:
            assert timestamp(state.due_time) == by_id[state.due_set_by_event_id].payload.due.due_time


delays = st.integers(0, 60 * 24 * 7)


@given(
    made=delays,
    moved=delays,
    kept=delays,
    clock=delays,
    moved_at=st.integers(1, 10),
    kept_at=st.integers(1, 20),
    moved_precision=precisions,
)
def test_moved_in_time_and_kept_by_the_new_date_ends_kept_whatever_the_delays_of_recording(
    made: int, moved: int, kept: int, clock: int, moved_at: int, kept_at: int, moved_precision: int
) -> None:
    promise, told = {"promise_id": "p-1"}, {"customer_agreed": True, "contact_id": "c-1"}
    payloads: list[tuple[Any, int, int, int]] = [
        (PromiseMade(**promise, kind="delivery", due=due(at(10))), 0, made, EXACT),
        (PromiseRenegotiated(**promise, due=due(at(20)), **told), moved_at, moved, moved_precision),
        (PromiseBroken(**promise, set_by_event_id=event_id_text("event 0")), 10, clock, EXACT),
        (PromiseKept(**promise), kept_at, kept, EXACT),
    ]
    recorded = sorted(range(4), key=lambda number: payloads[number][1] + payloads[number][2])
    events = [
        event(payload, name=f"event {number}", position=place, occur=at(occur), record=at(occur + delay), precision=precision)
        for place, number in enumerate(recorded, 1)
        for payload, occur, delay, precision in [payloads[number]]
    ]

    state = fold(FAMILIES["promise"], events).state

    assert (PROMISE_STATE_KEPT, None) == (state.state, state.broken_time)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_order_of_recording_them_ends_kept(order: tuple[int, ...]) -> None:
    promise = {"promise_id": "p-1"}
    events = [
        event(PromiseMade(**promise, kind="delivery", due=due(at(10))), occur=START, name="made", position=order[0]),
        event(PromiseRenegotiated(**promise, due=due(at(20)), customer_told=True), occur=at(10), position=order[1]),
        event(PromiseBroken(**promise, set_by_event_id=event_id_text("made")), occur=at(10), position=order[2]),
        event(PromiseKept(**promise), occur=at(20), position=order[3]),
    ]

    state = fold(FAMILIES["promise"], events).state

    assert (PROMISE_STATE_KEPT, None, at(20)) == (state.state, state.broken_time, state.due_time)


@given(history=recorded_histories(), data=st.data())
def test_what_was_corrected_stands_and_what_was_retracted_does_not(history: list[Event], data: st.DataObject) -> None:
    known = data.draw(st.integers(0, len(history)))
    before = data.draw(instants_of(history))

    for stream in {one.stream for one in history}:
        rules = family_of(stream)
        if rules is None:
            continue
        own = [one for one in history if one.stream == stream]
        assert state_at(rules, effective(own, known), known, before, stream) == state_at(rules, own, known, before, stream)
