"""An event as process-mining tools take it: its clear attributes, and the objects that it concerns.

Only what stands clear in the log is taken: codes, ids, numbers and times. Customers appear as their pseudonyms, order numbers and
the like as the marks of their values. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ledger.api.v1 import options_pb2
from ledger.api.v1.event_pb2 import Payload, RecordedEvent

Value = str | int | bool

TEXT: Final = "string"
NUMBER: Final = "integer"
TRUTH: Final = "boolean"
TIME: Final = "time"
"""Types of attributes, as OCEL 2.0 names them."""

ENVELOPE: Final = (
    ("position", NUMBER),
    ("record_time", TIME),
    ("stream", TEXT),
    ("revision", NUMBER),
    ("department", TEXT),
    ("channel", TEXT),
    ("actor", TEXT),
    ("source", TEXT),
)
"""Attributes that every event has."""

_OBJECTS: Final = {
    "contact_id": ("contact", "contact"),
    "in_reply_to": ("contact", "in reply to"),
    "reply_to": ("contact", "replies to"),
    "request_id": ("request", "request"),
    "request_ids": ("request", "request"),
    "follows_request_id": ("request", "follows"),
    "split_from_request_id": ("request", "split from"),
    "into_request_id": ("request", "merged into"),
    "promise_id": ("promise", "promise"),
    "promise_ids": ("promise", "promise"),
    "replaces_promise_id": ("promise", "replaces"),
    "complaint_id": ("complaint", "complaint"),
    "opportunity_id": ("opportunity", "opportunity"),
    "exception_id": ("exception", "exception"),
    "improvement_id": ("improvement", "improvement"),
    "statement_id": ("statement", "statement"),
}
"""By field: the type of object that it names, and in which role."""

_MAIN: Final = ("request", "contact", "promise", "complaint", "opportunity", "exception", "improvement", "statement")

OBJECT_ATTRIBUTES: Final = {
    "contact": ("channel", "reason"),
    "request": ("reason", "priority", "owner_department"),
    "handoff": ("from_department", "to_department", "type"),
    "promise": ("kind", "owner_department"),
    "complaint": ("reason", "owner_department", "about_department"),
}
"""Attributes of objects, as the event says that opens each."""

OPENERS: Final = {
    "contact-received": "contact",
    "contact-made": "contact",
    "request-opened": "request",
    "handoff-offered": "handoff",
    "promise-made": "promise",
    "complaint-received": "complaint",
}


class ObjectRef(NamedTuple):
    """An object that an event concerns."""

    id: str
    """Unique among all objects: `request:r-1`."""
    type: str
    role: str


class ExportedEvent(NamedTuple):
    """An event as it is exported."""

    id: str
    type: str
    time: datetime
    attributes: dict[str, Value]
    objects: tuple[ObjectRef, ...]
    """Each once in each role; the one whose event it is first."""
    opens: ObjectRef | None
    """The object that it opens, with `attributes` of that."""
    object_attributes: dict[str, str]


class _Field(NamedTuple):
    name: str
    type: str
    enum: Any


def exported(event: RecordedEvent) -> ExportedEvent:
    """Return a recorded event as it is exported."""
    kind = event.payload.WhichOneof("kind")
    payload: Any = getattr(event.payload, kind) if kind else None
    envelope = event.envelope
    attributes: dict[str, Value] = {
        "position": event.position,
        "record_time": iso(event.record_time.ToDatetime(UTC)),
        "stream": event.stream,
        "revision": event.revision,
    }
    for name in ("department", "channel", "actor", "source"):
        if envelope.HasField(name):
            attributes[name] = getattr(envelope, name)
    objects = tuple(dict.fromkeys(_objects(event, payload))) if payload is not None else ()
    if payload is not None:
        attributes.update(_clear(payload))
    opens = next((one for one in objects if one.type == OPENERS.get(event.topic)), None)
    named = OBJECT_ATTRIBUTES.get(opens.type, ()) if opens is not None else ()
    return ExportedEvent(
        id=envelope.event_id,
        type=event.topic,
        time=envelope.occur_time.ToDatetime(UTC),
        attributes=attributes,
        objects=objects,
        opens=opens,
        object_attributes={name: str(attributes[name]) for name in named if name in attributes},
    )


def iso(moment: datetime) -> str:
    """Return an instant as both forms of OCEL and XES take it: UTC, to the microsecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "+00:00"


