"""The order of a fold, what stays out of it, and how a new event is judged in its place."""

from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import ANSWERED_BY_HUMAN, ContactAbandoned, ContactAnswered, ContactReceived
from ledger.api.v1.core_pb2 import DAY, MINUTE, MOVES
from ledger.api.v1.errors_pb2 import DEPARTMENT_NOT_ALLOWED, MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.governance_pb2 import EventConfirmed
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffWithdrawn
from ledger.api.v1.promise_pb2 import PromiseBroken, PromiseDisputed, PromiseKept, PromiseMade
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_KEPT, PROMISE_STATE_OPEN
from ledger.api.v1.request_pb2 import (
    CLOSED_RESOLVED,
    RESOLUTION_DONE,
    RequestClassified,
    RequestClosed,
    RequestOpened,
    RequestReopened,
    RequestResolved,
)
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_CLOSED, REQUEST_STATE_OPEN, REQUEST_STATE_RESOLVED
from ledger.event import NOT_YET, Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold, in_order, judge, state_at, steps
from tests.build import START, at, due, event, event_id_text

REQUEST = FAMILIES["request"]
PROMISE = FAMILIES["promise"]


def opened(minutes: float = 0, **header: Any) -> Event:
    return event(RequestOpened(request_id="r-1", owner_department="desk"), occur=at(minutes), **header)


def classified(priority: str, minutes: float = 1, **header: Any) -> Event:
    return event(RequestClassified(request_id="r-1", priority=priority), occur=at(minutes), **header)


def resolved(minutes: float = 2, **header: Any) -> Event:
    return event(RequestResolved(request_id="r-1", resolution=RESOLUTION_DONE), occur=at(minutes), **header)


def reopened(minutes: float = 3, **header: Any) -> Event:
    return event(RequestReopened(request_id="r-1"), occur=at(minutes), **header)


def closed(minutes: float = 4, **header: Any) -> Event:
    return event(RequestClosed(request_id="r-1", outcome=CLOSED_RESOLVED), occur=at(minutes), **header)


def confirmed(name: str, minutes: float = 9, stream: str = "request-r-1", **header: Any) -> Event:
    return event(EventConfirmed(stream=stream, confirmed_event_id=event_id_text(name)), occur=at(minutes), **header)


def promised() -> Event:
    return event(PromiseMade(promise_id="p-1", kind="delivery", due=due(at(10))), occur=at(0), name="made")


def kept(minutes: float = 5, **header: Any) -> Event:
    return event(PromiseKept(promise_id="p-1"), occur=at(minutes), name="kept", **header)


def broken() -> Event:
    return event(PromiseBroken(promise_id="p-1", set_by_event_id=event_id_text("made")), occur=at(10))


def disputed(minutes: float = 20, **header: Any) -> Event:
    return event(PromiseDisputed(promise_id="p-1", kept_event_id=event_id_text("kept")), occur=at(minutes), **header)


# Order


def test_events_stand_by_when_they_occurred_not_by_when_they_were_recorded() -> None:
    first, late, early = opened(), classified("b", 5), classified("a", 1)

    assert [first, early, late] == in_order([first, late, early])


def test_at_the_same_instant_the_earlier_position_comes_first() -> None:
    first, second = classified("a", position=3), classified("b", position=2)

    assert [second, first] == in_order([first, second])


def test_the_opener_comes_first_whatever_its_time() -> None:
    before, opener = classified("a", 1), opened(5)

    assert [opener, before] == in_order([before, opener])


def test_the_clock_comes_last_at_the_same_instant() -> None:
    clock, keep = broken(), kept(10)

    assert [keep, clock] == in_order([clock, keep])


@pytest.mark.parametrize(("precision", "beside"), [(MINUTE, 0.999), (DAY, 60)])
def test_a_coarse_time_stands_at_the_end_of_its_unit(precision: int, beside: float) -> None:
    coarse, exact = classified("coarse", 0, precision=precision), classified("exact", beside)

    assert [exact, coarse] == in_order([coarse, exact])


def test_a_coarse_time_stands_before_the_next_unit() -> None:
    coarse, exact = classified("coarse", 0, precision=MINUTE), classified("exact", 1)

    assert [coarse, exact] == in_order([exact, coarse])


def test_an_opener_of_another_entity_is_no_opener_here() -> None:
    opener = promised()
    replacement = event(PromiseMade(promise_id="p-2", kind="delivery", replaces_promise_id="p-1"), occur=at(-5))

    assert [opener, replacement] == in_order([replacement, opener])
    assert [replacement, opener] == in_order([replacement, opener], "promise-p-2")


def test_events_of_two_entities_that_do_not_touch_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="not those of one entity"):
        in_order([promised(), opened()])


def test_nothing_of_an_entity_stands_before_its_opener() -> None:
    early, opener = classified("a", 1), opened(5)

    assert [(opener, at(5)), (early, at(5))] == [(one, order) for one, order, _, _ in steps(REQUEST, [early, opener])]


