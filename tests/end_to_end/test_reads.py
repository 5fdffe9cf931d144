"""Questions over the wire: how fresh, how far back, page by page, and as they change. One small world, asked in every way."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1 import (
    audit_service_pb2_grpc,
    handoff_service_pb2,
    handoff_service_pb2_grpc,
    history_service_pb2,
    history_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    insight_service_pb2,
    insight_service_pb2_grpc,
    ledger_service_pb2_grpc,
    promise_service_pb2,
    promise_service_pb2_grpc,
    request_service_pb2,
    request_service_pb2_grpc,
)
from ledger.api.v1.audit_service_pb2 import GetViewDigestRequest
from ledger.api.v1.consistency_pb2 import AsOf, Consistency, LedgerToken, ReadAt
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import MOVES, Due, Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_BY_STATE,
    HANDOFF_STATE_ACCEPTED,
    HANDOFF_STATE_OFFERED,
    CountHandoffsRequest,
    GetHandoffRequest,
    HandoffFilter,
    ListHandoffsRequest,
    WatchHandoffsRequest,
)
from ledger.api.v1.history_service_pb2 import (
    CONTACT_BY_CHANNEL,
    ContactFilter,
    CountContactsRequest,
    GetCustomerRequest,
    HistoryFilter,
    ListContactsRequest,
    ListHistoryRequest,
    SearchHistoryRequest,
    WatchHistoryRequest,
)
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.api.v1.identity_service_pb2 import ListDuplicateCandidatesRequest, ListIdentifiersRequest, ResolveRequest
from ledger.api.v1.insight_service_pb2 import GetDataQualityRequest
from ledger.api.v1.ledger_service_pb2 import BULK, AppendRequest, AppendResponse, GetHeadRequest
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_STATE_KEPT,
    CountPromisesRequest,
    GetPromiseRequest,
    ListPromisesRequest,
    PromiseFilter,
    WatchPromisesRequest,
)
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.api.v1.request_service_pb2 import CountRequestsRequest, GetRequestRequest, ListRequestsRequest, RequestFilter
from ledger.tokens import Branch, write_token
from tests.appending import group, reason_of, to_append
from tests.refusals import refused, refused_or_none
from tests.server_process import Server

TIMEOUT = 20.0


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

    def append(self, *payloads: Message) -> AppendResponse:
        events = [to_append(payload, channel="phone", department="desk", supervisor=True) for payload in payloads]
        response = self.ledger.Append(AppendRequest(groups=[group(event) for event in events]), timeout=TIMEOUT)
        for result in response.results:
            assert not result.HasField("error"), result.error.message
        return response


class World(NamedTuple):
    """What one customer's story left in the ledger, under ids of its own."""

    name: str
    stubs: Stubs
    last: AppendResponse

    @property
    def mail(self) -> Identifier:
        return Identifier(type="email", value=f"{self.name}@example.org")

    @property
    def customer(self) -> CustomerReference:
        return CustomerReference(identifier=self.mail)

    @property
    def position(self) -> int:
        """Where the log stood when the story was told."""
        return max(appended.position for result in self.last.results for appended in result.appended)


@pytest.fixture
def stubs(channel: grpc.Channel) -> Stubs:
    return Stubs(channel)


@pytest.fixture
def world(stubs: Stubs) -> World:
    name = f"w{uuid.uuid4().hex[:10]}"
    mail = Identifier(type="email", value=f"{name}@example.org")
    due = Due()
    due.instant.FromSeconds(4_000_000_000)
    last = stubs.append(
        ContactReceived(contact_id=name, reason="delivery", customer=mail, summary=f"colis perdu {name}"),
        RequestOpened(request_id=name, contact_id=name, reason="delivery", owner_department="desk", wish="a new one"),
        PromiseMade(promise_id=name, kind="delivery", request_id=name, due=due, owner_department="desk"),
        HandoffOffered(request_id=name, handoff_id=name, from_department="desk", to_department="stock", ownership=MOVES),
    )
    return World(name, stubs, last)


Call = tuple[Callable[..., Any], Any]

