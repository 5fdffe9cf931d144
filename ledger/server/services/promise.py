"""PromiseService: promises, and response targets beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ledger.api.v1.promise_service_pb2 import (
    CountPromisesRequest,
    CountPromisesResponse,
    GetPromiseRequest,
    GetPromiseResponse,
    ListPromisesRequest,
    ListPromisesResponse,
    Promise,
    PromiseCount,
    PromiseList,
    WatchPromisesRequest,
    WatchPromisesResponse,
)
from ledger.api.v1.promise_service_pb2_grpc import PromiseServiceServicer
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import far, recorded
from projections import promises
from projections.view import Read


class PromiseServicer(PromiseServiceServicer):
    """Answers PromiseService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def GetPromise(self, request: GetPromiseRequest, context: Context) -> GetPromiseResponse:
        """Return one promise."""
        return await self._reading.answer(request, context, GetPromiseResponse, self._get)

    async def ListPromises(self, request: ListPromisesRequest, context: Context) -> ListPromisesResponse:
        """Return a page of promises."""
        return await self._reading.page(request, context, ListPromisesResponse, self._list)

    async def CountPromises(self, request: CountPromisesRequest, context: Context) -> CountPromisesResponse:
        """Return counts of promises."""
        return await self._reading.answer(request, context, CountPromisesResponse, self._count)

    def WatchPromises(self, request: WatchPromisesRequest, context: Context) -> AsyncIterator[WatchPromisesResponse]:
        """Stream promises as they change."""
        return self._reading.watch(request, WatchPromisesResponse, self._changed)

    def _get(self, read: Read, request: GetPromiseRequest) -> Promise:
        return recorded(promises.get(read, request.promise_id), "promise", request.promise_id)

    def _list(self, read: Read, request: ListPromisesRequest, limit: int, after: After) -> tuple[PromiseList, After]:
        found, following = promises.page(read, request.filter, limit, after, self._customers.asked(read, request.filter))
        return PromiseList(promises=found), following

    def _count(self, read: Read, request: CountPromisesRequest) -> PromiseCount:
        return promises.count(read, request.filter, request.group_by, self._customers.asked(read, request.filter))

    def _changed(
        self, read: Read, request: WatchPromisesRequest, after: int
    ) -> tuple[Sequence[tuple[int, WatchPromisesResponse]], int]:
        found = promises.changed(read, after, request.filter, self._customers.asked(read, request.filter))
        return far(read, [(position, WatchPromisesResponse(position=position, promise=one)) for position, one in found])
