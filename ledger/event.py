"""An event in memory: its header, its clear payload, and the order in which events are folded.

Pure: no store, no vault. Times are microseconds since 1970 UTC throughout.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.api.v1.core_pb2 import DAY, MINUTE
from ledger.internal.v1.stored_pb2 import EventHeader

MINUTE_MICROS: Final = 60_000_000
DAY_MICROS: Final = 86_400_000_000
NOT_YET: Final = 2**62
"""Position of an event that is not recorded yet: after all that are."""


def order_time(occur_micros: int, precision: int) -> int:
    """Return the instant at which an event stands in its entity's order: coarse times stand at the end of their unit.

    The same instant decides whether it happened before a time asked for (domain rule 8.1), so that what happened before any
    time is a beginning of the order.
    """
    if precision == MINUTE:
        return occur_micros - occur_micros % MINUTE_MICROS + MINUTE_MICROS - 1
    if precision == DAY:
        return occur_micros - occur_micros % DAY_MICROS + DAY_MICROS - 1
    return occur_micros


class Event:
    """An event as rules and views see it: header and clear payload. Sealed parts stay as stored.

    `payload` is the clear message of its type (sealed fields unset). `order` is `order_time` of its occur time.
    """

    __slots__ = (
        "clock",
        "event_id",
        "header",
        "occur",
        "order",
        "parts",
        "payload",
        "position",
        "record",
        "revision",
        "stream",
        "subject",
        "topic",
    )

    def __init__(
        self,
        *,
        position: int,
        header: EventHeader,
        payload: Any,
        parts: bytes | None = None,
        clock: bool = False,
    ) -> None:
        self.position = position
        self.header = header
        self.payload = payload
        self.parts = parts
        self.clock = clock
        self.stream = header.stream
        self.revision = header.revision
        self.topic = header.topic
        self.event_id = header.event_id
        self.subject = header.subject
        self.occur = self.order = header.occur_time_micros
        if header.precision:
            self.order = order_time(self.occur, header.precision)
        self.record = header.record_time_micros

    @classmethod
    def begun(
        cls,
        common: EventHeader,
        position: int,
        payload: Any,
        clock: bool,
        event_id: bytes,
        stream: str,
        revision: int,
        topic: str,
        subject: bytes,
        occur: int,
        record: int,
    ) -> Event:
        """Return an event that is being recorded: its header is the common part of it, and what is its own.

        Reading from a message makes the value anew each time, so what is set in the header is set here beside it.
        """
        event = cls.__new__(cls)
        event.header = header = EventHeader()
        header.CopyFrom(common)
        event.position = position
        event.payload = payload
        event.parts = None
        event.clock = clock
        event.event_id = header.event_id = event_id
        event.stream = header.stream = stream
        event.revision = header.revision = revision
        event.topic = header.topic = topic
        event.subject = header.subject = subject
        event.occur = event.order = header.occur_time_micros = occur
        if header.precision:
            event.order = order_time(occur, header.precision)
        event.record = header.record_time_micros = record
        return event

    @property
    def exempt(self) -> bool:
        """True when it was imported or recorded late on purpose: never refused for a life cycle."""
        return bool(self.header.import_run) or self.header.record_late

    @property
    def said_by(self) -> Event:
        """The event whose content this is: itself, unless it stands corrected. Then it is the correction, which holds a payload."""
        return self

    @property
    def due_setter(self) -> Event:
        """The event that set the dues in this one: itself, unless a correction did. The clock names it, and waits for it."""
        return self

    def __repr__(self) -> str:
        return f"Event({self.position}, {self.stream}@{self.revision}, {self.topic})"
