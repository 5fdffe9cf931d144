"""LedgerService and health over the wire: append, read, follow, and how calls are refused."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from ledger.api.v1.admin_service_pb2 import GetStatusRequest
from ledger.api.v1.admin_service_pb2_grpc import AdminServiceStub
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.ledger_service_pb2 import (
    BULK,
    Appended,
    AppendRequest,
    EventFilter,
    EventGroup,
    GetEventRequest,
    GetHeadRequest,
    GetPositionAtRequest,
    ReadEventsRequest,
    SubscribeRequest,
    SubscribeResponse,
)
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.api.v1.promise_pb2 import PromiseBroken
from tests.appending import group, reason_of, to_append
from tests.refusals import refused
from tests.server_process import Server

TIMEOUT = 20.0
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for this file alone: of contacts that other tests left unanswered the clock records something at any moment."""
    server = Server(tmp_path_factory.mktemp("log") / "data").start()
    yield server
    server.stop()


@pytest.fixture
def ledger(channel: grpc.Channel) -> LedgerServiceStub:
    return LedgerServiceStub(channel)


def contact(summary: str = "where is my parcel", **fields: Any) -> ContactReceived:
    return ContactReceived(contact_id=f"log-{next(_numbers)}-{uuid.uuid4().hex[:8]}", reason="delivery", summary=summary, **fields)


def append(ledger: LedgerServiceStub, *payloads: Message, **request: Any) -> list[Appended]:
    events = [to_append(payload, channel="phone", department="desk") for payload in payloads]
    response = ledger.Append(AppendRequest(groups=[group(event) for event in events], **request), timeout=TIMEOUT)
    return [appended for result in response.results for appended in result.appended]


def test_what_is_appended_can_be_read_by_position_and_by_id(ledger: LedgerServiceStub) -> None:
    (appended,) = append(ledger, contact("the box is empty"))

    by_position = ledger.GetEvent(GetEventRequest(position=appended.position), timeout=TIMEOUT).event
    by_id = ledger.GetEvent(GetEventRequest(event_id=appended.event_id), timeout=TIMEOUT).event

    assert by_position == by_id
    assert by_id.payload.contact_received.summary == "the box is empty"
    assert (appended.stream, 1) == (by_id.stream, by_id.revision)


def test_the_bulk_lane_takes_appends_while_the_views_keep_up(shared_server: Server, ledger: LedgerServiceStub) -> None:
    # Before that there is nobody who could bring the views up.
    shared_server.wait_until(lambda: "projector is ready" in shared_server.err, "the projector did not start")

    appended = append(ledger, *(contact() for _ in range(50)), lane=BULK)

    assert len(appended) == 50


def test_a_bad_group_is_refused_alone(ledger: LedgerServiceStub) -> None:
    good, bad = to_append(contact(), channel="phone"), to_append(contact(), channel="Not A Code")

    results = ledger.Append(AppendRequest(groups=[group(bad), group(good)]), timeout=TIMEOUT).results

    assert ("CODE_MALFORMED", "") == (reason_of(results[0].error), reason_of(results[1].error))
    assert len(results[1].appended) == 1


def test_an_append_of_more_than_a_thousand_events_is_refused_whole(ledger: LedgerServiceStub) -> None:
    many = AppendRequest(groups=[EventGroup(events=[to_append(contact())] * 501)] * 2)

    assert refused(ledger.Append, many).reason == "APPEND_TOO_LARGE"


def test_an_append_without_groups_is_refused(ledger: LedgerServiceStub) -> None:
    refusal = refused(ledger.Append, AppendRequest())

    assert ("FIELD_REQUIRED", grpc.StatusCode.INVALID_ARGUMENT, ["groups"]) == (refusal.reason, refusal.code, refusal.fields)


def test_a_message_above_a_mebibyte_is_refused_before_it_is_read(ledger: LedgerServiceStub) -> None:
    huge = AppendRequest(groups=[group(to_append(contact("x" * 2_000_000)))])

    with pytest.raises(grpc.RpcError) as raised:
        ledger.Append(huge, timeout=TIMEOUT)

    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]


def test_only_the_ledgers_own_parts_may_write_what_is_reserved(shared_server: Server, ledger: LedgerServiceStub) -> None:
    broken = AppendRequest(groups=[group(to_append(PromiseBroken(promise_id="p-1", set_by_event_id=str(uuid.uuid4()))))])

    outside = ledger.Append(broken, timeout=TIMEOUT).results[0]
    with grpc.insecure_channel(shared_server.internal_target) as inner:
        inside = LedgerServiceStub(inner).Append(broken, timeout=TIMEOUT).results[0]

    assert reason_of(outside.error) == "TOPIC_RESERVED"
    assert reason_of(inside.error) != "TOPIC_RESERVED"


