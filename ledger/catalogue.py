"""The catalogue of event types, read from the protos: the one place that knows which exist and what is sealed in them.

Pure. A new event type is a message with the `event` option and a line in `Payload.kind`; nothing here changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from ledger.api.v1 import options_pb2
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.event_pb2 import EventCorrected, Payload
from ledger.event import Event
from ledger.internal.v1.stored_pb2 import EventHeader

IDENTIFIER: Final = Identifier.DESCRIPTOR.full_name
RESTATING: Final = frozenset({"event-corrected", "event-retracted"})
"""Topics of the events that say how another one stands."""
CORRECTED: Final = EventCorrected.DESCRIPTOR.full_name
TIME_TYPES: Final = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})
_PLACE: Final = re.compile(r"\{(\w+)\}")


class EventType(NamedTuple):
    """One event type, as its message says."""

    topic: str
    field: str
    """Name of its line in `Payload.kind`."""
    area: str
    """Name of the proto file it stands in."""
    message: type[Any]
    stream: str
    """Template of its stream."""
    opener: bool
    subject: tuple[str, ...]
    """Where its subject is looked for, in order: Identifier fields or stream templates."""
    reserved: bool
    clock: bool
    identifiers: tuple[str, ...]
    """Names of its Identifier fields, in order of number."""
    own_stream: bool
    """Each event has a stream of its own, named by its id."""

    def stream_of(self, payload: Any, event_id: str) -> str:
        """Return the stream of an event of this type."""
        return expand(self.stream, payload, event_id) or ""


def expand(template: str, payload: Any, event_id: str = "") -> str | None:
    """Fill a stream template from the payload's fields; None when a field it needs is unset."""
    begin, names, end = _places(template)
    if len(names) == 1:
        (name,) = names
        if name == "event_id":
            return f"{begin}{event_id}{end}"
        return f"{begin}{getattr(payload, name)}{end}" if payload.HasField(name) else None
    values: list[str] = []
    for name in names:
        if name != "event_id" and not payload.HasField(name):
            return None
        values.append(event_id if name == "event_id" else str(getattr(payload, name)))
    return begin.format(*values)


@cache
def _places(template: str) -> tuple[str, tuple[str, ...], str]:
    """Return the names in a template; where there is one, between what stands before and behind it; else behind its format."""
    names = tuple(_PLACE.findall(template))
    if len(names) != 1:
        return _PLACE.sub("{}", template), names, ""
    begin, _, end = _PLACE.split(template)
    return begin, names, end


def _event_types() -> Iterator[EventType]:
    for line in Payload.DESCRIPTOR.oneofs_by_name["kind"].fields:
        descriptor = line.message_type
        assert descriptor is not None
        option = descriptor.GetOptions().Extensions[options_pb2.event]
        if not option.topic:
            raise ValueError(f"{descriptor.full_name} stands in Payload.kind without a topic")
        yield EventType(
            topic=option.topic,
            field=line.name,
            area=descriptor.file.name.rsplit("/", 1)[-1].removesuffix(".proto"),
            message=GetMessageClass(descriptor),
            stream=option.stream,
            opener=option.opener,
            subject=tuple(option.subject),
            reserved=option.reserved,
            clock=option.clock,
            identifiers=tuple(f.name for f in descriptor.fields if f.message_type and f.message_type.full_name == IDENTIFIER),
            own_stream="{event_id}" in option.stream,
        )


BY_FIELD: Final[dict[str, EventType]] = {kind.field: kind for kind in _event_types()}
"""Every event type, by its line in `Payload.kind`."""

BY_TOPIC: Final[dict[str, EventType]] = {kind.topic: kind for kind in BY_FIELD.values()}
"""Every event type, by its stored name."""


class UnknownTopicError(Exception):
    """The log holds an event type that this version does not know: update it."""

    def __init__(self, topic: str, position: int) -> None:
        super().__init__(f"Event {position} is of the type {topic}, which this version does not know: update it.")
        self.topic = topic
        self.position = position


def read_event(position: int, header_bytes: bytes, parts: bytes | None = None) -> Event:
    """Return the event stored under a position, its clear payload parsed."""
    header = EventHeader.FromString(header_bytes)
    kind = BY_TOPIC.get(header.topic)
    if kind is None:
        raise UnknownTopicError(header.topic, position)
    return Event(position=position, header=header, payload=kind.message.FromString(header.payload), parts=parts, clock=kind.clock)


# What is clear and what is sealed


class Plan(NamedTuple):
    """What becomes of a message's fields when it is sealed."""

    sealed: tuple[str, ...]
    """Fields that move into the sealed part whole."""
    single: tuple[tuple[str, Plan], ...]
    """Message fields that are divided in turn."""
    repeated: tuple[tuple[str, Plan], ...]
    """Repeated message fields whose items are divided in turn."""