def test_without_an_opener_nothing_applies() -> None:
    events = [classified("a"), resolved()]

    assert (None, events) == fold(REQUEST, events)


def test_no_events_make_nothing() -> None:
    assert (None, []) == fold(REQUEST, [])


def test_what_does_not_apply_is_listed_and_changes_nothing() -> None:
    useless = reopened(1)

    folded = fold(REQUEST, [opened(), useless, resolved(2)])

    assert REQUEST_STATE_RESOLVED == folded.state.state
    assert [useless] == folded.ineffective


def test_a_second_opener_does_not_apply() -> None:
    events = [opened(), opened(-9)]

    assert [events[1]] == fold(REQUEST, events).ineffective


# As of


def test_before_an_instant_only_what_occurred_earlier_counts() -> None:
    events = [opened(), resolved(2), closed(4)]

    states = [state_at(REQUEST, events, before=at(minutes)) for minutes in (0, 1, 2, 3, 4, 5)]

    assert [
        None,
        REQUEST_STATE_OPEN,
        REQUEST_STATE_OPEN,
        REQUEST_STATE_RESOLVED,
        REQUEST_STATE_RESOLVED,
        REQUEST_STATE_CLOSED,
    ] == [state and state.state for state in states]


def test_as_known_at_a_position_only_what_was_recorded_counts() -> None:
    events = [opened(position=1), closed(4, position=2), resolved(2, position=3)]

    states = [state_at(REQUEST, events, known=position) for position in (0, 1, 2, 3)]

    assert [None, (REQUEST_STATE_OPEN, None), (REQUEST_STATE_CLOSED, None), (REQUEST_STATE_CLOSED, at(2))] == [
        state and (state.state, state.first_resolved_time) for state in states
    ]


def test_an_entity_opened_later_does_not_exist_before() -> None:
    events = [classified("a", 1), opened(5)]

    assert state_at(REQUEST, events, before=at(5)) is None
    assert state_at(REQUEST, events, before=at(5) + 1) is not None


# Held back, confirmed, disputed


def test_a_held_back_event_stays_out_until_it_is_confirmed() -> None:
    held = resolved(2, held_back=True, record_late=True, name="held")
    events = [opened(), held]

    assert REQUEST_STATE_OPEN == fold(REQUEST, events).state.state
    assert held not in in_order(events)
    assert REQUEST_STATE_RESOLVED == fold(REQUEST, [*events, confirmed("held")]).state.state


def test_a_confirmed_event_counts_at_its_own_place_at_any_time_asked() -> None:
    held = resolved(2, held_back=True, record_late=True, name="held", position=11)
    events = [opened(position=10), held, confirmed("held", minutes=9, position=12)]

    assert REQUEST_STATE_RESOLVED == state_at(REQUEST, events, known=12, before=at(3)).state
    assert REQUEST_STATE_OPEN == state_at(REQUEST, events, known=11, before=at(3)).state


def test_confirming_one_event_lifts_no_other_hold() -> None:
    held = resolved(2, held_back=True, record_late=True, name="held")

    assert REQUEST_STATE_OPEN == fold(REQUEST, [opened(), held, confirmed("another")]).state.state


def test_a_confirmation_applies_and_changes_nothing_itself() -> None:
    state = fold(REQUEST, [opened()]).state

    assert (state, True) == REQUEST.step(state, confirmed("held"))


def test_a_held_back_event_of_another_stream_is_confirmed_there() -> None:
    accepted = HandoffAccepted(request_id="r-1", handoff_id="h-1", to_department="repair", moves=True, promise_ids=["p-1"])
    held = event(accepted, occur=at(2), held_back=True, record_late=True, name="held")

    assert fold(PROMISE, [promised(), held]).state.owner_department == ""
    assert fold(PROMISE, [promised(), held, confirmed("held")]).state.owner_department == "repair"


def test_a_dispute_takes_the_keep_out_at_any_time_asked_from_its_position_on() -> None:
    events = [promised(), kept(position=NOT_YET - 2), disputed(position=NOT_YET - 1)]

    assert PROMISE_STATE_OPEN == state_at(PROMISE, events, before=at(6)).state
    assert PROMISE_STATE_KEPT == state_at(PROMISE, events, known=NOT_YET - 2, before=at(6)).state


def test_a_dispute_held_back_takes_nothing_out() -> None:
    assert PROMISE_STATE_KEPT == fold(PROMISE, [promised(), kept(), disputed(held_back=True, record_late=True)]).state.state


# Judged in its place


def test_only_what_stands_before_its_place_decides() -> None:
    recorded = [opened(), closed(4)]

    assert judge(REQUEST, recorded, resolved(2, record_late=True)).refusal is None
    refused = judge(REQUEST, recorded, resolved(5)).refusal
    assert refused is not None
    assert MOVE_NOT_ALLOWED == refused.reason


