"""What is promised of corrections at append: who may make them, what is refused, and what they make of the history."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import ContactAnswered, ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import MOVES, Due, Fact, Identifier
from ledger.api.v1.event_pb2 import PART_CHANNEL, CorrectedEnvelope, EventCorrected, Payload
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.governance_pb2 import EventRetracted, ImportFinished, ImportStarted
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered
from ledger.api.v1.identity_pb2 import IdentifierShared
from ledger.api.v1.promise_pb2 import PromiseBroken, PromiseKept, PromiseMade
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT, PROMISE_STATE_OPEN
from ledger.api.v1.request_pb2 import RequestClosed, RequestOpened
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.correction import as_stands, standing
from ledger.rules.fold import fold
from tests.appending import append_one, group, metadata_of, reason_of, to_append
from tests.build import timestamp
from tests.correcting import correction, retraction, text

MINUTE = 60_000_000
DAY = 86_400_000_000
START = 1_770_000_000_000_000


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.micros = START

    def __call__(self) -> int:
        return self.micros


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def ledger(tmp_path: Path, now: Time) -> Iterator[Ledger]:
    with_clock = Ledger.open(tmp_path, now=now)
    yield with_clock
    with_clock.close()


def events(ledger: Ledger, stream: str | None = None) -> list[Event]:
    found = [read_event(row.position, row.header, row.parts) for row in ledger.store.read(0, 10_000)]
    return [event for event in found if stream in (None, event.stream)]


def last(ledger: Ledger) -> Event:
    return events(ledger)[-1]


def recorded(ledger: Ledger, payload: Any, **envelope: Any) -> Event:
    """Append an event and return it as recorded."""
    assert append_one(ledger, payload, **envelope) == ""
    return last(ledger)


def stands(ledger: Ledger, original: Event) -> Event | None:
    """Return an event as it stands now."""
    of_stream = events(ledger, original.stream)
    return as_stands(original, standing(of_stream).get(original.event_id, ()))


def state(ledger: Ledger, stream: str) -> Any:
    return fold(FAMILIES[stream.partition("-")[0]], events(ledger, stream), stream).state


def contact(contact_id: str = "c1", **fields: Any) -> ContactReceived:
    return ContactReceived(contact_id=contact_id, **{"reason": "delivery", **fields})


def email(value: str) -> Identifier:
    return Identifier(type="email", value=value)


# What is recorded


def test_a_correction_holds_all_that_the_event_should_have_said_and_both_are_read_in_full(ledger: Ledger) -> None:
    received = recorded(ledger, contact(customer=email("a@example.org"), summary="Paket fehlt"), channel="phone")

    made = recorded(
        ledger, correction(received, contact(reason="billing", customer=email("a@example.org"), summary="Rechnung fehlt"))
    )

    before, after = ledger.content.recorded_events([received, made])
    said = after.payload.event_corrected.payload.contact_received
    assert ("Paket fehlt", "delivery") == (before.payload.contact_received.summary, before.payload.contact_received.reason)
    assert ("Rechnung fehlt", "billing", "a@example.org") == (said.summary, said.reason, said.customer.value)
    assert ("contact-c1", 2) == (made.stream, made.revision)


def test_what_is_sealed_of_an_event_is_sealed_in_its_correction_and_the_rest_stands_clear(ledger: Ledger) -> None:
    received = recorded(ledger, contact(customer=email("a@example.org"), summary="Paket fehlt"))

    made = recorded(ledger, correction(received, contact(reason="billing", customer=email("b@example.org"), summary="Rechnung")))

    said = made.payload.payload.contact_received
    header = made.header.SerializeToString()
    assert ("billing", "email", False, False) == (
        said.reason,
        said.customer.type,
        said.customer.HasField("value"),
        said.HasField("summary"),
    )
    assert [] == [word for word in (b"Rechnung", b"b@example.org") if word in header]


def test_a_correction_that_names_another_customer_is_sealed_anew_under_the_key_of_that_one(ledger: Ledger) -> None:
    other = recorded(ledger, contact("c0", customer=email("b@example.org")))
    received = recorded(ledger, contact(customer=email("a@example.org"), summary="x"))

    made = recorded(ledger, correction(received, contact(customer=email("b@example.org"), summary="x")))
    note = recorded(ledger, NoteAdded(contact_id="c1", text="what follows is the right one's"))

    assert {other.subject} == {made.subject, note.subject, *(part.subject for part in made.header.parts)}
    assert received.subject != other.subject


def test_a_correction_without_a_customer_does_not_stay_with_the_wrong_one(ledger: Ledger) -> None:
    received = recorded(ledger, contact(customer=email("a@example.org"), summary="x"))
    anonymous = recorded(ledger, contact("c2", summary="x"))

    made = recorded(ledger, correction(received, contact(summary="x")))
    kept = recorded(ledger, correction(anonymous, contact("c2", summary="y")))

    assert made.subject not in (received.subject, b"")
    assert anonymous.subject == kept.subject


def test_facts_of_a_correction_are_marked_like_those_of_an_event(ledger: Ledger) -> None:
    fact = FactGiven(customer=email("a@example.org"), fact=Fact(key="size", value="40"))
    given = recorded(ledger, fact)
    same = recorded(ledger, FactGiven(customer=email("a@example.org"), fact=Fact(key="size", value="41")))

    made = recorded(ledger, correction(given, FactGiven(customer=email("a@example.org"), fact=Fact(key="size", value="41"))))

    assert same.payload.fact.value_mark == made.payload.payload.fact_given.fact.value_mark != given.payload.fact.value_mark
    assert (given.stream, 2) == (made.stream, made.revision)


def test_a_correction_is_recorded_once_for_ever(ledger: Ledger, now: Time) -> None:
    received = recorded(ledger, contact(customer=email("a@example.org"), summary="x"), channel="phone")
    event = to_append(correction(received, contact(customer=email("B@Example.org"), summary="y"), channel="email"))
    (first,) = ledger.append([group(event)])
    now.micros += DAY

    (again,) = ledger.append([group(event)])
    event.payload.event_corrected.payload.contact_received.summary = "z"
    (other,) = ledger.append([group(event)])

    assert (first.appended[0].position, True) == (again.appended[0].position, again.appended[0].duplicate)
    assert "EVENT_ID_REUSED" == reason_of(other.error)


def test_an_event_and_its_correction_may_be_appended_together(ledger: Ledger) -> None:
    event = to_append(FactGiven(customer=email("a@example.org"), fact=Fact(key="size", value="40")))
    wrong = EventCorrected(
        stream=f"fact-{event.envelope.event_id}",
        corrected_event_id=event.envelope.event_id,
        reason="typing_error",
        payload=Payload(fact_given=FactGiven(customer=email("a@example.org"), fact=Fact(key="size", value="41"))),
    )

    (result,) = ledger.append([group(event, to_append(wrong))])

    assert [1, 2] == [appended.revision for appended in result.appended]


# What follows from it


def test_a_target_is_derived_again_under_the_policy_that_ruled_the_event(ledger: Ledger, now: Time) -> None:
    received = recorded(ledger, contact(), channel="phone")
    unmeasured = recorded(ledger, contact("c2"), channel="counter")

    by_email = recorded(ledger, correction(received, contact(), channel="email"))
    by_phone = recorded(ledger, correction(unmeasured, contact("c2"), channel="phone"))
    nowhere = recorded(ledger, correction(received, contact(), without=[PART_CHANNEL]))

    due = [made.payload.payload.contact_received.response_due_time.ToMicroseconds() - START for made in (by_email, by_phone)]
    assert [DAY, MINUTE] == due
    assert [1, 1, 0] == [made.header.policy_version for made in (by_email, by_phone, nowhere)]
    assert not nowhere.payload.payload.contact_received.HasField("response_due_time")


def test_an_acceptance_corrected_moves_what_its_offer_said(ledger: Ledger) -> None:
    recorded(ledger, RequestOpened(request_id="r1", owner_department="care", reason="delivery"), department="care")
    offer = HandoffOffered(
        request_id="r1", handoff_id="h1", from_department="care", to_department="depot", ownership=MOVES, promise_ids=["p1"]
    )
    recorded(ledger, offer, department="care")
    accepted = recorded(ledger, HandoffAccepted(request_id="r1", handoff_id="h1"), department="depot")

    made = recorded(
        ledger, correction(accepted, HandoffAccepted(request_id="r1", handoff_id="h1", assignee="d-7")), department="depot"
    )

    said = made.payload.payload.handoff_accepted
    assert ("depot", True, ["p1"], "d-7") == (said.to_department, said.moves, said.promise_ids, said.assignee)
    assert "d-7" == state(ledger, "request-r1").handoffs["h1"].assignee


def test_the_clock_judges_a_corrected_due_afresh(ledger: Ledger, now: Time) -> None:
    made = recorded(ledger, PromiseMade(promise_id="p1", kind="delivery", due=Due(instant=timestamp(START + MINUTE))))
    now.micros += 10 * MINUTE
    broken = PromiseBroken(promise_id="p1", set_by_event_id=text(made))
    assert "" == append_one(ledger, broken, internal=True, occur=START + MINUTE)

    later = PromiseMade(promise_id="p1", kind="delivery", due=Due(instant=timestamp(START + 5 * MINUTE)))
    corrected = recorded(ledger, correction(made, later, approver="s-1"))
    while_judged = state(ledger, "promise-p1")
    again = PromiseBroken(promise_id="p1", set_by_event_id=text(corrected))

    assert (PROMISE_STATE_OPEN, corrected.event_id) == (while_judged.state, while_judged.due_set_by_event_id)
    assert "" == append_one(ledger, again, internal=True, occur=START + 5 * MINUTE)
    assert START + 5 * MINUTE == state(ledger, "promise-p1").broken_time


def test_a_correction_of_something_else_leaves_what_the_clock_said(ledger: Ledger, now: Time) -> None:
    due = Due(instant=timestamp(START + MINUTE))
    made = recorded(ledger, PromiseMade(promise_id="p1", kind="delivery", due=due, what="shoes"))
    now.micros += 10 * MINUTE
    broken = PromiseBroken(promise_id="p1", set_by_event_id=text(made))
    assert "" == append_one(ledger, broken, internal=True, occur=START + MINUTE)

    recorded(ledger, correction(made, PromiseMade(promise_id="p1", kind="delivery", due=due, what="boots")))

    assert START + MINUTE == state(ledger, "promise-p1").broken_time


def test_a_corrected_occur_time_decides_whether_a_promise_was_kept_and_is_claimed(ledger: Ledger, now: Time) -> None:
    due = Due(instant=timestamp(START + MINUTE))
    recorded(ledger, PromiseMade(promise_id="p1", kind="delivery", due=due))
    now.micros += 2 * MINUTE
    kept = recorded(ledger, PromiseKept(promise_id="p1"))

    recorded(ledger, correction(kept, PromiseKept(promise_id="p1"), occur=START + MINUTE))

    after = state(ledger, "promise-p1")
    assert (PROMISE_STATE_KEPT, START + MINUTE) == (after.state, after.ended_time)
    assert now.micros == after.keep.record_time


def test_the_last_correction_wins_and_retracting_it_restores(ledger: Ledger) -> None:
    received = recorded(ledger, contact(reason="one"))
    recorded(ledger, correction(received, contact(reason="two"), department="care"))
    third = recorded(ledger, correction(received, contact(reason="three")), department="care")

    of_third = stands(ledger, received)
    gone = recorded(ledger, retraction(third), department="care")
    of_second = stands(ledger, received)
    recorded(ledger, retraction(gone), department="care")

    assert [("three", "care"), ("two", "care")] == [
        (one.payload.reason, one.header.department) for one in (of_third, of_second) if one is not None
    ]
    assert "three" == state(ledger, "contact-c1").reason


def test_retracting_an_opener_voids_the_entity_until_it_is_opened_again(ledger: Ledger) -> None:
    received = recorded(ledger, contact())
    recorded(ledger, ContactAnswered(contact_id="c1", answered_by=1))

    recorded(ledger, retraction(received))
    void = state(ledger, "contact-c1")
    refused = append_one(ledger, NoteAdded(contact_id="c1", text="x"))

    assert (None, "REFERENCE_UNKNOWN") == (void, refused)
    assert "" == append_one(ledger, contact(reason="other"))
    assert "other" == state(ledger, "contact-c1").reason


def test_what_does_not_apply_after_a_correction_is_overtaken_not_refused(ledger: Ledger, now: Time) -> None:
    made = recorded(ledger, PromiseMade(promise_id="p1", kind="call_back", due=Due(instant=timestamp(START + DAY))))
    now.micros += MINUTE
    kept = recorded(ledger, PromiseKept(promise_id="p1"))
    later = PromiseMade(
        promise_id="p1", kind="call_back", due=Due(instant=timestamp(START + DAY), not_before=timestamp(START + DAY // 2))
    )

    recorded(ledger, correction(made, later, approver="s-1"))

    folded = fold(FAMILIES["promise"], events(ledger, "promise-p1"), "promise-p1")
    assert PROMISE_STATE_OPEN == folded.state.state
    assert [kept.event_id] == [event.event_id for event in folded.ineffective]


def test_an_import_run_goes_on_where_it_is_not_remembered(ledger: Ledger, tmp_path: Path, now: Time) -> None:
    recorded(ledger, ImportStarted(run_id="i1", from_source="crm", answers_recorded=True))
    ledger.close()
    again = Ledger.open(tmp_path, now=now)

    try:
        received = recorded(again, contact(), channel="phone", import_run="i1")
        assert received.payload.HasField("response_due_time")
    finally:
        again.close()


# What is refused


def test_a_correction_comes_from_the_department_of_the_event_or_a_supervisor(ledger: Ledger) -> None:
    received = recorded(ledger, contact(), department="care")

    others = append_one(ledger, correction(received, contact(reason="x")), department="depot")
    nobodys = append_one(ledger, retraction(received))
    late = append_one(ledger, retraction(received), department="depot", record_late=True)
    supervisors = append_one(ledger, correction(received, contact(reason="x")), department="depot", supervisor=True)
    own = append_one(ledger, retraction(received), department="care")

    assert ["DEPARTMENT_NOT_ALLOWED"] * 3 == [others, nobodys, late]
    assert ["", ""] == [supervisors, own]


def test_an_import_may_correct_whatever_it_brought(ledger: Ledger) -> None:
    recorded(ledger, ImportStarted(run_id="i1", from_source="crm"))
    made = PromiseMade(promise_id="p1", kind="delivery", due=Due(instant=timestamp(START + MINUTE)))
    received = recorded(ledger, made, department="care", import_run="i1")
    recorded(ledger, ImportFinished(run_id="i1"))
    recorded(ledger, ImportStarted(run_id="i2", from_source="crm"))
    mended = PromiseMade(promise_id="p1", kind="delivery", due=Due(instant=timestamp(START + DAY)))

    assert "" == append_one(ledger, correction(received, mended), import_run="i2")


def test_a_due_is_corrected_only_with_who_approved_it(ledger: Ledger) -> None:
    made = recorded(ledger, PromiseMade(promise_id="p1", kind="delivery", due=Due(instant=timestamp(START + MINUTE))))
    later = PromiseMade(promise_id="p1", kind="delivery", due=Due(instant=timestamp(START + DAY)))

    without = append_one(ledger, correction(made, later))
    approved = append_one(ledger, correction(made, later, approver="s-1"))

    assert ("FIELD_REQUIRED", "") == (without, approved)


def test_a_correction_that_would_not_apply_is_refused_unless_it_is_imported(ledger: Ledger, now: Time) -> None:
    recorded(ledger, PromiseMade(promise_id="p1", kind="call_back", due=Due(instant=timestamp(START + DAY))))
    kept = recorded(ledger, PromiseKept(promise_id="p1"))
    recorded(ledger, ImportStarted(run_id="i1", from_source="crm"))
    recorded(ledger, RequestOpened(request_id="r1", owner_department="care", reason="delivery"), department="care")
    offer = HandoffOffered(request_id="r1", handoff_id="h1", from_department="care", to_department="depot", ownership=MOVES)
    recorded(ledger, offer, department="care")
    accepted = recorded(ledger, HandoffAccepted(request_id="r1", handoff_id="h1"), department="depot")
    too_early = correction(accepted, HandoffAccepted(request_id="r1", handoff_id="h1"), occur=START - DAY)

    refused = append_one(ledger, too_early, department="depot")
    imported = append_one(ledger, too_early, import_run="i1")

    assert ("MOVE_NOT_ALLOWED", "") == (refused, imported)
    assert kept.stream == "promise-p1"


class Refused:
    """A bad correction or retraction, by name."""

    def __init__(self, ledger: Ledger) -> None:
        self.received = recorded(ledger, contact(), department="care")
        self.other = recorded(ledger, contact("c2"), department="care")
        self.closed = recorded(
            ledger, RequestOpened(request_id="r1", owner_department="care", reason="delivery"), department="care"
        )
        offer = {"request_id": "r1", "from_department": "care", "to_department": "depot", "ownership": MOVES}
        self.offered = recorded(ledger, HandoffOffered(handoff_id="h1", **offer), department="care")
        self.shared = recorded(ledger, IdentifierShared(identifier=email("a@example.org"), shared=True), department="care")
        self.policy = events(ledger)[1]
        self.gone = recorded(ledger, contact("c3"), department="care")
        self.retraction = recorded(ledger, retraction(self.gone), department="care")
        self.correction = recorded(ledger, correction(self.received, contact(reason="x")), department="care")
        self.other_handoff = HandoffOffered(handoff_id="h2", **offer)


def _unknown(of: Refused) -> Any:
    return EventRetracted(stream="contact-c1", retracted_event_id=str(uuid.UUID(int=7)), reason="x")


BAD = {
    "an unknown event": (_unknown, "REFERENCE_UNKNOWN"),
    "an event of another stream": (
        lambda of: EventRetracted(stream="contact-c2", retracted_event_id=text(of.received), reason="x"),
        "REFERENCE_UNKNOWN",
    ),
    "an unknown stream": (
        lambda of: EventRetracted(stream="contact-c9", retracted_event_id=text(of.received), reason="x"),
        "REFERENCE_UNKNOWN",
    ),
    "a correction of a correction": (lambda of: correction(of.correction, contact(reason="y")), "NOT_CORRECTABLE"),
    "a correction within a correction": (
        lambda of: correction(of.received, correction(of.received, contact())),
        "NOT_CORRECTABLE",
    ),
    "a retraction within a correction": (lambda of: correction(of.received, retraction(of.received)), "NOT_CORRECTABLE"),
    "another kind": (lambda of: correction(of.received, NoteAdded(contact_id="c1", text="x")), "NOT_CORRECTABLE"),
    "another contact": (lambda of: correction(of.received, contact("c2")), "NOT_CORRECTABLE"),
    "another handoff": (lambda of: correction(of.offered, of.other_handoff), "NOT_CORRECTABLE"),
    "a retracted event": (lambda of: correction(of.gone, contact("c3", reason="y")), "NOT_CORRECTABLE"),
    "an event retracted already": (lambda of: retraction(of.gone), "NOT_CORRECTABLE"),
    "a policy": (lambda of: retraction(of.policy), "NOT_CORRECTABLE"),
    "a mark of a shared identifier": (lambda of: retraction(of.shared), "NOT_CORRECTABLE"),
    "no payload": (
        lambda of: EventCorrected(stream="contact-c1", corrected_event_id=text(of.received), reason="x"),
        "FIELD_REQUIRED",
    ),
    "an empty payload": (
        lambda of: EventCorrected(stream="contact-c1", corrected_event_id=text(of.received), reason="x", payload=Payload()),
        "FIELD_REQUIRED",
    ),
    "no reason": (lambda of: EventRetracted(stream="contact-c1", retracted_event_id=text(of.received)), "FIELD_REQUIRED"),
    "no event": (lambda of: EventRetracted(stream="contact-c1", reason="x"), "FIELD_REQUIRED"),
    "a malformed id": (lambda of: EventRetracted(stream="contact-c1", retracted_event_id="7", reason="x"), "ID_MALFORMED"),
    "a malformed stream": (
        lambda of: EventRetracted(stream="a stream", retracted_event_id=text(of.received), reason="x"),
        "ID_MALFORMED",
    ),
    "a malformed reason": (lambda of: EventRetracted(stream="contact-c1", retracted_event_id=text(of.received), reason="X!"), None),
    "a made field inside": (lambda of: correction(of.received, contact(bot_answers=True)), "FIELD_MADE_BY_LEDGER"),
    "an impossible number inside": (
        lambda of: correction(of.received, contact(customer=Identifier(type="phone", value="1"))),
        "IDENTIFIER_INVALID",
    ),
    "a missing field inside": (lambda of: correction(of.received, ContactReceived(contact_id="c1")), "FIELD_REQUIRED"),
    "a time far ahead": (lambda of: correction(of.received, contact(), occur=START + DAY), "TIME_OUT_OF_RANGE"),
    "a time before all": (lambda of: correction(of.received, contact(), occur=-(2**52)), "TIME_OUT_OF_RANGE"),
    "a malformed channel": (lambda of: correction(of.received, contact(), channel="E-Mail"), "CODE_MALFORMED"),
    "a part twice": (
        lambda of: EventCorrected(
            stream="contact-c1",
            corrected_event_id=text(of.received),
            reason="x",
            envelope=CorrectedEnvelope(without=[PART_CHANNEL, PART_CHANNEL]),
            payload=Payload(contact_received=contact()),
        ),
        "FIELD_INVALID",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_of_corrections_is_refused(ledger: Ledger, name: str) -> None:
    make, reason = BAD[name]
    of = Refused(ledger)
    head = ledger.head().position

    (result,) = ledger.append([group(to_append(make(of), department="care"))])

    assert (reason or "CODE_MALFORMED", head) == (reason_of(result.error), ledger.head().position)


def test_a_correction_of_an_event_of_another_stream_is_told_what_to_name(ledger: Ledger) -> None:
    of = Refused(ledger)

    (result,) = ledger.append([group(to_append(correction(of.correction, contact(reason="y")), department="care"))])

    assert text(of.received) in result.error.message
    assert "contact-c1" == metadata_of(result.error)["stream"]


def test_what_the_clock_wrote_is_not_corrected(ledger: Ledger, now: Time) -> None:
    made = recorded(ledger, PromiseMade(promise_id="p1", kind="delivery", due=Due(instant=timestamp(START + MINUTE))))
    now.micros += 10 * MINUTE
    broken = PromiseBroken(promise_id="p1", set_by_event_id=text(made))
    assert "" == append_one(ledger, broken, internal=True, occur=START + MINUTE)

    assert "NOT_CORRECTABLE" == append_one(ledger, retraction(last(ledger)))


def test_a_request_ended_stays_ended_when_what_ended_it_is_corrected(ledger: Ledger) -> None:
    recorded(ledger, RequestOpened(request_id="r1", owner_department="care", reason="delivery"))
    closed = recorded(ledger, RequestClosed(request_id="r1", outcome=1))

    recorded(ledger, correction(closed, RequestClosed(request_id="r1", outcome=2)))

    assert 2 == state(ledger, "request-r1").outcome
    assert "MOVE_NOT_ALLOWED" == append_one(ledger, RequestClosed(request_id="r1", outcome=3))