QUESTIONS: dict[str, Callable[[World], Call]] = {
    "GetCustomer": lambda w: (w.stubs.history.GetCustomer, GetCustomerRequest(customer=w.customer)),
    "ListHistory": lambda w: (w.stubs.history.ListHistory, ListHistoryRequest(customer=w.customer)),
    "SearchHistory": lambda w: (w.stubs.history.SearchHistory, SearchHistoryRequest(words=w.name, customer=w.customer)),
    "ListContacts": lambda w: (w.stubs.history.ListContacts, ListContactsRequest(filter=ContactFilter(customer=w.customer))),
    "CountContacts": lambda w: (
        w.stubs.history.CountContacts,
        CountContactsRequest(filter=ContactFilter(customer=w.customer), group_by=[CONTACT_BY_CHANNEL]),
    ),
    "GetHandoff": lambda w: (w.stubs.handoff.GetHandoff, GetHandoffRequest(handoff_id=w.name, request_id=w.name)),
    "ListHandoffs": lambda w: (w.stubs.handoff.ListHandoffs, ListHandoffsRequest(filter=HandoffFilter(customer=w.customer))),
    "CountHandoffs": lambda w: (
        w.stubs.handoff.CountHandoffs,
        CountHandoffsRequest(filter=HandoffFilter(customer=w.customer), group_by=[HANDOFF_BY_STATE]),
    ),
    "GetPromise": lambda w: (w.stubs.promise.GetPromise, GetPromiseRequest(promise_id=w.name)),
    "ListPromises": lambda w: (w.stubs.promise.ListPromises, ListPromisesRequest(filter=PromiseFilter(customer=w.customer))),
    "CountPromises": lambda w: (w.stubs.promise.CountPromises, CountPromisesRequest(filter=PromiseFilter(customer=w.customer))),
    "GetRequest": lambda w: (w.stubs.request.GetRequest, GetRequestRequest(request_id=w.name)),
    "ListRequests": lambda w: (w.stubs.request.ListRequests, ListRequestsRequest(filter=RequestFilter(customer=w.customer))),
    "CountRequests": lambda w: (w.stubs.request.CountRequests, CountRequestsRequest(filter=RequestFilter(customer=w.customer))),
    "Resolve": lambda w: (w.stubs.identity.Resolve, ResolveRequest(customer=w.customer)),
    "ListIdentifiers": lambda w: (w.stubs.identity.ListIdentifiers, ListIdentifiersRequest(customer=w.customer)),
    "ListDuplicateCandidates": lambda w: (w.stubs.identity.ListDuplicateCandidates, ListDuplicateCandidatesRequest()),
    "GetDataQuality": lambda w: (w.stubs.insight.GetDataQuality, GetDataQualityRequest()),
}
"""Every question there is, by name; about the world's customer where it can be."""

GETS = ("GetHandoff", "GetPromise", "GetRequest")


def ask(call: Call, **changes: Any) -> Any:
    """Ask, with some arguments changed."""
    method, request = call
    changed = type(request)()
    changed.CopyFrom(request)
    changed.MergeFrom(type(request)(**changes))
    return method(changed, timeout=TIMEOUT)


def result_bytes(answer: Any) -> bytes:
    return bytes(answer.result.SerializeToString(deterministic=True))


def change(world: World) -> AppendResponse:
    """Let something happen that every question about the world would show."""
    return world.stubs.append(
        HandoffAccepted(request_id=world.name, handoff_id=world.name),
        PromiseKept(promise_id=world.name),
        ContactReceived(contact_id=f"{world.name}-2", reason="delivery", customer=world.mail, summary=f"encore {world.name}"),
    )


# How fresh


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_says_where_and_when_it_stands(question: str, world: World) -> None:
    read_at: ReadAt = ask(QUESTIONS[question](world)).read_at

    assert read_at.position >= world.position
    assert read_at.HasField("record_time")
    assert read_at.HasField("evaluated_time")
    assert ("full", 0) == (read_at.disclosure_class, read_at.erasures_known)
    assert read_at.token.value
    assert read_at.node
    assert read_at.view_version > 0


