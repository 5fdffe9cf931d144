"""The life cycle of contacts, and of the response targets they imply."""

from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_AUTOMATIC,
    ANSWERED_BY_BOT,
    ANSWERED_BY_HUMAN,
    FULL,
    REACHED_NO,
    REACHED_YES,
    ContactAbandoned,
    ContactAnswered,
    ContactEnded,
    ContactMade,
    ContactQueued,
    ContactReceived,
    ContactWrappedUp,
    NoteAdded,
)
from ledger.api.v1.core_pb2 import DAY, MINUTE, Identifier
from ledger.api.v1.errors_pb2 import MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.history_service_pb2 import (
    CONTACT_STATE_ABANDONED,
    CONTACT_STATE_ANSWERED,
    CONTACT_STATE_ENDED,
    CONTACT_STATE_MADE,
    CONTACT_STATE_RECEIVED,
)
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.promise_service_pb2 import (
    KEPT_CLAIMED,
    KEPT_EVIDENCE_UNSPECIFIED,
    KEPT_RECORDED,
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_VOID,
)
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.contact import ContactState
from ledger.rules.fold import fold
from tests.build import at, event, event_id, event_id_text, timestamp
from tests.unit.rules.contact_events import attributed, checked, consulted, sent, transferred, wrote

RULES = FAMILIES["contact"]
DUE = 10
"""Minutes after the start at which the response is due in these tests."""


def received(*, bot_answers: bool = False, due: int | None = DUE, **header: Any) -> Event:
    payload = ContactReceived(contact_id="c-1", reason="unknown", queue="first", bot_answers=bot_answers)
    if due is not None:
        payload.response_due_time.CopyFrom(timestamp(at(due)))
    return event(payload, occur=at(0), name="received", **({"channel": "phone", "department": "desk"} | header))


def queued() -> Event:
    return event(ContactQueued(contact_id="c-1", queue="second"), occur=at(1))


def answered(minutes: float = 2, by: Any = ANSWERED_BY_HUMAN, **header: Any) -> Event:
    return event(ContactAnswered(contact_id="c-1", answered_by=by), occur=at(minutes), **header)


def abandoned(minutes: float = 2, **header: Any) -> Event:
    return event(ContactAbandoned(contact_id="c-1"), occur=at(minutes), **header)


def ended(minutes: float = 3, disposition: str = "", **header: Any) -> Event:
    return event(ContactEnded(contact_id="c-1", disposition=disposition, completeness=FULL), occur=at(minutes), **header)


def wrapped_up() -> Event:
    return event(ContactWrappedUp(contact_id="c-1"), occur=at(4))


def noted() -> Event:
    return event(NoteAdded(contact_id="c-1"), occur=at(5))


def made(contact_id: str = "c-1", in_reply_to: str = "", minutes: float = 0, reached: Any = REACHED_YES) -> Event:
    return event(ContactMade(contact_id=contact_id, in_reply_to=in_reply_to, reached=reached), occur=at(minutes))


def broken(minutes: float = DUE, set_by: str = "received") -> Event:
    payload = PromiseBroken(promise_id="response-c-1", contact_id="c-1", set_by_event_id=event_id_text(set_by))
    return event(payload, occur=at(minutes))


def after(*events: Event) -> ContactState:
    state = fold(RULES, events, "contact-c-1").state
    assert isinstance(state, ContactState)
    return state


REACHED_STATES = {
    "received": (lambda: [received()], CONTACT_STATE_RECEIVED),
    "queued": (lambda: [received(), queued()], CONTACT_STATE_RECEIVED),
    "answered": (lambda: [received(), answered()], CONTACT_STATE_ANSWERED),
    "answered by a bot": (lambda: [received(bot_answers=True), answered(by=ANSWERED_BY_BOT)], CONTACT_STATE_ANSWERED),
    "with a bot that does not count": (lambda: [received(), answered(by=ANSWERED_BY_BOT)], CONTACT_STATE_RECEIVED),
    "passed on": (lambda: [received(), answered(), transferred()], CONTACT_STATE_ANSWERED),
    "passed on and answered there": (lambda: [received(), answered(), transferred(), answered(4)], CONTACT_STATE_ANSWERED),
    "abandoned": (lambda: [received(), abandoned()], CONTACT_STATE_ABANDONED),
    "ended": (lambda: [received(), answered(), ended()], CONTACT_STATE_ENDED),
    "ended unanswered": (lambda: [received(), ended()], CONTACT_STATE_ENDED),
    "wrapped up": (lambda: [received(), answered(), ended(), wrapped_up()], CONTACT_STATE_ENDED),
    "made": (lambda: [made()], CONTACT_STATE_MADE),
    "made and ended": (lambda: [made(), ended()], CONTACT_STATE_ENDED),
}

