"""Questions about handoffs. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from clients.python.core.following import Feed
from clients.python.core.watching import watch
from ledger.api.v1.handoff_service_pb2 import (
    CountHandoffsRequest,
    CountHandoffsResponse,
    GetHandoffRequest,
    GetHandoffResponse,
    Handoff,
    HandoffFilter,
    ListHandoffsRequest,
    ListHandoffsResponse,
    WatchHandoffsRequest,
    WatchHandoffsResponse,
)

SERVICE: Final = "HandoffService"
GET: Final = Rpc(SERVICE, "GetHandoff", GetHandoffRequest, GetHandoffResponse)
LIST: Final = Rpc(SERVICE, "ListHandoffs", ListHandoffsRequest, ListHandoffsResponse)
COUNT: Final = Rpc(SERVICE, "CountHandoffs", CountHandoffsRequest, CountHandoffsResponse)
WATCH: Final = Rpc(SERVICE, "WatchHandoffs", WatchHandoffsRequest, WatchHandoffsResponse)


class _Which(TypedDict, total=False):
    states: EnumsLike | None
    pending: bool | None
    hands: Names | None
    to_departments: Names | None
    from_departments: Names | None
    request_id: str | None
    customer: CustomerLike | None
    overdue: bool | None
    incomplete: bool | None


class HandoffOptions(ReadOptions, _Which, total=False):
    """Which handoffs, and the read options. `states` as `"offered"`, `"returned"`, …; `hands`: in whose hands it is now."""


class HandoffListOptions(ListOptions, _Which, total=False):
    """Which handoffs, and the list options."""


class HandoffWatchOptions(_Which, total=False):
    """Which handoffs."""


def handoff(
    handoff_id: str, *, request_id: str | None = None, **read: Unpack[ReadOptions]
) -> Call[GetHandoffResponse, GetHandoffResponse]:
    """Return one handoff, in `result`. `request_id` is needed only where two requests use the same handoff id.

    Example:
        >>> client.handoff("h-1").result.hands
        'shipping'
    """
    return ask(GET, read, handoff_id=handoff_id, request_id=request_id)


def handoffs(**which: Unpack[HandoffListOptions]) -> Listing[ListHandoffsResponse, Handoff]:
    """List handoffs, longest in the present hands first.

    Example:
        >>> for handoff in client.handoffs(pending=True, hands="shipping"):
        ...     print(handoff.handoff_id, handoff.hands_age_seconds)
    """
    return Listing(ask(LIST, which, filter_type=HandoffFilter), lambda page: page.result.handoffs)


def count_handoffs(group_by: EnumsLike = (), **which: Unpack[HandoffOptions]) -> Call[CountHandoffsResponse, CountHandoffsResponse]:
    """Count handoffs, in groups: `"state"`, `"to_department"`, `"from_department"`, `"hands"`, `"type"`, `"ever_accepted"`.

    Example:
        >>> [(row.values, row.count) for row in client.count_handoffs("hands", pending=True).result.rows]
        [(['shipping'], 12), (['billing'], 3)]
    """
    return ask(COUNT, which, filter_type=HandoffFilter, group_by=group_by)


def watch_handoffs(
    after_position: int | None = None, *, timeout_seconds: float | None = None, **which: Unpack[HandoffWatchOptions]
) -> Feed[WatchHandoffsResponse, Handoff]:
    """Follow handoffs: each one whenever it changes, after a position or from now on; resumes by itself like `subscribe`.

    One that leaves the filter is given once more, as it is then.

    Example:
        >>> for handoff in client.watch_handoffs(hands="shipping"):
        ...     print(handoff.handoff_id, HandoffState.Name(handoff.state))
    """
    return watch(
        WATCH, "handoff", lambda one: (one.request_id, one.handoff_id), after_position, timeout_seconds, HandoffFilter, which
    )