def test_the_latest_answer_reflects_what_was_acknowledged_just_before(world: World) -> None:
    for _ in range(20):
        name = uuid.uuid4().hex
        world.stubs.append(ContactReceived(contact_id=name, reason="delivery", customer=world.mail))

        entries = ask(QUESTIONS["ListHistory"](world), page_size=1).result.entries

        assert entries[0].event.payload.contact_received.contact_id == name


def test_a_token_of_an_append_reads_what_was_written(world: World) -> None:
    appended = change(world)

    answer = ask(QUESTIONS["GetPromise"](world), consistency=Consistency(at_least=appended.token))

    assert answer.result.state == PROMISE_STATE_KEPT


def test_any_answers_without_waiting(world: World) -> None:
    answer = ask(QUESTIONS["ListHandoffs"](world), consistency=Consistency(any=True))

    assert answer.HasField("read_at")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_token_that_is_none_is_refused_everywhere(question: str, world: World) -> None:
    method, request = QUESTIONS[question](world)
    request.consistency.at_least.value = "nonsense"

    refusal = refused(method, request)

    assert ("TOKEN_MALFORMED", grpc.StatusCode.INVALID_ARGUMENT) == (refusal.reason, refusal.code)


def test_a_token_of_another_ledger_or_incarnation_or_of_the_future_is_refused(world: World) -> None:
    head = world.stubs.ledger.GetHead(GetHeadRequest(), timeout=TIMEOUT)
    here = Branch(uuid.UUID(head.ledger_id).bytes, head.incarnation)

    def reason(branch: Branch, position: int) -> str:
        consistency = Consistency(at_least=write_token(branch, position))
        return refused(world.stubs.request.ListRequests, ListRequestsRequest(consistency=consistency)).reason

    assert reason(here._replace(ledger_id=b"x" * 16), 1) == "TOKEN_OF_OTHER_LEDGER"
    assert reason(here._replace(incarnation=2), 1) == "TOKEN_OF_OTHER_INCARNATION"
    assert reason(here, 10**9) == "POSITION_BEYOND_HEAD"


# How far back


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_same_position_and_times_give_the_same_bytes_whatever_happened_since(question: str, world: World) -> None:
    before = ask(QUESTIONS[question](world), as_of=AsOf(position=world.position))
    change(world)
    after = ask(QUESTIONS[question](world), as_of=AsOf(position=world.position))

    assert result_bytes(before) == result_bytes(after)
    assert (before.read_at.position, before.read_at.evaluated_time) == (after.read_at.position, after.read_at.evaluated_time)
    assert before.read_at.evaluated_time == before.read_at.record_time


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_present_asked_again_by_its_stamp_gives_the_same_bytes(question: str, world: World) -> None:
    present = ask(QUESTIONS[question](world))
    change(world)
    stamp = AsOf(position=present.read_at.position, evaluated_time=present.read_at.evaluated_time)

    assert result_bytes(present) == result_bytes(ask(QUESTIONS[question](world), as_of=stamp))


@pytest.mark.parametrize("question", [question for question in QUESTIONS if question not in GETS])
def test_before_the_first_event_every_answer_is_empty(question: str, world: World) -> None:
    answer = ask(QUESTIONS[question](world), as_of=AsOf(position=0))

    assert answer.read_at.position == 0
    assert not answer.read_at.HasField("record_time")
    assert world.name.encode() not in result_bytes(answer)


@pytest.mark.parametrize("question", GETS)
def test_what_did_not_exist_yet_is_not_recorded(question: str, world: World) -> None:
    method, request = QUESTIONS[question](world)
    request.as_of.position = 2

    refusal = refused(method, request)

    assert ("NOT_RECORDED", grpc.StatusCode.NOT_FOUND, world.name) == (refusal.reason, refusal.code, refusal.metadata["id"])


def test_a_record_time_means_the_last_position_recorded_by_then(world: World) -> None:
    then = ask(QUESTIONS["GetHandoff"](world)).read_at
    change(world)

    answer = ask(QUESTIONS["GetHandoff"](world), as_of=AsOf(record_time=then.record_time))

    assert answer.result.state == HANDOFF_STATE_OFFERED
    assert (then.record_time, then.record_time) == (answer.read_at.record_time, answer.read_at.evaluated_time)


