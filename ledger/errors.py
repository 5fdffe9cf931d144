"""The one exception the ledger refuses with. Every reason, its gRPC status and its cure stand in errors.proto."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.api.v1 import errors_pb2, options_pb2
from ledger.api.v1.errors_pb2 import ErrorReason


class LedgerError(Exception):
    """A call or a group was refused.

    `message` says what happened, with the values, and what to do. `metadata` holds those values again, for programs.
    `violations` are pairs of field path and description, for field faults. `retry_after_seconds` is set for overload.
    """

    def __init__(
        self,
        reason: ErrorReason.ValueType,
        message: str,
        *,
        violations: Sequence[tuple[str, str]] = (),
        retry_after_seconds: float | None = None,
        **metadata: object,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = {key: str(value) for key, value in metadata.items() if value is not None}

    @property
    def reason_name(self) -> str:
        """Name of the reason, as callers see it."""
        return ErrorReason.Name(self.reason)

    @property
    def grpc_status(self) -> str:
        """Name of the gRPC status that goes with the reason."""
        return GRPC_STATUS[self.reason]


GRPC_STATUS: dict[int, str] = {
    value.number: value.GetOptions().Extensions[options_pb2.grpc_status]
    for value in errors_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values
}
"""gRPC status name of each reason, read from the options in errors.proto."""
