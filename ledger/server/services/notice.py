"""NoticeService: what will go wrong unless somebody acts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final, NamedTuple

from ledger.api.v1.errors_pb2 import FIELD_REQUIRED
from ledger.api.v1.notice_service_pb2 import (
    ListNoticesRequest,
    ListNoticesResponse,
    Notice,
    NoticeFilter,
    NoticeList,
    WatchNoticesRequest,
    WatchNoticesResponse,
)
from ledger.api.v1.notice_service_pb2_grpc import NoticeServiceServicer
from ledger.errors import LedgerError
from ledger.policy.policy import Policy
from ledger.server.call import Context
from ledger.server.reading import After, Reading
from ledger.server.times import micros, timestamp
from projections import notice_kinds, notices, policies
from projections.notice_kinds import Limits
from projections.view import Read

LOOK_SECONDS: Final = 1.0
"""The views move many times a second; so often at most is it looked what became of the notices."""

MARK_SECONDS: Final = 10.0
"""A watcher hears at least so often how far it has been watched."""


class Standing(NamedTuple):
    """The notices that stand at one place."""

    position: int
    evaluated: int
    by_id: dict[str, Notice]
    next_time: int
    """When the next one comes by time alone."""


class NoticeServicer(NoticeServiceServicer):
    """Answers NoticeService."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def ListNotices(self, request: ListNoticesRequest, context: Context) -> ListNoticesResponse:
        """Return a page of notices."""
        return await self._reading.page(request, context, ListNoticesResponse, self._list)

    async def WatchNotices(self, request: WatchNoticesRequest, context: Context) -> AsyncIterator[WatchNoticesResponse]:
        """Stream notices as they come, and once more when they are resolved."""
        before = Standing(0, 0, {}, 0)
        if request.HasField("after_time") and not request.HasField("after_position"):
            raise LedgerError(
                FIELD_REQUIRED,
                "after_time is given without after_position: resume with both, as the last mark said them.",
                violations=[("after_position", "value is required with after_time")],
                field="after_position",
            )
        if request.HasField("after_position"):
            after_time = micros(request.after_time) if request.HasField("after_time") else None
            before = await self._stand(request.filter, context, request.after_position, after_time)
        now = await self._stand(request.filter, context, latest=True)
        for answer in _answers(now, changes(before, now)):
            yield answer
        yield WatchNoticesResponse(position=now.position, evaluated_time=timestamp(now.evaluated), caught_up=True)
        marked = now
        while True:
            before, now = now, await self._next(request.filter, context, now)
            changed = list(changes(before, now))
            for answer in _answers(now, changed):
                yield answer
            if changed or now.evaluated - marked.evaluated >= MARK_SECONDS * 1_000_000:
                marked = now
                yield WatchNoticesResponse(position=now.position, evaluated_time=timestamp(now.evaluated), checkpoint=True)

    async def _next(self, filter: NoticeFilter, context: Context, before: Standing) -> Standing:
        """Return what stands when the views have moved, or the time of the next notice has come, or a mark is due."""
        # The pause comes first: a stream of events must not make a look of each.
        await asyncio.sleep(LOOK_SECONDS)
        patience = min(MARK_SECONDS, (before.next_time - before.evaluated) / 1_000_000)
        await self._reading.moved(before.position, max(0.0, patience - LOOK_SECONDS))
        return await self._stand(filter, context)

    async def _stand(
        self,
        filter: NoticeFilter,
        context: Context,
        known: int | None = None,
        evaluated: int | None = None,
        *,
        latest: bool = False,
    ) -> Standing:
        def look(read: Read) -> Standing:
            limits, _ = _limits(read)
            found, _ = notices.standing(read, limits, filter)
            by_id = {notice.notice_id: notice for notice in notices.messages(read, found)}
            return Standing(read.known, read.evaluated, by_id, notice_kinds.next_time(read, limits) if known is None else 0)

        return await self._reading.look(context, look, known, evaluated, latest=latest)

    def _list(self, read: Read, request: ListNoticesRequest, limit: int, after: After) -> tuple[NoticeList, After]:
        limits, policy = _limits(read)
        ranked, more = notices.standing(read, limits, request.filter)
        rows, following = notices.page(ranked, limit, after)
        listed = NoticeList(notices=notices.messages(read, rows), total=len(ranked), more_exist=more)
        if policy is not None:
            listed.policy_id, listed.policy_version = policy.policy_id, policy.version
        return listed, following


def _limits(read: Read) -> tuple[Limits, Policy | None]:
    book = policies.book(read.log, read.known)
    policy = book.in_force(read.evaluated)
    return Limits.of(policy, book.first_in_force_from), policy


def changes(before: Standing, now: Standing) -> Iterator[Notice]:
    """Return the notices that came since, then, resolved, those that went. One that merely looks otherwise is no change."""
    for notice_id, notice in now.by_id.items():
        if notice_id not in before.by_id:
            yield notice
    for notice_id, notice in before.by_id.items():
        if notice_id not in now.by_id:
            resolved = Notice()
            resolved.CopyFrom(notice)
            resolved.resolved = True
            yield resolved


def _answers(at: Standing, changed: Iterable[Notice]) -> Iterator[WatchNoticesResponse]:
    for notice in changed:
        yield WatchNoticesResponse(position=at.position, evaluated_time=timestamp(at.evaluated), notice=notice)