def test_only_what_occurred_before_the_time_asked_is_seen(world: World) -> None:
    offered_time = ask(QUESTIONS["GetHandoff"](world)).result.offered_time
    change(world)
    just_after = Timestamp(seconds=offered_time.seconds, nanos=offered_time.nanos + 1_000)

    answer = ask(QUESTIONS["GetHandoff"](world), as_of=AsOf(occurred_before=just_after))

    assert answer.result.state == HANDOFF_STATE_OFFERED
    assert answer.read_at.evaluated_time == just_after


def test_the_evaluated_time_can_be_pinned(world: World) -> None:
    far = Timestamp(seconds=5_000_000_000)

    answer = ask(QUESTIONS["GetPromise"](world), as_of=AsOf(evaluated_time=far))

    assert answer.result.overdue
    assert answer.read_at.evaluated_time == far


def test_a_known_position_beyond_the_head_is_refused(world: World) -> None:
    refusal = refused(world.stubs.request.ListRequests, ListRequestsRequest(as_of=AsOf(position=10**9)))

    assert ("POSITION_BEYOND_HEAD", grpc.StatusCode.OUT_OF_RANGE) == (refusal.reason, refusal.code)


# Who


def test_an_identifier_is_found_however_it_is_written(world: World) -> None:
    shouted = CustomerReference(identifier=Identifier(type="email", value=world.mail.value.upper()))

    answers = [ask(QUESTIONS["Resolve"](world)), world.stubs.identity.Resolve(ResolveRequest(customer=shouted), timeout=TIMEOUT)]

    assert answers[0].result.customer_id
    assert answers[0].result == answers[1].result


def test_a_customer_is_found_by_the_pseudonym_too(world: World) -> None:
    by_mail = ask(QUESTIONS["GetCustomer"](world))
    by_id = world.stubs.history.GetCustomer(
        GetCustomerRequest(customer=CustomerReference(customer_id=by_mail.result.customer_id)), timeout=TIMEOUT
    )

    assert by_mail.result.contact_count == 1
    assert by_mail.result.customer_id == by_id.result.customer_id


def test_nobody_has_an_empty_card_then_and_for_ever_as_of_then(stubs: Stubs) -> None:
    nobody = Identifier(type="email", value=f"{uuid.uuid4().hex}@example.org")
    request = GetCustomerRequest(customer=CustomerReference(identifier=nobody))
    before = stubs.history.GetCustomer(request, timeout=TIMEOUT)
    stubs.append(ContactReceived(contact_id=uuid.uuid4().hex, reason="delivery", customer=nobody))
    request.as_of.position = before.read_at.position
    request.as_of.evaluated_time.CopyFrom(before.read_at.evaluated_time)

    again = stubs.history.GetCustomer(request, timeout=TIMEOUT)

    assert before.result.ByteSize() == 0
    assert before.result == again.result


def test_an_impossible_identifier_is_refused(stubs: Stubs) -> None:
    nonsense = CustomerReference(identifier=Identifier(type="email", value="not a mail address"))

    assert refused(stubs.identity.Resolve, ResolveRequest(customer=nonsense)).reason == "IDENTIFIER_INVALID"


# Page by page


def test_pages_add_up_and_the_last_one_has_no_token(world: World) -> None:
    whole = ask(QUESTIONS["ListHistory"](world)).result.entries
    pages, token = [], ""
    while True:
        page = (
            ask(QUESTIONS["ListHistory"](world), page_size=1, page_token=token)
            if token
            else ask(QUESTIONS["ListHistory"](world), page_size=1)
        )
        pages.extend(page.result.entries)
        token = page.next_page_token
        if not token:
            break

    assert len(whole) == 4
    assert list(whole) == pages


def test_later_pages_stand_where_the_first_one_stood(world: World) -> None:
    first = ask(QUESTIONS["ListHistory"](world), page_size=2)
    change(world)

    second = ask(QUESTIONS["ListHistory"](world), page_size=50, page_token=first.next_page_token)

    assert first.read_at.position == second.read_at.position
    assert first.read_at.evaluated_time == second.read_at.evaluated_time
    assert len(second.result.entries) == 2


