"""The day of docs/a-day.md: its policy, and what happened, recorded as it happens."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from clients.connectors.policy_text import read_policy
from clients.python import Client, event, identifier
from ledger.api.v1.answer_pb2 import (
    NOT_CONFIRMED,
    STATED,
    AnswerGiven,
    StatementAcknowledged,
    StatementAnnounced,
    StatementPublished,
)
from ledger.api.v1.complaint_pb2 import (
    COMPLAINT_ACCEPTED,
    ESCALATED_INSIDE,
    PARTLY_UPHELD,
    UPHELD,
    ComplaintAcknowledged,
    ComplaintAssessed,
    ComplaintClosed,
    ComplaintContested,
    ComplaintEscalated,
    ComplaintInvestigated,
    ComplaintReceived,
    ComplaintResponded,
)
from ledger.api.v1.contact_pb2 import ANSWERED_BY_HUMAN, REACHED_YES, ContactAnswered, ContactEnded, ContactMade, ContactReceived
from ledger.api.v1.core_pb2 import MOVES, STAYS, Due, Fact, ObjectReference
from ledger.api.v1.exception_pb2 import EXCLUDED, ExceptionGranted, ExceptionScope, RuleOverridden
from ledger.api.v1.experience_pb2 import (
    CSAT,
    RESPONDENT_EMPLOYEE,
    IrritantReported,
    JourneyStepReached,
    SatisfactionRecorded,
)
from ledger.api.v1.fact_pb2 import ASKED_OF_CUSTOMER, ASKED_OF_DEPARTMENT, FactAsked, FactGiven
from ledger.api.v1.handoff_pb2 import (
    HANDOFF_DONE,
    HandoffAccepted,
    HandoffCompleted,
    HandoffOffered,
    HandoffRated,
    HandoffReturned,
    HandoffSupplied,
)
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.improvement_pb2 import ImprovementProposed
from ledger.api.v1.promise_pb2 import SAID, PromiseKept, PromiseMade, PromiseRenegotiated
from ledger.api.v1.request_pb2 import DURING, FUNCTIONAL, RESOLUTION_DONE, RequestEscalated, RequestOpened, RequestResolved

PAGE = Path(__file__).parents[1] / "docs" / "a-day.md"

CLAIRE = "email:claire@workshop.example"
BRUNO = "phone:+33612345678"
DORA = "email:dora@example.org"
ERIC = "phone:+33698765432"


def page_block(kind: str) -> list[str]:
    """Return the blocks of a kind (`yaml`, `console`) on the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def soon(seconds: float) -> Due:
    """Return a due that many seconds from now."""
    due = Due()
    due.instant.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return due


