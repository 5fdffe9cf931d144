"""InsightService: what the ledger says about itself as a record."""

from __future__ import annotations

from ledger.api.v1.insight_service_pb2 import DataQuality, GetDataQualityRequest, GetDataQualityResponse
from ledger.api.v1.insight_service_pb2_grpc import InsightServiceServicer
from ledger.server.call import Context
from ledger.server.reading import After, Reading
from projections import quality
from projections.view import Read


class InsightServicer(InsightServiceServicer):
    """Answers InsightService."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def GetDataQuality(self, request: GetDataQualityRequest, context: Context) -> GetDataQualityResponse:
        """Return what does not fit."""
        return await self._reading.page(request, context, GetDataQualityResponse, self._quality)

    def _quality(self, read: Read, request: GetDataQualityRequest, limit: int, after: After) -> tuple[DataQuality, After]:
        return quality.page(read, request.kind, limit, after)
