"""Questions about notices: what will go wrong unless somebody acts. Pure: makes calls, sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from clients.python.core.arguments import EnumsLike, ListOptions, Names, fill, timestamp
from clients.python.core.calls import Listing, Rpc, ask
from clients.python.core.following import Change, Feed, Following
from ledger.api.v1.notice_service_pb2 import (
    ListNoticesRequest,
    ListNoticesResponse,
    Notice,
    NoticeFilter,
    WatchNoticesRequest,
    WatchNoticesResponse,
)

SERVICE: Final = "NoticeService"
LIST: Final = Rpc(SERVICE, "ListNotices", ListNoticesRequest, ListNoticesResponse)
WATCH: Final = Rpc(SERVICE, "WatchNotices", WatchNoticesRequest, WatchNoticesResponse)


class _Which(TypedDict, total=False):
    kinds: EnumsLike | None
    departments: Names | None
    tiers: Names | None


class NoticeListOptions(ListOptions, _Which, total=False):
    """Which notices, and the list options. `kinds` as `"due_soon"`, `"silent"`, `"unaccepted"`."""


class NoticeWatchOptions(_Which, total=False):
    """Which notices. `kinds` as `"due_soon"`, `"silent"`, `"unaccepted"`."""


def notices(**which: Unpack[NoticeListOptions]) -> Listing[ListNoticesResponse, Notice]:
    """List notices: the tiers that matter most first, then the newest customers, then what is due first.

    How many there are in all stands in `first.result.total`.

    Example:
        >>> for notice in client.notices(kinds="due_soon", departments="sales"):
        ...     print(notice.promise_id, notice.tier, notice.competing_count)
    """
    return Listing(ask(LIST, which, filter_type=NoticeFilter), lambda page: page.result.notices)


def watch_notices(
    after_position: int | None = None,
    after_time: datetime | None = None,
    *,
    timeout_seconds: float | None = None,
    **which: Unpack[NoticeWatchOptions],
) -> Feed[WatchNoticesResponse, Notice]:
    """Follow notices: those that stand now, then each one when its time comes, and once more, `resolved`, when its reason is gone.

    Resumes by itself. The position of a change is the time it was judged at, in microseconds since 1970: notices come as time
    passes, not only with events. A notice keeps its `notice_id`, so one that comes again can be dropped. `after_position` and
    `after_time`: go on after a mark that an earlier run received, instead of beginning with those that stand now.

    Example:
        >>> for notice in client.watch_notices(departments="sales"):
        ...     print(notice.notice_id, notice.promise_id, notice.resolved)
    """
    template = WatchNoticesRequest()
    wanted = NoticeFilter()
    fill(wanted, which)
    if wanted.ByteSize():
        template.filter.CopyFrom(wanted)
    if after_position is not None:
        template.after_position = after_position
        if after_time is not None:
            template.after_time.CopyFrom(timestamp(after_time, "after_time"))

    def request(following: Following[Any, Any]) -> WatchNoticesRequest:
        message = WatchNoticesRequest()
        message.CopyFrom(template)
        return message

    def read(response: WatchNoticesResponse) -> Iterator[Change[Notice]]:
        place = response.evaluated_time.ToMicroseconds()
        if response.HasField("notice"):
            yield Change(place, response.notice)
        else:
            # Only a mark says that everything up to it has come.
            template.after_position = response.position
            template.after_time.CopyFrom(response.evaluated_time)
            yield Change(place, mark="caught_up" if response.HasField("caught_up") else "checkpoint")

    return Feed(WATCH, request, read, _key, 0, timeout_seconds=timeout_seconds)


def _key(notice: Notice) -> tuple[str, bool]:
    return notice.notice_id, notice.resolved
