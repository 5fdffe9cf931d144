"""The gRPC server: ports, health, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection

from ledger.server.append_door import AppendsEndedError
from ledger.server.limits import CHANNEL_OPTIONS, make_gates
from ledger.server.registration import handlers_of
from ledger.server.services.health import HealthServicer

GRACE_SECONDS: Final = 10.0
"""Calls under way when the server is told to stop have so long to end; streams end at once."""

LOOK_SECONDS: Final = 0.2
"""How often it is looked whether the ledger still takes events."""

LEDGER_SERVICE: Final = "ledger.api.v1.LedgerService"
ADMIN_SERVICE: Final = "ledger.api.v1.AdminService"

log = logging.getLogger("tellonce.server")


class Service(NamedTuple):
    """A service to be served."""

    descriptor: ServiceDescriptor
    servicer: Any


async def serve(
    services: Sequence[Service],
    *,
    address: str,
    socket: Path | None,
    reflected: bool,
    stopping: asyncio.Event,
    failed: threading.Event,
    read_only: Callable[[], str | None],
    lagging: Callable[[], str | None],
    ready: Callable[[int], None],
) -> None:
    """Serve until `stopping` is set, then end gracefully. `ready` is called with the port once calls are taken.

    `socket`: the door for the ledger's own parts; None: they have it in another process.
    Raises OSError when a port cannot be had, AppendsEndedError when `failed` is set.
    """
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    names = [service.descriptor.full_name for service in services]
    health = HealthServicer(names)
    health_service = Service(health_pb2.DESCRIPTOR.services_by_name["Health"], health)
    gates = make_gates()
    server.add_generic_rpc_handlers(
        tuple(handlers_of(service.servicer, service.descriptor, gates, stopping) for service in (*services, health_service))
    )
    if reflected:
        reflection.enable_server_reflection((*names, health_service.descriptor.full_name, reflection.SERVICE_NAME), server)
    port = _bind(server, address)
    if socket is not None:
        _bind_socket(server, socket)
    await server.start()
    ready(port)
    try:
        await _until_stopped(health, names, stopping, failed, read_only, lagging)
    finally:
        stopping.set()
        health.stop()
        await server.stop(GRACE_SECONDS)


def _bind(server: grpc.aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"Cannot listen on {address}: it is in use, or not an address of this machine.") from error


def _bind_socket(server: grpc.aio.Server, socket: Path) -> None:
    socket.unlink(missing_ok=True)
    _bind(server, f"unix:{socket}")
    socket.chmod(0o600)


async def _until_stopped(
    health: HealthServicer,
    names: Sequence[str],
    stopping: asyncio.Event,
    failed: threading.Event,
    read_only: Callable[[], str | None],
    lagging: Callable[[], str | None],
) -> None:
    was_serving, was_answering = True, True
    while not stopping.is_set():
        if failed.is_set():
            raise AppendsEndedError
        serving = read_only() is None
        if serving != was_serving:
            was_serving = serving
            log.warning("appends are %s", "taken again" if serving else f"refused: {read_only()}")
            health.set_serving(LEDGER_SERVICE, serving)
        answering = lagging() is None
        if answering != was_answering:
            was_answering = answering
            log.warning("questions are %s", "answered here again" if answering else f"better asked elsewhere: {lagging()}")
            for name in {"", *names} - {LEDGER_SERVICE, ADMIN_SERVICE}:
                health.set_serving(name, answering)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue
