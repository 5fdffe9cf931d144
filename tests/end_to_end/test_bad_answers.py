"""Bad input of answers, statements, opportunities and improvements: each is refused by its name, and the server goes on."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from ledger.api.v1.answer_pb2 import (
    STATED,
    AnswerGiven,
    StatementAcknowledged,
    StatementAnnounced,
    StatementPublished,
    StatementWithdrawn,
)
from ledger.api.v1.answer_service_pb2 import (
    AnswerFilter,
    GetOfficialAnswerRequest,
    GetStatementRequest,
    ListAnswersRequest,
    ListContradictionsRequest,
    ListStatementsRequest,
    StatementFilter,
)
from ledger.api.v1.answer_service_pb2_grpc import AnswerServiceStub
from ledger.api.v1.core_pb2 import ObjectReference
from ledger.api.v1.improvement_pb2 import EFFECT_BETTER, ImprovementClosed, ImprovementProposed
from ledger.api.v1.improvement_service_pb2 import GetImprovementRequest, ImprovementFilter, ListImprovementsRequest
from ledger.api.v1.improvement_service_pb2_grpc import ImprovementServiceStub
from ledger.api.v1.ledger_service_pb2 import AppendRequest
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.api.v1.opportunity_pb2 import (
    CROSS_SELL,
    OpportunityDismissed,
    OpportunityNoted,
    OpportunitySuggested,
    OpportunityTaken,
)
from ledger.api.v1.opportunity_service_pb2 import GetOpportunityRequest, ListOpportunitiesRequest
from ledger.api.v1.opportunity_service_pb2_grpc import OpportunityServiceStub
from tests.appending import group, metadata_of, reason_of, to_append
from tests.refusals import refused

NAME = f"x-{uuid.uuid4().hex[:12]}"
UNKNOWN_KIND: Any = 9
GIVEN: dict[str, Any] = {"question_key": "runs", "answer_key": "no", "stance": STATED}
SAID: dict[str, Any] = {"statement_id": NAME, "question_key": "runs", "answer_key": "no"}


@pytest.mark.parametrize(
    ("payload", "reason", "field"),
    [
        (AnswerGiven(answer_key="no", stance=STATED), "FIELD_REQUIRED", "question_key"),
        (AnswerGiven(question_key="runs", answer_key="no"), "FIELD_REQUIRED", "stance"),
        (AnswerGiven(**{**GIVEN, "question_key": "Does it run?"}), "CODE_MALFORMED", "question_key"),
        (AnswerGiven(**{**GIVEN, "answer_key": "No!"}), "CODE_MALFORMED", "answer_key"),
        (AnswerGiven(**{**GIVEN, "stance": 9}), "FIELD_INVALID", "stance"),
        (AnswerGiven(**{**GIVEN, "obstacle": 9}), "FIELD_INVALID", "obstacle"),
        (AnswerGiven(**GIVEN, object_key="Train 8421"), "CODE_MALFORMED", "object_key"),
        (AnswerGiven(**GIVEN, object=ObjectReference(type="parcel")), "FIELD_REQUIRED", "object.value"),
        (AnswerGiven(**GIVEN, text="x" * 20_001), "TEXT_TOO_LONG", "text"),
        (AnswerGiven(**GIVEN, contact_id="0142685300"), "ID_MALFORMED", "contact_id"),
        (StatementPublished(question_key="runs", answer_key="no"), "FIELD_REQUIRED", "statement_id"),
        (StatementPublished(statement_id=NAME, answer_key="no"), "FIELD_REQUIRED", "question_key"),
        (StatementPublished(statement_id=NAME, question_key="runs"), "FIELD_REQUIRED", "answer_key"),
        (StatementPublished(**SAID, departments=["Station Nord"]), "CODE_MALFORMED", "departments[0]"),
        (StatementPublished(**SAID, channels=["sms", "e-mail"]), "CODE_MALFORMED", "channels[1]"),
        (StatementPublished(**SAID, replaces_statement_id="a b"), "ID_MALFORMED", "replaces_statement_id"),
        (StatementAnnounced(statement_id=NAME, recipient_count=-1), "FIELD_INVALID", "recipient_count"),
        (StatementAcknowledged(), "FIELD_REQUIRED", "statement_id"),
        (StatementWithdrawn(statement_id=NAME, why="x" * 2_001), "TEXT_TOO_LONG", "why"),
        (OpportunitySuggested(opportunity_id=NAME), "FIELD_REQUIRED", "kind"),
        (OpportunitySuggested(opportunity_id="o 1", kind=CROSS_SELL), "ID_MALFORMED", "opportunity_id"),
        (OpportunityNoted(opportunity_id=NAME, kind=UNKNOWN_KIND), "FIELD_INVALID", "kind"),
        (OpportunityNoted(opportunity_id=NAME, product="A new phone"), "CODE_MALFORMED", "product"),
        (OpportunityTaken(), "FIELD_REQUIRED", "opportunity_id"),
        (OpportunityDismissed(opportunity_id=NAME, reason="Not now!"), "CODE_MALFORMED", "reason"),
        (ImprovementProposed(improvement_id=NAME), "FIELD_REQUIRED", "problem"),
        (
            ImprovementProposed(improvement_id=NAME, problem="late", evidence_event_ids=["4711"]),
            "ID_MALFORMED",
            "evidence_event_ids[0]",
        ),
        (
            ImprovementProposed(improvement_id=NAME, problem="late", owner_departments=["A B"]),
            "CODE_MALFORMED",
            "owner_departments[0]",
        ),
        (ImprovementClosed(improvement_id=NAME), "FIELD_REQUIRED", "effect"),
    ],
    ids=lambda value: value.DESCRIPTOR.name if isinstance(value, Message) else str(value),
)
def test_a_bad_field_is_refused_by_its_name(channel: grpc.Channel, payload: Message, reason: str, field: str) -> None:
    status = _refused(channel, payload)

    assert reason == reason_of(status)
    assert metadata_of(status)["field"].endswith(f".{field}")


def test_the_end_that_the_policy_sets_is_not_for_callers(channel: grpc.Channel) -> None:
    payload = AnswerGiven(**GIVEN)
    payload.policy_valid_until.FromSeconds(1_900_000_000)

    assert "FIELD_MADE_BY_LEDGER" == reason_of(_refused(channel, payload))


@pytest.mark.parametrize(
    "payload",
    [
        StatementAnnounced(statement_id=NAME),
        StatementAcknowledged(statement_id=NAME),
        StatementWithdrawn(statement_id=NAME),
        OpportunityTaken(opportunity_id=NAME),
        OpportunityDismissed(opportunity_id=NAME),
        ImprovementClosed(improvement_id=NAME, effect=EFFECT_BETTER),
    ],
    ids=lambda payload: payload.DESCRIPTOR.name,
)
def test_a_move_on_what_was_never_opened_is_refused(channel: grpc.Channel, payload: Message) -> None:
    assert "REFERENCE_UNKNOWN" == reason_of(_refused(channel, payload))


def test_a_desk_has_to_say_which_one_it_is(channel: grpc.Channel) -> None:
    name = f"s-{uuid.uuid4().hex}"
    assert not _append(channel, StatementPublished(statement_id=name, question_key="runs", answer_key="no")).HasField("error")

    status = _append(channel, StatementAcknowledged(statement_id=name)).error

    assert "MOVE_NOT_ALLOWED" == reason_of(status)
    assert "Name the department of the desk in the envelope." in status.message


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("ListAnswers", ListAnswersRequest(filter=AnswerFilter(question_keys=["Runs?"])), "filter.question_keys[0]"),
        ("ListAnswers", ListAnswersRequest(filter=AnswerFilter(valid=False)), "filter.valid"),
        ("ListAnswers", ListAnswersRequest(page_size=501), "page_size"),
        ("ListContradictions", ListContradictionsRequest(page_size=-1), "page_size"),
        ("ListStatements", ListStatementsRequest(filter=StatementFilter(states=[9])), "filter.states[0]"),  # type: ignore[list-item]
        ("GetStatement", GetStatementRequest(), "statement_id"),
        ("GetOfficialAnswer", GetOfficialAnswerRequest(), "question_key"),
        ("GetOfficialAnswer", GetOfficialAnswerRequest(question_key="runs", channel="E-mail"), "channel"),
    ],
)
def test_a_bad_question_is_refused_naming_the_field(channel: grpc.Channel, method: str, request_: Any, field: str) -> None:
    refusal = refused(getattr(AnswerServiceStub(channel), method), request_)

    assert [field] == refusal.fields


def test_bad_questions_about_opportunities_and_improvements_are_refused(channel: grpc.Channel) -> None:
    opportunities, improvements = OpportunityServiceStub(channel), ImprovementServiceStub(channel)
    bad = ImprovementFilter(evidence_event_id="4711")

    assert "NOT_RECORDED" == refused(opportunities.GetOpportunity, GetOpportunityRequest(opportunity_id=NAME)).reason
    assert ["page_size"] == refused(opportunities.ListOpportunities, ListOpportunitiesRequest(page_size=501)).fields
    assert "NOT_RECORDED" == refused(improvements.GetImprovement, GetImprovementRequest(improvement_id=NAME)).reason
    assert ["filter.evidence_event_id"] == refused(improvements.ListImprovements, ListImprovementsRequest(filter=bad)).fields


def _append(channel: grpc.Channel, payload: Message) -> Any:
    (result,) = LedgerServiceStub(channel).Append(AppendRequest(groups=[group(to_append(payload))])).results
    return result


def _refused(channel: grpc.Channel, payload: Message) -> Any:
    result = _append(channel, payload)
    assert not result.appended
    return result.error
