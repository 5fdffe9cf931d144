"""Words for what messages hold: states, kinds, whole events. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice, takewhile
from typing import Any, Final, cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from clients.cli.times import show_duration, show_time
from ledger.api.v1.core_pb2 import Fact, Identifier, ObjectReference
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.event_pb2 import CONTENT_ERASED, CONTENT_WITHHELD, RecordedEvent

SAID: Final = ("summary", "body", "wish", "what", "condition", "note", "text", "why")
"""Fields that hold what somebody said or wrote: shown last and quoted."""

QUIET: Final = frozenset(
    {"set_by_event_id", "fact_event_id", "bot_answers", "value_mark", "subject", "due_time", "language", "body"}
)
"""Fields left out of a line: the whole event is shown by `tellonce replay --event` and by `--json`."""

TELLING: Final = frozenset({"complete", "usable", "shared"})
"""Yes-or-no fields of which the no tells something, too."""

SAID_LENGTH_MAX: Final = 90


def word(enum: EnumDescriptor, number: int) -> str:
    """Return a value of an enum as a word: `HANDOFF_STATE_OFFERED` is `offered`; the unset value is empty."""
    if number == 0:
        return ""
    value = enum.values_by_number.get(number)
    if value is None:
        return f"unknown ({number})"
    return value.name.removeprefix(_prefix(enum)).lower().replace("_", " ")


def words(enum: EnumDescriptor) -> list[str]:
    """Return all values of an enum as options are written: `kept-late`."""
    return [word(enum, value.number).replace(" ", "-") for value in enum.values if value.number]


def number(enum: EnumDescriptor, text: str) -> int:
    """Return the value a person wrote, as a word or by its full name, in any case. Raises ValueError naming the choices."""
    wanted = text.strip().lower().replace("_", "-").replace(" ", "-")
    for value in enum.values:
        if value.number and wanted in {word(enum, value.number).replace(" ", "-"), value.name.lower().replace("_", "-")}:
            return value.number
    raise ValueError(f"{text!r} is not one of {', '.join(words(enum))}.")


@cache
def _prefix(enum: EnumDescriptor) -> str:
    """Return what the names of all values begin with: it says what the enum is, not what the value is."""
    names = [value.name.split("_") for value in enum.values if value.number]
    longest = min(map(len, names)) - 1 if len(names) > 1 else 0
    common = takewhile(lambda words: len(set(words)) == 1, islice(zip(*names, strict=False), longest))
    return "".join(f"{words[0]}_" for words in common)


def topic_words(topic: str) -> str:
    """Return the name of an event type as people read it."""
    return topic.replace("-", " ")


def customer_text(reference: CustomerReference) -> str:
    """Return whom a reference means, as it would be written."""
    if reference.WhichOneof("by") == "identifier":
        return identifier_text(reference.identifier)
    return reference.customer_id


def identifier_text(identifier: Identifier) -> str:
    """Return an identifier as it would be written; its pseudonym's beginning where the value is not shown."""
    return f"{identifier.type}:{plain(identifier.value) or '…' + identifier.subject[-6:]}"


def event_text(event: RecordedEvent, *, utc: bool = False, own_id: bool = False) -> str:
    """Return what an event says in one line: its clear fields, then what was said, quoted.

    `own_id`: also the id of what its stream is about, which a table usually shows beside.
    """
    kind = event.payload.WhichOneof("kind")
    if kind is None:
        return ""
    payload: Any = getattr(event.payload, kind)
    own = "" if own_id else event.stream.partition("-")[2]
    parts = list(_parts(payload, own, utc))
    if event.content == CONTENT_ERASED:
        parts.append("(content erased)")
    elif event.content == CONTENT_WITHHELD:
        parts.append("(content withheld)")
    return ", ".join(parts)


def _parts(payload: Message, own: str, utc: bool) -> Iterator[str]:
    said: list[str] = []
    for field, value in payload.ListFields():
        if field.name in QUIET or value == own or (value is False and field.name not in TELLING):
            continue
        if field.name in SAID:
            said.append(_quoted(value))
            continue
        text = value_text(field, value, utc=utc)
        if text:
            yield text if field.name in {"customer", "reason", "facts", "fact", "objects"} else f"{_label(field.name)} {text}"
    yield from said


def _label(name: str) -> str:
    return name.removesuffix("_id").removesuffix("_ids").removesuffix("_time").replace("_", " ")


def plain(text: str) -> str:
    """Return a text on one line, without control characters: what customers write must not steer the reader's terminal."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _quoted(text: str) -> str:
    line = plain(text)
    return f"“{line[: SAID_LENGTH_MAX - 1]}…”" if len(line) > SAID_LENGTH_MAX else f"“{line}”"


def value_text(field: FieldDescriptor | Any, value: Any, *, utc: bool = False) -> str:
    """Return the value of a field as people read it."""
    if field.is_repeated:
        return " ".join(_one(field, item, utc) for item in value)
    return _one(field, value, utc)


def _one(field: FieldDescriptor | Any, value: Any, utc: bool) -> str:
    if field.enum_type is not None:
        return word(field.enum_type, value)
    if field.message_type is None:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value.hex() if isinstance(value, bytes) else plain(str(value))
    match field.message_type.full_name:
        case "google.protobuf.Timestamp":
            return show_time(value, utc=utc, seconds=False)
        case "google.protobuf.Duration":
            return show_duration(value)
    if isinstance(value, Identifier):
        return identifier_text(value)
    if isinstance(value, Fact):
        return f"{value.key}={plain(value.value)}" if value.value else value.key
    if isinstance(value, ObjectReference):
        return f"{value.type} {plain(value.value)}".rstrip()
    return _nested(value, utc)


def _nested(message: Message, utc: bool) -> str:
    due = cast(Any, message)
    said = message.WhichOneof("said") if "said" in message.DESCRIPTOR.oneofs_by_name else None
    if said == "local":
        return str(due.local).replace("T", " ")
    if said == "instant":
        return show_time(due.instant, utc=utc, seconds=False)
    return " ".join(f"{_label(field.name)} {value_text(field, value, utc=utc)}" for field, value in message.ListFields())
