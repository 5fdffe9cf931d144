"""Stored events in pyeventsourcing's shapes, with what ours have more than its four fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eventsourcing.persistence import Notification, StoredEvent

from ledger.store.recorder import StoredEventRow


@dataclass(frozen=True)
class SealedEvent(StoredEvent):
    """A stored event with its sealed half. `state` is the header."""

    position: int
    """Place in the log; 0 before it is recorded."""
    event_id: bytes
    record_time: int
    """Microseconds since 1970 UTC; 0 before it is recorded."""
    parts: bytes | None


@dataclass(frozen=True)
class SealedNotification(Notification):
    """An event of the log with its sealed half. `id` is the position."""

    event_id: bytes
    record_time: int
    """Microseconds since 1970 UTC."""
    parts: bytes | None


def sealed_event(row: StoredEventRow) -> SealedEvent:
    """Return a row as a stored event."""
    return SealedEvent(**_shared(row), position=row.position)


def sealed_notification(row: StoredEventRow) -> SealedNotification:
    """Return a row as a notification."""
    return SealedNotification(**_shared(row), id=row.position)


def _shared(row: StoredEventRow) -> dict[str, Any]:
    return {
        "originator_id": row.stream,
        "originator_version": row.revision,
        "topic": row.topic,
        "state": row.header,
        "event_id": row.event_id,
        "record_time": row.record_time,
        "parts": row.parts,
    }