def test_at_the_same_instant_what_is_recorded_comes_before_what_is_new() -> None:
    recorded = [opened(position=NOT_YET), resolved(2, position=NOT_YET)]

    assert judge(REQUEST, recorded, reopened(2, position=NOT_YET)).refusal is None


def test_the_state_at_its_place_is_part_of_the_verdict() -> None:
    verdict = judge(REQUEST, [opened(), resolved(2), closed(4)], classified("a", 3))

    assert REQUEST_STATE_RESOLVED == verdict.state.state


def test_an_opener_is_judged_before_everything() -> None:
    assert judge(REQUEST, [], opened()).refusal is None
    assert judge(REQUEST, [classified("a", -3)], opened()).refusal is None
    assert judge(REQUEST, [opened()], opened(-3)).refusal is not None


def test_without_an_opener_a_move_is_refused() -> None:
    refused = judge(REQUEST, [], resolved()).refusal

    assert refused is not None
    assert REFERENCE_UNKNOWN == refused.reason


def test_in_order_it_overtakes_nothing() -> None:
    assert () == judge(REQUEST, [opened(), resolved(2)], closed(4)).overtakes


def test_a_late_event_overtakes_what_would_not_apply_any_more() -> None:
    offer = event(
        HandoffOffered(request_id="r-1", handoff_id="h-1", from_department="desk", to_department="lab", ownership=MOVES),
        occur=at(1),
    )
    accepted = event(HandoffAccepted(request_id="r-1", handoff_id="h-1"), occur=at(5))
    other = classified("high", 6)
    late = event(HandoffWithdrawn(request_id="r-1", handoff_id="h-1"), occur=at(3), record_late=True, held_back=True)

    verdict = judge(REQUEST, [opened(), offer, accepted, other], late)

    assert (None, (accepted,)) == (verdict.refusal, verdict.overtakes)


def test_a_late_event_that_changes_nothing_later_overtakes_nothing() -> None:
    assert () == judge(REQUEST, [opened(), resolved(2)], classified("a", 1, record_late=True)).overtakes


def test_a_late_keep_overtakes_the_clock() -> None:
    clock = broken()

    verdict = judge(PROMISE, [promised(), clock], kept(5, record_late=True))

    assert (None, (clock,)) == (verdict.refusal, verdict.overtakes)


def test_a_confirmation_overtakes_what_the_confirmed_event_undoes() -> None:
    held = closed(1, held_back=True, record_late=True, name="held")
    undone = resolved(2)

    verdict = judge(REQUEST, [opened(), undone, held], confirmed("held"))

    assert (None, (undone,)) == (verdict.refusal, verdict.overtakes)


@pytest.mark.parametrize(
    "recorded",
    [
        [opened()],
        [opened(), resolved(2, name="held")],
        [opened(), resolved(2, name="held", held_back=True), confirmed("held")],
    ],
    ids=["unknown", "never held back", "confirmed already"],
)
def test_only_what_is_held_back_is_confirmed(recorded: list[Event]) -> None:
    refused = judge(REQUEST, recorded, confirmed("held")).refusal

    assert refused is not None
    assert MOVE_NOT_ALLOWED == refused.reason


def test_a_department_that_may_not_is_refused_at_the_place_of_its_move() -> None:
    offer = event(
        HandoffOffered(request_id="r-1", handoff_id="h-1", from_department="lab", to_department="desk", ownership=MOVES),
        department="lab",
        occur=at(1),
    )

    refused = judge(REQUEST, [opened()], offer).refusal

    assert refused is not None
    assert DEPARTMENT_NOT_ALLOWED == refused.reason


def test_a_clock_event_is_judged_against_the_contact_it_names() -> None:
    received = event(ContactReceived(contact_id="c-1", reason="unknown"), occur=START)
    clock = event(PromiseBroken(promise_id="response-c-1", contact_id="c-1", set_by_event_id=event_id_text("x")), occur=at(1))

    assert judge(FAMILIES["contact"], [received], clock, "contact-c-1").refusal is not None


def test_an_event_is_not_refused_for_an_entity_that_is_not_there() -> None:
    replacement = event(PromiseMade(promise_id="p-2", kind="delivery", replaces_promise_id="p-1"))

    assert judge(PROMISE, [], replacement, "promise-p-1").refusal is None
    assert PROMISE_STATE_BROKEN == fold(PROMISE, [promised(), broken()]).state.state


def test_answering_before_it_was_abandoned_leaves_the_abandonment_without_effect() -> None:
    received = event(ContactReceived(contact_id="c-1", reason="unknown"), occur=START)
    gone = event(ContactAbandoned(contact_id="c-1"), occur=at(5))
    answer = event(ContactAnswered(contact_id="c-1", answered_by=ANSWERED_BY_HUMAN), occur=at(2), record_late=True)

    assert (gone,) == judge(FAMILIES["contact"], [received, gone], answer).overtakes
