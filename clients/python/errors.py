"""The exceptions of the client: one class for each family of cures, chosen by the reason the ledger gives.

The table at the end is complete: a test fails by name for an `ErrorReason` that is not in it. Nothing here does input or output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ledger.api.v1.errors_pb2 import ErrorReason


class Violation(NamedTuple):
    """A field at fault: its path in the request, and what is wrong with it."""

    field: str
    description: str


class TellonceError(Exception):
    """The ledger refused, or could not be asked. All exceptions of the client are of this class.

    `reason` is the name of an `ErrorReason` (their comments are the cures), or a reason of the client itself: `NO_ANSWER`,
    `NOT_SENT`, `CLIENT_CLOSED`. `message` says what happened and what to do, `metadata` holds the values in it, `violations`
    the fields at fault. `retry_after_seconds` is set where the ledger said how long to wait.

    Example:
        >>> try:
        ...     client.append(event(HandoffAccepted(request_id="r-1", handoff_id="h-1")))
        ... except MoveNotAllowedError as error:
        ...     print(error.reason, error.metadata["state"])
    """

    def __init__(
        self,
        reason: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        # All arguments go to the base, so that pickling (process pools) brings the whole exception back.
        super().__init__(reason, message, dict(metadata or {}), tuple(violations), retry_after_seconds)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        faults = "".join(f" {violation.field}: {violation.description}." for violation in self.violations)
        return f"{self.message}{faults} [{self.reason}]"


class InvalidError(TellonceError, ValueError):
    """The call is not well formed. Mend the fields named in `violations` and send it again."""


class AlreadyExistsError(TellonceError):
    """The event id is recorded with other content. Use a new id for a new event."""


class ConflictError(TellonceError):
    """The ledger is not in the state the append needs. Read it again and decide again."""


class RevisionMismatchError(ConflictError):
    """A stream is not at the expected revision: somebody else was first. Read it again and decide again."""


class MoveNotAllowedError(ConflictError):
    """The life cycle does not allow the move now. `metadata` says the state and the moves that are allowed."""


class ReferenceUnknownError(ConflictError):
    """What the event refers to is not recorded, or not open. Record that first."""


class FactsMissingError(ConflictError):
    """The offer lacks facts that the policy requires. `metadata["missing_keys"]` names them: pass them with the offer."""


class TooLateError(ConflictError):
    """The event occurred longer ago than may be recorded just so. Set `record_late`, or import it."""


class NotPermittedError(TellonceError):
    """Somebody else has to do it: another department, or the ledger itself."""


class TokenError(TellonceError):
    """A token cannot be used here. Start again without it; a token the client carried by itself is forgotten already."""


class NotRecordedError(TellonceError):
    """Nothing stands under this id or position, as of the time asked. Check the id and the as-of."""


class UnavailableError(TellonceError):
    """No answer within the time given, although it was tried again. Try later; what was sent may be sent again as it is."""


class OutcomeUnknownError(UnavailableError):
    """No answer to an append: whether it was recorded is not known. Send the same events again, with the same ids."""


class OverloadedError(UnavailableError):
    """The ledger has more to do than it can, and said so for all of the time given. Wait `retry_after_seconds` at least."""


class ClosedError(TellonceError):
    """The client, or the batcher, was closed. Make a new one."""


class NeedsUpgradeError(TellonceError):
    """The ledger is too old for this call. Update it."""


class InternalError(TellonceError):
    """Something unforeseen in the ledger. `metadata["error_id"]` finds it in the server's log; appends may be sent again as is."""


