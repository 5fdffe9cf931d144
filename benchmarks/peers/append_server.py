"""A gRPC server of LedgerService.Append alone, with the options of the ledger's own, for what it is compared with."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from ledger.api.v1.ledger_service_pb2 import AppendRequest, AppendResponse
from ledger.server.limits import CHANNEL_OPTIONS

Append = Callable[[AppendRequest, Any], Awaitable[AppendResponse]]


async def serve_append(append: Append) -> None:
    """Serve until SIGTERM; prints "listening on PORT"."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    handler: Any = grpc.unary_unary_rpc_method_handler(
        append,
        request_deserializer=AppendRequest.FromString,
        response_serializer=AppendResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("ledger.api.v1.LedgerService", {"Append": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on {port}", flush=True)
    await stopping.wait()
    await server.stop(1)
