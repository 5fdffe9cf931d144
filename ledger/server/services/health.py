"""grpc.health.v1.Health: which services take calls now. The empty name stands for the server as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer as Base

from ledger.server.call import Context


class HealthServicer(Base):  # type: ignore[misc]
    """Answers Health. Everything serves until told otherwise."""

    def __init__(self, services: Iterable[str]) -> None:
        self._serving = dict.fromkeys(("", *services), True)
        self._changed = asyncio.Event()

    def set_serving(self, service: str, serving: bool) -> None:
        """Say whether a service takes calls."""
        self._serving[service] = serving
        self._changed.set()
        self._changed = asyncio.Event()

    def stop(self) -> None:
        """Say that nothing takes calls any more."""
        for service in self._serving:
            self.set_serving(service, False)

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """Answer for one service; NOT_FOUND for one that is not served here, as the protocol asks."""
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, "No such service here.")
        return self._status(request.service)

    async def Watch(self, request: HealthCheckRequest, context: Context) -> AsyncIterator[HealthCheckResponse]:
        """Answer now and whenever it changes."""
        last: Any = None
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != last:
                last = status
                yield status
            await changed.wait()

    def _status(self, service: str) -> HealthCheckResponse:
        serving = self._serving.get(service)
        if serving is None:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        return HealthCheckResponse(status=HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING)
