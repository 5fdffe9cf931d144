"""A small world that every question can be asked about: one customer's story in each part of the domain, under ids of its own."""

from __future__ import annotations

import time
import uuid
from typing import NamedTuple

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1 import (
    answer_service_pb2_grpc,
    audit_service_pb2_grpc,
    complaint_service_pb2_grpc,
    exception_service_pb2_grpc,
    experience_service_pb2_grpc,
    handoff_service_pb2_grpc,
    history_service_pb2_grpc,
    identity_service_pb2_grpc,
    improvement_service_pb2_grpc,
    insight_service_pb2_grpc,
    ledger_service_pb2_grpc,
    notice_service_pb2_grpc,
    opportunity_service_pb2_grpc,
    playbook_service_pb2_grpc,
    policy_service_pb2_grpc,
    promise_service_pb2_grpc,
    request_service_pb2_grpc,
)
from ledger.api.v1.answer_pb2 import STATED, AnswerGiven, StatementAcknowledged, StatementPublished
from ledger.api.v1.complaint_pb2 import ComplaintAcknowledged, ComplaintReceived
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import MOVES, Due, Fact, Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.exception_pb2 import EXCLUDED, ExceptionEnded, ExceptionGranted, ExceptionScope, RuleOverridden
from ledger.api.v1.experience_pb2 import CSAT, IrritantReported, ReferralMade, SatisfactionRecorded
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.api.v1.improvement_pb2 import EFFECT_BETTER, ImprovementClosed, ImprovementProposed
from ledger.api.v1.ledger_service_pb2 import AppendRequest, AppendResponse
from ledger.api.v1.opportunity_pb2 import CROSS_SELL, OpportunityNoted, OpportunityTaken
from ledger.api.v1.policy_pb2 import Playbook, PlaybookStep, PolicyPublished, ServicePolicy, SuggestOpportunity
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.request_pb2 import ContactLinked, RequestOpened
from tests.appending import group, to_append

TIMEOUT = 20.0

PLAYBOOK = "asked_about"

DUE = 4_000_000_000
"""When the promises are due, in seconds: far from now."""


