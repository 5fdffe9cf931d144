"""A servicer that answers every append at once and does nothing: what gRPC in Python alone allows.

`python -m benchmarks.peers.noop`; prints "listening on PORT".
"""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.peers.append_server import serve_append
from ledger.api.v1.consistency_pb2 import LedgerToken
from ledger.api.v1.ledger_service_pb2 import Appended, AppendRequest, AppendResponse, GroupResult


async def append(request: AppendRequest, context: Any) -> AppendResponse:
    """Say that everything is appended, with the same messages as the ledger."""
    return AppendResponse(
        results=[
            GroupResult(
                appended=[
                    Appended(
                        event_id="0197c1f0-0000-7000-8000-000000000000",
                        position=1,
                        stream="fact-0197c1f0-0000-7000-8000-000000000000",
                        revision=1,
                    )
                    for _ in group.events
                ]
            )
            for group in request.groups
        ],
        token=LedgerToken(value="AAECAwQFBgcICQoLDA0ODxABAg"),
    )


if __name__ == "__main__":
    asyncio.run(serve_append(append))
