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

from google.protobuf.descriptor import Descriptor

from ledger.api.v1 import options_pb2
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import EventGroup

_ENTITY: Final = re.compile(r"(?:.*_)?(contact|request|promise)_ids?")
_EVENT: Final = re.compile(r".*_event_id")
_OTHER: Final = {"in_reply_to": "contact", "reply_to": "contact", "run_id": "import"}
_PLACE: Final = re.compile(r"\{(\w+)\}")
_TARGET: Final = "promise-response-"
"""Response targets are named like promises, and live in the stream of their contact."""


class Keys(NamedTuple):
    """What a group of events changes, and what else it refers to."""

    changes: frozenset[str]
    touches: frozenset[str]
    """All it names, what it changes included."""


class _Shape(NamedTuple):
    """How the keys of an event type are found."""

    stream: str
    own_stream: bool
    """True when every event of the type has a stream of its own."""
    references: tuple[tuple[str, str, bool], ...]
    """Field, prefix of the key, repeated."""
    identifiers: tuple[str, ...]


def keys_of(group: EventGroup) -> Keys:
    """Return the keys of a group."""
    changes: set[str] = set()
    refers: set[str] = {expectation.stream for expectation in group.expectations}
    for event in group.events:
        _collect(event, changes, refers)
    return Keys(frozenset(changes), frozenset(changes | refers))


def _collect(event: EventToAppend, changes: set[str], refers: set[str]) -> None:
    envelope = event.envelope
    event_id = envelope.event_id
    changes.add(f"event-{event_id}")
    if envelope.import_run:
        refers.add(f"import-{envelope.import_run}")
    if envelope.causation_id:
        refers.add(f"event-{envelope.causation_id}")
    kind = event.payload.WhichOneof("kind")
    if kind is None:
        return
    payload: Any = getattr(event.payload, kind)
    shape = _shape(payload.DESCRIPTOR)
    into = changes if shape.own_stream else refers
    into.update(_references(payload, shape))
    if shape.own_stream:
        for name in shape.identifiers:
            if payload.HasField(name):
                one: Identifier = getattr(payload, name)
                into.add(f"identifier-{one.type}:{one.value.strip().lower()}")
    else:
        changes.add(_PLACE.sub(lambda place: str(getattr(payload, place[1])), shape.stream))


def _references(payload: Any, shape: _Shape) -> Iterable[str]:
    for name, prefix, repeated in shape.references:
        value = getattr(payload, name)
        for one in value if repeated else (value,):
            if one:
                key = f"{prefix}-{one}"
                yield f"contact-{key.removeprefix(_TARGET)}" if key.startswith(_TARGET) else key


@cache
def _shape(descriptor: Descriptor) -> _Shape:
    stream = descriptor.GetOptions().Extensions[options_pb2.event].stream
    references: list[tuple[str, str, bool]] = []
    identifiers: list[str] = []
    for field in descriptor.fields:
        if field.message_type is not None:
            if field.message_type.full_name == Identifier.DESCRIPTOR.full_name:
                identifiers.append(field.name)
            continue
        entity = _ENTITY.fullmatch(field.name)
        prefix = entity[1] if entity else "event" if _EVENT.fullmatch(field.name) else _OTHER.get(field.name)
        if prefix is not None:
            references.append((field.name, prefix, field.is_repeated))
    return _Shape(stream, "{event_id}" in stream, tuple(references), tuple(identifiers))
