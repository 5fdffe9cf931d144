"""Every question about answers, statements, opportunities and improvements over the wire: where it stands, as of then, by pages."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import pytest

from ledger.api.v1 import answer_service_pb2, improvement_service_pb2, opportunity_service_pb2
from ledger.api.v1.answer_pb2 import STATED, AnswerGiven, StatementAcknowledged, StatementPublished
from ledger.api.v1.answer_service_pb2 import (
    ANSWER_BY_VERDICT,
    STATEMENT_BY_STATE,
    AnswerFilter,
    ContradictionFilter,
    CountAnswersRequest,
    CountStatementsRequest,
    GetOfficialAnswerRequest,
    GetStatementRequest,
    ListAnswersRequest,
    ListContradictionsRequest,
    ListStatementsRequest,
    StatementFilter,
)
from ledger.api.v1.answer_service_pb2_grpc import AnswerServiceStub
from ledger.api.v1.consistency_pb2 import AsOf
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.improvement_pb2 import EFFECT_BETTER, ImprovementClosed, ImprovementProposed
from ledger.api.v1.improvement_service_pb2 import (
    IMPROVEMENT_BY_STATE,
    CountImprovementsRequest,
    GetImprovementRequest,
    ImprovementFilter,
    ListImprovementsRequest,
)
from ledger.api.v1.improvement_service_pb2_grpc import ImprovementServiceStub
from ledger.api.v1.ledger_service_pb2 import AppendRequest
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.api.v1.opportunity_pb2 import CROSS_SELL, OpportunityDismissed, OpportunityNoted
from ledger.api.v1.opportunity_service_pb2 import (
    OPPORTUNITY_BY_STATE,
    CountOpportunitiesRequest,
    GetOpportunityRequest,
    ListOpportunitiesRequest,
    OpportunityFilter,
)
from ledger.api.v1.opportunity_service_pb2_grpc import OpportunityServiceStub
from tests.appending import group, to_append
from tests.refusals import refused

TIMEOUT = 20.0


class World(NamedTuple):
    """One small story under ids of its own."""

    name: str
    channel: grpc.Channel

    @property
    def customer(self) -> CustomerReference:
        return CustomerReference(identifier=Identifier(type="email", value=f"{self.name}@example.org"))

    @property
    def answers(self) -> Any:
        return AnswerServiceStub(self.channel)

    @property
    def opportunities(self) -> Any:
        return OpportunityServiceStub(self.channel)

    @property
    def improvements(self) -> Any:
        return ImprovementServiceStub(self.channel)

    def append(self, *payloads: Any, department: str = "desk") -> int:
        """Append events; return the position of the last one."""
        groups = [group(to_append(payload, department=department, channel="phone")) for payload in payloads]
        results = LedgerServiceStub(self.channel).Append(AppendRequest(groups=groups), timeout=TIMEOUT).results
        return int(results[-1].appended[-1].position)

    def answer(self, answer_key: str) -> AnswerGiven:
        return AnswerGiven(question_key=self.name, answer_key=answer_key, stance=STATED, customer=self.customer.identifier)


@pytest.fixture
def world(channel: grpc.Channel) -> World:
    made = World(f"w{uuid.uuid4().hex[:10]}", channel)
    name = made.name
    made.append(
        StatementPublished(statement_id=name, question_key=name, answer_key="no", text="No."),
        made.answer("no"),
        OpportunityNoted(opportunity_id=name, kind=CROSS_SELL, consent=True, customer=made.customer.identifier),
        ImprovementProposed(improvement_id=name, problem=name),
    )
    made.append(made.answer("yes"), department="counter")
    return made


def change(world: World) -> None:
    """Let something happen that every question about the world would show."""
    replacing = StatementPublished(
        statement_id=f"{world.name}-2", replaces_statement_id=world.name, question_key=world.name, answer_key="yes"
    )
    world.append(
        StatementAcknowledged(statement_id=world.name),
        replacing,
        OpportunityDismissed(opportunity_id=world.name),
        ImprovementClosed(improvement_id=world.name, effect=EFFECT_BETTER),
        world.answer("later"),
    )


QUESTIONS: dict[str, Callable[[World], tuple[Any, Any]]] = {
    "ListAnswers": lambda w: (w.answers.ListAnswers, ListAnswersRequest(filter=AnswerFilter(customer=w.customer))),
    "CountAnswers": lambda w: (
        w.answers.CountAnswers,
        CountAnswersRequest(filter=AnswerFilter(customer=w.customer), group_by=[ANSWER_BY_VERDICT]),
    ),
    "ListContradictions": lambda w: (
        w.answers.ListContradictions,
        ListContradictionsRequest(filter=ContradictionFilter(question_keys=[w.name])),
    ),
    "GetStatement": lambda w: (w.answers.GetStatement, GetStatementRequest(statement_id=w.name)),
    "GetOfficialAnswer": lambda w: (w.answers.GetOfficialAnswer, GetOfficialAnswerRequest(question_key=w.name)),
    "ListStatements": lambda w: (w.answers.ListStatements, ListStatementsRequest(filter=StatementFilter(question_keys=[w.name]))),
    "CountStatements": lambda w: (
        w.answers.CountStatements,
        CountStatementsRequest(filter=StatementFilter(question_keys=[w.name]), group_by=[STATEMENT_BY_STATE]),
    ),
    "GetOpportunity": lambda w: (w.opportunities.GetOpportunity, GetOpportunityRequest(opportunity_id=w.name)),
    "ListOpportunities": lambda w: (
        w.opportunities.ListOpportunities,
        ListOpportunitiesRequest(filter=OpportunityFilter(customer=w.customer)),
    ),
    "CountOpportunities": lambda w: (
        w.opportunities.CountOpportunities,
        CountOpportunitiesRequest(filter=OpportunityFilter(customer=w.customer), group_by=[OPPORTUNITY_BY_STATE]),
    ),
    "GetImprovement": lambda w: (w.improvements.GetImprovement, GetImprovementRequest(improvement_id=w.name)),
    "ListImprovements": lambda w: (
        w.improvements.ListImprovements,
        ListImprovementsRequest(filter=ImprovementFilter(problems=[w.name])),
    ),
    "CountImprovements": lambda w: (
        w.improvements.CountImprovements,
        CountImprovementsRequest(filter=ImprovementFilter(problems=[w.name]), group_by=[IMPROVEMENT_BY_STATE]),
    ),
}


def ask(call: tuple[Any, Any], **changes: Any) -> Any:
    """Ask, with some arguments changed."""
    method, request = call
    changed = type(request)()
    changed.CopyFrom(request)
    changed.MergeFrom(type(request)(**changes))
    return method(changed, timeout=TIMEOUT)


def test_every_question_that_the_services_answer_is_asked_here() -> None:
    modules = (answer_service_pb2, opportunity_service_pb2, improvement_service_pb2)
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]

    methods = [method for service in services for method in service.methods if not method.server_streaming]

    assert {method.name for method in methods} == set(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_as_of_a_position_is_the_same_for_ever(question: str, world: World) -> None:
    then = ask(QUESTIONS[question](world))
    pinned = AsOf(position=then.read_at.position, evaluated_time=then.read_at.evaluated_time)
    change(world)

    again = ask(QUESTIONS[question](world), as_of=pinned)
    now = ask(QUESTIONS[question](world))

    assert then.result.SerializeToString(deterministic=True) == again.result.SerializeToString(deterministic=True)
    assert then.result != now.result
    assert again.read_at.position == then.read_at.position < now.read_at.position


@pytest.mark.parametrize("question", [question for question in QUESTIONS if question.startswith("Get")])
def test_what_was_not_recorded_then_is_not_found(question: str, world: World) -> None:
    method, request = QUESTIONS[question](world)
    request.as_of.position = 1

    assert "NOT_RECORDED" == refused(method, request).reason


def test_pages_add_up_and_stand_where_the_first_one_stood(world: World) -> None:
    question = QUESTIONS["ListAnswers"](world)
    whole = ask(question)
    first = ask(question, page_size=1)
    change(world)

    second = ask(question, page_size=1, page_token=first.next_page_token)

    assert [one.event_id for one in whole.result.answers] == [first.result.answers[0].event_id, second.result.answers[0].event_id]
    assert first.read_at.position == second.read_at.position
    assert not second.next_page_token


def test_pages_of_contradictions_add_up(world: World) -> None:
    world.append(world.answer("later"), department="depot")
    question = QUESTIONS["ListContradictions"](world)
    whole = ask(question).result

    found, token = [], ""
    while True:
        page = ask(question, page_size=1, page_token=token) if token else ask(question, page_size=1)
        found.extend(page.result.contradictions)
        assert whole.questions == page.result.questions
        token = page.next_page_token
        if not token:
            break

    assert 3 == len(found)
    assert list(whole.contradictions) == found
