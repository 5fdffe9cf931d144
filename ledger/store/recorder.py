"""The port of the log: what every store promises. Stored events are opaque here: bytes in, the same bytes out.

The rules of the ledger (revisions from 1, valid headers, idempotency) are the writer's. A store refuses only duplicates and gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from eventsourcing.persistence import DatabaseError, IntegrityError, OperationalError


class StoreError(DatabaseError):
    """The store could not do what it was asked, and did nothing of it."""


class StoreConflictError(StoreError, IntegrityError):
    """An event id, or a revision of a stream, is already recorded."""


class StoreUnavailableError(StoreError, OperationalError):
    """The store cannot be used now: locked by another process, unreadable, closed, or missing."""


class StoreTooNewError(StoreError):
    """A newer version of this program changed the tables: this one may not append any more. Update it."""


class StoreFullError(StoreUnavailableError):
    """No space is left on the store's disk. Reading goes on; make room."""


class OutcomeUnknownError(StoreError, OperationalError):
    """The commit itself failed, so it may have happened. Look the event ids up before answering anybody.

    `disk_full` tells that space ran out, which needs somebody to act. `unconfirmed`: it did happen, but the standby has not said
    so: it may be gone after a failover, and looking it up proves nothing.
    """

    def __init__(self, message: str, *, disk_full: bool, unconfirmed: bool = False) -> None:
        super().__init__(message)
        self.disk_full = disk_full
        self.unconfirmed = unconfirmed


class StoredEventRow(NamedTuple):
    """One event as stored."""

    position: int
    """1-based place in the log, gap-free, in order of commit."""
    event_id: bytes
    """16 bytes, unique in the log."""
    stream: str
    revision: int
    """Place in the stream; unique together with it."""
    topic: str
    record_time: int
    """Microseconds since 1970 UTC, never decreasing with the position."""
    header: bytes
    """The clear half, written once, never serialised again."""
    parts: bytes | None
    """The sealed half; None where there is none, or where it was dropped."""

    @property
    def originator_id(self) -> str:
        """The stream, under pyeventsourcing's name."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The revision, under pyeventsourcing's name."""
        return self.revision


class Head(NamedTuple):
    """Where the log ends. Position 0 and time 0 while it is empty."""

    position: int
    record_time: int


class NodePlace(NamedTuple):
    """Where the views of one node stand."""

    name: str
    position: int
    lag_micros: int
    """Age of the oldest event that they lack; 0 when they lack none."""
    seen_time: int
    """When the node said so, by the store's clock, microseconds since 1970 UTC."""


class Nodes(Protocol):
    """Where all nodes of a ledger stand. Every method raises StoreError."""

    def stand_at(self, name: str, position: int) -> list[NodePlace]:
        """Write where a node's views stand, and return where all nodes do that wrote lately, this one too."""

    def close(self) -> None:
        """Free what it needs."""


class LogReader(Protocol):
    """Reads the log. Safe to use from several threads at once, and while another process appends.

    What was read once is never different later, except `parts`, and a reader never sees a position without all before it.
    Every method raises StoreUnavailableError when the store cannot be read.
    """

    @property
    def name(self) -> str:
        """The engine: `sqlite` or `postgresql`."""

    def size_bytes(self) -> int:
        """Return how much room the log takes on its disk."""

    def head(self) -> Head:
        """Return the last position and its record time."""

    def read(self, after_position: int, limit: int, until_position: int | None = None) -> list[StoredEventRow]:
        """Return up to `limit` events after a position (exclusive), up to another (inclusive), in order."""

    def read_positions(self, positions: Sequence[int]) -> dict[int, StoredEventRow]:
        """Return the events at these positions; those beyond the head are left out."""

    def read_stream(self, stream: str, until_position: int | None = None) -> list[StoredEventRow]:
        """Return a stream's events in order of revision, up to a position (inclusive)."""

    def read_streams(self, streams: Sequence[str]) -> dict[str, list[StoredEventRow]]:
        """Return the events of several streams, each in order of revision; an empty list for one without events."""

    def read_governing(self) -> list[StoredEventRow]:
        """Return the events that every append may depend on, whatever its stream: policies, published and withdrawn, and shared
        marks, in order.
        """

    def read_policies(self) -> list[StoredEventRow]:
        """Return those of them that are about policies, in order, in time by their number."""

    def read_classifications(self) -> list[StoredEventRow]:
        """Return the events that classify customers (their tiers), in order."""

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""

    def position_at(self, record_time: int) -> int:
        """Return the last position recorded at or before a time (microseconds); 0 when there is none."""

    def close(self) -> None:
        """Free what reading needs. Reading afterwards raises StoreUnavailableError."""


class Transaction(Protocol):
    """One atomic, durable step of the log. Nobody else appends while it is open."""

    @property
    def head(self) -> Head:
        """Where the log ends, read under the lock, inserts of this transaction included."""

    @property
    def now(self) -> int | None:
        """What the store's clock said under the lock, microseconds since 1970 UTC; None: it has no clock of its own."""

    def revisions(self, streams: Sequence[str]) -> dict[str, int]:
        """Return the last revision of each stream; streams without events are left out."""

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        """Return the events with these ids; those not recorded are left out."""

    def touch(self) -> None:
        """Write without changing anything, so that the commit has to reach the disk, and the standby where there is one."""

    def insert(self, rows: Sequence[StoredEventRow]) -> None:
        """Append events and move the head.

        Positions must follow the head without gaps, and record times must never decrease: ValueError otherwise.
        Raises StoreConflictError for an id or a revision that exists, StoreFullError, StoreUnavailableError. After any of
        these nothing of the transaction is kept: leaving it raises StoreError.
        """


class LogRecorder(LogReader, Protocol):
    """Reads and appends."""

    @property
    def shared(self) -> bool:
        """True where other processes append too."""

    def confirm(self) -> None:
        """Return when all that can be read now is durable as an acknowledgement promises, on a standby too where there is one.

        Takes a commit where there may be a standby. Asked before somebody is told that something is recorded which no commit of
        this process came after. Raises StoreError.
        """

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Lock the log, and commit durably on leaving; on any exception nothing of it happened.

        Threads of one process take turns. Waits some seconds for another process, then raises StoreUnavailableError.
        Raises OutcomeUnknownError when the commit itself failed; the store opens itself anew for the next transaction.
        """
