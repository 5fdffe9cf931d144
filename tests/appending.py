"""Short ways to write appends in tests: payload messages in, events and groups out."""

from __future__ import annotations

from typing import Any

import uuid_utils
from google.protobuf.message import Message

from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.ledger_service_pb2 import EventGroup, StreamExpectation
from ledger.application import Ledger
from ledger.catalogue import BY_FIELD

FIELD_OF = {kind.message: field for field, kind in BY_FIELD.items()}


def to_append(payload: Message, *, occur: int | None = None, **envelope: Any) -> EventToAppend:
    """Return the payload as an event to append, with an id. `occur` is in microseconds; other names are envelope fields."""
    head = EventEnvelope(**{"event_id": str(uuid_utils.uuid7()), **envelope})
    if occur is not None:
        head.occur_time.FromMicroseconds(occur)
    return EventToAppend(envelope=head, payload=Payload(**{FIELD_OF[type(payload)]: payload}))  # type: ignore[arg-type]


def group(*events: EventToAppend, expect: StreamExpectation | None = None) -> EventGroup:
    """Return events as one group."""
    return EventGroup(events=events, expectations=[expect] if expect is not None else [])


def reason_of(error: Any) -> str:
    """Return the reason's name in a group's `google.rpc.Status`; empty when there is none."""
    from google.rpc.error_details_pb2 import ErrorInfo

    info = ErrorInfo()
    for detail in error.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def metadata_of(error: Any) -> dict[str, str]:
    """Return the metadata of a group's refusal."""
    from google.rpc.error_details_pb2 import ErrorInfo

    info = ErrorInfo()
    for detail in error.details:
        if detail.Unpack(info):
            return dict(info.metadata)
    return {}


def append_one(ledger: Ledger, *payloads: Message, internal: bool = False, **envelope: Any) -> str:
    """Append one group; return the reason it was refused for, or an empty text."""
    (result,) = ledger.append([group(*(to_append(payload, **envelope) for payload in payloads))], internal=internal)
    return reason_of(result.error)