@cache
def plan_of(descriptor: Descriptor) -> Plan:
    """Return how a message is divided. Sealed is the default: only fields marked `clear` stay."""
    sealed: list[str] = []
    single: list[tuple[str, Plan]] = []
    repeated: list[tuple[str, Plan]] = []
    for field in descriptor.fields:
        if is_clear(field):
            continue
        inner = field.message_type
        # A correction holds the payload that it corrects to, which is never a correction: there the division ends.
        if inner is None or inner.full_name in TIME_TYPES or inner.full_name == CORRECTED:
            sealed.append(field.name)
            continue
        plan = plan_of(inner)
        if plan == Plan((), (), ()):
            continue
        (repeated if field.is_repeated else single).append((field.name, plan))
    return Plan(tuple(sealed), tuple(single), tuple(repeated))


def is_clear(field: FieldDescriptor) -> bool:
    """True when the field is marked to stand unsealed."""
    return bool(field.GetOptions().Extensions[options_pb2.clear])


def is_made(field: FieldDescriptor) -> bool:
    """True when only the ledger sets the field."""
    return bool(field.GetOptions().Extensions[options_pb2.made])


def is_mandatory(field: FieldDescriptor) -> bool:
    """True when an event without the field is refused."""
    options: Any = UnknownFieldSet(field.GetOptions())
    rules = (Empty.FromString(one.data) for one in options if one.field_number == _RULES)
    return any(rule.field_number == _REQUIRED and rule.data for one in rules for rule in cast("Any", UnknownFieldSet(one)))


_RULES: Final = 1159
"""Number of the rules among a field's options (buf/validate/validate.proto, whose classes are not loaded for this)."""
_REQUIRED: Final = 25
"""Number of the rule that it must be set."""


def take_sealed(payload: Message, plan: Plan | None = None, skip: tuple[str, ...] = ()) -> Message | None:
    """Move what is sealed out of `payload` into a message of the same type; None when there is nothing.

    Items of repeated fields keep their places: `put_back` needs as many on both sides. `skip` names top-level fields that are
    sealed under a key of their own.
    """
    plan = plan or plan_of(payload.DESCRIPTOR)
    part: Any = None
    source: Any = payload
    for name in plan.sealed:
        field = source.DESCRIPTOR.fields_by_name[name]
        if field.is_repeated:
            values = getattr(source, name)
            if not values:
                continue
            part = part if part is not None else type(source)()
            getattr(part, name).extend(values)
        elif source.HasField(name):
            part = part if part is not None else type(source)()
            value = getattr(source, name)
            if field.message_type is None:
                setattr(part, name, value)
            else:
                getattr(part, name).CopyFrom(value)
        else:
            continue
        source.ClearField(name)
    for name, inner in plan.single:
        if name in skip or not source.HasField(name):
            continue
        taken = take_sealed(getattr(source, name), inner)
        if taken is not None:
            part = part if part is not None else type(source)()
            getattr(part, name).CopyFrom(taken)
    for name, inner in plan.repeated:
        items = getattr(source, name)
        taken_items = [take_sealed(item, inner) for item in items]
        if any(taken is not None for taken in taken_items):
            part = part if part is not None else type(source)()
            target = getattr(part, name)
            for item, taken in zip(items, taken_items, strict=True):
                target.append(taken if taken is not None else type(item)())
    return cast("Message | None", part)


def put_back(payload: Message, part: Message, plan: Plan | None = None) -> None:
    """Put what `take_sealed` took back into the clear payload."""
    plan = plan or plan_of(payload.DESCRIPTOR)
    target: Any = payload
    source: Any = part
    for name in plan.sealed:
        field = source.DESCRIPTOR.fields_by_name[name]
        if field.is_repeated:
            getattr(target, name).extend(getattr(source, name))
        elif source.HasField(name):
            if field.message_type is None:
                setattr(target, name, getattr(source, name))
            else:
                getattr(target, name).CopyFrom(getattr(source, name))
    for name, inner in plan.single:
        if source.HasField(name):
            put_back(getattr(target, name), getattr(source, name), inner)
    for name, inner in plan.repeated:
        for to_item, from_item in zip(getattr(target, name), getattr(source, name), strict=False):
            put_back(to_item, from_item, inner)


def put_back_bytes(payload: Message, content: bytes) -> None:
    """Put a sealed part, as serialised, back into the clear payload: what `put_back` does of the parsed part, several times faster.

    Merging bytes would append the items of divided repeated fields instead of completing them; where there are any, they are put
    back one by one.
    """
    plan = plan_of(payload.DESCRIPTOR)
    if _merges(payload.DESCRIPTOR) and not any(getattr(payload, name) for name, _ in plan.repeated):
        payload.MergeFromString(content)
    else:
        put_back(payload, type(payload).FromString(content), plan)


@cache
def _merges(descriptor: Descriptor) -> bool:
    return all(not inner.repeated and not inner.single for _, inner in plan_of(descriptor).single)
