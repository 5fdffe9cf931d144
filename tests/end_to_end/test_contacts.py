"""The course of contacts over the wire: threads, messages and their targets, transfers, checks of who it is, attribution."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from clients.python import AsOf, Client, event
from clients.python.errors import InvalidError, MoveNotAllowedError, ReferenceUnknownError
from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_BOT,
    ANSWERED_BY_HUMAN,
    COLD,
    PARTIAL,
    WARM,
    AuthenticationChecked,
    ColleagueConsulted,
    ContactAnswered,
    ContactAttributed,
    ContactEnded,
    ContactReceived,
    ContactTransferred,
    ContactWrappedUp,
    MessageReceived,
    MessageSent,
)
from ledger.api.v1.core_pb2 import STAYS, Fact, Identifier
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.history_service_pb2 import Contact
from ledger.api.v1.ledger_service_pb2 import Appended
from ledger.api.v1.policy_pb2 import TARGET_FIRST_RESPONSE, TARGET_NEXT_RESPONSE, PolicyPublished
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT, PROMISE_STATE_OPEN
from ledger.api.v1.request_pb2 import ContactLinked, CustomerInformed, RequestOpened
from tests.server_process import Server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: it has a policy of its own."""
    server = Server(tmp_path_factory.mktemp("contacts") / "data").start()
    with Client(server.target) as client:
        client.append(event(policy()))
    yield server
    server.stop()


@pytest.fixture
def client(served: Server) -> Iterator[Client]:
    with Client(served.target) as made:
        yield made


def policy() -> PolicyPublished:
    """Social messages within 30 minutes whoever runs the channel, every next message within 4 hours, and skills by reason."""
    published = PolicyPublished(policy_id="service", policy_version=1)
    for channel in ("social_public", "email"):
        first = published.policy.targets.add(kind=TARGET_FIRST_RESPONSE, channel=channel)
        first.within.FromTimedelta(timedelta(minutes=30))
    published.policy.targets.add(kind=TARGET_NEXT_RESPONSE).within.FromTimedelta(timedelta(hours=4))
    published.policy.reasons.add(reason="card_dispute", skill="disputes")
    published.policy.recording_allowance.FromTimedelta(timedelta(minutes=2))
    published.in_force_from.FromDatetime(datetime.now(UTC))
    return published