def test_a_field_that_the_ledger_does_not_know_is_refused(channel: grpc.Channel) -> None:
    unknown = b"\xf8\x3f\x01"
    for method, request in (
        ("LedgerService/GetHead", b""),
        ("LedgerService/Append", AppendRequest(groups=[group(to_append(contact()))]).SerializeToString()),
        ("HandoffService/ListHandoffs", b""),
    ):
        call = channel.unary_unary(f"/ledger.api.v1.{method}")

        assert refused(call, request + unknown).reason == "FIELD_UNKNOWN"


def test_an_unknown_field_inside_an_event_refuses_its_group_alone(channel: grpc.Channel) -> None:
    event = to_append(contact())
    event.envelope.MergeFromString(b"\xf8\x3f\x01")
    request = AppendRequest(groups=[group(event), group(to_append(contact()))])

    results = LedgerServiceStub(channel).Append(request, timeout=TIMEOUT).results

    assert ("FIELD_UNKNOWN", "") == (reason_of(results[0].error), reason_of(results[1].error))


def test_what_is_not_recorded_is_not_found(ledger: LedgerServiceStub) -> None:
    by_position = refused(ledger.GetEvent, GetEventRequest(position=10**9))
    by_id = refused(ledger.GetEvent, GetEventRequest(event_id=str(uuid.uuid4())))

    assert ("NOT_RECORDED", grpc.StatusCode.NOT_FOUND) == (by_position.reason, by_position.code)
    assert by_id.reason == "NOT_RECORDED"


def test_a_malformed_event_id_is_named(ledger: LedgerServiceStub) -> None:
    refusal = refused(ledger.GetEvent, GetEventRequest(event_id="not-a-uuid"))

    assert ("ID_MALFORMED", ["event_id"]) == (refusal.reason, refusal.fields)


def read_all(ledger: LedgerServiceStub, request: ReadEventsRequest) -> list[RecordedEvent]:
    return [event for piece in ledger.ReadEvents(request, timeout=TIMEOUT) for event in piece.events]


def test_reading_streams_the_log_from_the_first_event_without_gaps(ledger: LedgerServiceStub) -> None:
    append(ledger, contact())

    positions = [event.position for event in read_all(ledger, ReadEventsRequest())]

    assert list(range(1, len(positions) + 1)) == positions


def test_reading_is_bounded_on_both_sides_and_by_count(ledger: LedgerServiceStub) -> None:
    first = append(ledger, *(contact() for _ in range(6)))[0].position

    bounded = read_all(ledger, ReadEventsRequest(from_position=first + 1, until_position=first + 4))
    counted = read_all(ledger, ReadEventsRequest(from_position=first, limit=2))

    assert list(range(first + 1, first + 5)) == [event.position for event in bounded]
    assert [first, first + 1] == [event.position for event in counted]


def test_reading_filters_by_topic_stream_and_subject(ledger: LedgerServiceStub) -> None:
    stranger, mine = append(ledger, contact(), contact())
    subject = ledger.GetEvent(GetEventRequest(position=mine.position), timeout=TIMEOUT).event.subject

    by_stream = read_all(ledger, ReadEventsRequest(filter=EventFilter(stream=mine.stream)))
    by_subject = read_all(ledger, ReadEventsRequest(filter=EventFilter(subjects=[subject])))
    by_topic = read_all(ledger, ReadEventsRequest(from_position=stranger.position, filter=EventFilter(topics=["note-added"])))

    assert [mine.position] == [event.position for event in by_stream]
    assert [mine.position] == [event.position for event in by_subject]
    assert by_topic == []


def test_reading_beyond_the_head_is_refused(ledger: LedgerServiceStub) -> None:
    head = ledger.GetHead(GetHeadRequest(), timeout=TIMEOUT).position

    assert refused(ledger.ReadEvents, ReadEventsRequest(until_position=head + 1)).reason == "POSITION_BEYOND_HEAD"
    assert read_all(ledger, ReadEventsRequest(from_position=head + 1)) == []


def take(calls: Any, count: int) -> list[tuple[str, int]]:
    """Return kinds and positions of the first messages of a stream, then leave it."""
    heard = []
    for response in itertools.islice(calls, count):
        item = response.WhichOneof("item")
        heard.append((item, getattr(response, item).position))
    calls.cancel()
    return heard


