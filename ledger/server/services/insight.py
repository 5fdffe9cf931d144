"""InsightService: what the ledger says about itself as a record."""

from __future__ import annotations

from ledger.api.v1.figure_pb2 import (
    Figures,
    GetFiguresRequest,
    GetFiguresResponse,
    ListFigureDefinitionsRequest,
    ListFigureDefinitionsResponse,
)
from ledger.api.v1.insight_service_pb2 import DataQuality, GetDataQualityRequest, GetDataQualityResponse
from ledger.api.v1.insight_service_pb2_grpc import InsightServiceServicer
from ledger.api.v1.journey_pb2 import (
    GetJourneyRequest,
    GetJourneyResponse,
    GetJourneysRequest,
    GetJourneysResponse,
    Journey,
    Journeys,
)
from ledger.api.v1.whatif_pb2 import CompareWithPolicyRequest, CompareWithPolicyResponse, PolicyComparison
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.figures import answered
from ledger.server.reading import After, Reading
from ledger.server.services.entity import recorded
from ledger.server.whatif.comparison import compare
from projections import journey_steps, journeys, quality
from projections.figures import definitions
from projections.view import Read


class InsightServicer(InsightServiceServicer):
    """Answers InsightService."""

    def __init__(self, reading: Reading, customers: Customers, home_zone: str) -> None:
        self._reading = reading
        self._customers = customers
        self._home_zone = home_zone

    async def GetDataQuality(self, request: GetDataQualityRequest, context: Context) -> GetDataQualityResponse:
        """Return what does not fit."""
        return await self._reading.page(request, context, GetDataQualityResponse, self._quality)

    async def GetJourney(self, request: GetJourneyRequest, context: Context) -> GetJourneyResponse:
        """Return the journey of one request or customer."""
        return await self._reading.answer(request, context, GetJourneyResponse, self._journey)

    async def GetJourneys(self, request: GetJourneysRequest, context: Context) -> GetJourneysResponse:
        """Return how the requests of a period went."""
        return await self._reading.answer(request, context, GetJourneysResponse, self._journeys)

    async def GetFigures(self, request: GetFiguresRequest, context: Context) -> GetFiguresResponse:
        """Return figures of a period."""
        return await self._reading.answer(request, context, GetFiguresResponse, self._figures)

    async def ListFigureDefinitions(self, request: ListFigureDefinitionsRequest, context: Context) -> ListFigureDefinitionsResponse:
        """Return what each figure means."""
        return ListFigureDefinitionsResponse(result=definitions.described())

    async def CompareWithPolicy(self, request: CompareWithPolicyRequest, context: Context) -> CompareWithPolicyResponse:
        """Return what would differ under another policy, in a piece of the log."""
        return await self._reading.page(request, context, CompareWithPolicyResponse, self._compare)

    def _compare(self, read: Read, request: CompareWithPolicyRequest, limit: int, after: After) -> tuple[PolicyComparison, After]:
        return compare(read, request, self._home_zone, limit, after)

    def _figures(self, read: Read, request: GetFiguresRequest) -> Figures:
        return answered(read, request, self._home_zone)

    def _journey(self, read: Read, request: GetJourneyRequest) -> Journey:
        if request.HasField("customer"):
            subject = self._customers.subject(read, request.customer)
            return Journey() if subject is None else journey_steps.of_customer(read, subject)
        return recorded(journey_steps.of_request(read, request.request_id, request), "request", request.request_id)

    def _journeys(self, read: Read, request: GetJourneysRequest) -> Journeys:
        return journeys.of_period(read, request)

    def _quality(self, read: Read, request: GetDataQualityRequest, limit: int, after: After) -> tuple[DataQuality, After]:
        return quality.page(read, request.kind, limit, after)
