"""PlaybookService: what playbooks did, what people did instead, and what could not be done."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from pathlib import Path

from ledger.api.v1.playbook_service_pb2 import (
    ListPlaysRequest,
    ListPlaysResponse,
    ListRefusedPlaysRequest,
    ListRefusedPlaysResponse,
    PlayList,
    RefusedPlay,
)
from ledger.api.v1.playbook_service_pb2_grpc import PlaybookServiceServicer
from ledger.event_id import to_text
from ledger.followers.playbook_record import Refused, read_record
from ledger.server.call import Context
from ledger.server.reading import PAGE_SIZE, After, Reading
from ledger.server.times import timestamp
from projections import playbooks
from projections.view import Read


class PlaybookServicer(PlaybookServiceServicer):
    """Answers PlaybookService. `record` is the file in which this node's follower notes what it could not do."""

    def __init__(self, reading: Reading, record: Path, threads: Executor) -> None:
        self._reading = reading
        self._record = record
        self._threads = threads

    async def ListPlays(self, request: ListPlaysRequest, context: Context) -> ListPlaysResponse:
        """Return a page of plays."""
        return await self._reading.page(request, context, ListPlaysResponse, self._list)

    async def ListRefusedPlays(self, request: ListRefusedPlaysRequest, context: Context) -> ListRefusedPlaysResponse:
        """Return the plays that this node could not record, and that no other node did."""
        loop = asyncio.get_running_loop()
        limit = request.limit or PAGE_SIZE
        position, refused = await loop.run_in_executor(self._threads, read_record, self._record, limit)

        def without_recorded(read: Read) -> list[RefusedPlay]:
            recorded = playbooks.recorded(read, [(one.trigger_event_id, one.playbook) for one in refused])
            return [_message(one) for one in refused if (one.trigger_event_id, one.playbook) not in recorded]

        plays = await self._reading.look(context, without_recorded) if refused else []
        return ListRefusedPlaysResponse(plays=plays, position=position)

    def _list(self, read: Read, request: ListPlaysRequest, limit: int, after: After) -> tuple[PlayList, After]:
        found, following = playbooks.page(read, request.filter, limit, after)
        return PlayList(plays=found), following


def _message(one: Refused) -> RefusedPlay:
    return RefusedPlay(
        playbook=one.playbook,
        trigger_event_id=to_text(one.trigger_event_id),
        trigger_topic=one.trigger_topic,
        trigger_position=one.trigger_position,
        policy_id=one.policy_id,
        policy_version=one.policy_version,
        reason=one.reason,
        message=one.message,
        refused_time=timestamp(one.refused_time),
    )
