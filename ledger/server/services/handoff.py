"""HandoffService: handoffs between departments."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ledger.api.v1.handoff_service_pb2 import (
    CountHandoffsRequest,
    CountHandoffsResponse,
    GetHandoffRequest,
    GetHandoffResponse,
    Handoff,
    HandoffCount,
    HandoffList,
    ListHandoffsRequest,
    ListHandoffsResponse,
    WatchHandoffsRequest,
    WatchHandoffsResponse,
)
from ledger.api.v1.handoff_service_pb2_grpc import HandoffServiceServicer
from ledger.api.v1.repetition_pb2 import FactDiff, GetFactDiffRequest, GetFactDiffResponse
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import far, recorded
from projections import fact_diff, handoffs
from projections.view import Read


class HandoffServicer(HandoffServiceServicer):
    """Answers HandoffService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def GetHandoff(self, request: GetHandoffRequest, context: Context) -> GetHandoffResponse:
        """Return one handoff."""
        return await self._reading.answer(request, context, GetHandoffResponse, self._get)

    async def ListHandoffs(self, request: ListHandoffsRequest, context: Context) -> ListHandoffsResponse:
        """Return a page of handoffs."""
        return await self._reading.page(request, context, ListHandoffsResponse, self._list)

    async def CountHandoffs(self, request: CountHandoffsRequest, context: Context) -> CountHandoffsResponse:
        """Return counts of handoffs."""
        return await self._reading.answer(request, context, CountHandoffsResponse, self._count)

    def WatchHandoffs(self, request: WatchHandoffsRequest, context: Context) -> AsyncIterator[WatchHandoffsResponse]:
        """Stream handoffs as they change."""
        return self._reading.watch(request, WatchHandoffsResponse, self._changed)

    async def GetFactDiff(self, request: GetFactDiffRequest, context: Context) -> GetFactDiffResponse:
        """Return what became of the facts on their way through a handoff."""
        return await self._reading.answer(request, context, GetFactDiffResponse, self._fact_diff)

    def _fact_diff(self, read: Read, request: GetFactDiffRequest) -> FactDiff:
        return recorded(fact_diff.of_handoff(read, request.request_id, request.handoff_id), "handoff", request.handoff_id)

    def _get(self, read: Read, request: GetHandoffRequest) -> Handoff:
        return recorded(handoffs.get(read, request.request_id, request.handoff_id), "handoff", request.handoff_id)

    def _list(self, read: Read, request: ListHandoffsRequest, limit: int, after: After) -> tuple[HandoffList, After]:
        found, following = handoffs.page(read, request.filter, limit, after, self._customers.asked(read, request.filter))
        return HandoffList(handoffs=found), following

    def _count(self, read: Read, request: CountHandoffsRequest) -> HandoffCount:
        return handoffs.count(read, request.filter, request.group_by, self._customers.asked(read, request.filter))

    def _changed(
        self, read: Read, request: WatchHandoffsRequest, after: int
    ) -> tuple[Sequence[tuple[int, WatchHandoffsResponse]], int]:
        found = handoffs.changed(read, after, request.filter, self._customers.asked(read, request.filter))
        return far(read, [(position, WatchHandoffsResponse(position=position, handoff=one)) for position, one in found])
