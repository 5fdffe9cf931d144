"""Reads what went wrong out of gRPC statuses, and says whether the same call may help again.

Pure: takes statuses and metadata, gives faults. `google.rpc.Status` is read from the trailing metadata by hand, because the sync
and the aio API of grpc hand it out differently.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from clients.python.errors import BY_REASON, BY_STATUS, InternalError, TellonceError, Violation
from ledger.api.v1 import errors_pb2, options_pb2
from ledger.api.v1.errors_pb2 import ErrorReason

DOMAIN: Final = "tellonce"
DETAILS_KEY: Final = "grpc-status-details-bin"
NO_ANSWER: Final = "NO_ANSWER"

_TRANSPORT: Final = frozenset({"UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"})
"""Statuses that gRPC itself makes when a connection is lost, a server stops, or nothing came in time."""

_PASSING: Final[frozenset[str]] = frozenset(
    value.name
    for value in errors_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values
    if value.GetOptions().Extensions[options_pb2.grpc_status] in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")
)
"""Reasons that pass by themselves."""

_OPEN: Final = frozenset({"OUTCOME_UNKNOWN", "DEADLINE_PASSED"})
"""Reasons that leave open whether an append was recorded."""

_BY_NAME: Final = {name: BY_REASON[number] for name, number in ErrorReason.items() if number in BY_REASON}


class Fault(NamedTuple):
    """Why a call, or one group of it, failed."""

    error: TellonceError
    passing: bool
    """True when the same call, with the same ids, may succeed later."""
    unknown: bool
    """True when the ledger did not say whether it took the call: an append may have been recorded."""


def fault_of_call(code: str, details: str, metadata: Iterable[tuple[str, str | bytes]] | None) -> Fault:
    """Return the fault of a failed call. `code` is the name of the gRPC status, such as `UNAVAILABLE`."""
    for key, value in metadata or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status = Status.FromString(value)
            except DecodeError:
                continue
            if status.details:
                return fault_of_status(status)
    transport = code in _TRANSPORT
    message = f"No answer from the ledger ({details or code})." if transport else f"The call failed ({code}): {details}."
    kind = BY_STATUS.get(code, InternalError)
    return Fault(kind(NO_ANSWER if transport else code, message, {"detail": details}), passing=transport, unknown=transport)


def fault_of_status(status: Status) -> Fault:
    """Return the fault that a `google.rpc.Status` tells of: of a call, or of one group."""
    info, bad_request, retry_info = _details(status)
    reason = info.reason or _code_name(status.code)
    retry_after = None
    if retry_info is not None:
        retry_after = retry_info.retry_delay.ToTimedelta().total_seconds()
    kind = _class_of(reason, status.code)
    error = kind(
        reason,
        status.message,
        dict(info.metadata),
        [Violation(violation.field, violation.description) for violation in bad_request.field_violations],
        retry_after,
    )
    # A reason this client does not know passes by itself if its status says so. Without any delay a RESOURCE_EXHAUSTED may as
    # well be a message that is too large: sending that again helps nobody.
    passing = reason in _PASSING or _code_name(status.code) == "UNAVAILABLE" or (retry_after is not None)
    return Fault(error, passing=passing, unknown=reason in _OPEN)


def _details(status: Status) -> tuple[Any, Any, Any | None]:
    info, bad_request, retry_info = ErrorInfo(), BadRequest(), None
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(BadRequest.DESCRIPTOR):
            detail.Unpack(bad_request)
        elif detail.Is(RetryInfo.DESCRIPTOR):
            retry_info = RetryInfo()
            detail.Unpack(retry_info)
    return info, bad_request, retry_info


def _class_of(reason: str, code: int) -> type[TellonceError]:
    kind = _BY_NAME.get(reason)
    return kind if kind is not None else BY_STATUS.get(_code_name(code), InternalError)


def _code_name(code: int) -> str:
    return str(Code.Name(code)) if code in Code.values() else "UNKNOWN"
