"""Builds the events and groups that are appended. Ids and times are made here, once, so that sending again is always safe.

Does no input or output.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Final, Literal, TypeAlias, TypeVar
from uuid import UUID

import uuid_utils
from google.protobuf.message import Message

from clients.python.core.arguments import EnumLike, fill, invalid
from ledger.api.v1.event_pb2 import EventCorrected, EventEnvelope, EventToAppend, Payload
from ledger.api.v1.ledger_service_pb2 import EventGroup, StreamExpectation

W = TypeVar("W", bound=EventToAppend | EventGroup)

ExpectationsLike: TypeAlias = Mapping[str, int | Literal["new", "exists"]] | Iterable[StreamExpectation]
"""What must hold for a group: `{"request-4711": 3, "contact-9": "new", "promise-1": "exists"}`, or the messages."""

_FIELDS: Final[dict[str, str]] = {
    field.message_type.full_name: field.name
    for field in Payload.DESCRIPTOR.oneofs_by_name["kind"].fields
    if field.message_type is not None
}


def new_id() -> str:
    """Return a new event id: a UUID version 7, so that ids made one after another stand near one another in the log.

    Example:
        >>> new_id()
        '019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00'
    """
    return str(uuid_utils.uuid7())


def event(
    payload: Message,
    *,
    event_id: str | UUID | uuid_utils.UUID | None = None,
    occur_time: datetime | None = None,
    precision: EnumLike | None = None,
    channel: str | None = None,
    department: str | None = None,
    actor: str | None = None,
    actor_kind: EnumLike | None = None,
    source: str | None = None,
    source_record_time: datetime | None = None,
    import_run: str | None = None,
    record_late: bool = False,
    supervisor: bool = False,
    correlation_id: str | None = None,
    causation_id: str | UUID | uuid_utils.UUID | None = None,
) -> EventToAppend:
    """Return an event to append: `payload` is one of the event messages, the rest its envelope (see EventEnvelope).

    The id is made here when none is given, and the occur time is now: the event may then be sent any number of times and is
    recorded once. Give an `event_id` of your own where the same fact may be read twice from a source. Datetimes need a zone.
    Nothing is checked here but the shapes of the arguments; the ledger checks the rest at append.

    Example:
        >>> event(
        ...     ContactReceived(contact_id="c-1", customer=identifier("email:a@example.org"), reason="delivery"),
        ...     channel="email", department="service", actor="s-17",
        ... )
    """
    envelope = EventEnvelope(event_id=new_id() if event_id is None else str(event_id))
    fill(
        envelope,
        {
            "occur_time": occur_time,
            "precision": precision,
            "channel": channel,
            "department": department,
            "actor": actor,
            "actor_kind": actor_kind,
            "source": source,
            "source_record_time": source_record_time,
            "import_run": import_run,
            "record_late": record_late,
            "supervisor": supervisor,
            "correlation_id": correlation_id,
            "causation_id": causation_id,
        },
    )
    if occur_time is None:
        # Left unset, the ledger would take its own time, another one at each attempt.
        envelope.occur_time.FromMicroseconds(time.time_ns() // 1000)
    if isinstance(payload, Payload):
        return EventToAppend(envelope=envelope, payload=payload)
    name = _FIELDS.get(payload.DESCRIPTOR.full_name)
    if name is None:
        raise invalid("payload", f"{payload.DESCRIPTOR.name} is not an event")
    built = EventToAppend(envelope=envelope)
    kind = getattr(built.payload, name)
    kind.SetInParent()
    kind.CopyFrom(payload)
    return built


def correction(
    stream: str,
    event_id: str | UUID | uuid_utils.UUID,
    said: Message,
    *,
    reason: str = "typing_error",
    approver: str | None = None,
    occurred: datetime | None = None,
    channel: str | None = None,
    said_by_department: str | None = None,
    department: str | None = None,
    supervisor: bool = False,
) -> EventToAppend:
    """Return a correction to append: from there on the event stands as if it had said `said`, all of it.

    `event_id` is the event recorded first, never another correction; `stream` its stream. `occurred`, `channel` and
    `said_by_department` correct when and where it was; unset, they stay. `approver` is required where a due is corrected.
    `department` is the one that corrects: that of the event, unless `supervisor`.

    Example:
        >>> note = client.append(event(NoteAdded(contact_id="c-1", text="Gartenzwerg")))[0]
        >>> client.append(correction(note.stream, note.event_id, NoteAdded(contact_id="c-1", text="Gartenbank")))
    """
    made = EventCorrected(stream=stream, corrected_event_id=str(event_id), reason=reason)
    envelope = {"occur_time": occurred, "channel": channel, "department": said_by_department}
    if any(value is not None for value in envelope.values()):
        fill(made.envelope, envelope)
    fill(made, {"approver": approver})
    built = event(said)
    made.payload.CopyFrom(built.payload)
    return event(made, department=department, supervisor=supervisor)


def group(*events: EventToAppend, expectations: ExpectationsLike = ()) -> EventGroup:
    """Return a group: its events are recorded together or not at all, and only if all expectations hold.

    An event without an id gets one here, for the reason given in `event`.

    Example:
        >>> group(opened, offered, expectations={"request-4711": "new"})
    """
    return identified(EventGroup(events=events, expectations=expectation_messages(expectations)))


def identified(what: W) -> W:
    """Return an event or group whose events all have ids and times: itself, or a copy that got what it lacked."""
    events = (what,) if isinstance(what, EventToAppend) else what.events
    if all(one.envelope.event_id and one.envelope.HasField("occur_time") for one in events):
        return what
    copied = deepcopy(what)
    for one in (copied,) if isinstance(copied, EventToAppend) else copied.events:
        if not one.envelope.event_id:
            one.envelope.event_id = new_id()
        if not one.envelope.HasField("occur_time"):
            one.envelope.occur_time.FromMicroseconds(time.time_ns() // 1000)
    return copied


def expectation_messages(expectations: ExpectationsLike) -> list[StreamExpectation]:
    """Return the messages of expectations."""
    if not isinstance(expectations, Mapping):
        return list(expectations)
    built: list[StreamExpectation] = []
    for stream, state in expectations.items():
        match state:
            case "new":
                built.append(StreamExpectation(stream=stream, is_new=True))
            case "exists":
                built.append(StreamExpectation(stream=stream, exists=True))
            case int():
                built.append(StreamExpectation(stream=stream, revision=state))
            case _:
                raise invalid("expectations", f"{stream}: expected a revision, new or exists, not {state!r}")
    return built
