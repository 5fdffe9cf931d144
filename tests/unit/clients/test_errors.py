from __future__ import annotations

import pickle

import pytest

from clients.python import errors
from clients.python.core.faults import DETAILS_KEY, Fault, fault_of_call, fault_of_status
from clients.python.errors import (
    BY_REASON,
    BY_STATUS,
    InternalError,
    InvalidError,
    MoveNotAllowedError,
    OutcomeUnknownError,
    OverloadedError,
    TellonceError,
    UnavailableError,
    Violation,
)
from ledger.api.v1 import errors_pb2, options_pb2
from ledger.api.v1.errors_pb2 import ErrorReason
from tests.fault_server import status

REASONS = {
    value.name: value.GetOptions().Extensions[options_pb2.grpc_status]
    for value in errors_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values
}


def call_fault(made: object) -> Fault:
    return fault_of_call("UNKNOWN", "", [(DETAILS_KEY, made.SerializeToString())])  # type: ignore[attr-defined]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_exception(reason: str) -> None:
    assert ErrorReason.Value(reason) in BY_REASON, f"{reason} has no exception: add it to BY_REASON in clients/python/errors.py"


@pytest.mark.parametrize("reason", REASONS)
def test_the_exception_of_a_reason_is_of_the_family_of_its_status(reason: str) -> None:
    family = BY_STATUS.get(REASONS[reason], InternalError)

    kind = BY_REASON[ErrorReason.Value(reason)]

    # Tokens are refused with three statuses and mended in one way: by leaving them out.
    assert issubclass(kind, family) or kind is errors.TokenError or kind is errors.NotPermittedError


@pytest.mark.parametrize("reason", REASONS)
def test_what_passes_by_itself_is_known_by_the_status_of_the_reason(reason: str) -> None:
    fault = call_fault(status(REASONS[reason], reason))

    assert (REASONS[reason] in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")) == fault.passing
    assert reason == fault.error.reason


def test_every_exception_says_its_cure() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TellonceError)]

    assert [] == [kind.__name__ for kind in kinds if not kind.__doc__ or len(kind.__doc__) < 40]


def test_a_status_gives_reason_metadata_violations_and_delay() -> None:
    made = status("RESOURCE_EXHAUSTED", "QUEUE_FULL", "The queue is full.", retry_after_seconds=1.5)
    from google.rpc.error_details_pb2 import BadRequest

    made.details.add().Pack(BadRequest(field_violations=[BadRequest.FieldViolation(field="a.b[1]", description="is too long")]))

    error = fault_of_status(made).error

    assert isinstance(error, OverloadedError)
    assert ("QUEUE_FULL", 1.5, {"stream": "request-1"}) == (error.reason, error.retry_after_seconds, error.metadata)
    assert (Violation("a.b[1]", "is too long"),) == error.violations
    assert "The queue is full. a.b[1]: is too long. [QUEUE_FULL]" == str(error)


def test_a_reason_of_a_newer_ledger_is_taken_by_its_status() -> None:
    fault = fault_of_status(status("FAILED_PRECONDITION", "SOMETHING_NEW"))

    assert (errors.ConflictError, "SOMETHING_NEW", False) == (type(fault.error), fault.error.reason, fault.passing)


def test_a_new_reason_that_is_unavailable_passes() -> None:
    assert fault_of_status(status("UNAVAILABLE", "SOMETHING_NEW")).passing


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"])
def test_a_lost_answer_passes_and_leaves_open_what_happened(code: str) -> None:
    fault = fault_of_call(code, "Socket closed", [])

    assert (UnavailableError, "NO_ANSWER", True, True) == (type(fault.error), fault.error.reason, fault.passing, fault.unknown)


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNKNOWN", "INTERNAL", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"])
def test_what_grpc_itself_refuses_does_not_pass(code: str) -> None:
    assert not fault_of_call(code, "too large", None).passing


def test_the_outcome_is_unknown_only_where_the_ledger_says_so() -> None:
    assert fault_of_status(status("UNAVAILABLE", "OUTCOME_UNKNOWN")).unknown
    assert fault_of_status(status("DEADLINE_EXCEEDED", "DEADLINE_PASSED")).unknown
    assert not fault_of_status(status("UNAVAILABLE", "SHUTTING_DOWN")).unknown


def test_details_that_cannot_be_read_are_no_reason_to_fail() -> None:
    fault = fault_of_call("INVALID_ARGUMENT", "bad", [(DETAILS_KEY, b"\xff\xff")])

    assert isinstance(fault.error, InvalidError)


def test_an_exception_survives_pickling() -> None:
    error = MoveNotAllowedError("MOVE_NOT_ALLOWED", "No.", {"state": "closed"}, [Violation("a", "b")], 2.0)

    copied = pickle.loads(pickle.dumps(error))

    assert isinstance(copied, MoveNotAllowedError)
    assert vars(error) == vars(copied)


def test_an_unknown_outcome_is_a_kind_of_unavailable() -> None:
    assert issubclass(OutcomeUnknownError, UnavailableError)
