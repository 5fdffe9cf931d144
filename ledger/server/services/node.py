"""NodeService: what the nodes of one ledger ask one another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor

from ledger.api.v1.errors_pb2 import VIEWS_LAGGING
from ledger.errors import LedgerError
from ledger.internal.v1.node_service_pb2 import CopiedViews, CopyViewsRequest, CopyViewsResponse
from ledger.internal.v1.node_service_pb2_grpc import NodeServiceServicer
from ledger.server.call import Context
from ledger.server.limits import PIECE_BYTES_MAX, RETRY_SECONDS
from ledger.tokens import Branch
from projections.views_copy import ViewsCopy, copy_of
from projections.views_file import VIEW_VERSION, ViewsFolder


class NodeServicer(NodeServiceServicer):
    """Answers NodeService."""

    def __init__(self, branch: Branch, folder: ViewsFolder, threads: Executor) -> None:
        self._branch = branch
        self._folder = folder
        self._threads = threads

    async def CopyViews(self, request: CopyViewsRequest, context: Context) -> AsyncIterator[CopyViewsResponse]:
        """Stream a copy of the views."""
        loop = asyncio.get_running_loop()
        copy: ViewsCopy | None = await loop.run_in_executor(self._threads, copy_of, self._folder)
        if copy is None:
            raise LedgerError(
                VIEWS_LAGGING,
                f"This node has no views yet: ask again in {RETRY_SECONDS} s, or build them from the log.",
                retry_after_seconds=RETRY_SECONDS,
            )
        with copy.file:
            described = CopiedViews(
                ledger_id=self._branch.ledger_id,
                incarnation=self._branch.incarnation,
                view_version=VIEW_VERSION,
                position=copy.position,
                size_bytes=copy.size_bytes,
                digest=copy.digest,
            )
            yield CopyViewsResponse(described=described)
            while content := await loop.run_in_executor(self._threads, copy.file.read, PIECE_BYTES_MAX):
                yield CopyViewsResponse(content=content)
