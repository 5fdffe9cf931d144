"""What a command ends with when it did not succeed: an exit code, and a sentence that says what happened and what to do."""

from __future__ import annotations

import re
from typing import Final

from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from clients.python.errors import (
    InvalidError,
    NeedsUpgradeError,
    NotRecordedError,
    TellonceError,
    UnavailableError,
)
from ledger.api.v1.errors_pb2 import ErrorReason
from ledger.api.v1.options_pb2 import grpc_status

REFUSED: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 3
NOT_FOUND: Final = 4

MEANINGS: Final = {
    REFUSED: "refused: the ledger did not take it, and says why",
    USAGE: "usage: the command was written wrongly",
    UNAVAILABLE: "unavailable: no answer from the ledger",
    NOT_FOUND: "not found: nothing is recorded under this id or position, as of the time asked",
}


_PLACE: Final = re.compile(r"groups\[\d+\]\.events\[\d+\]\.(?:payload\.\w+\.|envelope\.)?")
"""Where a field at fault stands in a call of many events: the command says which event it is."""


class CommandError(Exception):
    """A command did not succeed; the text says what happened and what to do."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code


def exit_code(error: TellonceError) -> int:
    """Return the exit code for a refusal."""
    match error:
        case UnavailableError():
            return UNAVAILABLE
        case NotRecordedError():
            return NOT_FOUND
        case InvalidError():
            return USAGE
    return REFUSED


def status_of(error: TellonceError) -> Status:
    """Return a refusal as the API writes it."""
    number = ErrorReason.DESCRIPTOR.values_by_name.get(error.reason)
    name = number.GetOptions().Extensions[grpc_status] if number is not None else "UNKNOWN"
    status = Status(code=Code.Value(name), message=error.message)
    status.details.add().Pack(ErrorInfo(reason=error.reason, domain="tellonce", metadata=error.metadata))
    if error.violations:
        violations = [BadRequest.FieldViolation(field=one.field, description=one.description) for one in error.violations]
        status.details.add().Pack(BadRequest(field_violations=violations))
    return status


def explain(error: TellonceError, target: str) -> str:
    """Return what happened and what to do, on one line or several."""
    text = error.message
    if error.reason == "NO_ANSWER":
        why = "connection refused" if "onnection refused" in text else error.metadata.get("detail", "")
        text = f"No answer from a ledger at {target} ({why}). Start one with `tellonce serve`, or name another one with --target."
    elif isinstance(error, InvalidError):
        text += "".join(f"\n  {one.field}: {one.description}" for one in error.violations if one.field not in text)
        text = _PLACE.sub("", text)
    elif isinstance(error, NeedsUpgradeError):
        text = f"{text} The ledger at {target} is older than this command: update it."
    return f"{text} [{error.reason}]"
