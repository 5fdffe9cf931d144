"""Questions over the wire: how fresh, how far back, page by page, and as they change. One small world, asked in every way."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

import ledger.api.v1
from ledger.api.v1.answer_service_pb2 import WatchStatementsRequest
from ledger.api.v1.audit_service_pb2 import GetViewDigestRequest
from ledger.api.v1.consistency_pb2 import AsOf, Consistency, LedgerToken, ReadAt
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_STATE_ACCEPTED,
    HANDOFF_STATE_OFFERED,
    HandoffFilter,
    WatchHandoffsRequest,
)
from ledger.api.v1.history_service_pb2 import GetCustomerRequest, HistoryFilter, SearchHistoryRequest, WatchHistoryRequest
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.api.v1.identity_service_pb2 import ResolveRequest
from ledger.api.v1.ledger_service_pb2 import BULK, AppendRequest, GetHeadRequest
from ledger.api.v1.notice_service_pb2 import WatchNoticesRequest
from ledger.api.v1.playbook_service_pb2 import ListPlaysRequest, PlayFilter
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT, PromiseFilter, WatchPromisesRequest
from ledger.api.v1.request_service_pb2 import ListRequestsRequest
from ledger.tokens import Branch, write_token
from tests.appending import group, reason_of, to_append
from tests.asked_questions import BEYOND_THE_WORLD, GETS, PAGES, QUESTIONS, WITHOUT_TIMES, Call, ask, result_bytes
from tests.asked_world import PLAYBOOK, TIMEOUT, Stubs, World, change, told
from tests.refusals import refused, refused_or_none
from tests.server_process import Server


@pytest.fixture
def stubs(channel: grpc.Channel) -> Stubs:
    return Stubs(channel)


@pytest.fixture
def world(stubs: Stubs) -> World:
    return told(stubs)


# Every one


def methods() -> dict[str, MethodDescriptor]:
    """Return every method of every service, by name."""
    modules = [
        importlib.import_module(f"ledger.api.v1.{info.name}")
        for info in pkgutil.iter_modules(ledger.api.v1.__path__)
        if info.name.endswith("_service_pb2")
    ]
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return {method.name: method for service in services for method in service.methods}


def test_every_question_that_the_services_answer_is_asked_here() -> None:
    asked = {name for name, method in methods().items() if not method.server_streaming}

    assert asked - set(WITHOUT_TIMES) == set(QUESTIONS)
    assert set(WITHOUT_TIMES) <= asked


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_takes_how_fresh_and_how_far_back_and_its_answer_says_where_it_stands(question: str) -> None:
    method = methods()[question]
    taken, given = (set(message.fields_by_name) for message in (method.input_type, method.output_type))

    assert {"consistency", "as_of"} <= taken
    assert {"result", "read_at"} <= given
    assert (question in PAGES) == ({"page_size", "page_token"} <= taken) == ("next_page_token" in given)


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
    request.as_of.position = 0

    refusal = refused(method, request)

    assert ("NOT_RECORDED", grpc.StatusCode.NOT_FOUND) == (refusal.reason, refusal.code)
    assert refusal.metadata["kind"]
    assert question == "GetPolicy" or refusal.metadata["id"] in (world.name, world.link_id)


@pytest.mark.parametrize("question", [question for question in QUESTIONS if question not in BEYOND_THE_WORLD])
def test_what_happens_later_is_seen_once_it_is_known(question: str, world: World) -> None:
    before = ask(QUESTIONS[question](world))
    change(world)
    after = ask(QUESTIONS[question](world), as_of=AsOf(evaluated_time=before.read_at.evaluated_time))

    assert before.read_at.evaluated_time == after.read_at.evaluated_time
    assert result_bytes(before) != result_bytes(after)


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_occurs_later_is_not_seen_before_then_whenever_it_is_recorded(question: str, world: World) -> None:
    recorded = ask(QUESTIONS[question](world), as_of=AsOf(position=world.position)).read_at.record_time
    then = Timestamp(seconds=recorded.seconds, nanos=recorded.nanos + 1_000)
    change(world)

    # As they had happened before a time, figures are always exact. What a comparison has looked through is not what it found.
    exact = {"exact": True} if question == "GetFigures" else {}
    known_then = ask(QUESTIONS[question](world), as_of=AsOf(position=world.position, evaluated_time=then), **exact)
    before_then = ask(QUESTIONS[question](world), as_of=AsOf(occurred_before=then), **exact)
    for answer in (known_then, before_then) if question == "CompareWithPolicy" else ():
        answer.result.ClearField("position")
        answer.result.ClearField("until_position")

    assert before_then.read_at.evaluated_time == then
    assert before_then.read_at.position > known_then.read_at.position
    assert result_bytes(known_then) == result_bytes(before_then)


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


def test_what_names_its_request_later_is_not_found_by_it_before(world: World) -> None:
    trigger = str(uuid.uuid4())
    nameless = RuleOverridden(rule=PLAYBOOK, reason="customer_asked", trigger_event_id=trigger)
    position = world.stubs.append(nameless).results[0].appended[0].position
    which = PlayFilter(request_id=world.name, trigger_event_id=trigger)
    world.stubs.append(
        RuleOverridden(rule=PLAYBOOK, step="sell", reason="customer_asked", trigger_event_id=trigger, request_id=world.name)
    )

    now, then = (
        world.stubs.playbook.ListPlays(ListPlaysRequest(filter=which, as_of=as_of), timeout=TIMEOUT).result.plays
        for as_of in (AsOf(), AsOf(position=position))
    )

    assert (1, 0) == (len(now), len(then))


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

    assert by_mail.result.contact_count == 2
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


ADDING_UP = {question: rows for question, rows in PAGES.items() if question != "CompareWithPolicy"}
"""CompareWithPolicy comes in pieces of the log, and counts what a page has no room for: see test_whatif.py."""

PAGES_MAX = 5
"""So many pages are turned: what is asked of the whole ledger has as many as other tests have left."""


@pytest.mark.parametrize(("question", "rows"), ADDING_UP.items())
def test_pages_add_up_and_stand_where_the_first_one_stood(question: str, rows: str, world: World) -> None:
    change(world)
    call = QUESTIONS[question](world)
    whole = ask(call, page_size=500)
    first = ask(call, page_size=1)
    world.stubs.append(ContactReceived(contact_id=f"{world.name}-3", reason=world.name, customer=world.mail))
    turned = [first]
    while turned[-1].next_page_token and len(turned) < PAGES_MAX:
        turned.append(ask(call, page_size=1, page_token=turned[-1].next_page_token))

    expected = list(getattr(whole.result, rows))
    assert question in (*BEYOND_THE_WORLD, "ListNotices") or len(expected) > 1
    assert expected[: len(turned)] == [row for page in turned for row in getattr(page.result, rows)]
    assert len(turned) == PAGES_MAX or len(turned) == max(1, len(expected))
    assert {(first.read_at.position, first.read_at.evaluated_time.ToNanoseconds())} == {
        (page.read_at.position, page.read_at.evaluated_time.ToNanoseconds()) for page in turned
    }


@pytest.mark.parametrize("question", PAGES)
def test_a_page_token_goes_with_its_own_question_and_arguments(question: str, world: World) -> None:
    other = "ListContacts" if question == "ListHistory" else "ListHistory"
    tokens = [
        ask(QUESTIONS[other](world), page_size=1).next_page_token,
        ask(QUESTIONS[question](world), page_size=1).next_page_token,
    ]
    method, request = QUESTIONS[question](world)
    request.as_of.position = world.position

    for token in filter(None, tokens):
        request.page_token = token
        refusal = refused(method, request)

        assert ("PAGE_TOKEN_INVALID", grpc.StatusCode.INVALID_ARGUMENT) == (refusal.reason, refusal.code)


@pytest.mark.parametrize("question", PAGES)
def test_a_damaged_page_token_is_refused(question: str, world: World) -> None:
    method, request = QUESTIONS[question](world)
    request.page_token = "A" * 40

    assert refused(method, request).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("size", [-1, 0, 501])
@pytest.mark.parametrize("question", PAGES)
def test_a_page_size_out_of_range_is_refused(question: str, size: int, world: World) -> None:
    method, request = QUESTIONS[question](world)
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


WATCHES: dict[str, Callable[[World, dict[str, Any]], Call]] = {
    "WatchHistory": lambda w, since: (w.stubs.history.WatchHistory, WatchHistoryRequest(customer=w.customer, **since)),
    "WatchHandoffs": lambda w, since: (w.stubs.handoff.WatchHandoffs, WatchHandoffsRequest(**since)),
    "WatchPromises": lambda w, since: (w.stubs.promise.WatchPromises, WatchPromisesRequest(**since)),
    "WatchStatements": lambda w, since: (w.stubs.answer.WatchStatements, WatchStatementsRequest(**since)),
    "WatchNotices": lambda w, since: (w.stubs.notice.WatchNotices, WatchNoticesRequest(**since)),
}
"""Every watch, by name; from a position on where one is given."""


def item_of(response: Any) -> str:
    return str(response.WhichOneof("item"))


def until(responses: Iterator[Any], item: str) -> Any:
    """Return the next response of a kind."""
    return next(response for response in responses if item_of(response) == item)


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


@pytest.mark.parametrize("watch", WATCHES)
def test_a_watcher_beyond_the_head_is_refused(watch: str, world: World) -> None:
    method, request = WATCHES[watch](world, {"after_position": 10**9})

    assert refused(method, request).reason == "POSITION_BEYOND_HEAD"


@pytest.mark.parametrize("watch", WATCHES)
def test_a_watcher_has_caught_up_with_all_that_was_acknowledged_before_the_call(watch: str, world: World) -> None:
    method, request = WATCHES[watch](world, {})
    responses = method(request, timeout=TIMEOUT)

    caught_up = until(responses, "caught_up")
    responses.cancel()

    assert caught_up.position >= world.position


def test_every_watch_that_the_services_offer_is_tried_here() -> None:
    assert {name for name in methods() if name.startswith("Watch")} == set(WATCHES)


# When the views do not keep up


@pytest.fixture
def stalled(server: Server) -> Iterator[Stubs]:
    """A server whose projector was stopped, and which has an event that the views do not show."""
    with server.channel() as channel:
        stubs = Stubs(channel)
        stubs.request.ListRequests(ListRequestsRequest(), timeout=TIMEOUT)
        projector = server.pause("projector")
        try:
            stubs.append(ContactReceived(contact_id="unseen", reason="delivery"))
            yield stubs
        finally:
            os.kill(projector, signal.SIGCONT)


def test_views_that_do_not_come_in_time_are_told_with_wanted_and_reached(stalled: Stubs) -> None:
    refusal = refused(stalled.request.ListRequests, ListRequestsRequest())

    assert ("VIEWS_LAGGING", grpc.StatusCode.UNAVAILABLE) == (refusal.reason, refusal.code)
    assert int(refusal.metadata["wanted"]) == int(refusal.metadata["reached"]) + 1
    assert refusal.retry_seconds is not None


def test_while_the_views_lag_an_older_answer_is_had_at_once(stalled: Stubs) -> None:
    by_any = stalled.request.ListRequests(ListRequestsRequest(consistency=Consistency(any=True)), timeout=TIMEOUT)
    by_position = stalled.request.ListRequests(ListRequestsRequest(as_of=AsOf(position=2)), timeout=TIMEOUT)

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
