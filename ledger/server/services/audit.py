"""AuditService: what an auditor compares."""

from __future__ import annotations

from ledger.api.v1.audit_service_pb2 import GetViewDigestRequest, GetViewDigestResponse, ViewDigest, ViewDigests
from ledger.api.v1.audit_service_pb2_grpc import AuditServiceServicer
from ledger.api.v1.errors_pb2 import FIELD_INVALID
from ledger.errors import LedgerError
from ledger.server.call import Context
from ledger.server.following import check_within
from ledger.server.reading import Reading
from projections import digest
from projections.view import Read


class AuditServicer(AuditServiceServicer):
    """Answers AuditService."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def GetViewDigest(self, request: GetViewDigestRequest, context: Context) -> GetViewDigestResponse:
        """Return the digests of the log and of every view at a compared position."""
        return await self._reading.answer(request, context, GetViewDigestResponse, self._digests)

    def _digests(self, read: Read, request: GetViewDigestRequest) -> ViewDigests:
        if request.position % digest.WINDOW:
            raise LedgerError(
                FIELD_INVALID,
                f"position: digests are kept at multiples of {digest.WINDOW}, not at {request.position}. Ask for one of those.",
                violations=[("position", f"must be a multiple of {digest.WINDOW}")],
                position=request.position,
            )
        check_within(request.position, read.known)
        position, digests = digest.at(read, request.position if request.HasField("position") else None)
        return ViewDigests(position=position, digests=[ViewDigest(view=view, digest=one) for view, one in digests.items()])
