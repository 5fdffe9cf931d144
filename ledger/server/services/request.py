"""RequestService: what customers want."""

from __future__ import annotations

from ledger.api.v1.request_service_pb2 import (
    CountRequestsRequest,
    CountRequestsResponse,
    GetRequestRequest,
    GetRequestResponse,
    ListRequestsRequest,
    ListRequestsResponse,
    Request,
    RequestCount,
    RequestList,
)
from ledger.api.v1.request_service_pb2_grpc import RequestServiceServicer
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import recorded
from projections import requests
from projections.view import Read


class RequestServicer(RequestServiceServicer):
    """Answers RequestService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def GetRequest(self, request: GetRequestRequest, context: Context) -> GetRequestResponse:
        """Return one request."""
        return await self._reading.answer(request, context, GetRequestResponse, self._get)

    async def ListRequests(self, request: ListRequestsRequest, context: Context) -> ListRequestsResponse:
        """Return a page of requests."""
        return await self._reading.page(request, context, ListRequestsResponse, self._list)

    async def CountRequests(self, request: CountRequestsRequest, context: Context) -> CountRequestsResponse:
        """Return counts of requests."""
        return await self._reading.answer(request, context, CountRequestsResponse, self._count)

    def _get(self, read: Read, request: GetRequestRequest) -> Request:
        return recorded(requests.get(read, request.request_id), "request", request.request_id)

    def _list(self, read: Read, request: ListRequestsRequest, limit: int, after: After) -> tuple[RequestList, After]:
        found, following = requests.page(read, request.filter, limit, after, self._customers.asked(read, request.filter))
        return RequestList(requests=found), following

    def _count(self, read: Read, request: CountRequestsRequest) -> RequestCount:
        return requests.count(read, request.filter, request.group_by, self._customers.asked(read, request.filter))