MOVES = {
    "contact-received": received,
    "contact-made": made,
    "contact-queued": queued,
    "contact-answered": answered,
    "contact-abandoned": abandoned,
    "contact-ended": ended,
    "contact-wrapped-up": wrapped_up,
    "note-added": noted,
    "message-received": wrote,
    "message-sent": sent,
    "contact-transferred": transferred,
    "colleague-consulted": consulted,
    "authentication-checked": checked,
    "contact-attributed": attributed,
}

ALWAYS = {"contact-attributed", "note-added"}
COURSE = {"contact-ended", "message-received", "message-sent", "authentication-checked", *ALWAYS}
LEGS = {"contact-transferred", "colleague-consulted"}
WAITING = {"contact-queued", "contact-answered", "contact-abandoned", *COURSE}

ALLOWED = {
    "received": WAITING,
    "queued": WAITING,
    "answered": COURSE | LEGS,
    "answered by a bot": WAITING | LEGS,
    "with a bot that does not count": WAITING | LEGS,
    "passed on": COURSE | LEGS | {"contact-queued", "contact-answered"},
    "passed on and answered there": COURSE | LEGS,
    "abandoned": ALWAYS,
    "ended": {"contact-wrapped-up", *ALWAYS},
    "ended unanswered": {"contact-wrapped-up", *ALWAYS},
    "wrapped up": ALWAYS,
    "made": COURSE | LEGS,
    "made and ended": {"contact-wrapped-up", *ALWAYS},
}


@pytest.mark.parametrize("reached", REACHED_STATES)
def test_a_contact_stands_where_its_moves_led(reached: str) -> None:
    events, expected = REACHED_STATES[reached]

    state = after(*events())

    assert expected == state.state


@pytest.mark.parametrize("reached", REACHED_STATES)
@pytest.mark.parametrize("topic", MOVES)
def test_only_the_moves_of_the_life_cycle_apply(reached: str, topic: str) -> None:
    state = after(*REACHED_STATES[reached][0]())

    refusal = RULES.refusal(state, MOVES[topic]())

    assert (topic in ALLOWED[reached]) == (refusal is None)


@pytest.mark.parametrize("reached", REACHED_STATES)
def test_a_refusal_names_the_moves_that_do_apply(reached: str) -> None:
    state = after(*REACHED_STATES[reached][0]())

    refusal = RULES.refusal(state, received())

    assert refusal is not None
    assert ALLOWED[reached] == set(refusal.metadata["allowed"].split(", "))


def test_an_answer_to_an_abandoned_contact_is_refused_with_the_cure() -> None:
    state = after(received(), abandoned())

    refusal = RULES.refusal(state, answered())

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert (
        "Contact c-1 is abandoned: contact-answered does not apply. Allowed now: contact-attributed, note-added. "
        "A call-back is a contact of its own: contact-made with in_reply_to."
    ) == refusal.message
    allowed = "contact-attributed, note-added"
    assert {"contact_id": "c-1", "state": "abandoned", "topic": "contact-answered", "allowed": allowed} == refusal.metadata


def test_a_move_on_a_contact_never_opened_is_refused_as_unknown() -> None:
    refusal = RULES.refusal(None, answered())

    assert refusal is not None
    assert REFERENCE_UNKNOWN == refusal.reason
    assert "contact-received or contact-made" in refusal.message


def test_a_move_that_does_not_apply_leaves_the_same_state() -> None:
    state = after(received(), abandoned())

    assert state is RULES.evolve(state, answered())


def test_a_note_applies_and_changes_nothing() -> None:
    state = after(received())

    assert (state, True) == RULES.step(state, noted())


def test_an_inbound_contact_says_what_was_known_when_it_arrived() -> None:
    payload = ContactReceived(contact_id="c-1", reason="late_parcel", queue="first", customer=Identifier(type="phone"))

    state = RULES.evolve(None, event(payload, occur=at(0), position=7, channel="phone", department="desk", subject=b"s" * 16))

    expected = ContactState(
        contact_id="c-1",
        state=CONTACT_STATE_RECEIVED,
        outbound=False,
        channel="phone",
        department="desk",
        reason="late_parcel",
        queue="first",
        opened_time=at(0),
        subject=b"s" * 16,
        identified=True,
        position=7,
        party=b"s" * 16,
        current_department="desk",
        channels="phone",
        unanswered_since=at(0),
    )
    assert expected == state


