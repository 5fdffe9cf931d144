"""Times inside are microseconds since 1970 UTC; in messages they are Timestamps."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(micros: int) -> Timestamp:
    """Return microseconds since 1970 as a Timestamp."""
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def micros(time: Timestamp) -> int:
    """Return a Timestamp as microseconds since 1970; what is finer is cut off."""
    return time.seconds * 1_000_000 + time.nanos // 1_000


def micros_up(time: Timestamp) -> int:
    """Return a Timestamp as microseconds since 1970, rounded up: what is before the one is before the other."""
    return time.seconds * 1_000_000 - -time.nanos // 1_000
