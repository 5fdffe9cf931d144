"""pyeventsourcing's persistence module on SQLite (`PERSISTENCE_MODULE=ledger.store.sqlite`), and how to open a log.

Everything goes through the one transaction of sqlite_log.py. Must not import another InfrastructureFactory: the library takes
the only one it finds here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Never
from uuid import UUID
from weakref import WeakSet

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    ListenNotifySubscription,
    StoredEvent,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType
from uuid_utils import uuid7

from ledger.store.recorder import LogReader, LogRecorder, StoredEventRow
from ledger.store.sqlite_log import SqliteLogReader, SqliteLogRecorder
from ledger.store.stored_event import SealedEvent, SealedNotification, sealed_event, sealed_notification


def open_recorder(path: Path) -> SqliteApplicationRecorder:
    """Open a log for appending, made when it is missing. Its folder must exist. One process appends at a time."""
    return SqliteApplicationRecorder(path)


def open_reader(path: Path) -> LogReader:
    """Open an existing log for reading. Raises StoreUnavailableError when it is missing."""
    return SqliteLogReader(path)


class SqliteSubscription(ListenNotifySubscription["SqliteApplicationRecorder"]):
    """Yields what is recorded after a position, and then what this process records, as it happens.

    One thread each, and commits of other processes do not wake it: meant for tools and tests.
    """

    def __init__(self, recorder: SqliteApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        recorder.wake_after_commit(self)

    def wake(self) -> None:
        """Look for newly recorded events."""
        self._has_been_notified.set()


class SqliteApplicationRecorder(SqliteLogRecorder, ApplicationRecorder):
    """The log as pyeventsourcing's application recorder: originator = stream, version = revision, state = header, id = position."""

    def __init__(self, path: Path) -> None:
        self._subscriptions: WeakSet[SqliteSubscription] = WeakSet()
        self._subscribing = threading.Lock()
        super().__init__(path)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append events in one transaction and return their positions. Raises StoreConflictError (an IntegrityError)."""
        return insert_stored_events(self, stored_events)

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
        conditions = {"stream = ?": str(originator_id), "revision > ?": gt, "revision <= ?": lte}
        rows = self.select(conditions, "revision DESC" if desc else "revision", -1 if limit is None else limit)
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
        rows = self.select({"position > ?": after, "position <= ?": stop}, "position", limit, topics)
        return [sealed_notification(row) for row in rows]

    def max_notification_id(self) -> int | None:
        """Return the last position; None while the log is empty."""
        return self.head().position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> SqliteSubscription:
        """Return an iterator over events after a position; it waits for more at the end. Leave it as a context manager."""
        return SqliteSubscription(self, gt=gt, topics=topics)

    def wake_after_commit(self, subscription: SqliteSubscription) -> None:
        """Wake a subscription after each commit, and once now, for those that fell between its first look and this call."""
        with self._subscribing:
            self._subscriptions.add(subscription)
        subscription.wake()

    def _committed(self) -> None:
        with self._subscribing:
            for subscription in self._subscriptions:
                subscription.wake()


class SqliteAggregateRecorder(AggregateRecorder):
    """The log as pyeventsourcing's aggregate recorder: the same events, without positions and sealed halves."""

    def __init__(self, log: SqliteApplicationRecorder) -> None:
        self._log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        """Append events in one transaction. Raises StoreConflictError (an IntegrityError)."""
        insert_stored_events(self._log, stored_events)

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


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Opens the log named by `LOG_PATH`, once, and closes it. Views keep their own progress, so nothing tracks here."""

    LOG_PATH: Final = "LOG_PATH"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        path = self.env.get(self.LOG_PATH)
        if not path:
            raise InfrastructureFactoryError(f"{self.LOG_PATH} is not set: name the file of the log.")
        self._path = Path(path)
        self._recorder: SqliteApplicationRecorder | None = None

    def application_recorder(self) -> SqliteApplicationRecorder:
        """Return the recorder of the log, always the same one."""
        if self._recorder is None:
            self._recorder = open_recorder(self._path)
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> SqliteAggregateRecorder:
        """Return the log as an aggregate recorder. Raises NotImplementedError for snapshots: the views hold what they would."""
        if purpose != "events":
            raise NotImplementedError(f"The log keeps events, not {purpose}.")
        return SqliteAggregateRecorder(self.application_recorder())

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> Never:
        """Raise NotImplementedError: the views keep their own progress."""
        raise NotImplementedError("The log tracks nobody: the views keep their own progress.")

    def process_recorder(self) -> Never:
        """Raise NotImplementedError: the views keep their own progress."""
        raise NotImplementedError("The log tracks nobody: the views keep their own progress.")

    def close(self) -> None:
        """Close the log."""
        if self._recorder is not None:
            self._recorder.close()