def test_a_subscriber_gets_what_is_there_then_caught_up_then_what_comes(ledger: LedgerServiceStub) -> None:
    first = append(ledger, contact(), contact())[0].position
    head = ledger.GetHead(GetHeadRequest(), timeout=TIMEOUT).position
    calls = ledger.Subscribe(SubscribeRequest(after_position=head - 2), timeout=TIMEOUT)

    before = [next(calls), next(calls), next(calls)]
    after = append(ledger, contact())[0].position
    last = next(calls)
    calls.cancel()

    assert [first, first + 1] == [response.event.position for response in before[:2]]
    assert SubscribeResponse.FromString(before[2].SerializeToString()).caught_up.position == head
    assert last.event.position == after


def test_a_subscriber_whose_filter_leaves_all_out_still_hears_how_far_it_is(ledger: LedgerServiceStub) -> None:
    head = ledger.GetHead(GetHeadRequest(), timeout=TIMEOUT).position
    calls = ledger.Subscribe(SubscribeRequest(after_position=head, filter=EventFilter(topics=["note-added"])), timeout=TIMEOUT)
    assert next(calls).caught_up.position >= head

    appended = append(ledger, contact())[0].position

    # The clock may record something meanwhile: its events are left out too, and move the checkpoint.
    reached = 0
    while reached < appended:
        reached = next(calls).checkpoint.position
    calls.cancel()


def test_subscribing_beyond_the_head_is_refused(ledger: LedgerServiceStub) -> None:
    assert refused(ledger.Subscribe, SubscribeRequest(after_position=10**9)).reason == "POSITION_BEYOND_HEAD"


def test_streams_beyond_the_limit_are_refused_with_a_delay(server: Server) -> None:
    # A server of its own: streams that other tests have just given up may still count for a moment.
    with server.channel() as channel:
        ledger = LedgerServiceStub(channel)
        head = ledger.GetHead(GetHeadRequest(), timeout=TIMEOUT).position
        request = SubscribeRequest(after_position=head)
        calls = [ledger.Subscribe(request, timeout=TIMEOUT) for _ in range(100)]
        for call in calls:
            next(call)

        refusal = refused(ledger.Subscribe, request)

        assert ("STREAMS_EXHAUSTED", grpc.StatusCode.RESOURCE_EXHAUSTED) == (refusal.reason, refusal.code)
        assert refusal.retry_seconds is not None
        for call in calls:
            call.cancel()


def test_the_position_at_a_time_is_the_last_one_recorded_by_then(ledger: LedgerServiceStub) -> None:
    (appended,) = append(ledger, contact())
    event = ledger.GetEvent(GetEventRequest(position=appended.position), timeout=TIMEOUT).event
    long_ago = Timestamp(seconds=0)

    then = ledger.GetPositionAt(GetPositionAtRequest(record_time=event.record_time), timeout=TIMEOUT)
    before = ledger.GetPositionAt(GetPositionAtRequest(record_time=long_ago), timeout=TIMEOUT)

    assert (appended.position, event.record_time) == (then.position, then.record_time)
    assert (0, False) == (before.position, before.HasField("record_time"))


def test_a_position_at_no_time_is_refused(ledger: LedgerServiceStub) -> None:
    assert refused(ledger.GetPositionAt, GetPositionAtRequest()).reason == "FIELD_REQUIRED"


def test_every_service_is_healthy_and_others_are_not_found(channel: grpc.Channel) -> None:
    health = HealthStub(channel)
    for service in ("", "ledger.api.v1.LedgerService", "ledger.api.v1.HandoffService"):
        answer = health.Check(HealthCheckRequest(service=service), timeout=TIMEOUT)
        assert answer.status == HealthCheckResponse.SERVING

    with pytest.raises(grpc.RpcError) as raised:
        health.Check(HealthCheckRequest(service="no.such.Service"), timeout=TIMEOUT)

    assert raised.value.code() == grpc.StatusCode.NOT_FOUND  # type: ignore[attr-defined]


def test_the_status_says_where_the_ledger_stands(channel: grpc.Channel, ledger: LedgerServiceStub) -> None:
    (appended,) = append(ledger, contact())

    status = AdminServiceStub(channel).GetStatus(GetStatusRequest(), timeout=TIMEOUT)

    assert status.head_position >= appended.position
    assert status.ledger_id == ledger.GetHead(GetHeadRequest(), timeout=TIMEOUT).ledger_id
    assert (1, "sqlite", False) == (status.incarnation, status.store, status.HasField("read_only_reason"))
    assert status.log_bytes > 0


def test_reflection_is_off_unless_asked_for(channel: grpc.Channel) -> None:
    call = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")

    with pytest.raises(grpc.RpcError) as raised:
        next(call(iter([b""]), timeout=TIMEOUT))

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]
