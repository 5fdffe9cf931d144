"""ExperienceService: satisfaction, irritants, referrals."""

from __future__ import annotations

from ledger.api.v1.experience_service_pb2 import (
    CountIrritantsRequest,
    CountIrritantsResponse,
    CountSatisfactionRequest,
    CountSatisfactionResponse,
    IrritantCount,
    IrritantList,
    ListIrritantsRequest,
    ListIrritantsResponse,
    ListReferralsRequest,
    ListReferralsResponse,
    ListSatisfactionRequest,
    ListSatisfactionResponse,
    ReferralList,
    SatisfactionCount,
    SatisfactionList,
)
from ledger.api.v1.experience_service_pb2_grpc import ExperienceServiceServicer
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from projections import experience, referrals
from projections.view import Read


class ExperienceServicer(ExperienceServiceServicer):
    """Answers ExperienceService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def ListSatisfaction(self, request: ListSatisfactionRequest, context: Context) -> ListSatisfactionResponse:
        """Return a page of scores."""
        return await self._reading.page(request, context, ListSatisfactionResponse, self._scores)

    async def CountSatisfaction(self, request: CountSatisfactionRequest, context: Context) -> CountSatisfactionResponse:
        """Return satisfaction by group."""
        return await self._reading.answer(request, context, CountSatisfactionResponse, self._count_scores)

    async def ListIrritants(self, request: ListIrritantsRequest, context: Context) -> ListIrritantsResponse:
        """Return a page of irritants."""
        return await self._reading.page(request, context, ListIrritantsResponse, self._irritants)

    async def CountIrritants(self, request: CountIrritantsRequest, context: Context) -> CountIrritantsResponse:
        """Return counts of irritants."""
        return await self._reading.answer(request, context, CountIrritantsResponse, self._count_irritants)

    async def ListReferrals(self, request: ListReferralsRequest, context: Context) -> ListReferralsResponse:
        """Return a page of referrals."""
        return await self._reading.page(request, context, ListReferralsResponse, self._referrals)

    def _scores(self, read: Read, request: ListSatisfactionRequest, limit: int, after: After) -> tuple[SatisfactionList, After]:
        subjects = self._customers.asked(read, request.filter)
        found, following = experience.satisfaction_page(read, request.filter, limit, after, subjects)
        return SatisfactionList(scores=found), following

    def _count_scores(self, read: Read, request: CountSatisfactionRequest) -> SatisfactionCount:
        subjects = self._customers.asked(read, request.filter)
        return experience.count_satisfaction(read, request.filter, request.group_by, subjects)

    def _irritants(self, read: Read, request: ListIrritantsRequest, limit: int, after: After) -> tuple[IrritantList, After]:
        subjects = self._customers.asked(read, request.filter)
        found, following = experience.irritants_page(read, request.filter, limit, after, subjects)
        return IrritantList(irritants=found), following

    def _count_irritants(self, read: Read, request: CountIrritantsRequest) -> IrritantCount:
        subjects = self._customers.asked(read, request.filter)
        return experience.count_irritants(read, request.filter, request.group_by, subjects)

    def _referrals(self, read: Read, request: ListReferralsRequest, limit: int, after: After) -> tuple[ReferralList, After]:
        subjects = self._customers.asked(read, request.filter)
        found, following = referrals.page(read, request.filter, limit, after, subjects)
        return ReferralList(referrals=found), following
