"""OpportunityService: what was suggested, noted, taken or dismissed."""

from __future__ import annotations

from ledger.api.v1.opportunity_service_pb2 import (
    CountOpportunitiesRequest,
    CountOpportunitiesResponse,
    GetOpportunityRequest,
    GetOpportunityResponse,
    ListOpportunitiesRequest,
    ListOpportunitiesResponse,
    Opportunity,
    OpportunityCount,
    OpportunityList,
)
from ledger.api.v1.opportunity_service_pb2_grpc import OpportunityServiceServicer
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import recorded
from projections import opportunities
from projections.view import Read


class OpportunityServicer(OpportunityServiceServicer):
    """Answers OpportunityService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def GetOpportunity(self, request: GetOpportunityRequest, context: Context) -> GetOpportunityResponse:
        """Return one opportunity."""
        return await self._reading.answer(request, context, GetOpportunityResponse, self._get)

    async def ListOpportunities(self, request: ListOpportunitiesRequest, context: Context) -> ListOpportunitiesResponse:
        """Return a page of opportunities."""
        return await self._reading.page(request, context, ListOpportunitiesResponse, self._list)

    async def CountOpportunities(self, request: CountOpportunitiesRequest, context: Context) -> CountOpportunitiesResponse:
        """Return counts of opportunities."""
        return await self._reading.answer(request, context, CountOpportunitiesResponse, self._count)

    def _get(self, read: Read, request: GetOpportunityRequest) -> Opportunity:
        return recorded(opportunities.get(read, request.opportunity_id), "opportunity", request.opportunity_id)

    def _list(self, read: Read, request: ListOpportunitiesRequest, limit: int, after: After) -> tuple[OpportunityList, After]:
        found, following = opportunities.page(read, request.filter, limit, after, self._customers.asked(read, request.filter))
        return OpportunityList(opportunities=found), following

    def _count(self, read: Read, request: CountOpportunitiesRequest) -> OpportunityCount:
        return opportunities.count(read, request.filter, request.group_by, self._customers.asked(read, request.filter))