def test_a_page_token_goes_with_its_own_arguments(world: World) -> None:
    token = ask(QUESTIONS["ListHistory"](world), page_size=1).next_page_token
    method, request = QUESTIONS["ListHistory"](world)
    request.page_token = token
    request.oldest_first = True

    refusal = refused(method, request)

    assert ("PAGE_TOKEN_INVALID", grpc.StatusCode.INVALID_ARGUMENT) == (refusal.reason, refusal.code)


def test_a_damaged_page_token_is_refused(world: World) -> None:
    method, request = QUESTIONS["ListContacts"](world)
    request.page_token = "A" * 40

    assert refused(method, request).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("size", [-1, 501])
def test_a_page_size_out_of_range_is_refused(size: int, world: World) -> None:
    method, request = QUESTIONS["ListHandoffs"](world)
    request.page_size = size

    refusal = refused(method, request)

    assert ("FIELD_INVALID", ["page_size"]) == (refusal.reason, refusal.fields)


def test_a_search_finds_words_without_their_accents(world: World) -> None:
    world.stubs.append(
        ContactReceived(contact_id=f"{world.name}-3", reason="delivery", customer=world.mail, summary="reçu abîmé à la livraison")
    )

    found = world.stubs.history.SearchHistory(
        SearchHistoryRequest(words="recu abime", customer=world.customer), timeout=TIMEOUT
    ).result.entries

    assert [f"{world.name}-3"] == [entry.event.payload.contact_received.contact_id for entry in found]


# As it changes


def item_of(response: Any) -> str:
    return str(response.WhichOneof("item"))


def until(responses: Iterator[Any], item: str) -> Any:
    """Return the next response of a kind."""
    return next(response for response in responses if item_of(response) == item)


def test_every_question_that_the_services_answer_is_asked_here() -> None:
    services = (
        history_service_pb2,
        handoff_service_pb2,
        promise_service_pb2,
        request_service_pb2,
        identity_service_pb2,
        insight_service_pb2,
    )
    methods = [
        method for module in services for service in module.DESCRIPTOR.services_by_name.values() for method in service.methods
    ]

    assert {method.name for method in methods if not method.server_streaming} == set(QUESTIONS)


def test_a_watcher_of_handoffs_sees_what_was_then_caught_up_then_the_change(world: World) -> None:
    request = WatchHandoffsRequest(after_position=0, filter=HandoffFilter(request_id=world.name))
    responses = world.stubs.handoff.WatchHandoffs(request, timeout=TIMEOUT)

    offered = until(responses, "handoff")
    caught_up = until(responses, "caught_up")
    change(world)
    accepted = until(responses, "handoff")
    responses.cancel()

    assert (HANDOFF_STATE_OFFERED, HANDOFF_STATE_ACCEPTED) == (offered.handoff.state, accepted.handoff.state)
    assert offered.position <= caught_up.position < accepted.position


def test_a_watcher_of_promises_resumes_after_a_position(world: World) -> None:
    appended = change(world)
    request = WatchPromisesRequest(after_position=world.position, filter=PromiseFilter(request_id=world.name))
    responses = world.stubs.promise.WatchPromises(request, timeout=TIMEOUT)

    kept = until(responses, "promise")
    responses.cancel()

    assert (PROMISE_STATE_KEPT, appended.results[1].appended[0].position) == (kept.promise.state, kept.position)


def test_a_watcher_without_a_position_begins_now(world: World) -> None:
    responses = world.stubs.history.WatchHistory(WatchHistoryRequest(customer=world.customer), timeout=TIMEOUT)

    first = next(responses)
    change(world)
    entry = until(responses, "entry")
    responses.cancel()

    assert item_of(first) == "caught_up"
    assert entry.position > first.position


