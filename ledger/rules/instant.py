"""Instants as the rules compare them: microseconds since 1970 UTC, coarse times at their own precision.

Pure. Works on protobuf timestamps and events only.
"""

from __future__ import annotations

from typing import Any

from ledger.api.v1.core_pb2 import DAY, MINUTE
from ledger.event import DAY_MICROS, MINUTE_MICROS, Event


def micros(timestamp: Any) -> int:
    """Return a protobuf Timestamp as microseconds; what is finer is cut off."""
    return int(timestamp.seconds * 1_000_000 + timestamp.nanos // 1000)


def micros_or_none(message: Any, field: str) -> int | None:
    """Return a Timestamp field as microseconds; None when it is unset."""
    return micros(getattr(message, field)) if message.HasField(field) else None


def earliest(event: Event) -> int:
    """Return the first instant at which the event may have occurred.

    It occurred in time iff this is at or before the due: that is how a coarse time compares at its own precision (domain
    rule 8.6). `event.order` is the last such instant.
    """
    if event.order == event.occur:
        return event.occur
    precision = event.header.precision
    if precision == MINUTE:
        return event.occur - event.occur % MINUTE_MICROS
    if precision == DAY:
        return event.occur - event.occur % DAY_MICROS
    return event.occur


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a UUID in text; empty for an unset one."""
    return bytes.fromhex(text.replace("-", ""))
