"""Between events as stored and events as rules see them, under pyeventsourcing's names."""

from __future__ import annotations

from typing import Any, Never

from eventsourcing.persistence import Mapper, Notification, StoredEvent, Transcoder

from ledger.catalogue import read_event
from ledger.event import Event
from ledger.store.recorder import StoredEventRow
from ledger.store.stored_event import SealedEvent, SealedNotification, sealed_event


class DomainEvent(Event):
    """An event that pyeventsourcing can place in its stream."""

    __slots__ = ()

    @property
    def originator_id(self) -> str:
        """The stream."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The revision."""
        return self.revision


class LedgerMapper(Mapper[str]):
    """Stores headers exactly as they were written, and reads them into events. It never serialises one again."""

    def __init__(self) -> None:
        super().__init__(_NoTranscoder())

    def to_stored_event(self, domain_event: Any) -> SealedEvent:
        """Return a row as a stored event. Only rows hold the bytes of a header: TypeError for anything else."""
        if not isinstance(domain_event, StoredEventRow):
            raise TypeError(f"{type(domain_event).__name__} has no header bytes: append it through the ledger.")
        return sealed_event(domain_event)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEvent:
        """Return the event that is stored. Raises UnknownTopicError for a type this version does not know."""
        position, parts = 0, None
        if isinstance(stored_event, Notification):
            position = stored_event.id
        if isinstance(stored_event, SealedEvent):
            position = stored_event.position
        if isinstance(stored_event, SealedEvent | SealedNotification):
            parts = stored_event.parts
        read = read_event(position, stored_event.state, parts)
        return DomainEvent(position=position, header=read.header, payload=read.payload, parts=parts, clock=read.clock)


class _NoTranscoder(Transcoder):
    """Headers are bytes already."""

    def encode(self, obj: object) -> Never:
        raise NotImplementedError("Headers are bytes already.")

    def decode(self, data: bytes) -> Never:
        raise NotImplementedError("Headers are bytes already.")
