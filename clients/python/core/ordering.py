"""Which events must not overtake one another: what each of them changes, and what it only refers to.

Pure. Read from the descriptors, so that a new event type needs no line here. A key is the name of a stream, such as
`contact-c-1`, or of something else that later events can name: `event-<id>`, `identifier-<type>:<value>`.

- An event *changes* its own stream and is the first to name itself.
- An event *refers to* the contacts, requests, promises, import runs and events that its fields name.
- An event without a life cycle (a fact, a link, a classification) changes what it refers to: its place among its like counts.

Two events may overtake one another unless one of them changes what the other changes or refers to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, NamedTuple

from ledger.api.v1 import options_pb2
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.event_pb2 import EventToAppend, Payload
from ledger.api.v1.ledger_service_pb2 import StreamExpectation

_ENTITY: Final = re.compile(r"(?:.*_)?(contact|request|promise)_ids?")
_EVENT: Final = re.compile(r".*_event_id")
_OTHER: Final = {"in_reply_to": "contact", "reply_to": "contact", "run_id": "import"}
_PLACE: Final = re.compile(r"\{(\w+)\}")
_TARGET: Final = "response-"
"""Response targets are named like promises, and live in the stream of their contact."""


class Keys(NamedTuple):
    """What a group of events changes, and what it refers to; the two may overlap."""

    changes: list[str]
    refers: list[str]


class _Shape(NamedTuple):
    """How the keys of an event type are found."""

    stream: str
    """Format of its stream; empty when every event of the type has a stream of its own."""
    stream_fields: tuple[str, ...]
    references: tuple[tuple[str, str, bool], ...]
    """Field, prefix of the key, repeated."""
    identifiers: tuple[str, ...]


def keys_of(events: Iterable[EventToAppend], expectations: Iterable[StreamExpectation] = ()) -> Keys:
    """Return the keys of events that are appended together, if these expectations hold."""
    keys = Keys([], [expectation.stream for expectation in expectations])
    for event in events:
        _collect(event, keys)
    return keys


def _collect(event: EventToAppend, keys: Keys) -> None:
    envelope, payload = event.envelope, event.payload
    keys.changes.append(f"event-{envelope.event_id}")
    if envelope.import_run:
        keys.refers.append(f"import-{envelope.import_run}")
    if envelope.causation_id:
        keys.refers.append(f"event-{envelope.causation_id}")
    kind = payload.WhichOneof("kind")
    if kind is None:
        return
    fact: Any = getattr(payload, kind)
    shape = _shape(kind)
    if shape.stream:
        named = [getattr(fact, name) for name in shape.stream_fields]
        # A message of a thread: the ledger names its contact.
        keys.changes.append(shape.stream.format(*named) if all(named) else f"thread-{getattr(fact, 'thread_id', '')}")
        into = keys.refers
    else:
        into = keys.changes
        for name in shape.identifiers:
            one: Identifier = getattr(fact, name)
            if one.value:
                into.append(f"identifier-{one.type}:{one.value.strip().lower()}")
    for name, prefix, repeated in shape.references:
        value = getattr(fact, name)
        for one_id in value if repeated else (value,):
            if one_id:
                into.append(_key(prefix, one_id))


def _key(prefix: str, entity_id: str) -> str:
    if prefix == "promise" and entity_id.startswith(_TARGET):
        return f"contact-{entity_id.removeprefix(_TARGET)}"
    return f"{prefix}-{entity_id}"


@cache
def _shape(kind: str) -> _Shape:
    message = Payload.DESCRIPTOR.fields_by_name[kind].message_type
    assert message is not None
    stream = message.GetOptions().Extensions[options_pb2.event].stream
    references: list[tuple[str, str, bool]] = []
    identifiers: list[str] = []
    for field in message.fields:
        if field.message_type is not None:
            if field.message_type.full_name == Identifier.DESCRIPTOR.full_name:
                identifiers.append(field.name)
            continue
        entity = _ENTITY.fullmatch(field.name)
        prefix = entity[1] if entity else "event" if _EVENT.fullmatch(field.name) else _OTHER.get(field.name)
        # What the stream is named after is a key already; only a promise may stand for something else.
        if prefix is not None and (prefix == "promise" or stream != f"{prefix}-{{{field.name}}}"):
            references.append((field.name, prefix, field.is_repeated))
    if "{event_id}" in stream:
        return _Shape("", (), tuple(references), tuple(identifiers))
    return _Shape(_PLACE.sub("{}", stream), tuple(_PLACE.findall(stream)), tuple(references), tuple(identifiers))
