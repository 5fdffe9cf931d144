"""Every call has a class and a check of its own."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger.api.v1 import (
    admin_service_pb2,
    audit_service_pb2,
    handoff_service_pb2,
    history_service_pb2,
    identity_service_pb2,
    insight_service_pb2,
    ledger_service_pb2,
    promise_service_pb2,
    request_service_pb2,
)
from ledger.api.v1.errors_pb2 import FIELD_INVALID, FIELD_REQUIRED, FIELD_UNKNOWN
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup, GetHeadRequest
from ledger.errors import LedgerError
from ledger.server.limits import CallClass
from ledger.server.registration import check_of, class_of, warm_up

MODULES = (
    admin_service_pb2,
    audit_service_pb2,
    handoff_service_pb2,
    history_service_pb2,
    identity_service_pb2,
    insight_service_pb2,
    ledger_service_pb2,
    promise_service_pb2,
    request_service_pb2,
)
SERVICES = [service for module in MODULES for service in module.DESCRIPTOR.services_by_name.values()]
METHODS = {method.full_name: method for service in SERVICES for method in service.methods}
UNKNOWN_FIELD = b"\xf8\x3f\x01"


def method(name: str) -> MethodDescriptor:
    return METHODS[f"ledger.api.v1.LedgerService.{name}"]


def test_the_rules_of_every_request_compile() -> None:
    warm_up(SERVICES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Append", CallClass.APPEND),
        ("Subscribe", CallClass.STREAM),
        ("ReadEvents", CallClass.STREAM),
        ("GetHead", CallClass.STATUS),
        ("GetEvent", CallClass.READ),
    ],
)
def test_appends_reads_streams_and_status_are_limited_apart(name: str, expected: CallClass) -> None:
    assert class_of(method(name)) == expected


@pytest.mark.parametrize("name", sorted(METHODS))
def test_an_unknown_field_is_refused_in_every_request(name: str) -> None:
    request: Message = GetMessageClass(METHODS[name].input_type).FromString(UNKNOWN_FIELD)

    with pytest.raises(LedgerError) as refused:
        check_of(METHODS[name])(request)

    assert refused.value.reason == FIELD_UNKNOWN


def test_what_is_inside_a_group_is_left_to_the_ledger() -> None:
    inside = EventToAppend.FromString(UNKNOWN_FIELD)

    check_of(method("Append"))(AppendRequest(groups=[EventGroup(), EventGroup(events=[inside])]))


def test_an_append_without_groups_or_with_an_unknown_lane_is_refused() -> None:
    check = check_of(method("Append"))

    with pytest.raises(LedgerError) as empty:
        check(AppendRequest())
    with pytest.raises(LedgerError) as lane:
        check(AppendRequest(groups=[EventGroup()], lane=99))  # type: ignore[arg-type]

    assert (FIELD_REQUIRED, FIELD_INVALID) == (empty.value.reason, lane.value.reason)


def test_a_good_request_passes() -> None:
    check_of(method("GetHead"))(GetHeadRequest())
