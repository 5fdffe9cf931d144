"""What the ledger promises at append, whatever store is below."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uuid_utils

from ledger.api.v1.contact_pb2 import ContactAnswered, ContactMade, ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import MOVES, Due, Fact, Identifier
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.governance_pb2 import EventConfirmed, ImportFinished, ImportStarted
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered
from ledger.api.v1.identity_pb2 import IdentifierShared, IdentityLinked
from ledger.api.v1.ledger_service_pb2 import StreamExpectation
from ledger.api.v1.promise_pb2 import PromiseBroken, PromiseDisputed, PromiseKept, PromiseMade
from ledger.api.v1.request_pb2 import RequestClosed, RequestOpened, RequestReopened
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from tests.appending import append_one, group, metadata_of, reason_of, to_append

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


def contact(contact_id: str = "c1", **fields: object) -> ContactReceived:
    return ContactReceived(contact_id=contact_id, reason="delivery", **fields)  # type: ignore[arg-type]


def events(ledger: Ledger) -> list[Event]:
    return [read_event(row.position, row.header, row.parts) for row in ledger.store.read(0, 10_000)]


def last(ledger: Ledger) -> Event:
    return events(ledger)[-1]


def test_a_ledger_is_born_with_its_opening_and_the_default_policy(ledger: Ledger) -> None:
    assert ["ledger-opened", "policy-published"] == [event.topic for event in events(ledger)]
    assert ledger.ledger_id == uuid.UUID(events(ledger)[0].payload.ledger_id).bytes


def test_a_ledger_opened_again_is_the_same_and_goes_on(tmp_path: Path, now: Time) -> None:
    first = Ledger.open(tmp_path, now=now, home_zone="Europe/Paris")
    append_one(first, contact())
    first.close()

    again = Ledger.open(tmp_path, now=now, home_zone="Asia/Tokyo")

    try:
        assert (first.ledger_id, "Europe/Paris", 3) == (again.ledger_id, again.home_zone, again.head().position)
        assert "" == append_one(again, ContactAnswered(contact_id="c1", answered_by=1))
    finally:
        again.close()


def test_the_same_event_is_recorded_once_for_ever(ledger: Ledger, now: Time) -> None:
    event = to_append(contact(customer=Identifier(type="email", value="A@Example.org"), summary="late"))
    (first,) = ledger.append([group(event)])
    now.micros += 400 * DAY

    (again,) = ledger.append([group(event)])

    assert again.appended[0].duplicate
    assert first.appended[0].position == again.appended[0].position
    assert 3 == ledger.head().position


def test_the_same_event_twice_in_one_call_is_recorded_once(ledger: Ledger) -> None:
    event = to_append(contact())

    first, again = ledger.append([group(event), group(event)])

    assert (first.appended[0].position, False, True) == (
        again.appended[0].position,
        first.appended[0].duplicate,
        again.appended[0].duplicate,
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda event: setattr(event.payload.contact_received, "summary", "other"),
        lambda event: setattr(event.payload.contact_received, "reason", "billing"),
        lambda event: setattr(event.payload.contact_received.customer, "value", "b@example.org"),
        lambda event: setattr(event.envelope, "department", "sales"),
        lambda event: event.envelope.occur_time.FromMicroseconds(START - 1),
        lambda event: event.payload.contact_received.ClearField("summary"),
    ],
)
def test_an_event_id_with_other_content_is_refused(ledger: Ledger, change: object) -> None:
    event = to_append(contact(customer=Identifier(type="email", value="a@example.org"), summary="late"), occur=START)
    ledger.append([group(event)])

    change(event)  # type: ignore[operator]
    (result,) = ledger.append([group(event)])

    assert "EVENT_ID_REUSED" == reason_of(result.error)


def test_a_duplicate_is_answered_before_expectations_and_life_cycle(ledger: Ledger) -> None:
    event = to_append(contact())
    expect_new = StreamExpectation(stream="contact-c1", is_new=True)
    ledger.append([group(event, expect=expect_new)])

    (again,) = ledger.append([group(event, expect=expect_new)])

    assert again.appended[0].duplicate


def test_a_group_is_recorded_whole_or_not_at_all_and_fails_alone(ledger: Ledger) -> None:
    bad = group(to_append(contact("c2")), to_append(ContactAnswered(contact_id="c9", answered_by=1)))

    results = ledger.append([group(to_append(contact("c1"))), bad, group(to_append(contact("c3")))])

    assert ["", "REFERENCE_UNKNOWN", ""] == [reason_of(result.error) for result in results]
    assert "1" == metadata_of(results[1].error)["event_index"]
    assert ["contact-c1", "contact-c3"] == [event.stream for event in events(ledger)[2:]]
    assert [3, 4] == [result.appended[0].position for result in (results[0], results[2])]


def test_what_a_refused_group_opened_is_not_open(ledger: Ledger) -> None:
    bad = group(to_append(contact("c1")), to_append(ContactAnswered(contact_id="c9", answered_by=1)))
    ledger.append([bad])

    assert "REFERENCE_UNKNOWN" == append_one(ledger, ContactAnswered(contact_id="c1", answered_by=1))
    assert "" == append_one(ledger, contact("c1"))
    assert 1 == last(ledger).revision


@pytest.mark.parametrize(
    ("expectation", "reason"),
    [
        (StreamExpectation(stream="contact-c1", revision=1), ""),
        (StreamExpectation(stream="contact-c1", revision=2), "REVISION_MISMATCH"),
        (StreamExpectation(stream="contact-c1", is_new=True), "REVISION_MISMATCH"),
        (StreamExpectation(stream="contact-c1", exists=True), ""),
        (StreamExpectation(stream="request-r7", exists=True), "REVISION_MISMATCH"),
        (StreamExpectation(stream="request-r7", is_new=True), ""),
        (StreamExpectation(stream="request-r7", revision=0), ""),
    ],
)
def test_expectations_are_about_any_stream(ledger: Ledger, expectation: StreamExpectation, reason: str) -> None:
    append_one(ledger, contact("c1"))

    (result,) = ledger.append([group(to_append(NoteAdded(contact_id="c1", text="n")), expect=expectation)])

    assert reason == reason_of(result.error)


def test_all_failing_expectations_are_listed(ledger: Ledger) -> None:
    events_group = group(to_append(contact("c1")))
    events_group.expectations.extend(
        [StreamExpectation(stream="request-a", revision=2), StreamExpectation(stream="request-b", exists=True)]
    )

    (result,) = ledger.append([events_group])

    assert "request-a" in result.error.message
    assert "request-b" in result.error.message


def test_concurrent_callers_get_contiguous_positions_and_revisions(ledger: Ledger) -> None:
    append_one(ledger, contact("c1"))

    def call(number: int) -> list[int]:
        results = ledger.append([group(to_append(NoteAdded(contact_id="c1", text=f"{number}-{part}"))) for part in range(5)])
        return [result.appended[0].position for result in results]

    with ThreadPoolExecutor(8) as pool:
        positions = sorted(position for some in pool.map(call, range(40)) for position in some)

    assert list(range(4, 204)) == positions
    assert list(range(1, 202)) == [event.revision for event in events(ledger) if event.stream == "contact-c1"]


def test_a_late_answer_to_a_waiting_writer_is_given_on_close(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    futures = [ledger.submit([group(to_append(contact(f"c{number}")))]) for number in range(50)]

    closer = threading.Thread(target=ledger.close)
    closer.start()
    closer.join()

    assert 50 == sum(1 for future in futures if future.result()[0].appended)


# Subjects


def test_what_follows_a_contact_belongs_to_its_customer(ledger: Ledger) -> None:
    customer = Identifier(type="phone", value="01 42 68 53 00")

    append_one(
        ledger,
        contact("c1", customer=customer),
        RequestOpened(request_id="r1", contact_id="c1", owner_department="support"),
        PromiseMade(promise_id="p1", kind="call_back", request_id="r1"),
    )

    first, *others = events(ledger)[2:]
    assert first.subject == ledger.vault.find("phone", "+33142685300")
    assert {first.subject} == {event.subject for event in others}


def test_anonymous_contacts_have_subjects_of_their_own(ledger: Ledger) -> None:
    append_one(ledger, contact("c1"), contact("c2"))

    subjects = [event.subject for event in events(ledger)[2:]]

    assert 2 == len({subject for subject in subjects if subject})


def test_contacts_from_a_shared_identifier_have_subjects_of_their_own(tmp_path: Path, now: Time) -> None:
    shop = Identifier(type="email", value="ipad@shop.example.org")
    first = Ledger.open(tmp_path, now=now)
    append_one(first, IdentifierShared(identifier=shop, shared=True))
    first.close()
    ledger = Ledger.open(tmp_path, now=now)

    append_one(ledger, contact("c1", customer=shop), contact("c2", customer=shop))

    try:
        one, two = events(ledger)[-2:]
        subject = ledger.vault.find("email", "ipad@shop.example.org")
        assert 3 == len({one.subject, two.subject, subject})
        assert "ipad@shop.example.org" == ledger.content.open_payload(one)[0].customer.value
    finally:
        ledger.close()


def test_a_link_seals_each_identifier_under_its_own_key(ledger: Ledger) -> None:
    append_one(
        ledger,
        IdentityLinked(
            left=Identifier(type="email", value="a@example.org"), right=Identifier(type="account", value="7"), note="said so"
        ),
    )

    event = last(ledger)
    left, right = (ledger.vault.find(*pair) for pair in (("email", "a@example.org"), ("account", "7")))
    assert [left, right] == [part.subject for part in event.header.parts]
    payload, _ = ledger.content.open_payload(event)
    assert ("a@example.org", "7", "said so") == (payload.left.value, payload.right.value, payload.note)


def test_equal_facts_of_one_customer_carry_equal_marks(ledger: Ledger) -> None:
    customer = Identifier(type="email", value="a@example.org")
    other = Identifier(type="email", value="b@example.org")

    for who, value in (
        (customer, "1 rue de la Paix"),
        (customer, " 1 Rue de la  PAIX "),
        (customer, "2 rue"),
        (other, "1 rue de la Paix"),
    ):
        append_one(ledger, FactGiven(fact=Fact(key="delivery_address", value=value), customer=who))

    marks = [event.payload.fact.value_mark for event in events(ledger)[2:]]
    assert marks[0] == marks[1]
    assert 3 == len(set(marks))


def test_no_personal_data_stands_in_a_header(ledger: Ledger) -> None:
    append_one(
        ledger,
        contact("c1", customer=Identifier(type="email", value="anne@example.org"), summary="parcel lost", body="my street is long"),
        RequestOpened(request_id="r1", contact_id="c1", wish="find it", intake_facts=[Fact(key="address", value="1 rue X")]),
    )

    stored = b"".join(row.header for row in ledger.store.read(0, 100))
    for secret in (b"anne", b"parcel", b"street", b"find it", b"rue"):
        assert secret not in stored


# Times, imports, what is recorded late


def test_an_event_may_be_recorded_within_the_allowance_only(ledger: Ledger) -> None:
    assert "" == append_one(ledger, contact("c1"), occur=START - 2 * MINUTE)
    assert "OCCURRED_TOO_LONG_AGO" == append_one(ledger, contact("c2"), occur=START - 2 * MINUTE - 1)
    assert "" == append_one(ledger, contact("c3"), occur=START - 3 * DAY, record_late=True)


def test_an_event_may_run_ahead_by_five_minutes_only(ledger: Ledger) -> None:
    assert "" == append_one(ledger, contact("c1"), occur=START + 5 * MINUTE)
    assert "TIME_OUT_OF_RANGE" == append_one(ledger, contact("c2"), occur=START + 5 * MINUTE + 1)


def test_events_of_an_import_need_an_open_run(ledger: Ledger) -> None:
    assert "IMPORT_NOT_OPEN" == append_one(ledger, contact("c1"), import_run="run-1", occur=START - 900 * DAY)
    append_one(ledger, ImportStarted(run_id="run-1", from_source="crm"))
    event = to_append(contact("c1"), import_run="run-1", occur=START - 900 * DAY)
    ledger.append([group(event)])
    append_one(ledger, ImportFinished(run_id="run-1"))

    assert "IMPORT_NOT_OPEN" == append_one(ledger, contact("c2"), import_run="run-1", occur=START - 900 * DAY)
    (again,) = ledger.append([group(event)])
    assert again.appended[0].duplicate


def test_an_import_is_never_refused_for_a_life_cycle(ledger: Ledger) -> None:
    append_one(ledger, ImportStarted(run_id="run-1", from_source="crm"))

    (result,) = ledger.append([group(to_append(RequestReopened(request_id="r1"), import_run="run-1", occur=START - DAY))])

    assert result.appended[0].irregular


def offer(ledger: Ledger) -> None:
    append_one(ledger, RequestOpened(request_id="r1", owner_department="sales"), department="sales")
    append_one(
        ledger,
        HandoffOffered(request_id="r1", handoff_id="h1", from_department="sales", to_department="shipping", ownership=MOVES),
        department="sales",
    )


def test_a_late_event_that_undoes_what_another_department_did_waits_for_it(ledger: Ledger, now: Time) -> None:
    offer(ledger)
    offered = now.micros
    now.micros += DAY
    append_one(ledger, HandoffAccepted(request_id="r1", handoff_id="h1"), department="shipping")
    now.micros += DAY
    from ledger.api.v1.handoff_pb2 import HandoffWithdrawn

    late = to_append(
        HandoffWithdrawn(request_id="r1", handoff_id="h1"), occur=offered + MINUTE, department="sales", record_late=True
    )
    (result,) = ledger.append([group(late)])

    assert result.appended[0].held_back
    confirm = EventConfirmed(stream="request-r1", confirmed_event_id=late.envelope.event_id)
    assert "DEPARTMENT_NOT_ALLOWED" == append_one(ledger, confirm, department="sales")
    assert "" == append_one(ledger, confirm, department="shipping")


def test_closing_over_a_pending_handoff_is_refused_unless_the_same_append_ends_it(ledger: Ledger) -> None:
    from ledger.api.v1.handoff_pb2 import HandoffWithdrawn

    offer(ledger)

    assert "HANDOFFS_PENDING" == append_one(ledger, RequestClosed(request_id="r1", outcome=1), department="sales")
    assert "" == append_one(
        ledger, HandoffWithdrawn(request_id="r1", handoff_id="h1"), RequestClosed(request_id="r1", outcome=1), department="sales"
    )


def test_an_accepted_handoff_names_what_moves_with_it(ledger: Ledger) -> None:
    append_one(ledger, RequestOpened(request_id="r1", owner_department="sales"), department="sales")
    append_one(ledger, PromiseMade(promise_id="p1", kind="quote", request_id="r1"), department="sales")
    append_one(
        ledger,
        HandoffOffered(
            request_id="r1", handoff_id="h1", from_department="sales", to_department="shipping", ownership=MOVES, promise_ids=["p1"]
        ),
        department="sales",
    )

    append_one(ledger, HandoffAccepted(request_id="r1", handoff_id="h1"), department="shipping")

    accepted = last(ledger).payload
    assert ("shipping", True, ["p1"]) == (accepted.to_department, accepted.moves, list(accepted.promise_ids))


def test_a_request_is_reopened_within_the_window_only(ledger: Ledger, now: Time) -> None:
    append_one(
        ledger,
        RequestOpened(request_id="r1", owner_department="sales"),
        RequestClosed(request_id="r1", outcome=1),
        department="sales",
    )
    now.micros += 31 * DAY

    assert "MOVE_NOT_ALLOWED" == append_one(ledger, RequestReopened(request_id="r1"), department="sales")
    now.micros -= 2 * DAY
    assert "" == append_one(ledger, RequestReopened(request_id="r1"), department="sales")


# What the policy decides


@pytest.mark.parametrize(
    ("channel", "seconds"),
    [
        ("phone", 60),
        ("chat", 30),
        ("social_public", 1800),
        ("social_private", 1800),
        ("email", 86_400),
        ("letter", None),
        ("kiosk", None),
    ],
)
def test_a_contact_is_due_within_the_target_of_its_channel(ledger: Ledger, channel: str, seconds: int | None) -> None:
    append_one(ledger, contact("c1"), channel=channel)

    received = last(ledger)

    if seconds is None:
        assert not received.payload.HasField("response_due_time")
    else:
        assert START + seconds * 1_000_000 == received.payload.response_due_time.ToMicroseconds()
        assert ("default", 1) == (received.header.policy_id, received.header.policy_version)


def test_what_occurred_before_the_first_policy_is_unmeasured(ledger: Ledger) -> None:
    append_one(ledger, contact("c1"), channel="phone", occur=START - DAY, record_late=True)

    assert not last(ledger).payload.HasField("response_due_time")


@pytest.mark.parametrize("answers_recorded", [False, True])
def test_an_imported_contact_is_measured_only_where_answers_are_recorded(ledger: Ledger, answers_recorded: bool) -> None:
    append_one(ledger, ImportStarted(run_id="run-1", from_source="crm", answers_recorded=answers_recorded))

    append_one(ledger, contact("c1"), channel="phone", import_run="run-1", occur=START + MINUTE)

    assert answers_recorded == last(ledger).payload.HasField("response_due_time")


def test_a_due_is_resolved_once_and_kept_beside_what_was_said(tmp_path: Path, now: Time) -> None:
    ledger = Ledger.open(tmp_path, now=now, home_zone="Europe/Paris")

    append_one(ledger, PromiseMade(promise_id="p1", kind="delivery", due=Due(local="2026-10-25T02:30")))

    due = last(ledger).payload.due
    ledger.close()
    assert ("2026-10-25T02:30", "Europe/Paris", True) == (due.local, due.zone, due.ambiguous)
    assert 1_792_888_200_000_000 == due.due_time.ToMicroseconds()


# What only the ledger may write


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (PromiseBroken(promise_id="p1", set_by_event_id=str(uuid_utils.uuid7())), "TOPIC_RESERVED"),
        (HandoffAccepted(request_id="r1", handoff_id="h1", to_department="x"), "FIELD_MADE_BY_LEDGER"),
        (
            contact("c1", customer=Identifier(type="email", value="a@b.org", subject=str(uuid_utils.uuid7()))),
            "FIELD_MADE_BY_LEDGER",
        ),
        (PromiseMade(promise_id="response-c1", kind="x"), "ID_MALFORMED"),
    ],
)
def test_what_only_the_ledger_writes_is_refused_from_others(ledger: Ledger, payload: object, reason: str) -> None:
    assert reason == append_one(ledger, payload)  # type: ignore[arg-type]


def test_the_clock_breaks_a_promise_once_it_names_what_set_the_due(ledger: Ledger, now: Time) -> None:
    made = to_append(PromiseMade(promise_id="p1", kind="call", due=Due(local="2026-03-01", zone="UTC")))
    ledger.append([group(made)])
    now.micros += 60 * DAY
    other = PromiseBroken(promise_id="p1", set_by_event_id=str(uuid_utils.uuid7()))
    right = PromiseBroken(promise_id="p1", set_by_event_id=made.envelope.event_id)
    due = events(ledger)[-1].payload.due.due_time.ToMicroseconds()

    assert "MOVE_NOT_ALLOWED" == append_one(ledger, other, internal=True, occur=due)
    assert "" == append_one(ledger, right, internal=True, occur=due)
    assert "" == append_one(ledger, PromiseKept(promise_id="p1"))


def test_a_disputed_keep_leaves_the_promise_open(ledger: Ledger) -> None:
    append_one(ledger, PromiseMade(promise_id="p1", kind="repair", contact_id="c0"))
    kept = to_append(PromiseKept(promise_id="p1"))
    ledger.append([group(kept)])

    assert "MOVE_NOT_ALLOWED" == append_one(ledger, PromiseKept(promise_id="p1"))
    assert "" == append_one(ledger, PromiseDisputed(promise_id="p1", kept_event_id=kept.envelope.event_id))
    assert "" == append_one(ledger, PromiseKept(promise_id="p1"))


def test_an_outbound_answer_belongs_to_whom_it_answers(ledger: Ledger) -> None:
    append_one(ledger, contact("c1", customer=Identifier(type="email", value="a@example.org")))

    append_one(ledger, ContactMade(contact_id="c2", in_reply_to="c1", reached=1, body="here it is"))

    assert ledger.vault.find("email", "a@example.org") == last(ledger).subject
