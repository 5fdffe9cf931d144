"""A servicer that answers every append at once and does nothing: what gRPC in Python alone allows.

`python -m benchmarks.peers.noop`; prints "listening on PORT".
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import grpc

from ledger.api.v1.consistency_pb2 import LedgerToken
from ledger.api.v1.ledger_service_pb2 import Appended, AppendRequest, AppendResponse, GroupResult
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceServicer, add_LedgerServiceServicer_to_server
from ledger.server.limits import CHANNEL_OPTIONS


class NoopServicer(LedgerServiceServicer):
    """Answers with the same messages as the ledger does."""

    async def Append(self, request: AppendRequest, context: Any) -> AppendResponse:  # noqa: N802 - the RPC's name
        """Say that everything is appended."""
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


async def serve() -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    add_LedgerServiceServicer_to_server(NoopServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on {port}", flush=True)
    await stopping.wait()
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve())
