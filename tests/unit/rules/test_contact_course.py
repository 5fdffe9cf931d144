"""The course of contacts: messages and their targets, transfers, consults, checks of who it is, attribution."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_AUTOMATIC,
    ANSWERED_BY_BOT,
    ANSWERED_BY_HUMAN,
    COLD,
    REACHED_NO,
    REACHED_YES,
    TEPID,
    WARM,
    ContactAbandoned,
    ContactAnswered,
    ContactEnded,
    ContactMade,
    ContactQueued,
    ContactReceived,
    ContactWrappedUp,
)
from ledger.api.v1.history_service_pb2 import CONTACT_STATE_ANSWERED, CONTACT_STATE_MADE, CONTACT_STATE_RECEIVED
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_VOID,
)
from ledger.event import Event
from ledger.rules import FAMILIES, family_of
from ledger.rules.contact import ContactState
from ledger.rules.contact_state import AuthenticationState, Transfers
from ledger.rules.fold import fold, state_at
from ledger.rules.target import FIRST_RESPONSE, NEXT_RESPONSE, message_of
from tests.build import at, event, event_id, event_id_text, timestamp
from tests.unit.rules.contact_events import attributed, checked, consulted, sent, transferred, wrote

RULES = FAMILIES["contact"]


def received(*, bot_answers: bool = False, due: float | None = None, **header: Any) -> Event:
    payload = ContactReceived(contact_id="c-1", reason="unknown", bot_answers=bot_answers)
    if due is not None:
        payload.response_due_time.CopyFrom(timestamp(at(due)))
    return event(payload, occur=at(0), name="received", **({"channel": "email", "department": "desk"} | header))


def made(minutes: float = 0, reached: Any = REACHED_YES, in_reply_to: str = "") -> Event:
    contact_id = "c-2" if in_reply_to else "c-1"
    return event(ContactMade(contact_id=contact_id, in_reply_to=in_reply_to, reached=reached), occur=at(minutes), channel="phone")


def answered(minutes: float = 2, by: Any = ANSWERED_BY_HUMAN, **header: Any) -> Event:
    return event(ContactAnswered(contact_id="c-1", answered_by=by), occur=at(minutes), **header)


def ended(minutes: float = 9, disposition: str = "", seconds: tuple[int, int] | None = None) -> Event:
    payload = ContactEnded(contact_id="c-1", disposition=disposition, incomplete_cause="no_access")
    if seconds is not None:
        payload.talk.CopyFrom(Duration(seconds=seconds[0]))
        payload.hold.CopyFrom(Duration(seconds=seconds[1]))
    return event(payload, occur=at(minutes))


def abandoned(minutes: float = 9) -> Event:
    return event(ContactAbandoned(contact_id="c-1"), occur=at(minutes))


def message_broken(message: str, minutes: float) -> Event:
    own = event_id_text(message)
    payload = PromiseBroken(promise_id=f"next-response-{own}", contact_id="c-1", set_by_event_id=own)
    return event(payload, occur=at(minutes))


def after(*events: Event) -> ContactState:
    state = fold(RULES, events, "contact-c-1").state
    assert isinstance(state, ContactState)
    return state


def targets(state: ContactState) -> list[tuple[str, int]]:
    return [(one.kind, one.state) for one in state.targets.values()]


# Messages


def test_messages_are_counted_both_ways_the_opening_one_apart() -> None:
    state = after(received(), wrote(1), wrote(2), sent(3), wrote(4))

    assert (3, 1, 1) == (state.message_in_count, state.course.message_out_count, state.unanswered_count)


def test_the_customer_waits_from_the_oldest_message_without_an_answer() -> None:
    waiting, served, again = after(received(), wrote(1)), after(received(), wrote(1), sent(2)), after(received(), sent(2), wrote(3))

    assert (at(0), None, at(3)) == (waiting.unanswered_since, served.unanswered_since, again.unanswered_since)


def test_a_message_sent_answers_the_contact() -> None:
    state = after(received(due=10), sent(4))

    assert (CONTACT_STATE_ANSWERED, at(4)) == (state.state, state.answered_time)
    assert [(FIRST_RESPONSE, PROMISE_STATE_KEPT)] == targets(state)


def test_an_automatic_message_answers_nothing() -> None:
    state = after(received(due=10), wrote(1, due=5), sent(2, by=ANSWERED_BY_AUTOMATIC))

    assert (CONTACT_STATE_RECEIVED, None, 1, 1) == (
        *(state.state, state.answered_time, state.course.message_out_count, state.unanswered_count),
    )
    assert [(FIRST_RESPONSE, PROMISE_STATE_OPEN), (NEXT_RESPONSE, PROMISE_STATE_OPEN)] == targets(state)


@pytest.mark.parametrize(("counts", "expected"), [(True, PROMISE_STATE_KEPT), (False, PROMISE_STATE_OPEN)])
def test_a_bots_message_answers_where_the_policy_says_so(counts: bool, expected: int) -> None:
    state = after(received(bot_answers=counts, due=10), wrote(1, due=5), sent(2, by=ANSWERED_BY_BOT))

    assert [(FIRST_RESPONSE, expected), (NEXT_RESPONSE, expected)] == targets(state)


def test_an_answer_answers_every_message_up_to_its_time_and_none_after_it() -> None:
    state = after(received(due=10), wrote(1, due=5), wrote(4, due=9), sent(3))

    assert [PROMISE_STATE_KEPT, PROMISE_STATE_KEPT, PROMISE_STATE_OPEN] == [one.state for one in state.targets.values()]
    assert at(4) == state.unanswered_since


def test_each_message_is_late_by_its_own_due() -> None:
    state = after(received(due=10), wrote(1, due=2), wrote(1.5, due=6), sent(5))

    assert [PROMISE_STATE_KEPT, PROMISE_STATE_KEPT_LATE, PROMISE_STATE_KEPT] == [one.state for one in state.targets.values()]


@pytest.mark.parametrize(("reached", "expected"), [(REACHED_YES, PROMISE_STATE_KEPT), (REACHED_NO, PROMISE_STATE_OPEN)])
def test_a_call_back_that_reaches_answers_the_messages(reached: int, expected: int) -> None:
    state = after(received(due=10), answered(1), wrote(2, due=8), made(4, reached=reached, in_reply_to="c-1"))

    assert [(FIRST_RESPONSE, PROMISE_STATE_KEPT), (NEXT_RESPONSE, expected)] == targets(state)


def test_a_call_back_answers_what_was_written_in_a_contact_of_ours() -> None:
    state = after(made(0), wrote(2, due=8), made(4, in_reply_to="c-1"))

    assert (CONTACT_STATE_MADE, [(NEXT_RESPONSE, PROMISE_STATE_KEPT)]) == (state.state, targets(state))


def test_a_late_answer_in_between_mends_the_messages_before_it() -> None:
    recorded = [received(due=10), wrote(1, due=5), wrote(6, due=20), message_broken("nothing", 5)]

    state = after(*recorded, sent(4))

    assert [PROMISE_STATE_KEPT, PROMISE_STATE_KEPT, PROMISE_STATE_OPEN] == [one.state for one in state.targets.values()]


@pytest.mark.parametrize("disposition", ["no_answer_needed", "spam"])
def test_no_answer_needed_voids_the_targets_of_messages_too(disposition: str) -> None:
    state = after(received(due=30), answered(1), wrote(2, due=20), ended(9, disposition))

    assert [(FIRST_RESPONSE, PROMISE_STATE_KEPT), (NEXT_RESPONSE, PROMISE_STATE_VOID)] == targets(state)
    assert (None, 0) == (state.unanswered_since, state.unanswered_count)


def test_a_wrong_number_voids_nothing() -> None:
    state = after(received(due=30), ended(9, "wrong_number"))

    assert [(FIRST_RESPONSE, PROMISE_STATE_OPEN)] == targets(state)


def test_giving_up_voids_what_was_not_due_yet() -> None:
    state = after(received(due=30), wrote(2, due=5), message_broken("x", 5), abandoned(9))

    assert PROMISE_STATE_VOID == state.targets[b""].state
    assert not any(one.owed for one in state.targets.values())


def test_a_message_breaks_by_its_own_id() -> None:
    state = after(received(due=30), wrote(1, due=4, name="second"), wrote(2, due=5, name="third"), message_broken("second", 4))

    first, second, third = state.targets.values()
    assert (PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN) == (first.state, second.state, third.state)
    assert (at(4), f"next-response-{event_id_text('second')}") == (second.broken_time, second.promise_id)
    assert "response-c-1" == first.promise_id


def test_the_clock_cannot_break_what_is_not_there() -> None:
    state = after(received(due=30), wrote(1, name="second"))

    refusal = RULES.refusal(state, message_broken("second", 4))

    assert refusal is not None
    assert "The clock's event has nothing to break" in refusal.message


def test_a_target_of_a_message_says_what_it_follows_from() -> None:
    state = after(received(), answered(1), wrote(2, due=8, name="second", channel="chat", import_run="run-1", record=at(3)))

    (target,) = state.targets.values()
    assert (event_id("second"), at(3), "run-1", at(2), "chat", "desk") == (
        *(target.due_set_by_event_id, target.due_record_time, target.due_import_run, target.made_time),
        *(target.channel, target.department),
    )


@pytest.mark.parametrize(
    ("promise_id", "expected"),
    [
        ("response-c-1", b""),
        ("p-1", b""),
        (f"next-response-{event_id_text('x')}", event_id("x")),
        ("next-response-c-1", None),
        ("next-response-", None),
    ],
)
def test_a_promise_id_names_a_message_or_none(promise_id: str, expected: bytes | None) -> None:
    assert expected == message_of(promise_id)


def test_the_streams_of_these_targets_have_no_life_cycle_of_their_own() -> None:
    assert family_of(f"promise-next-response-{event_id_text('x')}") is None


def test_a_contact_is_quiet_from_our_last_answer_on_while_nobody_waits() -> None:
    assert (None, at(2), None, at(4)) == (
        after(received()).quiet_since,
        after(received(), sent(2)).quiet_since,
        after(received(), sent(2), wrote(3)).quiet_since,
        after(received(), sent(2), wrote(3), sent(4)).quiet_since,
    )


# Legs


def test_transfers_count_by_how_and_the_department_is_the_last_one() -> None:
    state = after(received(), answered(1), transferred(2, WARM), transferred(3, COLD), transferred(4, TEPID, to="lab"))

    assert (Transfers(1, 1, 1), 3) == (state.course.transfers, state.course.transfers.total)
    assert ("desk", "lab", "bench") == (state.department, state.current_department, state.queue)


def test_talk_and_hold_add_up_over_the_legs_with_the_wrap_up() -> None:
    wrap_up = event(ContactWrappedUp(contact_id="c-1", wrap_up=Duration(seconds=30)), occur=at(10))

    state = after(received(), answered(1), transferred(2, seconds=(60, 5)), ended(9, seconds=(120, 10)), wrap_up)

    seconds = 1_000_000
    assert (180 * seconds, 15 * seconds, 30 * seconds, 225 * seconds) == (
        state.course.talk,
        state.course.hold,
        state.course.wrap_up,
        state.course.handled,
    )


def test_what_nobody_timed_stays_unknown() -> None:
    state = after(received(), answered(1), transferred(2), ended(9))

    assert (None, None, None, None) == (state.course.talk, state.course.hold, state.course.wrap_up, state.course.handled)


def test_passed_on_it_may_be_queued_and_answered_there_without_another_first_answer() -> None:
    queued = event(ContactQueued(contact_id="c-1", queue="bench"), occur=at(4))

    state = after(received(due=10), answered(1), transferred(3), queued, answered(5))

    assert (at(1), at(5), False) == (state.answered_time, state.last_answer_time, state.course.passed_on)


def test_a_consult_is_no_transfer() -> None:
    state = after(received(), answered(1), consulted(2), consulted(3))

    assert (2, 0, "desk") == (state.course.consult_count, state.course.transfers.total, state.current_department)


@pytest.mark.parametrize("move", [transferred, consulted])
def test_before_an_answer_nobody_is_in_it_who_could_pass_it_on(move: Any) -> None:
    refusal = RULES.refusal(after(received()), move(1))

    assert refusal is not None
    assert refusal.message.endswith("Record contact-answered first: nobody of ours is in it yet.")


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("takes_over", [answered, sent])
def test_a_person_after_a_bot_took_over_from_it(counts: bool, takes_over: Any) -> None:
    with_bot = [received(bot_answers=counts), answered(1, by=ANSWERED_BY_BOT)]

    assert (False, True) == (after(*with_bot).course.bot_to_human, after(*with_bot, takes_over(5)).course.bot_to_human)


def test_a_bot_passes_on_to_a_person() -> None:
    state = after(received(), answered(1, by=ANSWERED_BY_BOT), transferred(2), answered(3))

    assert (1, True, at(3)) == (state.course.transfers.total, state.course.bot_to_human, state.answered_time)


def test_a_contact_knows_the_channels_it_went_over() -> None:
    state = after(
        received(), sent(1, channel="email"), wrote(2, channel="chat"), sent(3, channel="chat"), made(4, in_reply_to="c-1")
    )

    assert ("email chat", True) == (state.channels, state.channel_switched)
    assert "email phone" == after(received(), made(4, in_reply_to="c-1")).channels


# Who it is


def test_the_last_check_counts() -> None:
    state = after(received(), checked(1, valid_until=60), checked(2, passed=False, name="failed"))

    assert AuthenticationState(event_id("failed"), at(2), "one_time_code", "strong", False, None) == state.course.authentication


@pytest.mark.parametrize("end", [ended, abandoned])
def test_nobody_is_checked_after_the_end(end: Any) -> None:
    refusal = RULES.refusal(after(received(), end(5)), checked(6))

    assert refusal is not None
    assert "authentication-checked does not apply" in refusal.message


@pytest.mark.parametrize("end", [ended, abandoned])
def test_it_may_become_known_after_the_end_whose_contact_it_is(end: Any) -> None:
    state = after(received(subject=b"s" * 16), end(5), attributed(9))

    assert (event_id("ann"), True, b"s" * 16) == (state.party, state.attributed, state.subject)


def test_without_attribution_a_contact_is_its_subjects() -> None:
    state = after(received(subject=b"s" * 16))

    assert (b"s" * 16, False) == (state.party, state.attributed)


def test_the_attribution_recorded_last_counts_whenever_it_happened() -> None:
    assert event_id("bob") == after(received(), attributed(9, "ann"), attributed(3, "bob")).party


def test_an_attribution_holds_from_the_beginning_as_soon_as_it_is_known() -> None:
    opened, told = received(position=1, subject=b"s" * 16), attributed(9, position=2)

    before_it_happened = state_at(RULES, [opened, told], before=at(1), stream="contact-c-1")
    before_it_was_known = state_at(RULES, [opened, told], known=1, stream="contact-c-1")

    assert before_it_happened is not None
    assert before_it_was_known is not None
    assert (event_id("ann"), b"s" * 16) == (before_it_happened.party, before_it_was_known.party)


def test_the_targets_of_an_attributed_contact_are_its_customers_too() -> None:
    state = after(received(due=10), attributed(3), wrote(5, due=9))

    assert [event_id("ann")] * 2 == [one.party for one in state.targets.values()]


def test_an_attribution_of_what_was_never_opened_is_refused() -> None:
    refusal = RULES.refusal(None, attributed(3))

    assert refusal is not None
    assert "contact-received or contact-made" in refusal.message
