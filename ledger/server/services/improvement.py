"""ImprovementService: problems to be solved together, and what came of it."""

from __future__ import annotations

from ledger.api.v1.improvement_service_pb2 import (
    CountImprovementsRequest,
    CountImprovementsResponse,
    GetImprovementRequest,
    GetImprovementResponse,
    Improvement,
    ImprovementCount,
    ImprovementList,
    ListImprovementsRequest,
    ListImprovementsResponse,
)
from ledger.api.v1.improvement_service_pb2_grpc import ImprovementServiceServicer
from ledger.server.call import Context
from ledger.server.reading import After, Reading
from ledger.server.services.entity import recorded
from projections import improvements
from projections.view import Read


class ImprovementServicer(ImprovementServiceServicer):
    """Answers ImprovementService."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def GetImprovement(self, request: GetImprovementRequest, context: Context) -> GetImprovementResponse:
        """Return one improvement."""
        return await self._reading.answer(request, context, GetImprovementResponse, self._get)

    async def ListImprovements(self, request: ListImprovementsRequest, context: Context) -> ListImprovementsResponse:
        """Return a page of improvements."""
        return await self._reading.page(request, context, ListImprovementsResponse, self._list)

    async def CountImprovements(self, request: CountImprovementsRequest, context: Context) -> CountImprovementsResponse:
        """Return counts of improvements."""
        return await self._reading.answer(request, context, CountImprovementsResponse, self._count)

    def _get(self, read: Read, request: GetImprovementRequest) -> Improvement:
        return recorded(improvements.get(read, request.improvement_id), "improvement", request.improvement_id)

    def _list(self, read: Read, request: ListImprovementsRequest, limit: int, after: After) -> tuple[ImprovementList, After]:
        found, following = improvements.page(read, request.filter, limit, after)
        return ImprovementList(improvements=found), following

    def _count(self, read: Read, request: CountImprovementsRequest) -> ImprovementCount:
        return improvements.count(read, request.filter, request.group_by)