def test_a_contact_without_an_identifier_is_not_identified() -> None:
    assert not after(received()).identified


def test_the_end_says_how_and_as_what_it_was_understood() -> None:
    end = event(ContactEnded(contact_id="c-1", disposition="solved", completeness=FULL, reason="refund"), occur=at(6))

    state = after(received(), answered(), end)

    assert ("solved", FULL, "refund", at(6)) == (state.disposition, state.completeness, state.reason, state.ended_time)


def test_an_end_without_a_reason_keeps_the_one_given_at_first() -> None:
    assert after(received(), ended()).reason == "unknown"


def test_the_last_queue_counts() -> None:
    assert after(received(), queued()).queue == "second"


def test_an_abandoned_contact_is_over_when_it_was_given_up() -> None:
    assert at(2) == after(received(), abandoned()).ended_time


def test_an_automatic_acknowledgement_answers_nothing() -> None:
    state = after(received(), answered(by=ANSWERED_BY_AUTOMATIC))

    assert (CONTACT_STATE_RECEIVED, None) == (state.state, state.answered_time)
    assert state.target is not None
    assert PROMISE_STATE_OPEN == state.target.state


def test_a_bot_answers_nothing_unless_the_policy_says_so() -> None:
    state = after(received(bot_answers=False), answered(by=ANSWERED_BY_BOT))

    assert (CONTACT_STATE_RECEIVED, None) == (state.state, state.answered_time)


def test_a_bot_answers_where_the_policy_says_so() -> None:
    state = after(received(bot_answers=True), answered(by=ANSWERED_BY_BOT))

    assert at(2) == state.answered_time
    assert state.target is not None
    assert PROMISE_STATE_KEPT == state.target.state


def test_a_person_after_a_bot_keeps_the_time_of_the_first_answer() -> None:
    state = after(received(bot_answers=True), answered(by=ANSWERED_BY_BOT), answered(4))

    assert (at(2), False) == (state.answered_time, state.answered_by_bot)


def test_a_contact_is_with_the_department_that_answered_when_none_received_it() -> None:
    assert after(received(department=""), answered(department="support")).department == "support"


def test_the_department_that_received_it_stays_the_first() -> None:
    assert after(received(), answered(department="support")).department == "desk"


# Response targets


def target_after(*events: Event) -> Any:
    target = after(*events).target
    assert target is not None
    return target


def test_a_contact_without_a_due_has_no_target() -> None:
    assert after(received(due=None), answered()).target is None


def test_a_target_is_open_until_something_happens() -> None:
    target = target_after(received(channel="chat", import_run="run-1", record=at(3)))

    expected = ("response-c-1", PROMISE_STATE_OPEN, at(DUE), event_id("received"), at(3), "run-1", at(0), "chat", "desk", True)
    assert expected == (
        target.promise_id,
        target.state,
        target.due_time,
        target.due_set_by_event_id,
        target.due_record_time,
        target.due_import_run,
        target.made_time,
        target.channel,
        target.department,
        target.owed,
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: answered(DUE), (PROMISE_STATE_KEPT, at(DUE), KEPT_RECORDED)),
        (lambda: answered(DUE, record=at(DUE) + 1), (PROMISE_STATE_KEPT, at(DUE), KEPT_CLAIMED)),
        (lambda: answered(DUE + 1), (PROMISE_STATE_KEPT_LATE, at(DUE + 1), KEPT_EVIDENCE_UNSPECIFIED)),
    ],
    ids=["at the due", "at the due, recorded after it", "after the due"],
)
def test_the_due_is_inclusive_and_occur_time_alone_decides(answer: Any, expected: tuple[int, int, int]) -> None:
    target = target_after(received(), answer())

    assert expected == (target.state, target.ended_time, target.kept_evidence)


def test_the_clock_breaks_an_unanswered_target_at_its_due() -> None:
    target = target_after(received(), broken())

    assert (PROMISE_STATE_BROKEN, at(DUE), None) == (target.state, target.broken_time, target.ended_time)


def test_a_late_answer_keeps_a_broken_target_late_and_still_broken() -> None:
    target = target_after(received(), broken(), answered(DUE + 5))

    assert (PROMISE_STATE_KEPT_LATE, at(DUE)) == (target.state, target.broken_time)


