"""Short ways to write corrections and retractions in tests."""

from __future__ import annotations

import uuid
from typing import Any

from google.protobuf.message import Message

from ledger.api.v1.event_pb2 import CorrectedEnvelope, EventCorrected, Payload
from ledger.api.v1.governance_pb2 import EventRetracted
from ledger.event import Event
from tests.appending import FIELD_OF


def correction(of: Event, said: Message, *, approver: str = "", reason: str = "typing_error", **envelope: Any) -> EventCorrected:
    """Return a correction of a recorded event: all that it should have said. `occur` is in microseconds, others envelope fields."""
    made = EventCorrected(
        stream=of.stream,
        corrected_event_id=text(of),
        reason=reason,
        payload=Payload(**{FIELD_OF[type(said)]: said}),  # type: ignore[arg-type]
    )
    if approver:
        made.approver = approver
    occur = envelope.pop("occur", None)
    if envelope or occur is not None:
        made.envelope.CopyFrom(CorrectedEnvelope(**envelope))
    if occur is not None:
        made.envelope.occur_time.FromMicroseconds(occur)
    return made


def retraction(of: Event, *, reason: str = "recorded_twice") -> EventRetracted:
    """Return a retraction of a recorded event, or of a correction or retraction."""
    return EventRetracted(stream=of.stream, retracted_event_id=text(of), reason=reason)


def text(event: Event) -> str:
    """Return the id of an event as payloads name it."""
    return str(uuid.UUID(bytes=event.event_id))
