"""Several connections to one target, taken in turn. Made for the sync and the aio channels of grpc alike; sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from clients.python.core.calls import Rpc

C = TypeVar("C")

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    # Channels of one process to one target share a connection, and so one server process, unless told otherwise.
    ("grpc.use_local_subchannel_pool", 1),
    # A page of 500 rows with long bodies is larger than gRPC's 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # A connection that died silently is found out by asking; the ledger allows it twice as often.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A restarted server is found within a second; by default gRPC waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class Connections(Generic[C]):
    """Channels made by `make`, at the first call; calls take them in turn, so that a lost connection costs one attempt."""

    def __init__(self, make: Callable[[], C], connection_count: int) -> None:
        if connection_count < 1:
            raise ValueError("A client needs at least one connection.")
        self._make = make
        self._connection_count = connection_count
        self._turn = count()
        self._lock = Lock()
        self._callables: dict[tuple[int, str], Any] = {}
        self.channels: list[C] = []

    def unary(self, rpc: Rpc[Any, Any]) -> Any:
        """Return what calls an RPC with one answer."""
        return self._callable(rpc, "unary_unary")

    def stream(self, rpc: Rpc[Any, Any]) -> Any:
        """Return what calls an RPC that streams answers."""
        return self._callable(rpc, "unary_stream")

    def _callable(self, rpc: Rpc[Any, Any], shape: str) -> Any:
        if len(self.channels) < self._connection_count:
            with self._lock:
                while len(self.channels) < self._connection_count:
                    self.channels.append(self._make())
        number = next(self._turn) % self._connection_count
        found = self._callables.get((number, rpc.path))
        if found is None:
            make = getattr(self.channels[number], shape)
            found = make(rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.response.FromString)
            self._callables[number, rpc.path] = found
        return found
