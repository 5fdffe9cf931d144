"""Record golden bytes for event types that have none: `python -m tests.golden.record`. Files that exist are never touched.

A golden file holds an event as it is stored (header bytes, and the bytes of its sealed part before sealing) beside what they
mean. Once recorded it must be read the same way for ever, so only a new event type adds a file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict

from ledger.catalogue import BY_TOPIC, EventType, take_sealed
from ledger.event_id import to_text
from ledger.internal.v1.stored_pb2 import EventHeader, PartHeader

FOLDER = Path(__file__).parent / "events"

TEXTS = {
    "zone": "Europe/Paris",
    "home_zone": "Europe/Paris",
    "default_region": "FR",
    "language": "fr",
    "local": "2026-03-28T14:30",
    "stream": "request-r-1",
}


def sample(message_class: type[Any]) -> Any:
    """Return a message with every field set, the same one always."""
    message = message_class()
    chosen: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and oneof.name in chosen:
            continue
        if oneof is not None:
            chosen.add(oneof.name)
        _fill(message, field)
    return message


def _fill(message: Any, field: FieldDescriptor) -> None:
    if field.message_type is not None and field.message_type.full_name.startswith("google.protobuf."):
        getattr(message, field.name).seconds = 1_770_000_000 + field.number
    elif field.message_type is not None:
        target = getattr(message, field.name)
        item = sample(type(target) if not field.is_repeated else _item_class(field))
        target.append(item) if field.is_repeated else target.CopyFrom(item)
    else:
        value = _scalar(field)
        getattr(message, field.name).append(value) if field.is_repeated else setattr(message, field.name, value)


def _item_class(field: FieldDescriptor) -> type[Any]:
    from google.protobuf.message_factory import GetMessageClass

    assert field.message_type is not None
    return GetMessageClass(field.message_type)


def _scalar(field: FieldDescriptor) -> Any:
    if field.type == field.TYPE_ENUM:
        return 1
    if field.type == field.TYPE_BOOL:
        return True
    if field.type == field.TYPE_BYTES:
        return bytes([field.number]) * 32
    if field.type == field.TYPE_STRING:
        if field.name in TEXTS:
            return TEXTS[field.name]
        return (
            str(UUID(int=field.number))
            if field.name.endswith(("event_id", "subject", "ledger_id"))
            else f"{field.name}_{field.number}"
        )
    return field.number


def record(kind: EventType) -> dict[str, Any]:
    """Return the golden file of an event type."""
    payload = sample(kind.message)
    full = MessageToDict(payload, preserving_proto_field_name=True)
    part = take_sealed(payload)
    header = EventHeader(
        event_id=UUID(int=1).bytes,
        ledger_id=UUID(int=2).bytes,
        stream=kind.stream_of(payload, to_text(UUID(int=1).bytes)),
        topic=kind.topic,
        schema_version=1,
        subject=UUID(int=3).bytes,
        occur_time_micros=1_770_000_000_123_456,
        precision=1,
        channel="phone",
        department="support",
        actor="a-17",
        actor_kind=1,
        actor_known=1,
        source="crm",
        source_record_time_micros=1_770_000_001_000_000,
        import_run="run-1",
        correlation_id="talk-1",
        causation_id=UUID(int=4).bytes,
        payload=payload.SerializeToString(),
        revision=7,
        record_time_micros=1_770_000_002_000_000,
    )
    if part is not None:
        header.parts.append(PartHeader(subject=UUID(int=3).bytes, key_id=1, commitment=bytes(32)))
    return {
        "topic": kind.topic,
        "header": header.SerializeToString().hex(),
        "sealed": part.SerializeToString().hex() if part is not None else "",
        "means": full,
    }


def main() -> None:
    """Add what is missing."""
    FOLDER.mkdir(exist_ok=True)
    for topic, kind in sorted(BY_TOPIC.items()):
        path = FOLDER / f"{topic}.json"
        if not path.exists():
            path.write_text(json.dumps(record(kind), indent=1, sort_keys=True) + "\n")
            print(f"recorded {path.name}")


if __name__ == "__main__":
    main()