class Stubs:
    """Every service on one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.ledger = ledger_service_pb2_grpc.LedgerServiceStub(channel)
        self.history = history_service_pb2_grpc.HistoryServiceStub(channel)
        self.handoff = handoff_service_pb2_grpc.HandoffServiceStub(channel)
        self.promise = promise_service_pb2_grpc.PromiseServiceStub(channel)
        self.request = request_service_pb2_grpc.RequestServiceStub(channel)
        self.identity = identity_service_pb2_grpc.IdentityServiceStub(channel)
        self.insight = insight_service_pb2_grpc.InsightServiceStub(channel)
        self.audit = audit_service_pb2_grpc.AuditServiceStub(channel)
        self.answer = answer_service_pb2_grpc.AnswerServiceStub(channel)
        self.complaint = complaint_service_pb2_grpc.ComplaintServiceStub(channel)
        self.exception = exception_service_pb2_grpc.ExceptionServiceStub(channel)
        self.experience = experience_service_pb2_grpc.ExperienceServiceStub(channel)
        self.improvement = improvement_service_pb2_grpc.ImprovementServiceStub(channel)
        self.notice = notice_service_pb2_grpc.NoticeServiceStub(channel)
        self.opportunity = opportunity_service_pb2_grpc.OpportunityServiceStub(channel)
        self.playbook = playbook_service_pb2_grpc.PlaybookServiceStub(channel)
        self.policy = policy_service_pb2_grpc.PolicyServiceStub(channel)

    def append(self, *payloads: Message) -> AppendResponse:
        """Append payloads, or events made already, each as a group of its own. None may be refused."""
        events = [payload if isinstance(payload, EventToAppend) else said(payload) for payload in payloads]
        response = self.ledger.Append(AppendRequest(groups=[group(event) for event in events]), timeout=TIMEOUT)
        for result in response.results:
            assert not result.HasField("error"), result.error.message
        return response


class World(NamedTuple):
    """What one customer's story left in the ledger, under ids of its own."""

    name: str
    """Id of everything in it, and the code of what can be told apart by a code alone."""
    stubs: Stubs
    last: AppendResponse
    began: Timestamp
    """A little before anything of it occurred."""

    @property
    def mail(self) -> Identifier:
        """Who the customer is."""
        return Identifier(type="email", value=f"{self.name}@example.org")

    @property
    def customer(self) -> CustomerReference:
        """How the customer is asked for."""
        return CustomerReference(identifier=self.mail)

    @property
    def link_id(self) -> str:
        """The link between two identifiers that are nobody else's."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name))

    @property
    def position(self) -> int:
        """Where the log stood when the story was told."""
        return max(appended.position for result in self.last.results for appended in result.appended)


def told(stubs: Stubs) -> World:
    """Let something happen of every kind that can be asked about, and return it."""
    name = f"w{uuid.uuid4().hex[:10]}"
    began = Timestamp()
    began.FromMilliseconds(int(time.time() * 1_000) - 1_000)
    world = World(name, stubs, AppendResponse(), began)
    left, right = two_linked(name)
    link = to_append(IdentityLinked(left=left, right=right), event_id=world.link_id)
    return world._replace(last=stubs.append(RULES, link, *story(name, name, began)))


def change(world: World) -> AppendResponse:
    """Let something happen that every question about the world shows."""
    return world.stubs.append(
        HandoffAccepted(request_id=world.name, handoff_id=world.name),
        PromiseKept(promise_id=world.name),
        StatementAcknowledged(statement_id=world.name),
        ComplaintAcknowledged(complaint_id=world.name),
        ExceptionEnded(exception_id=world.name),
        OpportunityTaken(opportunity_id=world.name),
        ImprovementClosed(improvement_id=world.name, effect=EFFECT_BETTER),
        *story(world.name, f"{world.name}-2", world.began),
    )


def said(payload: Message, department: str = "desk") -> EventToAppend:
    """Return a payload as an event that somebody says by phone."""
    return to_append(payload, channel="phone", department=department, supervisor=True)


RULES = to_append(
    PolicyPublished(
        policy_id="asked",
        policy_version=1,
        in_force_from=Timestamp(seconds=DUE),
        policy=ServicePolicy(
            recording_allowance=Duration(seconds=120),
            reopen_window=Duration(seconds=86_400),
            playbooks=[
                Playbook(
                    playbook=PLAYBOOK,
                    topics=["request-opened"],
                    steps=[PlaybookStep(step="sell", suggest_opportunity=SuggestOpportunity(kind=CROSS_SELL))],
                )
            ],
        ),
    ),
    event_id="01999999-9999-7999-8999-999999999999",
)
"""A policy that rules nothing yet, with the playbook that people override. Its id makes it one, however many worlds there are."""


def story(name: str, id: str, began: Timestamp) -> list[EventToAppend]:
    """Return one story of a world's customer: one thing of each kind, and two of what only shows between two."""
    mail = Identifier(type="email", value=f"{name}@example.org")
    left, right = two_linked(name)
    opened = said(RequestOpened(request_id=id, contact_id=id, reason=name, owner_department=name, wish="a new one"), name)
    given = FactGiven(fact=Fact(key="order_number", value="LX 4711"), request_id=id, contact_id=id)
    mine = [
        ContactReceived(contact_id=id, reason=name, customer=mail, summary=f"colis perdu {name}"),
        ContactReceived(contact_id=f"{id}-again", reason=name, customer=mail),
        opened,
        PromiseMade(promise_id=id, kind="delivery", request_id=id, contact_id=id, due=_at(DUE), owner_department=name),
        given,
        given,
        # The term has passed, and the clock records that no earlier than the recording allowance after it.
        HandoffOffered(request_id=id, handoff_id=id, from_department="desk", to_department=name, ownership=MOVES, accept_by=began),
        AnswerGiven(question_key=name, answer_key="yes", stance=STATED, request_id=id, contact_id=id),
        StatementPublished(statement_id=id, question_key=name, answer_key="yes"),
        ComplaintReceived(complaint_id=id, contact_id=id, owner_department=name),
        ExceptionGranted(
            exception_id=id,
            rule=name,
            from_time=Timestamp(seconds=DUE - 1),
            until_time=Timestamp(seconds=DUE + 1),
            scope=ExceptionScope(promise_ids=[id]),
            effect=EXCLUDED,
            approver="chief",
        ),
        RuleOverridden(rule=PLAYBOOK, reason="customer_asked", request_id=name, trigger_event_id=opened.envelope.event_id),
        SatisfactionRecorded(measure=CSAT, score=4, request_id=id),
        IrritantReported(causes=["long_delay"], request_id=id),
        ReferralMade(referral_id=id, to_department="stock", request_id=id),
        OpportunityNoted(opportunity_id=id, kind=CROSS_SELL, consent=True, customer=mail),
        ImprovementProposed(improvement_id=id, problem=name, owner_departments=[name, "stock"]),
        ContactReceived(contact_id=f"{id}-left", reason=name, customer=left),
        RequestOpened(request_id=f"{id}-right", reason=name, customer=right),
        ContactLinked(request_id=f"{id}-right", contact_id=f"{id}-left"),
    ]
    events = [payload if isinstance(payload, EventToAppend) else said(payload, name) for payload in mine]
    other = AnswerGiven(question_key=name, answer_key="no", stance=STATED, request_id=id, contact_id=id)
    return [*events, said(other, "stock")]


def two_linked(name: str) -> tuple[Identifier, Identifier]:
    """Return the identifiers that a world's link joins. They are not its customer's."""
    left, right = (Identifier(type="email", value=f"{name}-{side}@example.org") for side in ("left", "right"))
    return left, right


def _at(seconds: int) -> Due:
    due = Due()
    due.instant.FromSeconds(seconds)
    return due
