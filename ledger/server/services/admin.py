"""AdminService: how the ledger is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from importlib.metadata import version
from typing import Final
from uuid import UUID

from ledger.api.v1.admin_service_pb2 import GetStatusRequest, GetStatusResponse, Node, Part
from ledger.api.v1.admin_service_pb2_grpc import AdminServiceServicer
from ledger.passing_ledger import ReadableLedger
from ledger.server.appends import Appends
from ledger.server.call import Context
from ledger.server.nodes import NodeWatch
from ledger.server.snapshots import Snapshots
from ledger.server.times import timestamp
from ledger.store.recorder import NodePlace
from projections import imports, quality
from projections.view import Read
from projections.views_file import VIEW_VERSION

VERSION: Final = version("tellonce")


class AdminServicer(AdminServiceServicer):
    """Answers AdminService."""

    def __init__(
        self,
        ledger: ReadableLedger,
        appends: Appends,
        snapshots: Snapshots,
        nodes: NodeWatch,
        parts: Callable[[], list[Part]],
        threads: Executor,
    ) -> None:
        self._ledger = ledger
        self._appends = appends
        self._snapshots = snapshots
        self._parts = parts
        self._threads = threads
        self._nodes = nodes

    async def GetStatus(self, request: GetStatusRequest, context: Context) -> GetStatusResponse:
        """Return head, views, lag and parts as they are now."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._status)

    def _status(self) -> GetStatusResponse:
        head = self._ledger.head()
        status = GetStatusResponse(
            ledger_id=str(UUID(bytes=self._ledger.ledger_id)),
            incarnation=self._ledger.incarnation,
            head_position=head.position,
            head_record_time=timestamp(head.record_time),
            search_position=self._snapshots.search_position(),
            version=VERSION,
            view_version=VIEW_VERSION,
            store=self._ledger.store.name,
            log_bytes=self._ledger.store.size_bytes(),
            views_bytes=self._snapshots.bytes_on_disk(),
            queue_events=self._appends.queue_events,
            read_only_reason=self._appends.read_only_reason,
            parts=self._parts(),
            lagging_reason=self._nodes.lagging,
            nodes=[self._node(place) for place in self._nodes.places],
        )
        with self._snapshots.snapshot() as snapshot:
            if snapshot is not None:
                read = Read(
                    db=snapshot.db,
                    position=snapshot.position,
                    known=snapshot.position,
                    before=None,
                    evaluated=head.record_time,
                    log=self._ledger.store,
                    content=self._ledger.content,
                )
                status.views_position = snapshot.position
                status.set_aside_count = quality.set_aside_count(read)
                status.open_import_runs.extend(imports.open_runs(read))
        # The views may have passed the head that was read first.
        status.lag_events = max(0, head.position - status.views_position)
        status.lag_seconds = self._lag_seconds(status.views_position, head.record_time)
        return status

    def _node(self, place: NodePlace) -> Node:
        return Node(
            name=place.name,
            views_position=place.position,
            lag_seconds=place.lag_micros / 1_000_000,
            seen_time=timestamp(place.seen_time),
            here=place.name == self._nodes.name,
        )

    def _lag_seconds(self, views_position: int, head_record_time: int) -> float:
        row = self._ledger.store.read_positions([views_position]).get(views_position)
        return max(0, head_record_time - row.record_time) / 1_000_000 if row is not None else 0.0