def attributes_of(topic_field: str) -> list[tuple[str, str]]:
    """Return name and type of the attributes that events of a kind (its line in Payload) may have, in order."""
    field = Payload.DESCRIPTOR.fields_by_name[topic_field]
    assert field.message_type is not None
    found = dict(ENVELOPE)
    found.update({one.name: one.type for one in _fields(field.message_type)})
    return list(found.items())


@cache
def kind_of(topic: str) -> str:
    """Return the line in Payload of a topic; empty for one that this version does not know."""
    for line in Payload.DESCRIPTOR.oneofs_by_name["kind"].fields:
        assert line.message_type is not None
        if line.message_type.GetOptions().Extensions[options_pb2.event].topic == topic:
            return line.name
    return ""


@cache
def _fields(descriptor: Descriptor) -> tuple[_Field, ...]:
    """Return the clear single fields of an event that are no objects."""
    found = []
    for field in descriptor.fields:
        if field.is_repeated or field.name in _OBJECTS or not field.GetOptions().Extensions[options_pb2.clear]:
            continue
        found.append(_Field(field.name, _type_of(field), field.enum_type))
    return tuple(found)


def _type_of(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return TIME if field.message_type.full_name == "google.protobuf.Timestamp" else NUMBER
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return TRUTH
    if field.cpp_type in (FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_ENUM):
        return TEXT
    return NUMBER


def _clear(payload: Any) -> Iterator[tuple[str, Value]]:
    for field in _fields(payload.DESCRIPTOR):
        if not payload.HasField(field.name):
            continue
        value = getattr(payload, field.name)
        if field.enum is not None:
            yield field.name, field.enum.values_by_number[value].name if value in field.enum.values_by_number else str(value)
        elif field.type == TIME:
            yield field.name, iso(value.ToDatetime(UTC))
        elif hasattr(value, "ToMicroseconds"):
            yield field.name, value.ToMicroseconds()
        elif not isinstance(value, bytes):
            yield field.name, value


def _objects(event: RecordedEvent, payload: Any) -> Iterator[ObjectRef]:
    """Yield what an event concerns, what its stream is about first; then its customer, who is there under every event of theirs."""
    named = list(_named(payload))
    own = event.stream.partition("-")[0]
    if own in _MAIN:
        main = f"{own}:{event.stream.partition('-')[2]}"
        named.sort(key=lambda one: one.id != main)
    handoff_id = getattr(payload, "handoff_id", "")
    if handoff_id:
        yield ObjectRef(f"handoff:{payload.request_id}/{handoff_id}", "handoff", "handoff")
    yield from named
    if event.subject:
        yield ObjectRef(f"customer:{event.subject}", "customer", "customer")


def _named(payload: Any) -> Iterator[ObjectRef]:
    for field, value in payload.ListFields():
        if field.name in _OBJECTS:
            type_, role = _OBJECTS[field.name]
            for one in value if field.is_repeated else (value,):
                yield ObjectRef(f"{type_}:{one}", type_, role)
        elif field.message_type is not None and field.message_type.name == "ObjectReference":
            for one in value if field.is_repeated else (value,):
                if one.value_mark:
                    yield ObjectRef(f"{one.type}:{one.value_mark.hex()}", f"object {one.type}", "about")
        elif field.message_type is not None and field.message_type.name == "Identifier" and value.subject:
            yield ObjectRef(f"customer:{value.subject}", "customer", field.name)