def test_an_answer_recorded_after_the_clock_but_in_time_keeps_the_target() -> None:
    first = [received(position=1), broken()]
    folded = fold(RULES, [*first, answered(DUE - 1, record=at(DUE + 60))], "contact-c-1")

    assert PROMISE_STATE_KEPT == folded.state.target.state
    assert folded.state.target.broken_time is None
    assert [first[1]] == folded.ineffective


@pytest.mark.parametrize(("precision", "minutes"), [(MINUTE, DUE), (DAY, DUE + 30)])
def test_a_coarse_answer_compares_at_its_own_precision(precision: int, minutes: int) -> None:
    target = target_after(received(), broken(), answered(minutes, precision=precision))

    assert (PROMISE_STATE_KEPT, None) == (target.state, target.broken_time)


@pytest.mark.parametrize("wrong", [broken(DUE + 1), broken(set_by="another")], ids=["other instant", "other event"])
def test_the_clock_breaks_only_the_due_in_force(wrong: Event) -> None:
    folded = fold(RULES, [received(), wrong], "contact-c-1")

    assert PROMISE_STATE_OPEN == folded.state.target.state
    assert [wrong] == folded.ineffective


@pytest.mark.parametrize("disposition", ["no_answer_needed", "spam"])
def test_no_answer_needed_before_the_due_voids_the_target(disposition: str) -> None:
    target = target_after(received(), ended(3, disposition))

    assert (PROMISE_STATE_VOID, at(3), False) == (target.state, target.ended_time, target.owed)


@pytest.mark.parametrize("disposition", ["", "solved", "wrong_number"])
def test_another_end_leaves_the_target_owed(disposition: str) -> None:
    target = target_after(received(), ended(3, disposition))

    assert (PROMISE_STATE_OPEN, True) == (target.state, target.owed)


def test_abandoned_before_the_due_voids_the_target() -> None:
    assert PROMISE_STATE_VOID == target_after(received(), abandoned(DUE)).state


@pytest.mark.parametrize("leave", [abandoned(DUE + 1), ended(DUE + 1, "spam")], ids=["abandoned", "spam"])
def test_given_up_after_the_due_it_stays_broken_and_is_not_owed(leave: Event) -> None:
    target = target_after(received(), broken(), leave)

    assert (PROMISE_STATE_BROKEN, False) == (target.state, target.owed)


def test_the_clock_still_breaks_a_target_given_up_after_its_due() -> None:
    target = target_after(received(), abandoned(DUE + 1), broken())

    assert (PROMISE_STATE_BROKEN, False) == (target.state, target.owed)


def test_an_answer_after_it_became_void_changes_nothing() -> None:
    target = target_after(received(), ended(3, "spam"), made("c-2", "c-1", 5))

    assert PROMISE_STATE_VOID == target.state


# Contacts made in reply


def test_a_contact_made_in_reply_answers_when_the_customer_was_reached() -> None:
    state = after(received(), made("c-2", "c-1", 5))

    assert (CONTACT_STATE_ANSWERED, at(5)) == (state.state, state.answered_time)
    assert state.target is not None
    assert PROMISE_STATE_KEPT == state.target.state


def test_a_contact_made_in_reply_that_reached_nobody_answers_nothing() -> None:
    state = after(received(), made("c-2", "c-1", 5, REACHED_NO))

    assert (CONTACT_STATE_RECEIVED, None) == (state.state, state.answered_time)


def test_a_contact_made_in_reply_answers_one_that_ended_unanswered() -> None:
    state = after(received(), ended(3), made("c-2", "c-1", 5))

    assert (CONTACT_STATE_ENDED, at(5)) == (state.state, state.answered_time)
    assert state.target is not None
    assert PROMISE_STATE_KEPT == state.target.state


def test_a_call_back_does_not_answer_an_abandoned_contact_and_is_not_refused() -> None:
    state = after(received(), abandoned(DUE + 1))
    call_back = made("c-2", "c-1", DUE + 5)

    assert (state, True) == RULES.step(state, call_back)


def test_a_call_back_before_the_contact_was_received_opens_nothing_for_it() -> None:
    folded = fold(RULES, [made("c-2", "c-1", 5)], "contact-c-1")

    assert folded.state is None


def test_a_contact_made_by_us_is_outbound_and_says_whom_it_answers() -> None:
    state = RULES.evolve(None, made("c-2", "c-1", 5))

    assert (CONTACT_STATE_MADE, True, "c-1", REACHED_YES) == (state.state, state.outbound, state.in_reply_to, state.reached)


def test_anybody_may_make_any_move_of_a_contact() -> None:
    assert RULES.authority(after(received()), answered()) is None