class Talk:
    """Appends what happens with one customer, under ids of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.key = uuid.uuid4().hex[:10]
        self.anna = Identifier(type="email", value=f"anna.{self.key}@example.org")
        self.contact_id = f"c-{self.key}"

    def add(self, payload: Message, **envelope: Any) -> Appended:
        return self.client.append(event(payload, **{"channel": "email", "department": "support", **envelope}))[0]

    def received(self, **fields: Any) -> ContactReceived:
        return ContactReceived(**{"contact_id": self.contact_id, "reason": "delivery", "customer": self.anna, **fields})

    def contacts(self, **which: Any) -> list[Contact]:
        return list(self.client.contacts(customer=self.anna_text, **which))

    def contact(self) -> Contact:
        return next(one for one in self.contacts() if one.contact_id == self.contact_id)

    @property
    def anna_text(self) -> str:
        return f"{self.anna.type}:{self.anna.value}"


@pytest.fixture
def talk(client: Client) -> Talk:
    return Talk(client)


def test_a_thread_becomes_one_contact_with_messages_and_the_next_one_after_its_end(talk: Talk) -> None:
    thread = f"t-{talk.key}"
    mail = {"contact_id": None, "thread_id": thread}
    first = talk.add(talk.received(**mail, summary="Where is it?"))
    second = talk.add(talk.received(**mail, summary="And now?"))
    talk.add(MessageSent(contact_id=f"{thread}.1", sent_by=ANSWERED_BY_HUMAN))
    talk.add(ContactEnded(contact_id=f"{thread}.1"))
    third = talk.add(talk.received(**mail))

    newest, oldest = talk.contacts()

    assert [("contact-received", f"contact-{thread}.1"), ("message-received", f"contact-{thread}.1")] == [
        (one.topic, one.stream) for one in (first, second)
    ]
    assert ("contact-received", f"contact-{thread}.2") == (third.topic, third.stream)
    assert (f"{thread}.2", 0, f"{thread}.1", 1, 1, thread) == (
        *(newest.contact_id, newest.message_in_count),
        *(oldest.contact_id, oldest.message_in_count, oldest.message_out_count, oldest.thread_id),
    )
    assert ["And now?"] == [
        one.event.payload.message_received.summary for one in talk.client.search("And now", customer=talk.anna_text)
    ]


def test_the_same_message_sent_again_is_recorded_once(talk: Talk) -> None:
    talk.add(talk.received(contact_id=None, thread_id=f"t-{talk.key}"))
    again = event(talk.received(contact_id=None, thread_id=f"t-{talk.key}", body="again"))
    (once,) = talk.client.append(again)
    talk.add(ContactEnded(contact_id=f"t-{talk.key}.1"))

    (twice,) = talk.client.append(again)

    assert (once.position, once.topic, True) == (twice.position, "message-received", twice.duplicate)


def test_each_message_has_a_target_that_an_answer_meets(talk: Talk) -> None:
    talk.add(talk.received())
    talk.add(MessageSent(contact_id=talk.contact_id, sent_by=ANSWERED_BY_HUMAN))
    answered = talk.add(MessageReceived(contact_id=talk.contact_id))
    talk.add(MessageSent(contact_id=talk.contact_id, sent_by=ANSWERED_BY_HUMAN))
    open_one = talk.add(MessageReceived(contact_id=talk.contact_id))

    found = talk.client.promises(customer=talk.anna_text, response_targets=True, kinds="next_response")

    states = {one.promise_id: one.state for one in found}
    assert {
        f"next-response-{answered.event_id}": PROMISE_STATE_KEPT,
        f"next-response-{open_one.event_id}": PROMISE_STATE_OPEN,
    } == states
    one = talk.client.promise(f"next-response-{open_one.event_id}").result
    assert ("next_response", talk.contact_id, 4 * 3600) == (one.kind, one.contact_id, one.due_time.seconds - one.made_time.seconds)
    assert [talk.contact_id] == [one.contact_id for one in talk.contacts(unanswered=True)]


def test_messages_are_measured_with_a_target_and_without_one(talk: Talk) -> None:
    channel = f"desk_{talk.key}"
    talk.add(talk.received(), channel=channel)
    for _ in range(2):
        talk.add(MessageReceived(contact_id=talk.contact_id), channel=channel)
    talk.add(MessageSent(contact_id=talk.contact_id, sent_by=ANSWERED_BY_HUMAN), channel=channel)
    talk.add(MessageReceived(contact_id=talk.contact_id), channel=channel)

    figures = talk.client.figures("next_response", channels=channel)

    (row,) = figures.result.figures[0].rows
    parts = {part.name: part.value for part in row.parts}
    assert (2, 1, 3, 2) == (row.member_count, parts["missing"], parts["targeted"], parts["in_time"])


def test_social_messages_have_the_same_target_whoever_runs_the_channel(client: Client) -> None:
    due = []
    for department in ("marketing", "support"):
        talk = Talk(client)
        talk.add(talk.received(), channel="social_public", department=department)
        one = talk.contact()
        due.append(one.response_due_time.seconds - one.opened_time.seconds)

    assert [1800, 1800] == due


def test_a_call_says_who_had_it_how_long_and_what_was_not_answered(talk: Talk) -> None:
    minute, second = Duration(seconds=60), Duration(seconds=1)
    talk.add(talk.received(reason="card_dispute"), channel="phone")
    talk.add(ContactAnswered(contact_id=talk.contact_id, answered_by=ANSWERED_BY_BOT), channel="phone")
    talk.add(ContactTransferred(contact_id=talk.contact_id, to_department="disputes", kind=COLD, talk=second), channel="phone")
    talk.add(ContactAnswered(contact_id=talk.contact_id, answered_by=ANSWERED_BY_HUMAN), channel="phone")
    talk.add(ColleagueConsulted(contact_id=talk.contact_id, of_department="legal"), channel="phone")
    talk.add(ContactTransferred(contact_id=talk.contact_id, to_department="fraud", kind=WARM, talk=minute, hold=second))
    talk.add(MessageSent(contact_id=talk.contact_id, sent_by=ANSWERED_BY_HUMAN), channel="sms")
    ended = {"completeness": PARTIAL, "incomplete_cause": "no_authority", "talk": minute, "hold": second}
    talk.add(ContactEnded(contact_id=talk.contact_id, **ended))
    talk.add(ContactWrappedUp(contact_id=talk.contact_id, wrap_up=minute))

    one = talk.contact()

    assert ("support", "fraud", 2, 1, 0, 1, 1) == (
        *(one.department, one.current_department, one.transfer_count),
        *(one.warm_transfer_count, one.tepid_transfer_count, one.cold_transfer_count, one.consult_count),
    )
    assert (121, 2, 60) == (one.talk.seconds, one.hold.seconds, one.wrap_up.seconds)
    assert (True, ["phone", "sms"], "no_authority", "disputes") == (
        *(one.bot_to_human, one.channels, one.incomplete_cause, one.skill_needed),
    )
    which = {"completeness": "partial", "incomplete_causes": "no_authority", "skills_needed": "disputes"}
    marks = {"transferred": True, "bot_to_human": True, "channel_switched": True, "current_departments": "fraud"}
    assert [talk.contact_id] == [one.contact_id for one in talk.contacts(**which, **marks)]
    counted = talk.client.count_contacts(["incomplete_cause", "bot_to_human"], customer=talk.anna_text).result
    assert [(["no_authority", "true"], 1)] == [(list(row.values), row.count) for row in counted.rows]


def test_a_request_keeps_its_channels_when_the_customer_switches(talk: Talk) -> None:
    request_id, other = f"r-{talk.key}", f"c-{talk.key}-2"
    talk.add(talk.received(), channel="phone")
    talk.add(RequestOpened(request_id=request_id, contact_id=talk.contact_id, owner_department="support"), channel="phone")
    talk.add(talk.received(contact_id=other), channel="chat")
    talk.add(ContactLinked(request_id=request_id, contact_id=other), channel="chat")
    talk.add(CustomerInformed(request_id=request_id), channel="phone")

    found = list(talk.client.requests(customer=talk.anna_text, channel_switched=True))

    assert [(request_id, ["phone", "chat"], [talk.contact_id, other])] == [
        (one.request_id, list(one.channels), list(one.contact_ids)) for one in found
    ]
    counted = talk.client.count_requests("channel_switched", customer=talk.anna_text).result
    assert [(["true"], 1)] == [(list(row.values), row.count) for row in counted.rows]


def test_a_check_travels_with_the_handoff_and_counts_until_its_time(talk: Talk) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    valid_until = Timestamp()
    valid_until.FromDatetime(until)
    talk.add(talk.received())
    checked = talk.add(
        AuthenticationChecked(contact_id=talk.contact_id, method="one_time_code", passed=True, valid_until=valid_until)
    )
    talk.add(RequestOpened(request_id=f"r-{talk.key}", contact_id=talk.contact_id, owner_department="support"))
    offer = HandoffOffered(
        request_id=f"r-{talk.key}",
        handoff_id=f"h-{talk.key}",
        from_department="support",
        to_department="fraud",
        ownership=STAYS,
        authentication_event_id=checked.event_id,
    )
    talk.add(offer)

    def asked(when: datetime) -> tuple[bool, bool]:
        as_of = AsOf(evaluated_time=when)
        handoff = talk.client.handoff(f"h-{talk.key}", as_of=as_of).result
        assert ("one_time_code", talk.contact_id) == (handoff.authentication.method, handoff.authentication.contact_id)
        return handoff.authentication.valid, talk.client.card(talk.anna_text, as_of=as_of).result.HasField("authentication")

    assert ((True, True), (False, False)) == (asked(until - timedelta(minutes=1)), asked(until))


def test_an_anonymous_contact_becomes_the_customers_and_was_not_before(talk: Talk) -> None:
    talk.add(talk.received(customer=None, summary="I forgot my name"))
    talk.add(RequestOpened(request_id=f"r-{talk.key}", contact_id=talk.contact_id, owner_department="support"))
    before = talk.add(FactGiven(request_id=f"r-{talk.key}", fact=Fact(key="colour", value="red")))
    talk.add(ContactAttributed(contact_id=talk.contact_id, customer=talk.anna, evidence="said_so"))

    card = talk.client.card(talk.anna_text).result
    history = [one.event.topic for one in talk.client.history(talk.anna_text, oldest_first=True)]

    assert ["contact-received", "request-opened", "fact-given", "contact-attributed"] == history
    assert (["I forgot my name"], ["red"], 1) == (
        *([one.summary for one in card.contacts], [one.fact.value for one in card.facts], card.contact_count),
    )
    assert "" == talk.client.card(talk.anna_text, as_of=before.position).result.customer_id
    assert [talk.contact_id] == [one.contact_id for one in talk.contacts(attributed=True)]


def test_who_follows_a_customer_is_told_that_a_contact_came_to_it(talk: Talk) -> None:
    talk.add(talk.received(contact_id=f"{talk.contact_id}-own"))
    before = talk.add(talk.received(customer=None)).position
    talk.add(ContactAttributed(contact_id=talk.contact_id, customer=talk.anna))

    with talk.client.watch_history(talk.anna_text, after_position=before, timeout_seconds=30) as following:
        came, mark = itertools.islice(following.changes(), 2)

    assert came.item is not None
    assert ("contact-attributed", "membership_changed") == (came.item.event.topic, mark.mark)


def test_a_move_that_does_not_apply_is_refused_with_what_does(talk: Talk) -> None:
    talk.add(talk.received())

    with pytest.raises(
        MoveNotAllowedError, match=r"is received: contact-transferred does not apply.*Record contact-answered first"
    ):
        talk.add(ContactTransferred(contact_id=talk.contact_id, to_department="fraud", kind=WARM))


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (ContactReceived(reason="delivery"), "contact_received.contact_id"),
        (ContactReceived(thread_id="a b", reason="delivery"), "contact_received.thread_id"),
        (ContactReceived(thread_id="x" * 81, reason="delivery"), "contact_received.thread_id"),
        (ContactReceived(thread_id="0142685300", reason="delivery"), "contact_received.thread_id"),
        (ContactReceived(thread_id="t", reason="delivery", skill_of_reason="x"), "contact_received.skill_of_reason"),
        (MessageReceived(), "message_received.contact_id"),
        (MessageReceived(contact_id="c", thread_id="a b"), "message_received.thread_id"),
        (MessageReceived(contact_id="c", reason="Not A Code"), "message_received.reason"),
        (MessageReceived(contact_id="c", body="x" * 65537), "message_received.body"),
        (MessageReceived(contact_id="c", response_due_time=Timestamp(seconds=1)), "message_received.response_due_time"),
        (MessageReceived(contact_id="c", customer=Identifier(type="email", value="nobody")), "message_received.customer.value"),
        (MessageSent(contact_id="c"), "message_sent.sent_by"),
        (MessageSent(contact_id="c", sent_by=9), "message_sent.sent_by"),  # type: ignore[arg-type]
        (MessageSent(sent_by=ANSWERED_BY_HUMAN), "message_sent.contact_id"),
        (MessageSent(contact_id="c", sent_by=ANSWERED_BY_HUMAN, promise_ids=["a b"]), "message_sent.promise_ids[0]"),
        (ContactTransferred(contact_id="c", kind=WARM), "contact_transferred.to_department"),
        (ContactTransferred(contact_id="c", to_department="x"), "contact_transferred.kind"),
        (ContactTransferred(contact_id="c", to_department="A B", kind=WARM), "contact_transferred.to_department"),
        (
            ContactTransferred(contact_id="c", to_department="x", kind=WARM, talk=Duration(seconds=-1)),
            "contact_transferred.talk",
        ),
        (ColleagueConsulted(contact_id="c"), "colleague_consulted.of_department"),
        (ColleagueConsulted(of_department="x"), "colleague_consulted.contact_id"),
        (AuthenticationChecked(contact_id="c"), "authentication_checked.method"),
        (AuthenticationChecked(contact_id="c", method="Secret Word"), "authentication_checked.method"),
        (
            AuthenticationChecked(contact_id="c", method="x", valid_until=Timestamp(seconds=9_999_999_999)),
            "authentication_checked.valid_until",
        ),
        (ContactAttributed(contact_id="c"), "contact_attributed.customer"),
        (ContactAttributed(contact_id="c", customer=Identifier(type="phone", value="12")), "contact_attributed.customer.value"),
        (ContactAttributed(customer=Identifier(type="email", value="a@example.org")), "contact_attributed.contact_id"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_bad_input_is_refused_by_the_path_of_the_field(client: Client, payload: Message, field: str) -> None:
    with pytest.raises(InvalidError) as refused:
        client.append(event(payload))

    assert f"groups[0].events[0].payload.{field}" in [violation.field for violation in refused.value.violations]


@pytest.mark.parametrize(
    "payload",
    [
        MessageReceived(contact_id="nowhere"),
        MessageSent(contact_id="nowhere", sent_by=ANSWERED_BY_HUMAN),
        ContactTransferred(contact_id="nowhere", to_department="x", kind=WARM),
        ColleagueConsulted(contact_id="nowhere", of_department="x"),
        AuthenticationChecked(contact_id="nowhere", method="x"),
        ContactAttributed(contact_id="nowhere", customer=Identifier(type="email", value="a@example.org")),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_names_an_unknown_contact_is_refused(client: Client, payload: Message) -> None:
    with pytest.raises(ReferenceUnknownError, match="Nothing is recorded as contact-nowhere"):
        client.append(event(payload))
