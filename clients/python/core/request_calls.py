"""Questions about requests. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.request_service_pb2 import (
    CountRequestsRequest,
    CountRequestsResponse,
    GetRequestRequest,
    GetRequestResponse,
    ListRequestsRequest,
    ListRequestsResponse,
    Request,
    RequestFilter,
)

SERVICE: Final = "RequestService"
GET: Final = Rpc(SERVICE, "GetRequest", GetRequestRequest, GetRequestResponse)
LIST: Final = Rpc(SERVICE, "ListRequests", ListRequestsRequest, ListRequestsResponse)
COUNT: Final = Rpc(SERVICE, "CountRequests", CountRequestsRequest, CountRequestsResponse)


class _Which(TypedDict, total=False):
    states: EnumsLike | None
    open: bool | None
    orphaned: bool | None
    owner_departments: Names | None
    reasons: Names | None
    customer: CustomerLike | None
    reopened: bool | None
    channel_switched: bool | None
    silent: bool | None
    strands_open: bool | None
    repeated: bool | None


class RequestOptions(ReadOptions, _Which, total=False):
    """Which requests, and the read options. `orphaned`: only open ones without an owner department.

    `silent`: only open ones whose customer waits without word for too long; `strands_open`: only those with several parallel
    strands that are not all done; `repeated`: only those that a customer had to come back for.
    """


class RequestListOptions(ListOptions, _Which, total=False):
    """Which requests, and the list options."""


def request(request_id: str, **read: Unpack[ReadOptions]) -> Call[GetRequestResponse, GetRequestResponse]:
    """Return one request, in `result`.

    Example:
        >>> client.request("r-1", as_of=4711).result.owner_department
        'service'
    """
    return ask(GET, read, request_id=request_id)


def requests(**which: Unpack[RequestListOptions]) -> Listing[ListRequestsResponse, Request]:
    """List requests, oldest first.

    Example:
        >>> for request in client.requests(open=True, orphaned=True):
        ...     print(request.request_id, request.age_seconds)
    """
    return Listing(ask(LIST, which, filter_type=RequestFilter), lambda page: page.result.requests)


def count_requests(group_by: EnumsLike = (), **which: Unpack[RequestOptions]) -> Call[CountRequestsResponse, CountRequestsResponse]:
    """Count requests, in groups: `"state"`, `"owner"`, `"reason"`, `"priority"`, `"refused_rule"`, `"escalated"`,
    `"root_cause"`.

    Example:
        >>> client.count_requests(open=True).result.total
        3353
    """
    return ask(COUNT, which, filter_type=RequestFilter, group_by=group_by)