BY_REASON: Final[dict[int, type[TellonceError]]] = {
    ErrorReason.ERROR_REASON_UNSPECIFIED: InternalError,
    ErrorReason.FIELD_INVALID: InvalidError,
    ErrorReason.FIELD_REQUIRED: InvalidError,
    ErrorReason.FIELD_UNKNOWN: InvalidError,
    ErrorReason.FIELD_MADE_BY_LEDGER: InvalidError,
    ErrorReason.ID_MALFORMED: InvalidError,
    ErrorReason.CODE_MALFORMED: InvalidError,
    ErrorReason.TIME_OUT_OF_RANGE: InvalidError,
    ErrorReason.TEXT_TOO_LONG: InvalidError,
    ErrorReason.IDENTIFIER_INVALID: InvalidError,
    ErrorReason.LOCAL_TIME_INVALID: InvalidError,
    ErrorReason.APPEND_TOO_LARGE: InvalidError,
    ErrorReason.POLICY_INVALID: InvalidError,
    ErrorReason.TOPIC_RESERVED: NotPermittedError,
    ErrorReason.DEPARTMENT_NOT_ALLOWED: NotPermittedError,
    ErrorReason.EVENT_ID_REUSED: AlreadyExistsError,
    ErrorReason.REVISION_MISMATCH: RevisionMismatchError,
    ErrorReason.REFERENCE_UNKNOWN: ReferenceUnknownError,
    ErrorReason.IMPORT_NOT_OPEN: ReferenceUnknownError,
    ErrorReason.DEPARTMENT_UNKNOWN: ReferenceUnknownError,
    ErrorReason.FACTS_MISSING: FactsMissingError,
    ErrorReason.MOVE_NOT_ALLOWED: MoveNotAllowedError,
    ErrorReason.HANDOFFS_PENDING: MoveNotAllowedError,
    ErrorReason.OWNERSHIP_ALREADY_MOVING: MoveNotAllowedError,
    ErrorReason.STRANDS_OPEN: MoveNotAllowedError,
    ErrorReason.NOT_CORRECTABLE: MoveNotAllowedError,
    ErrorReason.OCCURRED_TOO_LONG_AGO: TooLateError,
    ErrorReason.TOKEN_MALFORMED: TokenError,
    ErrorReason.TOKEN_OF_OTHER_LEDGER: TokenError,
    ErrorReason.TOKEN_OF_OTHER_INCARNATION: TokenError,
    ErrorReason.PAGE_TOKEN_INVALID: TokenError,
    ErrorReason.POSITION_BEYOND_HEAD: NotRecordedError,
    ErrorReason.NOT_RECORDED: NotRecordedError,
    ErrorReason.VIEWS_LAGGING: UnavailableError,
    ErrorReason.STORE_READ_ONLY: UnavailableError,
    ErrorReason.SHUTTING_DOWN: UnavailableError,
    ErrorReason.VAULT_UNAVAILABLE: UnavailableError,
    ErrorReason.DEADLINE_PASSED: UnavailableError,
    ErrorReason.OUTCOME_UNKNOWN: OutcomeUnknownError,
    ErrorReason.QUEUE_FULL: OverloadedError,
    ErrorReason.BULK_LANE_CLOSED: OverloadedError,
    ErrorReason.STREAMS_EXHAUSTED: OverloadedError,
    ErrorReason.CALLS_EXHAUSTED: OverloadedError,
    ErrorReason.NEEDS_UPGRADE: NeedsUpgradeError,
    ErrorReason.INTERNAL_ERROR: InternalError,
}
"""The class of each reason."""

BY_STATUS: Final[dict[str, type[TellonceError]]] = {
    "INVALID_ARGUMENT": InvalidError,
    "ALREADY_EXISTS": AlreadyExistsError,
    "FAILED_PRECONDITION": ConflictError,
    "ABORTED": ConflictError,
    "PERMISSION_DENIED": NotPermittedError,
    "UNAUTHENTICATED": NotPermittedError,
    "NOT_FOUND": NotRecordedError,
    "OUT_OF_RANGE": NotRecordedError,
    "UNAVAILABLE": UnavailableError,
    "CANCELLED": UnavailableError,
    "DEADLINE_EXCEEDED": UnavailableError,
    "RESOURCE_EXHAUSTED": OverloadedError,
    "UNIMPLEMENTED": NeedsUpgradeError,
}
"""The class of each gRPC status, for reasons this client does not know yet and for answers that are not the ledger's own."""
