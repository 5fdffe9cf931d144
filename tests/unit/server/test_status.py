"""Refusals as callers get them: one ErrorInfo, field violations, a delay; never more than a trailer carries."""

from __future__ import annotations

from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ledger.api.v1.errors_pb2 import FIELD_INVALID, QUEUE_FULL, REVISION_MISMATCH, ErrorReason
from ledger.errors import LedgerError
from ledger.status import status_code, status_of

Detail = TypeVar("Detail", bound=Message)


def detail(status: Status, kind: type[Detail]) -> Detail | None:
    for packed in status.details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


def test_a_refusal_says_reason_domain_and_values() -> None:
    error = LedgerError(REVISION_MISMATCH, "Stream request-7 is at revision 3, not 2.", stream="request-7", revision=3)

    status = status_of(error)

    assert ErrorInfo(reason="REVISION_MISMATCH", domain="tellonce", metadata={"stream": "request-7", "revision": "3"}) == detail(
        status, ErrorInfo
    )
    assert status.message == "Stream request-7 is at revision 3, not 2."
    assert status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]


def test_a_refusal_without_faults_has_no_field_violations_and_no_delay() -> None:
    status = status_of(LedgerError(REVISION_MISMATCH, "stale"))

    assert len(status.details) == 1


def test_field_faults_become_field_violations_ten_at_most() -> None:
    error = LedgerError(FIELD_INVALID, "bad", violations=[(f"filter.f{n}", "must not be so") for n in range(12)])

    faults = detail(status_of(error), BadRequest)

    assert faults is not None
    assert [f"filter.f{n}" for n in range(10)] == [fault.field for fault in faults.field_violations]
    assert faults.field_violations[0].description == "must not be so"


@pytest.mark.parametrize(("delay_seconds", "seconds", "nanos"), [(0.25, 0, 250_000_000), (1.0, 1, 0), (2.5, 2, 500_000_000)])
def test_overload_says_when_to_come_again(delay_seconds: float, seconds: int, nanos: int) -> None:
    retry = detail(status_of(LedgerError(QUEUE_FULL, "full", retry_after_seconds=delay_seconds)), RetryInfo)

    assert retry is not None
    assert (seconds, nanos) == (retry.retry_delay.seconds, retry.retry_delay.nanos)


def test_a_long_value_is_cut_so_that_the_trailer_carries_it() -> None:
    info = detail(status_of(LedgerError(FIELD_INVALID, "bad", stream="s" * 10_000)), ErrorInfo)

    assert info is not None
    assert len(info.metadata["stream"]) == 500


@pytest.mark.parametrize("reason", [value for name, value in ErrorReason.items() if not name.endswith("UNSPECIFIED")])
def test_every_reason_has_a_grpc_status_of_its_own_choosing(reason: ErrorReason.ValueType) -> None:
    code = status_code(LedgerError(reason, "so"))

    assert code not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)
