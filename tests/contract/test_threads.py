"""What a message of a thread becomes (domain rule 9.1): a contact of its own, or a message in the one that is under way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_AUTOMATIC,
    ANSWERED_BY_HUMAN,
    ContactAbandoned,
    ContactAnswered,
    ContactEnded,
    ContactReceived,
    MessageSent,
    NoteAdded,
)
from ledger.api.v1.core_pb2 import Attachment, Identifier
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.ledger_service_pb2 import Appended
from ledger.application import Ledger
from ledger.catalogue import read_event
from tests.appending import append_one, group, metadata_of, reason_of, to_append

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = 1_770_000_000_000_000
WINDOW = 72 * HOUR
ANNE = Identifier(type="email", value="anne@example.org")


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
    opened = Ledger.open(tmp_path, now=now)
    yield opened
    opened.close()


def mail(thread: str = "t1", **fields: Any) -> ContactReceived:
    return ContactReceived(**{"thread_id": thread, "reason": "delivery", "customer": ANNE, **fields})


def wrote(ledger: Ledger, payload: ContactReceived | None = None, **envelope: Any) -> Appended:
    """Append one message of a thread, and return what it became."""
    (result,) = ledger.append([group(to_append(payload or mail(), channel="email", **envelope))])
    assert "" == reason_of(result.error)
    return result.appended[0]


def became(ledger: Ledger, *events: EventToAppend) -> list[tuple[str, str]]:
    """Append each event as a group of its own in one batch, and return topic and stream of each."""
    results = ledger.append([group(event) for event in events])
    return [(result.appended[0].topic, result.appended[0].stream) for result in results]


def test_the_first_message_of_a_thread_opens_a_contact_named_after_it(ledger: Ledger) -> None:
    appended = wrote(ledger)

    assert ("contact-received", "contact-t1.1", 1) == (appended.topic, appended.stream, appended.revision)
    event = read_event(*_row(ledger, appended.position))
    assert ("t1.1", "t1") == (event.payload.contact_id, event.payload.thread_id)


def test_what_follows_is_a_message_in_it(ledger: Ledger) -> None:
    wrote(ledger)

    second, third = wrote(ledger), wrote(ledger)

    assert ("message-received", "contact-t1.1", 2) == (second.topic, second.stream, second.revision)
    assert ("message-received", "contact-t1.1", 3) == (third.topic, third.stream, third.revision)


def test_threads_do_not_mix(ledger: Ledger) -> None:
    wrote(ledger, mail("t1"))

    assert "contact-t2.1" == wrote(ledger, mail("t2")).stream


def test_a_message_takes_over_all_that_was_said(ledger: Ledger) -> None:
    wrote(ledger)
    said = mail(
        summary="again",
        body="where is it",
        customer=Identifier(type="email", value="bob@example.org"),
        language="fr",
        our_address="help@example.org",
        attachments=[Attachment(name="photo.jpg")],
    )

    appended = wrote(ledger, said)

    payload = _opened(ledger, appended.position)
    assert ("t1.1", "t1", "again", "where is it", "delivery") == (
        *(payload.contact_id, payload.thread_id, payload.summary, payload.body, payload.reason),
    )
    assert ("bob@example.org", "fr", "help@example.org", "photo.jpg") == (
        *(payload.customer.value, payload.language, payload.our_address, payload.attachments[0].name),
    )


@pytest.mark.parametrize("end", [ContactEnded(contact_id="t1.1"), ContactAbandoned(contact_id="t1.1")])
def test_after_its_end_a_message_opens_the_next_contact(ledger: Ledger, end: Any) -> None:
    wrote(ledger)
    append_one(ledger, end)

    assert ("contact-received", "contact-t1.2") == became(ledger, to_append(mail()))[0]
    assert ("message-received", "contact-t1.2") == became(ledger, to_append(mail()))[0]


@pytest.mark.parametrize(("later", "expected"), [(WINDOW, "contact-t1.1"), (WINDOW + 1, "contact-t1.2")])
def test_quiet_for_longer_than_the_window_opens_the_next_contact(ledger: Ledger, now: Time, later: int, expected: str) -> None:
    wrote(ledger)
    append_one(ledger, MessageSent(contact_id="t1.1", sent_by=ANSWERED_BY_HUMAN))
    now.micros += later

    assert expected == wrote(ledger).stream


@pytest.mark.parametrize(
    "answers",
    [[], [MessageSent(contact_id="t1.1", sent_by=ANSWERED_BY_AUTOMATIC)]],
    ids=["none", "automatic"],
)
def test_a_contact_without_an_answer_is_never_quiet(ledger: Ledger, now: Time, answers: list[Any]) -> None:
    wrote(ledger)
    for answer in answers:
        append_one(ledger, answer)
    now.micros += 10 * WINDOW

    assert "contact-t1.1" == wrote(ledger).stream


def test_a_customer_who_wrote_after_our_answer_still_waits_in_the_same_contact(ledger: Ledger, now: Time) -> None:
    wrote(ledger)
    append_one(ledger, ContactAnswered(contact_id="t1.1", answered_by=ANSWERED_BY_HUMAN))
    now.micros += HOUR
    wrote(ledger)
    now.micros += 2 * WINDOW

    assert "contact-t1.1" == wrote(ledger).stream


def test_several_in_one_batch_open_one_contact(ledger: Ledger) -> None:
    found = became(ledger, to_append(mail()), to_append(mail()), to_append(mail("t2")), to_append(mail()))

    assert [
        ("contact-received", "contact-t1.1"),
        ("message-received", "contact-t1.1"),
        ("contact-received", "contact-t2.1"),
        ("message-received", "contact-t1.1"),
    ] == found


def test_what_ends_it_in_the_same_batch_counts(ledger: Ledger) -> None:
    found = became(ledger, to_append(mail()), to_append(ContactEnded(contact_id="t1.1")), to_append(mail()))

    assert ["contact-t1.1", "contact-t1.1", "contact-t1.2"] == [stream for _, stream in found]


def test_what_follows_in_the_same_batch_is_sealed_under_the_same_subject(ledger: Ledger) -> None:
    anonymous = ContactReceived(thread_id="t1", reason="unknown")
    note = NoteAdded(contact_id="t1.1", text="nobody knows who it is")

    ledger.append([group(to_append(anonymous), to_append(anonymous)), group(to_append(note))])

    subjects = {read_event(row.position, row.header).subject for row in ledger.store.read_stream("contact-t1.1")}
    assert 1 == len(subjects)


def test_a_refused_group_opens_nothing(ledger: Ledger) -> None:
    refused, taken = ledger.append(
        [group(to_append(mail()), to_append(ContactEnded(contact_id="nowhere"))), group(to_append(mail()))]
    )

    assert "REFERENCE_UNKNOWN" == reason_of(refused.error)
    assert ("contact-received", "contact-t1.1") == (taken.appended[0].topic, taken.appended[0].stream)


@pytest.mark.parametrize("first", [True, False], ids=["contact", "message"])
def test_sent_again_it_is_a_duplicate_whichever_form_it_took(ledger: Ledger, now: Time, first: bool) -> None:
    if not first:
        wrote(ledger)
    event = to_append(mail(summary="late", body="where is it"), channel="email")
    (once,) = ledger.append([group(event)])
    append_one(ledger, ContactEnded(contact_id="t1.1"))
    now.micros += 2 * WINDOW

    (again,) = ledger.append([group(event)])

    assert again.appended[0].duplicate
    assert (once.appended[0].topic, once.appended[0].stream, once.appended[0].position) == (
        *(again.appended[0].topic, again.appended[0].stream, again.appended[0].position),
    )


def test_twice_in_one_call_it_is_recorded_once(ledger: Ledger) -> None:
    event = to_append(mail())

    first, again = ledger.append([group(event), group(event)])

    assert (first.appended[0].position, True) == (again.appended[0].position, again.appended[0].duplicate)


@pytest.mark.parametrize("first", [True, False], ids=["contact", "message"])
@pytest.mark.parametrize("other", [{"reason": "billing"}, {"summary": "other"}, {"thread_id": "t9"}, {"contact_id": "c9"}])
def test_the_same_id_with_another_content_is_refused(ledger: Ledger, first: bool, other: dict[str, str]) -> None:
    if not first:
        wrote(ledger)
    own = str(uuid.uuid4())
    wrote(ledger, event_id=own)

    (result,) = ledger.append([group(to_append(mail(**other), channel="email", event_id=own))])

    assert "EVENT_ID_REUSED" == reason_of(result.error)


def test_with_a_contact_id_the_caller_decides(ledger: Ledger) -> None:
    wrote(ledger)

    appended = wrote(ledger, mail(contact_id="c7"))

    assert ("contact-received", "contact-c7") == (appended.topic, appended.stream)


def test_without_contact_and_thread_it_is_refused_by_path(ledger: Ledger) -> None:
    (result,) = ledger.append([group(to_append(ContactReceived(reason="delivery")))])

    assert "FIELD_REQUIRED" == reason_of(result.error)
    assert "groups[0].events[0].payload.contact_received.contact_id" == metadata_of(result.error)["field"]


@pytest.mark.parametrize("thread", ["0142685300", "a b", "anne@example.org", "x" * 81])
def test_a_thread_id_that_is_none_is_refused(ledger: Ledger, thread: str) -> None:
    (result,) = ledger.append([group(to_append(mail(thread)))])

    assert "ID_MALFORMED" == reason_of(result.error)


def test_an_imported_one_is_judged_at_its_own_time(ledger: Ledger) -> None:
    append_one(ledger, ImportStarted(run_id="old", from_source="mailbox"))
    past = START - 100 * WINDOW

    def imported(payload: Any, occur: int) -> str:
        (result,) = ledger.append([group(to_append(payload, import_run="old", occur=occur))])
        assert "" == reason_of(result.error)
        return str(result.appended[0].stream)

    opened = imported(mail(), past)
    imported(MessageSent(contact_id="t1.1", sent_by=ANSWERED_BY_HUMAN), past + HOUR)
    next_one = imported(mail(), past + 2 * WINDOW)
    between = imported(mail(), past + 2 * HOUR)
    before_all = imported(mail(), past - HOUR)

    assert ("contact-t1.1", "contact-t1.2", "contact-t1.1", "contact-t1.3") == (opened, next_one, between, before_all)


def test_a_ledger_opened_again_goes_on_with_its_threads(tmp_path: Path, now: Time) -> None:
    first = Ledger.open(tmp_path, now=now)
    for _ in range(12):
        number = int(wrote(first).stream.rpartition(".")[2])
        append_one(first, ContactEnded(contact_id=f"t1.{number}"))
    first.close()

    again = Ledger.open(tmp_path, now=now)

    try:
        assert "contact-t1.13" == wrote(again).stream
        assert ("message-received", "contact-t1.13") == became(again, to_append(mail()))[0]
    finally:
        again.close()


def _row(ledger: Ledger, position: int) -> Any:
    row = ledger.store.read_positions([position])[position]
    return row.position, row.header, row.parts


def _opened(ledger: Ledger, position: int) -> Any:
    return ledger.content.open_payload(read_event(*_row(ledger, position)))[0]
