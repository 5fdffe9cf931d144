"""LedgerService: the log itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1.errors_pb2 import APPEND_TOO_LARGE, NOT_RECORDED
from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.ledger_service_pb2 import (
    BULK,
    AppendRequest,
    AppendResponse,
    CaughtUp,
    Checkpoint,
    EventFilter,
    GetEventRequest,
    GetEventResponse,
    GetHeadRequest,
    GetHeadResponse,
    GetPositionAtRequest,
    GetPositionAtResponse,
    ReadEventsRequest,
    ReadEventsResponse,
    SubscribeRequest,
    SubscribeResponse,
)
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceServicer
from ledger.application import APPEND_EVENTS_MAX
from ledger.errors import LedgerError
from ledger.passing_ledger import ReadableLedger
from ledger.server.appends import Appends
from ledger.server.call import Context
from ledger.server.following import check_within, follow
from ledger.server.lane import BulkLane
from ledger.server.limits import PIECE_BYTES_MAX
from ledger.server.pieces import SCAN_ROWS, Pieces, cut
from ledger.server.times import micros, timestamp
from ledger.server.waiting import Waiting
from ledger.tokens import Branch, write_token

UNIX_PEER: Final = "unix:"
"""How the peer of a call over the Unix socket is named. Only the ledger's own parts can open that socket."""


class LogServicer(LedgerServiceServicer):
    """Answers LedgerService."""

    def __init__(
        self,
        *,
        ledger: ReadableLedger,
        appends: Appends,
        branch: Branch,
        head: Waiting,
        lane: BulkLane,
        pieces: Pieces,
        threads: Executor,
    ) -> None:
        self._ledger = ledger
        self._appends = appends
        self._branch = branch
        self._head = head
        self._lane = lane
        self._pieces = pieces
        self._threads = threads

    async def Append(self, request: AppendRequest, context: Context) -> AppendResponse:
        """Append groups; the commit goes on whatever becomes of the call."""
        event_count = sum(len(group.events) for group in request.groups)
        if event_count > APPEND_EVENTS_MAX:
            raise LedgerError(
                APPEND_TOO_LARGE,
                f"{event_count} events in one call are more than {APPEND_EVENTS_MAX}: split it.",
                event_count=event_count,
                event_count_max=APPEND_EVENTS_MAX,
            )
        internal = context.peer().startswith(UNIX_PEER)
        if request.lane == BULK:
            async with self._lane.admitted(event_count):
                results = await self._appends.append(request.groups, internal=internal)
        else:
            results = await self._appends.append(request.groups, internal=internal)
        position = max((appended.position for result in results for appended in result.appended), default=0)
        return AppendResponse(results=results, token=write_token(self._branch, position or self._head.reached))

    async def ReadEvents(self, request: ReadEventsRequest, context: Context) -> AsyncIterator[ReadEventsResponse]:
        """Stream a part of the log, and end."""
        head = self._head.look()
        until = request.until_position if request.HasField("until_position") else head
        cursor = request.from_position - 1 if request.HasField("from_position") else 0
        check_within(max(until, cursor), head)
        left = request.limit or until
        while cursor < until and left > 0:
            events, cursor = await self._read(cursor, until, request.filter, min(left, SCAN_ROWS))
            left -= len(events)
            for run in cut(events, PIECE_BYTES_MAX):
                yield ReadEventsResponse(events=run)

    async def GetEvent(self, request: GetEventRequest, context: Context) -> GetEventResponse:
        """Return one event."""
        loop = asyncio.get_running_loop()
        if request.HasField("position"):
            name = f"position {request.position}"
            event = await loop.run_in_executor(self._threads, self._pieces.by_position, request.position)
        else:
            name = f"event id {request.event_id}"
            event = await loop.run_in_executor(self._threads, self._pieces.by_id, UUID(request.event_id).bytes)
        if event is None:
            raise LedgerError(NOT_RECORDED, f"Nothing is recorded under {name}: check it.", event=name)
        return GetEventResponse(event=event)

    async def Subscribe(self, request: SubscribeRequest, context: Context) -> AsyncIterator[SubscribeResponse]:
        """Stream the log from a position on, until the caller goes or the server stops."""
        head = self._head.look()
        check_within(request.after_position, head)

        async def read(after: int, until: int) -> tuple[list[tuple[int, RecordedEvent]], int]:
            events, cursor = await self._read(after, until, request.filter)
            return [(event.position, event) for event in events], cursor

        async for step in follow(request.after_position, head, self._head, read):
            if step.item is not None:
                yield SubscribeResponse(event=step.item)
            elif step.caught_up:
                yield SubscribeResponse(caught_up=CaughtUp(position=step.position))
            else:
                yield SubscribeResponse(checkpoint=Checkpoint(position=step.position))

    async def GetHead(self, request: GetHeadRequest, context: Context) -> GetHeadResponse:
        """Return where the log ends."""
        head = self._ledger.head()
        return GetHeadResponse(
            ledger_id=str(UUID(bytes=self._branch.ledger_id)),
            incarnation=self._branch.incarnation,
            position=head.position,
            record_time=timestamp(head.record_time),
            token=write_token(self._branch, head.position),
        )

    async def GetPositionAt(self, request: GetPositionAtRequest, context: Context) -> GetPositionAtResponse:
        """Return the last position recorded at or before a time."""
        loop = asyncio.get_running_loop()
        position, record_time = await loop.run_in_executor(self._threads, self._position_at, request.record_time)
        if record_time is None:
            return GetPositionAtResponse(position=position)
        return GetPositionAtResponse(position=position, record_time=timestamp(record_time))

    def _position_at(self, time: Timestamp) -> tuple[int, int | None]:
        position = self._ledger.store.position_at(micros(time))
        row = self._ledger.store.read_positions([position]).get(position)
        return position, row.record_time if row is not None else None

    async def _read(self, after: int, until: int, wanted: EventFilter, limit: int = SCAN_ROWS) -> tuple[list[RecordedEvent], int]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._pieces.read, after, until, wanted, limit)
