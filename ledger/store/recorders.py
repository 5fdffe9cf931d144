"""pyeventsourcing's recorders on any log: originator = stream, version = revision, state = header, notification id = position."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, Protocol, cast
from uuid import UUID
from weakref import WeakSet

from eventsourcing.persistence import AggregateRecorder, ApplicationRecorder, ListenNotifySubscription, StoredEvent
from uuid_utils import uuid7

from ledger.store.recorder import LogRecorder, StoredEventRow
from ledger.store.stored_event import SealedEvent, SealedNotification, sealed_event, sealed_notification


class SelectableLog(LogRecorder, Protocol):
    """A log that can be asked by conditions of its own language."""

    def select(
        self,
        conditions: Mapping[LiteralString, int | str | None],
        order: LiteralString,
        limit: int = -1,
        topics: Sequence[str] = (),
    ) -> list[StoredEventRow]:
        """Return the events that meet all conditions (SQL with one `?` each; None: not asked), of these topics, if any."""


class LogSubscription(ListenNotifySubscription["LogApplicationRecorder"]):
    """Yields what is recorded after a position, and then what this process records, as it happens.

    One thread each, and commits of other processes do not wake it: meant for tools and tests.
    """

    def __init__(self, recorder: LogApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        recorder.wake_after_commit(self)

    def wake(self) -> None:
        """Look for newly recorded events."""
        self._has_been_notified.set()


class LogApplicationRecorder(ApplicationRecorder):
    """A log as an application recorder. Stands before the class of the log among the bases of a recorder."""

    def __init__(self, *args: Any) -> None:
        self._subscriptions: WeakSet[LogSubscription] = WeakSet()
        self._subscribing = threading.Lock()
        super().__init__(*args)

    @property
    def _log(self) -> SelectableLog:
        return cast("SelectableLog", self)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append events in one transaction and return their positions. Raises StoreConflictError (an IntegrityError)."""
        return insert_stored_events(self._log, stored_events)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[SealedEvent]:
        """Return events of a stream, by revision, with their sealed halves."""
        conditions: dict[LiteralString, int | str | None] = {
            "stream = ?": str(originator_id),
            "revision > ?": gt,
            "revision <= ?": lte,
        }
        rows = self._log.select(conditions, "revision DESC" if desc else "revision", -1 if limit is None else limit)
        return [sealed_event(row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[SealedNotification]:
        """Return events of the log, by position, from a start (inclusive unless told) to a stop (inclusive)."""
        after = 0 if start is None else start - inclusive_of_start
        rows = self._log.select({"position > ?": after, "position <= ?": stop}, "position", limit, topics)
        return [sealed_notification(row) for row in rows]

    def max_notification_id(self) -> int | None:
        """Return the last position; None while the log is empty."""
        return self._log.head().position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LogSubscription:
        """Return an iterator over events after a position; it waits for more at the end. Leave it as a context manager."""
        return LogSubscription(self, gt=gt, topics=topics)

    def wake_after_commit(self, subscription: LogSubscription) -> None:
        """Wake a subscription after each commit, and once now, for those that fell between its first look and this call."""
        with self._subscribing:
            self._subscriptions.add(subscription)
        subscription.wake()

    def _committed(self) -> None:
        with self._subscribing:
            for subscription in self._subscriptions:
                subscription.wake()


class LogAggregateRecorder(AggregateRecorder):
    """The log as pyeventsourcing's aggregate recorder: the same events, without positions and sealed halves."""

    def __init__(self, log: LogApplicationRecorder) -> None:
        self._log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        """Append events in one transaction. Raises StoreConflictError (an IntegrityError)."""
        insert_stored_events(cast("LogRecorder", self._log), stored_events)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return events of a stream, by revision."""
        return [
            StoredEvent(event.originator_id, event.originator_version, event.topic, event.state)
            for event in self._log.select_events(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        ]


def insert_stored_events(log: LogRecorder, stored_events: Sequence[StoredEvent]) -> list[int]:
    """Append pyeventsourcing's events in one transaction and return their positions.

    Those that are no SealedEvent get an id. Record times are now, but never before the last one.
    """
    if not stored_events:
        return []
    with log.transaction() as transaction:
        position, last_time = transaction.head
        record_time = max(last_time, time.time_ns() // 1000)
        rows = [
            StoredEventRow(
                position=place,
                event_id=event.event_id if isinstance(event, SealedEvent) else uuid7().bytes,
                stream=str(event.originator_id),
                revision=event.originator_version,
                topic=event.topic,
                record_time=record_time,
                header=event.state,
                parts=event.parts if isinstance(event, SealedEvent) else None,
            )
            for place, event in enumerate(stored_events, position + 1)
        ]
        transaction.insert(rows)
    return [row.position for row in rows]
