"""How much the server takes on at once. Every limit has a documented answer beyond it; none is unbounded."""

from __future__ import annotations

from enum import Enum
from typing import Final

from ledger.api.v1.errors_pb2 import CALLS_EXHAUSTED, QUEUE_FULL, STREAMS_EXHAUSTED
from ledger.errors import LedgerError

RECEIVE_BYTES_MAX: Final = 1 << 20
"""Largest message taken. gRPC itself refuses larger ones with RESOURCE_EXHAUSTED, before they are read."""

SEND_BYTES_MAX: Final = 16 << 20
"""Largest message sent. Pages of long texts exceed 1 MiB: a caller raises its own limit (4 MiB by default) or asks for less."""

PIECE_BYTES_MAX: Final = 1 << 19
"""A streamed piece of the log is cut before it exceeds this, if it has more than one event."""

UNARY_SECONDS_MAX: Final = 30.0
"""Longest time a call that is no stream may take, whatever its own deadline."""

VIEWS_WAIT_SECONDS_MAX: Final = 10.0
"""Longest wait for the views; beyond it VIEWS_LAGGING."""

RETRY_SECONDS: Final = 0.25
"""Delay that a refused caller is asked to wait."""

CHANNEL_OPTIONS: Final[list[tuple[str, int]]] = [
    ("grpc.max_receive_message_length", RECEIVE_BYTES_MAX),
    ("grpc.max_send_message_length", SEND_BYTES_MAX),
    ("grpc.max_concurrent_streams", 200),
    # Without this the server refuses streams (RST_STREAM 7) that a well-behaved client opened in the moment before it saw the
    # limit: 911 of 4,000 calls in bursts of 1,000 on one channel failed, and none with it.
    ("grpc.http.overload_protection", 0),
    # The workers of one ledger share the port. Another program cannot: the supervisor holds it (port.py).
    ("grpc.so_reuseport", 1),
    ("grpc.server_handshake_timeout_ms", 10_000),
    # Callers may ask every 30 s whether the connection lives, also without calls; more often is abuse and ends it.
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Connections are renewed, so that they spread over all workers again after one was restarted; streams get time to resume.
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 600_000),
    ("grpc.max_connection_idle_ms", 1_800_000),
]
"""Options of the gRPC server."""


class CallClass(Enum):
    """What kind of call: each has a limit of its own, so that none starves another."""

    APPEND = "append"
    READ = "read"
    STREAM = "stream"
    STATUS = "status"
    COPY = "copy"


LIMITS: Final = {CallClass.APPEND: 1_000, CallClass.READ: 200, CallClass.STREAM: 100, CallClass.STATUS: 50, CallClass.COPY: 1}
"""Calls of each class under way at once in the process: each worker has these limits for itself."""

_BEYOND: Final = {
    CallClass.APPEND: (QUEUE_FULL, "appends are waiting to be committed"),
    CallClass.READ: (CALLS_EXHAUSTED, "reads are under way"),
    CallClass.STREAM: (STREAMS_EXHAUSTED, "streams are open"),
    CallClass.STATUS: (CALLS_EXHAUSTED, "status calls are under way"),
    CallClass.COPY: (CALLS_EXHAUSTED, "copies of the views are under way"),
}


class Gate:
    """Counts the calls of one class that are under way. Belongs to one event loop."""

    def __init__(self, call_class: CallClass, limit: int) -> None:
        self._call_class = call_class
        self._limit = limit
        self._count = 0

    def __enter__(self) -> None:
        if self._count >= self._limit:
            reason, what = _BEYOND[self._call_class]
            raise LedgerError(
                reason,
                f"{self._limit} {what}, and that is the limit: try again in {RETRY_SECONDS} s.",
                retry_after_seconds=RETRY_SECONDS,
                limit=self._limit,
            )
        self._count += 1

    def __exit__(self, *exc_info: object) -> None:
        self._count -= 1

    @property
    def count(self) -> int:
        """Calls under way."""
        return self._count


def make_gates() -> dict[CallClass, Gate]:
    """Return a gate for every class of call."""
    return {call_class: Gate(call_class, limit) for call_class, limit in LIMITS.items()}
