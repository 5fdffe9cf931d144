"""How a refusal is written: one `google.rpc.Status`, the same in a trailer, in a group's result, and between processes.

Pure: builds messages, sends and logs nothing.
"""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ledger.api.v1.errors_pb2 import ErrorReason
from ledger.errors import LedgerError

DOMAIN: Final = "tellonce"
"""Domain of every `ErrorInfo` of ours."""

VIOLATIONS_MAX: Final = 10
"""At most so many violations are written: a caller mends some and asks again, and trailers stay small."""

_VALUE_LENGTH_MAX: Final = 500
"""At most so many characters of one metadata value: gRPC refuses trailers beyond 8 KiB."""

_MICROS: Final = 1_000_000

_CODES: Final = {code.name: code for code in grpc.StatusCode}


def status_code(error: LedgerError) -> grpc.StatusCode:
    """Return the gRPC status that goes with the error's reason, as errors.proto says."""
    return _CODES[error.grpc_status]


def status_of(error: LedgerError) -> Status:
    """Return the refusal for callers: one ErrorInfo, BadRequest where fields are at fault, RetryInfo where waiting helps."""
    details: list[Message] = [
        ErrorInfo(
            reason=error.reason_name,
            domain=DOMAIN,
            metadata={key: value[:_VALUE_LENGTH_MAX] for key, value in error.metadata.items()},
        )
    ]
    if error.violations:
        details.append(
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field=field, description=description)
                    for field, description in error.violations[:VIOLATIONS_MAX]
                ]
            )
        )
    if error.retry_after_seconds is not None:
        whole, micros = divmod(round(error.retry_after_seconds * _MICROS), _MICROS)
        details.append(RetryInfo(retry_delay=Duration(seconds=whole, nanos=micros * 1_000)))
    return Status(code=status_code(error).value[0], message=error.message, details=[_packed(detail) for detail in details])


def error_of(status: Status) -> LedgerError:
    """Return the refusal that was written with `status_of`."""
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    for detail in status.details:
        for kind in (info, bad_request, retry):
            detail.Unpack(kind)
    delay = retry.retry_delay
    return LedgerError(
        ErrorReason.Value(info.reason),
        status.message,
        violations=[(violation.field, violation.description) for violation in bad_request.field_violations],
        retry_after_seconds=delay.seconds + delay.nanos / 1e9 if retry.HasField("retry_delay") else None,
        **info.metadata,
    )


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
