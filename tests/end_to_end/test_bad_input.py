"""Each kind of bad input gets its own typed error, from a real server, and the server goes on."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from ledger.api.v1.consistency_pb2 import AsOf, Consistency, LedgerToken
from ledger.api.v1.contact_pb2 import ContactAnswered, ContactReceived
from ledger.api.v1.core_pb2 import MOVES, STAYS, Due, Identifier
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.handoff_service_pb2 import ListHandoffsRequest
from ledger.api.v1.handoff_service_pb2_grpc import HandoffServiceStub
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup, GetEventRequest, GetHeadRequest, StreamExpectation
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.request_pb2 import RequestClosed, RequestOpened
from ledger.internal.v1.stored_pb2 import Token
from ledger.tokens import Branch, write_token
from tests.appending import group, metadata_of, reason_of, to_append
from tests.refusals import refusal_of
from tests.server_process import Server


@pytest.fixture
def log(channel: grpc.Channel) -> LedgerServiceStub:
    return LedgerServiceStub(channel)


def new(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def refused(log: LedgerServiceStub, *events: EventToAppend, expect: StreamExpectation | None = None) -> Any:
    """Append one group that must be refused, and return its status."""
    (result,) = log.Append(AppendRequest(groups=[group(*events, expect=expect)])).results
    assert not result.appended
    return result.error


def contact(**fields: Any) -> ContactReceived:
    return ContactReceived(**{"contact_id": new("c"), "reason": "delivery", **fields})


@pytest.fixture
def request_id(log: LedgerServiceStub) -> str:
    """A request owned by sales."""
    made = new("r")
    log.Append(
        AppendRequest(groups=[group(to_append(RequestOpened(request_id=made, owner_department="sales"), department="sales"))])
    )
    return made


def offer(request_id: str, ownership: int, to: str = "shipping") -> EventToAppend:
    return to_append(
        HandoffOffered(
            request_id=request_id,
            handoff_id=new("h"),
            from_department="sales",
            to_department=to,
            ownership=ownership,  # type: ignore[arg-type]
        ),
        department="sales",
    )


@pytest.mark.parametrize(
    ("payload", "envelope"),
    [
        (contact(contact_id="a b"), {}),
        (contact(contact_id="anne@example.org"), {}),
        (contact(contact_id="0142685300"), {}),
        (contact(contact_id="-c"), {}),
        (contact(contact_id="x" * 97), {}),
        (contact(), {"event_id": "not-a-uuid"}),
        (contact(), {"causation_id": "17"}),
        (contact(), {"actor": "Anne Martin"}),
    ],
)
def test_a_malformed_id_is_refused(log: LedgerServiceStub, payload: Message, envelope: dict[str, str]) -> None:
    assert "ID_MALFORMED" == reason_of(refused(log, to_append(payload, **envelope)))


@pytest.mark.parametrize("channel_code", ["Phone", "social public", "9live", "e-mail", "", "x" * 65])
def test_a_channel_code_outside_the_pattern_is_refused(log: LedgerServiceStub, channel_code: str) -> None:
    status = refused(log, to_append(contact(), channel=channel_code))

    assert "CODE_MALFORMED" == reason_of(status)
    assert "groups[0].events[0].envelope.channel" == metadata_of(status)["field"]


def test_a_department_code_outside_the_pattern_is_refused(log: LedgerServiceStub) -> None:
    assert "CODE_MALFORMED" == reason_of(refused(log, to_append(contact(), department="Customer Service")))


def test_a_missing_reason_is_refused(log: LedgerServiceStub) -> None:
    status = refused(log, to_append(ContactReceived(contact_id=new("c"))))

    assert "FIELD_REQUIRED" == reason_of(status)
    assert "groups[0].events[0].payload.contact_received.reason" == metadata_of(status)["field"]


@pytest.mark.parametrize("when", [datetime(1899, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC), None], ids=str)
def test_a_time_before_1900_or_far_in_the_future_is_refused(log: LedgerServiceStub, when: datetime | None) -> None:
    event = to_append(contact())
    event.envelope.occur_time.FromDatetime(when or datetime.now(UTC) + timedelta(minutes=10))

    assert "TIME_OUT_OF_RANGE" == reason_of(refused(log, event))


def test_an_old_event_that_is_not_said_to_be_late_is_refused(log: LedgerServiceStub) -> None:
    event = to_append(contact())
    event.envelope.occur_time.FromDatetime(datetime.now(UTC) - timedelta(days=1))

    assert "OCCURRED_TOO_LONG_AGO" == reason_of(refused(log, event))


@pytest.mark.parametrize("fields", [{"summary": "x" * 2_001}, {"body": "é" * 65_537}])
def test_an_oversize_text_is_refused(log: LedgerServiceStub, fields: dict[str, str]) -> None:
    assert "TEXT_TOO_LONG" == reason_of(refused(log, to_append(contact(**fields))))


def test_a_text_at_the_limit_is_taken(log: LedgerServiceStub) -> None:
    (result,) = log.Append(AppendRequest(groups=[group(to_append(contact(summary="é" * 2_000, body="x" * 65_536)))])).results

    assert result.appended


def test_a_wrong_expected_revision_is_refused(log: LedgerServiceStub, request_id: str) -> None:
    status = refused(log, offer(request_id, STAYS), expect=StreamExpectation(stream=f"request-{request_id}", revision=7))

    assert "REVISION_MISMATCH" == reason_of(status)
    assert grpc.StatusCode.FAILED_PRECONDITION.value[0] == status.code


def test_a_life_cycle_violation_says_the_state_and_the_moves_allowed(log: LedgerServiceStub) -> None:
    contact_id = new("c")
    log.Append(AppendRequest(groups=[group(to_append(contact(contact_id=contact_id)))]))

    from ledger.api.v1.contact_pb2 import ContactWrappedUp

    status = refused(log, to_append(ContactWrappedUp(contact_id=contact_id)))

    assert "MOVE_NOT_ALLOWED" == reason_of(status)
    assert {"state", "allowed", "topic"} <= metadata_of(status).keys()


def test_a_move_without_an_opener_is_refused(log: LedgerServiceStub) -> None:
    assert "REFERENCE_UNKNOWN" == reason_of(refused(log, to_append(ContactAnswered(contact_id=new("c"), answered_by=1))))


def test_a_duplicate_id_with_other_content_is_refused(log: LedgerServiceStub) -> None:
    event = to_append(contact())
    log.Append(AppendRequest(groups=[group(event)]))
    event.payload.contact_received.reason = "billing"

    status = refused(log, event)

    assert "EVENT_ID_REUSED" == reason_of(status)
    assert grpc.StatusCode.ALREADY_EXISTS.value[0] == status.code


def test_two_open_moves_on_one_request_are_refused(log: LedgerServiceStub, request_id: str) -> None:
    log.Append(AppendRequest(groups=[group(offer(request_id, MOVES))]))

    assert "OWNERSHIP_ALREADY_MOVING" == reason_of(refused(log, offer(request_id, MOVES, to="billing")))


def test_closing_over_a_pending_handoff_is_refused(log: LedgerServiceStub, request_id: str) -> None:
    offered = offer(request_id, STAYS)
    log.Append(AppendRequest(groups=[group(offered)]))

    status = refused(log, to_append(RequestClosed(request_id=request_id, outcome=1), department="sales"))

    assert "HANDOFFS_PENDING" == reason_of(status)
    assert offered.payload.handoff_offered.handoff_id in status.message


def test_an_unknown_field_is_refused(log: LedgerServiceStub) -> None:
    event = to_append(contact())
    raw = event.payload.contact_received.SerializeToString() + b"\xfa\x3e\x03abc"
    event.payload.contact_received.ParseFromString(raw)

    assert "FIELD_UNKNOWN" == reason_of(refused(log, event))


def test_an_empty_payload_is_refused(log: LedgerServiceStub) -> None:
    assert "FIELD_REQUIRED" == reason_of(refused(log, EventToAppend(envelope=EventEnvelope(), payload=Payload())))


def test_an_empty_group_is_refused(log: LedgerServiceStub) -> None:
    (result,) = log.Append(AppendRequest(groups=[EventGroup()])).results

    assert "FIELD_REQUIRED" == reason_of(result.error)


@pytest.mark.parametrize("value", [("phone", "12"), ("email", "nobody at home")])
def test_an_impossible_identifier_is_refused(log: LedgerServiceStub, value: tuple[str, str]) -> None:
    status = refused(log, to_append(contact(customer=Identifier(type=value[0], value=value[1]))))

    assert "IDENTIFIER_INVALID" == reason_of(status)
    assert "groups[0].events[0].payload.contact_received.customer.value" == metadata_of(status)["field"]
    assert value[1] not in str(status)


def test_a_local_time_that_no_calendar_has_is_refused(log: LedgerServiceStub) -> None:
    promise = PromiseMade(promise_id=new("p"), kind="call", due=Due(local="2026-02-30"))

    assert "LOCAL_TIME_INVALID" == reason_of(refused(log, to_append(promise)))


@pytest.mark.parametrize("token", ["x", "AAAA", "!!!", "x" * 150])
def test_a_bad_page_token_is_refused(channel: grpc.Channel, token: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        HandoffServiceStub(channel).ListHandoffs(ListHandoffsRequest(page_token=token))

    assert "PAGE_TOKEN_INVALID" == refusal_of(caught.value).reason


def asked_with(channel: grpc.Channel, token: str) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        HandoffServiceStub(channel).ListHandoffs(ListHandoffsRequest(consistency=Consistency(at_least=LedgerToken(value=token))))
    return refusal_of(caught.value).reason


def test_a_token_of_another_ledger_is_refused(channel: grpc.Channel) -> None:
    other = write_token(Branch(uuid.uuid4().bytes, 1), 5)

    assert "TOKEN_OF_OTHER_LEDGER" == asked_with(channel, other.value)


def test_a_token_of_another_incarnation_is_refused(channel: grpc.Channel, log: LedgerServiceStub) -> None:
    ledger_id = uuid.UUID(log.GetHead(GetHeadRequest()).ledger_id).bytes
    before_restore = write_token(Branch(ledger_id, 7), 5)

    assert "TOKEN_OF_OTHER_INCARNATION" == asked_with(channel, before_restore.value)


@pytest.mark.parametrize("token", ["garbage", "AAAA", Token(position=3).SerializeToString().hex()])
def test_a_malformed_token_is_refused(channel: grpc.Channel, token: str) -> None:
    assert "TOKEN_MALFORMED" == asked_with(channel, token)


def test_a_position_beyond_the_head_is_refused(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        HandoffServiceStub(channel).ListHandoffs(ListHandoffsRequest(as_of=AsOf(position=10**12)))

    assert "POSITION_BEYOND_HEAD" == refusal_of(caught.value).reason


def test_an_id_that_nothing_bears_is_not_recorded(log: LedgerServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        log.GetEvent(GetEventRequest(event_id=str(uuid.uuid4())))

    assert "NOT_RECORDED" == refusal_of(caught.value).reason


def test_too_many_events_in_one_call_are_refused(log: LedgerServiceStub) -> None:
    events = [to_append(contact()) for _ in range(1_001)]

    with pytest.raises(grpc.RpcError) as caught:
        log.Append(AppendRequest(groups=[group(*events[:600]), group(*events[600:])]))

    assert "APPEND_TOO_LARGE" == refusal_of(caught.value).reason


def status_of_call(call: Any, body: bytes) -> grpc.StatusCode:
    try:
        call(body, timeout=30)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]
        return code
    return grpc.StatusCode.OK


GARBAGE = (b"\xff", b"\x00" * 100, b"\x0a\xff\xff\xff\xff\x0f", bytes(range(256)), b"\x0a\x02\x0a\x00", b"\x0a\x04\x0a\x02\x12\xff")


@pytest.mark.parametrize("body", GARBAGE)
def test_random_bytes_never_bring_the_server_down(channel: grpc.Channel, log: LedgerServiceStub, body: bytes) -> None:
    call = channel.unary_unary("/ledger.api.v1.LedgerService/Append", request_serializer=None, response_deserializer=None)

    code = status_of_call(call, body)

    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)
    assert 2 <= log.GetHead(GetHeadRequest()).position


def test_a_message_over_the_limit_is_refused(log: LedgerServiceStub, shared_server: Server) -> None:
    events = [to_append(contact(body="x" * 60_000)) for _ in range(20)]

    with pytest.raises(grpc.RpcError) as caught:
        log.Append(AppendRequest(groups=[group(*events)]))

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == caught.value.code()