def test_a_watcher_of_a_history_hears_that_identifiers_were_joined(world: World) -> None:
    responses = world.stubs.history.WatchHistory(WatchHistoryRequest(customer=world.customer), timeout=TIMEOUT)
    assert item_of(next(responses)) == "caught_up"
    account = Identifier(type="account", value=world.name)

    world.stubs.append(IdentityLinked(left=world.mail, right=account))
    changed = until(responses, "membership_changed")
    world.stubs.append(ContactReceived(contact_id=f"{world.name}-4", reason="delivery", customer=account))
    entry = until(responses, "entry")
    while entry.entry.event.topic != "contact-received":
        entry = until(responses, "entry")
    responses.cancel()

    assert changed.membership_changed
    assert entry.entry.event.payload.contact_received.contact_id == f"{world.name}-4"


def test_a_watcher_beyond_the_head_is_refused(stubs: Stubs) -> None:
    assert refused(stubs.handoff.WatchHandoffs, WatchHandoffsRequest(after_position=10**9)).reason == "POSITION_BEYOND_HEAD"


# When the views do not keep up


@pytest.fixture
def stalled(server: Server) -> Iterator[Stubs]:
    """A server whose projector was stopped, and which has an event that the views do not show."""
    with server.channel() as channel:
        stubs = Stubs(channel)
        stubs.request.ListRequests(ListRequestsRequest(), timeout=TIMEOUT)
        projector = server.pid("projector")
        os.kill(projector, signal.SIGSTOP)
        try:
            stubs.append(ContactReceived(contact_id="unseen", reason="delivery"))
            yield stubs
        finally:
            os.kill(projector, signal.SIGCONT)


def test_views_that_do_not_come_in_time_are_told_with_wanted_and_reached(stalled: Stubs) -> None:
    def list_soon(request: Any) -> Any:
        return stalled.request.ListRequests(request, timeout=1.0)

    refusal = refused(list_soon, ListRequestsRequest())

    assert ("VIEWS_LAGGING", grpc.StatusCode.UNAVAILABLE) == (refusal.reason, refusal.code)
    assert int(refusal.metadata["wanted"]) == int(refusal.metadata["reached"]) + 1
    assert refusal.retry_seconds is not None


def test_while_the_views_lag_an_older_answer_is_had_at_once(stalled: Stubs) -> None:
    by_any = stalled.request.ListRequests(ListRequestsRequest(consistency=Consistency(any=True)), timeout=1.0)
    by_position = stalled.request.ListRequests(ListRequestsRequest(as_of=AsOf(position=2)), timeout=1.0)

    assert (2, 2) == (by_any.read_at.position, by_position.read_at.position)


def test_while_the_views_lag_the_bulk_lane_closes_and_the_other_one_stays_open(stalled: Stubs) -> None:
    def bulk() -> AppendRequest:
        event = to_append(ContactReceived(contact_id=uuid.uuid4().hex, reason="delivery"), channel="phone")
        return AppendRequest(groups=[group(event)], lane=BULK)

    # The first ones may come while the lag is still small.
    refusal = next(filter(None, (refused_or_none(stalled.ledger.Append, bulk()) for _ in range(1_000))))
    interactive = stalled.append(ContactReceived(contact_id="interactive", reason="delivery"))

    assert ("BULK_LANE_CLOSED", grpc.StatusCode.RESOURCE_EXHAUSTED) == (refusal.reason, refusal.code)
    assert refusal.retry_seconds is not None
    assert reason_of(interactive.results[0].error) == ""


def test_the_digests_of_the_log_and_every_view_can_be_compared(stubs: Stubs) -> None:
    answer = stubs.audit.GetViewDigest(GetViewDigestRequest(), timeout=TIMEOUT)

    assert answer.result.position % 1_024 == 0
    assert answer.read_at.position >= answer.result.position


def test_an_unset_token_is_refused(stubs: Stubs) -> None:
    request = ListRequestsRequest(consistency=Consistency(at_least=LedgerToken()))

    assert refused(stubs.request.ListRequests, request).reason == "FIELD_REQUIRED"


def test_a_history_is_filtered(world: World) -> None:
    found = ask(QUESTIONS["ListHistory"](world), filter=HistoryFilter(topics=["handoff-offered"])).result.entries

    assert ["handoff-offered"] == [entry.event.topic for entry in found]