@dataclass
class Day:
    """Records the day, chapter by chapter. `ids` are the event ids that later chapters and tests name."""

    client: Client
    ids: dict[str, str] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def say(self, payload: Message, department: str = "", channel: str = "", name: str = "", **envelope: Any) -> str:
        """Record one thing."""
        one = event(payload, department=department or None, channel=channel or None, actor="a-17", **envelope)
        self.client.append(one)
        event_id = str(one.envelope.event_id)
        if name:
            self.ids[name] = event_id
        return event_id

    def call(self, contact_id: str, who: str, reason: str, department: str, channel: str = "phone", ended: bool = True) -> None:
        """Record a contact that is answered at once, and ends."""
        self.say(ContactReceived(contact_id=contact_id, customer=identifier(who), reason=reason), department, channel)
        self.say(ContactAnswered(contact_id=contact_id, answered_by=ANSWERED_BY_HUMAN), department, channel)
        if ended:
            self.say(ContactEnded(contact_id=contact_id), department, channel)

    def record(self) -> None:
        """Record everything."""
        self.publish()
        self.quote()
        self.order()
        self.repetition()
        self.answers()
        self.crisis()
        self.stolen_phone()
        self.waived_rule()
        self.complaint()
        self.afterwards()

    def publish(self) -> None:
        """The policy of the page comes into force."""
        published = read_policy(page_block("yaml")[0], PAGE.name).published
        published.in_force_from.FromDatetime(datetime.now(UTC))
        self.say(published)

    def quote(self) -> None:
        """A quote is promised, renegotiated, and kept; a call back is promised, and forgotten."""
        self.say(CustomerClassified(customer=identifier(CLAIRE), tier="gold", potential_value="high", reason="new_workshop"))
        self.call("c-quote", CLAIRE, "quote", "sales")
        self.say(RequestOpened(request_id="r-quote", contact_id="c-quote", reason="quote", owner_department="sales"), "sales")
        promise: dict[str, Any] = {"request_id": "r-quote", "contact_id": "c-quote", "origin": SAID}
        self.say(PromiseMade(promise_id="p-quote", kind="quote", due=soon(20), what="The quote, for cabling.", **promise), "sales")
        self.say(PromiseMade(promise_id="p-call", kind="call_back", due=soon(1), what="To call back.", **promise), "sales")
        price = {"request_id": "r-quote", "handoff_id": "h-price"}
        self.say(HandoffOffered(**price, from_department="sales", to_department="field_service", ownership=STAYS), "sales")
        self.say(HandoffAccepted(**price), "field_service")
        self.say(ContactMade(contact_id="c-later", customer=identifier(CLAIRE), reached=REACHED_YES), "sales", "phone")
        moved = PromiseRenegotiated(promise_id="p-quote", due=soon(60), customer_agreed=True, contact_id="c-later")
        self.say(moved, "sales")
        self.say(
            FactAsked(key="cable_length", asked_of=ASKED_OF_DEPARTMENT, of_department="sales", request_id="r-quote"),
            "field_service",
        )
        self.say(RequestEscalated(request_id="r-quote", kind=FUNCTIONAL, to_department="field_service"), "sales")
        self.say(HandoffCompleted(**price, outcome=HANDOFF_DONE), "field_service")
        sent = self.say(ContactMade(contact_id="c-sent", customer=identifier(CLAIRE), reached=REACHED_YES), "sales", "email")
        self.say(PromiseKept(promise_id="p-quote", proof_event_id=sent), "sales")

    def order(self) -> None:
        """An address is given, lost, asked back, supplied."""
        self.call("c-order", CLAIRE, "order", "sales")
        order = ObjectReference(type="order", value="4711")
        number = Fact(key="order_number", value="4711")
        opened = RequestOpened(
            request_id="r-order",
            contact_id="c-order",
            reason="order",
            owner_department="sales",
            objects=[order],
            intake_facts=[number],
        )
        self.say(opened, "sales")
        address = Fact(key="delivery_address", value="3 rue des Lilas, 69003 Lyon")
        given = self.say(FactGiven(fact=address, request_id="r-order", contact_id="c-order", to_department="sales"), "sales")
        promise = PromiseMade(
            promise_id="p-delivery", kind="delivery", request_id="r-order", contact_id="c-order", due=soon(3600), origin=SAID
        )
        self.say(promise, "sales")
        one = {"request_id": "r-order", "handoff_id": "h-order"}
        offer = HandoffOffered(
            **one,
            from_department="sales",
            to_department="shipping",
            type="delivery",
            ownership=MOVES,
            facts=[number],
            promise_ids=["p-delivery"],
        )
        self.say(offer, "sales", name="offer")
        self.say(HandoffReturned(**one, missing_keys=["delivery_address"]), "shipping", name="return")
        supplied = Fact(key="delivery_address", value=address.value, fact_event_id=given)
        self.say(HandoffSupplied(**one, facts=[supplied]), "sales")
        self.say(HandoffAccepted(**one), "shipping")
        self.say(HandoffRated(**one, complete=False, usable=True), "shipping")
        self.say(PromiseKept(promise_id="p-delivery"), "shipping")
        self.say(HandoffCompleted(**one, outcome=HANDOFF_DONE), "shipping")
        resolved = RequestResolved(
            request_id="r-order", contact_id="c-order", resolution=RESOLUTION_DONE, root_cause="form_without_address"
        )
        self.say(resolved, "shipping")
        step = JourneyStepReached(
            step="delivered",
            phase=DURING,
            process="order_to_delivery",
            system="parcel_tracking",
            owner_department="shipping",
            manual=True,
            request_id="r-order",
        )
        self.say(step, "shipping")

    def repetition(self) -> None:
        """Bruno says twice what he said once."""
        account = Fact(key="account_number", value="FR 2098-17")
        self.call("c-invoice", BRUNO, "invoice", "customer_service", ended=False)
        self.say(FactGiven(fact=account, contact_id="c-invoice", to_department="customer_service"), "customer_service")
        self.say(ContactEnded(contact_id="c-invoice"), "customer_service", "phone")
        self.call("c-again", BRUNO, "invoice", "billing", ended=False)
        self.say(FactAsked(key="account_number", asked_of=ASKED_OF_CUSTOMER, contact_id="c-again"), "billing")
        account.value = "fr 2098-17"
        self.say(FactGiven(fact=account, contact_id="c-again", asked=True, to_department="billing"), "billing")

    def answers(self) -> None:
        """One question, two answers."""
        asked: dict[str, Any] = {"question_key": "cancellation_fee", "stance": STATED}
        self.say(AnswerGiven(**asked, answer_key="no_fee", contact_id="c-invoice"), "customer_service", "phone", record_late=True)
        self.say(AnswerGiven(**asked, answer_key="fifty_euros", contact_id="c-again"), "billing", "phone")
        self.say(ContactEnded(contact_id="c-again"), "billing", "phone")

    def crisis(self) -> None:
        """An official statement, and what the desks said."""
        said = {"question_key": "outage_north", "object_key": "line_north"}
        self.say(StatementPublished(statement_id="st-outage", answer_key="back_at_six", text="Back at six.", **said), "quality")
        self.say(StatementAnnounced(statement_id="st-outage", audience="the_north", recipient_count=4_200), "quality", "sms")
        self.say(StatementAcknowledged(statement_id="st-outage"), "customer_service")
        self.say(AnswerGiven(answer_key="back_at_six", stance=STATED, **said), "customer_service", "phone")
        self.say(AnswerGiven(answer_key="all_is_well", stance=STATED, **said), "web_team", "social_public")
        self.say(AnswerGiven(stance=NOT_CONFIRMED, **said), "shop", "counter")

    def stolen_phone(self) -> None:
        """One request sets off what has to be done, but for the step that a person leaves out."""
        self.call("c-stolen", DORA, "stolen_phone", "customer_service", "email")
        opened = event(
            RequestOpened(
                request_id="r-stolen",
                contact_id="c-stolen",
                reason="stolen_phone",
                owner_department="customer_service",
                wish="Help!",
            ),
            department="customer_service",
        )
        self.ids["stolen"] = str(opened.envelope.event_id)
        override = RuleOverridden(
            rule="stolen_phone",
            step="insurance",
            trigger_event_id=self.ids["stolen"],
            request_id="r-stolen",
            reason="customer_in_distress",
        )
        self.client.append(opened, event(override, department="customer_service", actor="a-17"))

    def waived_rule(self) -> None:
        """The target of the phones is waived for the outage; one caller waits too long."""
        now = datetime.now(UTC)
        granted = ExceptionGranted(
            exception_id="x-outage",
            rule="first_response",
            reason="outage",
            scope=ExceptionScope(department="customer_service", channel="phone"),
            effect=EXCLUDED,
            approver="a-1",
        )
        granted.from_time.FromDatetime(now - timedelta(minutes=1))
        granted.until_time.FromDatetime(now + timedelta(hours=1))
        self.say(granted, "quality")
        self.say(ContactReceived(contact_id="c-waits", customer=identifier(ERIC), reason="outage"), "customer_service", "phone")

    def complaint(self) -> None:
        """Through all stages."""
        one = {"complaint_id": "k-1"}
        received = ComplaintReceived(
            **one,
            contact_id="c-again",
            owner_department="customer_service",
            about_department="billing",
            reason="invoice",
            remedy_sought="The fifty euros back.",
        )
        self.say(received, "customer_service", "phone")
        self.say(ComplaintAcknowledged(**one), "customer_service")
        self.say(ComplaintAssessed(**one, severity="medium", impact="money"), "customer_service")
        self.say(ComplaintInvestigated(**one, root_cause="two_price_lists", cause_department="billing"), "billing")
        self.say(ComplaintResponded(**one, decision=PARTLY_UPHELD, redress="Half of it.", appeal_told=True), "customer_service")
        self.say(ComplaintContested(**one, why="I was told it was free."), "customer_service")
        self.say(ComplaintEscalated(**one, escalation=ESCALATED_INSIDE, to_department="quality"), "customer_service")
        self.say(ComplaintResponded(**one, decision=UPHELD, redress="All of it.", appeal_told=True), "quality", name="upheld")
        self.say(ComplaintClosed(**one, closing=COMPLAINT_ACCEPTED), "quality")

    def afterwards(self) -> None:
        """How it was, and what is done about it."""
        self.say(SatisfactionRecorded(measure=CSAT, score=4, contact_id="c-order", comment="In the end it came."), "sales")
        told = IrritantReported(
            causes=["manual_rework", "missing_information"],
            respondent=RESPONDENT_EMPLOYEE,
            request_id="r-order",
            about_department="sales",
        )
        self.say(told, "shipping")
        proposed = ImprovementProposed(
            improvement_id="i-address",
            problem="fact_loss",
            evidence_event_ids=[self.ids["offer"], self.ids["return"]],
            owner_departments=["sales", "shipping"],
            figure="handoff_fact_loss",
            text="The order form has no field for the address.",
        )
        self.say(proposed, "quality")

    def until_the_clock_and_the_playbooks_are_done(self) -> None:
        """Wait for what follows by itself: two breaches, and the steps of the playbook."""
        wanted = {"promise-p-call", "promise-response-c-waits"}
        end_time = time.monotonic() + 120
        while True:
            topics = [(one.topic, one.stream) for one in self.client.read_events()]
            broken = {stream for topic, stream in topics if topic == "promise-broken"}
            offered = [stream for topic, stream in topics if topic == "handoff-offered" and stream == "request-r-stolen"]
            if wanted <= broken and len(offered) == 2:
                return
            assert time.monotonic() < end_time, topics
            time.sleep(0.1)
