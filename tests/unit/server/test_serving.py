"""The server itself: ready when it takes calls, not serving what it cannot do, and ended when it has to be."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from ledger.api.v1 import ledger_service_pb2
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceServicer
from ledger.server.serving import LEDGER_SERVICE, AppendsEndedError, Service, serve

LEDGER = Service(ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"], LedgerServiceServicer())


class World:
    """What the server is given from outside, to be changed while it serves."""

    def __init__(self, tmp_path: Path, address: str = "127.0.0.1:0") -> None:
        self.socket = tmp_path / "a.sock"
        self.address = address
        self.failed = threading.Event()
        self.read_only: str | None = None
        self.lagging: str | None = None

    async def serve(self, meanwhile: Callable[[int], Awaitable[Any]]) -> Any:
        """Serve while something else happens, then stop."""
        stopping = asyncio.Event()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(
            serve(
                [LEDGER],
                address=self.address,
                socket=self.socket,
                reflected=False,
                stopping=stopping,
                failed=self.failed,
                read_only=lambda: self.read_only,
                lagging=lambda: self.lagging,
                ready=port.set_result,
            )
        )
        await asyncio.wait((port, serving), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            return serving.result()
        other = asyncio.ensure_future(meanwhile(await port))
        await asyncio.wait((other, serving), return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        try:
            await serving
        finally:
            other.cancel()
        return other.result()


def test_it_is_reached_over_its_port_and_its_socket(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def ask(port: int) -> list[int]:
        answers = []
        for target in (f"127.0.0.1:{port}", f"unix:{world.socket}"):
            async with grpc.aio.insecure_channel(target) as channel:
                answer = await HealthStub(channel).Check(HealthCheckRequest(), timeout=5)
                answers.append(answer.status)
        return answers

    assert asyncio.run(world.serve(ask)) == [HealthCheckResponse.SERVING] * 2


def test_while_nothing_can_be_recorded_the_ledger_service_is_not_serving(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def watch(port: int) -> list[int]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            watched = HealthStub(channel).Watch(HealthCheckRequest(service=LEDGER_SERVICE), timeout=10)
            seen = [(await watched.read()).status]
            world.read_only = "disk full"
            seen.append((await watched.read()).status)
            whole = (await HealthStub(channel).Check(HealthCheckRequest(), timeout=5)).status
            world.read_only = None
            seen.append((await watched.read()).status)
            watched.cancel()
            return [*seen, whole]

    serving, not_serving = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
    assert asyncio.run(world.serve(watch)) == [serving, not_serving, serving, serving]


def test_while_another_node_is_ahead_questions_are_not_served_and_appends_are(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def watch(port: int) -> list[int]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            watched = HealthStub(channel).Watch(HealthCheckRequest(), timeout=10)
            seen = [(await watched.read()).status]
            world.lagging = "behind"
            seen.append((await watched.read()).status)
            appends = (await HealthStub(channel).Check(HealthCheckRequest(service=LEDGER_SERVICE), timeout=5)).status
            world.lagging = None
            seen.append((await watched.read()).status)
            watched.cancel()
            return [*seen, appends]

    serving, not_serving = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
    assert asyncio.run(world.serve(watch)) == [serving, not_serving, serving, serving]


def test_when_the_writer_ends_so_does_the_server(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def fail(port: int) -> None:
        world.failed.set()
        await asyncio.Event().wait()

    with pytest.raises(AppendsEndedError):
        asyncio.run(world.serve(fail))


def test_a_port_in_use_is_told_as_such(tmp_path: Path) -> None:
    async def nothing(port: int) -> None:
        raise AssertionError("it must not get ready")

    with socket.create_server(("127.0.0.1", 0)) as other:
        world = World(tmp_path, f"127.0.0.1:{other.getsockname()[1]}")

        with pytest.raises(OSError, match="it is in use"):
            asyncio.run(world.serve(nothing))


def test_watching_health_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def watch(port: int) -> Any:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        watched = HealthStub(channel).Watch(HealthCheckRequest(), timeout=60)
        await watched.read()
        return channel, watched

    async def run() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        channel, watched = await world.serve(watch)
        seconds = loop.time() - start
        watched.cancel()
        await channel.close()
        return seconds

    assert asyncio.run(run()) < 5
