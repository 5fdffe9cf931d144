"""Every question that the services answer, asked about a small world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

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
from ledger.api.v1.complaint_service_pb2 import (
    COMPLAINT_BY_STATE,
    ComplaintFilter,
    CountComplaintsRequest,
    GetComplaintRequest,
    ListComplaintsRequest,
)
from ledger.api.v1.exception_service_pb2 import (
    EXCEPTION_BY_STATE,
    CountExceptionsRequest,
    ExceptionFilter,
    GetAdjustedRequest,
    GetExceptionRequest,
    ListExceptionsRequest,
    ListOverridesRequest,
    OverrideFilter,
)
from ledger.api.v1.experience_service_pb2 import (
    IRRITANT_BY_CAUSE,
    SATISFACTION_BY_MEASURE,
    CountIrritantsRequest,
    CountSatisfactionRequest,
    ExperienceFilter,
    ListIrritantsRequest,
    ListReferralsRequest,
    ListSatisfactionRequest,
)
from ledger.api.v1.figure_pb2 import FIGURE_BY_CHANNEL, GetFiguresRequest
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_BY_STATE,
    CountHandoffsRequest,
    GetHandoffRequest,
    HandoffFilter,
    ListHandoffsRequest,
)
from ledger.api.v1.history_service_pb2 import (
    CONTACT_BY_CHANNEL,
    ContactFilter,
    CountContactsRequest,
    GetCustomerRequest,
    ListContactsRequest,
    ListHistoryRequest,
    SearchHistoryRequest,
)
from ledger.api.v1.identity_service_pb2 import (
    GetLinkRequest,
    ListDuplicateCandidatesRequest,
    ListIdentifiersRequest,
    ResolveRequest,
)
from ledger.api.v1.improvement_service_pb2 import (
    IMPROVEMENT_BY_STATE,
    CountImprovementsRequest,
    GetImprovementRequest,
    ImprovementFilter,
    ListImprovementsRequest,
)
from ledger.api.v1.insight_service_pb2 import GetDataQualityRequest
from ledger.api.v1.journey_pb2 import GetJourneyRequest, GetJourneysRequest
from ledger.api.v1.notice_service_pb2 import ListNoticesRequest, NoticeFilter
from ledger.api.v1.opportunity_service_pb2 import (
    OPPORTUNITY_BY_STATE,
    CountOpportunitiesRequest,
    GetOpportunityRequest,
    ListOpportunitiesRequest,
    OpportunityFilter,
)
from ledger.api.v1.playbook_service_pb2 import ListPlaysRequest, PlayFilter
from ledger.api.v1.policy_service_pb2 import GetPolicyRequest, ListPoliciesRequest
from ledger.api.v1.promise_service_pb2 import (
    CountPromisesRequest,
    GetPromiseRequest,
    ListPromisesRequest,
    PromiseFilter,
)
from ledger.api.v1.repetition_pb2 import (
    GetFactDiffRequest,
    ListRepeatsRequest,
    ListRepetitionsRequest,
    RepeatFilter,
    RepetitionFilter,
)
from ledger.api.v1.request_service_pb2 import CountRequestsRequest, GetRequestRequest, ListRequestsRequest, RequestFilter
from ledger.api.v1.whatif_pb2 import CompareWithPolicyRequest
from ledger.policy.default import default_policy
from tests.asked_world import DUE, TIMEOUT, World

Call = tuple[Callable[..., Any], Any]


def _experience(world: World) -> ExperienceFilter:
    return ExperienceFilter(customer=world.customer)


QUESTIONS: dict[str, Callable[[World], Call]] = {
    "GetCustomer": lambda w: (w.stubs.history.GetCustomer, GetCustomerRequest(customer=w.customer)),
    "ListHistory": lambda w: (w.stubs.history.ListHistory, ListHistoryRequest(customer=w.customer)),
    "SearchHistory": lambda w: (w.stubs.history.SearchHistory, SearchHistoryRequest(words=w.name, customer=w.customer)),
    "ListContacts": lambda w: (w.stubs.history.ListContacts, ListContactsRequest(filter=ContactFilter(customer=w.customer))),
    "CountContacts": lambda w: (
        w.stubs.history.CountContacts,
        CountContactsRequest(filter=ContactFilter(customer=w.customer), group_by=[CONTACT_BY_CHANNEL]),
    ),
    "ListRepeats": lambda w: (w.stubs.history.ListRepeats, ListRepeatsRequest(filter=RepeatFilter(customer=w.customer))),
    "ListRepetitions": lambda w: (
        w.stubs.history.ListRepetitions,
        ListRepetitionsRequest(filter=RepetitionFilter(customer=w.customer)),
    ),
    "GetHandoff": lambda w: (w.stubs.handoff.GetHandoff, GetHandoffRequest(handoff_id=w.name, request_id=w.name)),
    "ListHandoffs": lambda w: (w.stubs.handoff.ListHandoffs, ListHandoffsRequest(filter=HandoffFilter(customer=w.customer))),
    "CountHandoffs": lambda w: (
        w.stubs.handoff.CountHandoffs,
        CountHandoffsRequest(filter=HandoffFilter(customer=w.customer), group_by=[HANDOFF_BY_STATE]),
    ),
    "GetFactDiff": lambda w: (w.stubs.handoff.GetFactDiff, GetFactDiffRequest(handoff_id=w.name, request_id=w.name)),
    "GetPromise": lambda w: (w.stubs.promise.GetPromise, GetPromiseRequest(promise_id=w.name)),
    "ListPromises": lambda w: (w.stubs.promise.ListPromises, ListPromisesRequest(filter=PromiseFilter(customer=w.customer))),
    "CountPromises": lambda w: (w.stubs.promise.CountPromises, CountPromisesRequest(filter=PromiseFilter(customer=w.customer))),
    "GetRequest": lambda w: (w.stubs.request.GetRequest, GetRequestRequest(request_id=w.name)),
    "ListRequests": lambda w: (w.stubs.request.ListRequests, ListRequestsRequest(filter=RequestFilter(customer=w.customer))),
    "CountRequests": lambda w: (w.stubs.request.CountRequests, CountRequestsRequest(filter=RequestFilter(customer=w.customer))),
    "Resolve": lambda w: (w.stubs.identity.Resolve, ResolveRequest(customer=w.customer)),
    "ListIdentifiers": lambda w: (w.stubs.identity.ListIdentifiers, ListIdentifiersRequest(customer=w.customer)),
    "ListDuplicateCandidates": lambda w: (w.stubs.identity.ListDuplicateCandidates, ListDuplicateCandidatesRequest()),
    "GetLink": lambda w: (w.stubs.identity.GetLink, GetLinkRequest(link_event_id=w.link_id)),
    "ListAnswers": lambda w: (w.stubs.answer.ListAnswers, ListAnswersRequest(filter=AnswerFilter(customer=w.customer))),
    "CountAnswers": lambda w: (
        w.stubs.answer.CountAnswers,
        CountAnswersRequest(filter=AnswerFilter(question_keys=[w.name]), group_by=[ANSWER_BY_VERDICT]),
    ),
    "ListContradictions": lambda w: (
        w.stubs.answer.ListContradictions,
        ListContradictionsRequest(filter=ContradictionFilter(question_keys=[w.name])),
    ),
    "GetStatement": lambda w: (w.stubs.answer.GetStatement, GetStatementRequest(statement_id=w.name)),
    "GetOfficialAnswer": lambda w: (w.stubs.answer.GetOfficialAnswer, GetOfficialAnswerRequest(question_key=w.name)),
    "ListStatements": lambda w: (
        w.stubs.answer.ListStatements,
        ListStatementsRequest(filter=StatementFilter(question_keys=[w.name])),
    ),
    "CountStatements": lambda w: (
        w.stubs.answer.CountStatements,
        CountStatementsRequest(filter=StatementFilter(question_keys=[w.name]), group_by=[STATEMENT_BY_STATE]),
    ),
    "GetComplaint": lambda w: (w.stubs.complaint.GetComplaint, GetComplaintRequest(complaint_id=w.name)),
    "ListComplaints": lambda w: (
        w.stubs.complaint.ListComplaints,
        ListComplaintsRequest(filter=ComplaintFilter(customer=w.customer)),
    ),
    "CountComplaints": lambda w: (
        w.stubs.complaint.CountComplaints,
        CountComplaintsRequest(filter=ComplaintFilter(customer=w.customer), group_by=[COMPLAINT_BY_STATE]),
    ),
    "GetException": lambda w: (w.stubs.exception.GetException, GetExceptionRequest(exception_id=w.name)),
    "ListExceptions": lambda w: (
        w.stubs.exception.ListExceptions,
        ListExceptionsRequest(filter=ExceptionFilter(rules=[w.name])),
    ),
    "CountExceptions": lambda w: (
        w.stubs.exception.CountExceptions,
        CountExceptionsRequest(filter=ExceptionFilter(rules=[w.name]), group_by=[EXCEPTION_BY_STATE]),
    ),
    "GetAdjusted": lambda w: (
        w.stubs.exception.GetAdjusted,
        GetAdjustedRequest(due_from=Timestamp(seconds=DUE), due_until=Timestamp(seconds=DUE + 1), owner_departments=[w.name]),
    ),
    "ListOverrides": lambda w: (w.stubs.exception.ListOverrides, ListOverridesRequest(filter=OverrideFilter(request_id=w.name))),
    "ListSatisfaction": lambda w: (w.stubs.experience.ListSatisfaction, ListSatisfactionRequest(filter=_experience(w))),
    "CountSatisfaction": lambda w: (
        w.stubs.experience.CountSatisfaction,
        CountSatisfactionRequest(filter=_experience(w), group_by=[SATISFACTION_BY_MEASURE]),
    ),
    "ListIrritants": lambda w: (w.stubs.experience.ListIrritants, ListIrritantsRequest(filter=_experience(w))),
    "CountIrritants": lambda w: (
        w.stubs.experience.CountIrritants,
        CountIrritantsRequest(filter=_experience(w), group_by=[IRRITANT_BY_CAUSE]),
    ),
    "ListReferrals": lambda w: (w.stubs.experience.ListReferrals, ListReferralsRequest(filter=_experience(w))),
    "GetImprovement": lambda w: (w.stubs.improvement.GetImprovement, GetImprovementRequest(improvement_id=w.name)),
    "ListImprovements": lambda w: (
        w.stubs.improvement.ListImprovements,
        ListImprovementsRequest(filter=ImprovementFilter(problems=[w.name])),
    ),
    "CountImprovements": lambda w: (
        w.stubs.improvement.CountImprovements,
        CountImprovementsRequest(filter=ImprovementFilter(problems=[w.name]), group_by=[IMPROVEMENT_BY_STATE]),
    ),
    "GetOpportunity": lambda w: (w.stubs.opportunity.GetOpportunity, GetOpportunityRequest(opportunity_id=w.name)),
    "ListOpportunities": lambda w: (
        w.stubs.opportunity.ListOpportunities,
        ListOpportunitiesRequest(filter=OpportunityFilter(customer=w.customer)),
    ),
    "CountOpportunities": lambda w: (
        w.stubs.opportunity.CountOpportunities,
        CountOpportunitiesRequest(filter=OpportunityFilter(customer=w.customer), group_by=[OPPORTUNITY_BY_STATE]),
    ),
    "ListPlays": lambda w: (w.stubs.playbook.ListPlays, ListPlaysRequest(filter=PlayFilter(request_id=w.name))),
    "GetPolicy": lambda w: (w.stubs.policy.GetPolicy, GetPolicyRequest()),
    "ListPolicies": lambda w: (w.stubs.policy.ListPolicies, ListPoliciesRequest()),
    "ListNotices": lambda w: (w.stubs.notice.ListNotices, ListNoticesRequest(filter=NoticeFilter(departments=[w.name]))),
    "GetDataQuality": lambda w: (w.stubs.insight.GetDataQuality, GetDataQualityRequest()),
    "GetFigures": lambda w: (
        w.stubs.insight.GetFigures,
        GetFiguresRequest(departments=[w.name], slices=[FIGURE_BY_CHANNEL], evidence_limit=10),
    ),
    "GetJourney": lambda w: (w.stubs.insight.GetJourney, GetJourneyRequest(request_id=w.name)),
    "GetJourneys": lambda w: (w.stubs.insight.GetJourneys, GetJourneysRequest(reasons=[w.name])),
    "CompareWithPolicy": lambda w: (
        w.stubs.insight.CompareWithPolicy,
        CompareWithPolicyRequest(from_time=w.began, until_time=Timestamp(seconds=DUE), policy=default_policy()),
    ),
}
"""Every question there is, by name; about the world's customer where it can be."""

GETS = (
    "GetHandoff",
    "GetFactDiff",
    "GetPromise",
    "GetRequest",
    "GetStatement",
    "GetOfficialAnswer",
    "GetComplaint",
    "GetException",
    "GetImprovement",
    "GetOpportunity",
    "GetPolicy",
    "GetJourney",
    "GetLink",
)
"""Those about one thing: without it they answer that nothing is recorded."""

PAGES = {
    "ListHistory": "entries",
    "SearchHistory": "entries",
    "ListContacts": "contacts",
    "ListRepeats": "repeats",
    "ListRepetitions": "repetitions",
    "ListHandoffs": "handoffs",
    "ListPromises": "promises",
    "ListRequests": "requests",
    "ListDuplicateCandidates": "candidates",
    "GetLink": "across",
    "ListAnswers": "answers",
    "ListContradictions": "contradictions",
    "ListStatements": "statements",
    "ListComplaints": "complaints",
    "ListExceptions": "exceptions",
    "ListOverrides": "overrides",
    "ListSatisfaction": "scores",
    "ListIrritants": "irritants",
    "ListReferrals": "referrals",
    "ListImprovements": "improvements",
    "ListOpportunities": "opportunities",
    "ListPlays": "plays",
    "ListPolicies": "policies",
    "ListNotices": "notices",
    "GetDataQuality": "findings",
    "CompareWithPolicy": "differences",
}
"""Those that are answered page by page, and what fills the pages."""

BEYOND_THE_WORLD = ("Resolve", "ListIdentifiers", "ListDuplicateCandidates", "GetPolicy", "ListPolicies", "GetDataQuality")
"""Those that what happens in the world does not change: who the customer is, the rules, what does not fit."""

WITHOUT_TIMES = {
    "GetStatus": "how this node is now",
    "GetViewDigest": "names its own position, at which digests are kept",
    "ListFigureDefinitions": "the same for ever in one version of the program",
    "ValidatePolicy": "about the policy that is sent, and nothing recorded",
    "ListRefusedPlays": "this node's own record: another node met others",
    "Append": "writes",
    "GetEvent": "an event never changes",
    "GetHead": "where the log ends now",
    "GetPositionAt": "asks for a position by a time",
}
"""Calls without `consistency` and `as_of`, and why."""


def ask(call: Call, **changes: Any) -> Any:
    """Ask, with some arguments changed."""
    method, request = call
    changed = type(request)()
    changed.CopyFrom(request)
    changed.MergeFrom(type(request)(**changes))
    return method(changed, timeout=TIMEOUT)


def result_bytes(answer: Any) -> bytes:
    """Return what was answered, as bytes that can be compared."""
    return bytes(answer.result.SerializeToString(deterministic=True))
