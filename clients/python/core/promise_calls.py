"""Questions about promises and response targets. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from clients.python.core.following import Feed
from clients.python.core.watching import watch
from ledger.api.v1.promise_service_pb2 import (
    CountPromisesRequest,
    CountPromisesResponse,
    GetPromiseRequest,
    GetPromiseResponse,
    ListPromisesRequest,
    ListPromisesResponse,
    Promise,
    PromiseFilter,
    WatchPromisesRequest,
    WatchPromisesResponse,
)

SERVICE: Final = "PromiseService"
GET: Final = Rpc(SERVICE, "GetPromise", GetPromiseRequest, GetPromiseResponse)
LIST: Final = Rpc(SERVICE, "ListPromises", ListPromisesRequest, ListPromisesResponse)
COUNT: Final = Rpc(SERVICE, "CountPromises", CountPromisesRequest, CountPromisesResponse)
WATCH: Final = Rpc(SERVICE, "WatchPromises", WatchPromisesRequest, WatchPromisesResponse)


class _Which(TypedDict, total=False):
    states: EnumsLike | None
    owner_departments: Names | None
    kinds: Names | None
    channels: Names | None
    request_id: str | None
    customer: CustomerLike | None
    overdue: bool | None
    due_before: datetime | None
    undated: bool | None
    response_targets: bool | None


class PromiseOptions(ReadOptions, _Which, total=False):
    """Which promises, and the read options. `states` as `"open"`, `"broken"`, …; `response_targets`: those instead of promises."""


class PromiseListOptions(ListOptions, _Which, total=False):
    """Which promises, and the list options."""


class PromiseWatchOptions(_Which, total=False):
    """Which promises."""


def promise(promise_id: str, **read: Unpack[ReadOptions]) -> Call[GetPromiseResponse, GetPromiseResponse]:
    """Return one promise, in `result`; `response-<contact_id>`, `next-response-<event id of a message>`, `resolution-<request_id>`,
    `acknowledge-<complaint_id>` and `respond-<complaint_id>` are the targets of the policy.

    Example:
        >>> client.promise("p-1").result.due_time.ToDatetime(UTC)
    """
    return ask(GET, read, promise_id=promise_id)


def promises(**which: Unpack[PromiseListOptions]) -> Listing[ListPromisesResponse, Promise]:
    """List promises, earliest due first, undated ones last.

    Example:
        >>> for promise in client.promises(states="broken", owner_departments="shipping"):
        ...     print(promise.promise_id, promise.what)
    """
    return Listing(ask(LIST, which, filter_type=PromiseFilter), lambda page: page.result.promises)


def count_promises(group_by: EnumsLike = (), **which: Unpack[PromiseOptions]) -> Call[CountPromisesResponse, CountPromisesResponse]:
    """Count promises, in groups: `"state"`, `"owner"`, `"channel"`, `"kind"`, `"ever_broken"`.

    Example:
        >>> client.count_promises(states=["broken"]).result.total
        1566
    """
    return ask(COUNT, which, filter_type=PromiseFilter, group_by=group_by)


def watch_promises(
    after_position: int | None = None, *, timeout_seconds: float | None = None, **which: Unpack[PromiseWatchOptions]
) -> Feed[WatchPromisesResponse, Promise]:
    """Follow promises: each one whenever it changes, after a position or from now on; resumes by itself like `subscribe`.

    One that leaves the filter is given once more, as it is then.

    Example:
        >>> for promise in client.watch_promises(states="broken"):
        ...     print(promise.promise_id, promise.owner_department)
    """
    return watch(WATCH, "promise", lambda one: one.promise_id, after_position, timeout_seconds, PromiseFilter, which)
