"""Set fields of a message from what a person types: `contact_id=c-1`, `answered_by=human`, `due.local=2026-03-28`.

Pure. Everything that cannot be understood is a ValueError that says what can be written instead.
"""

from __future__ import annotations

import difflib
import json
from datetime import UTC
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from clients.cli.customers import parse_identifier
from clients.cli.times import parse_duration, parse_time
from clients.cli.words import number
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.options_pb2 import made

_TRUE, _FALSE = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})


def set_field(message: Message, assignment: str, *, utc: bool = False) -> None:
    """Set one field, named with dots inside messages. A repeated field grows by one item each time it is named.

    Whole messages may be given as JSON: `facts={"key": "order_number", "value": "4711"}`.
    """
    path, equals, text = assignment.partition("=")
    if not equals:
        raise ValueError(f"{assignment!r} sets nothing: write field=value, such as contact_id=c-1.")
    *outer, last = path.strip().split(".")
    for name in outer:
        field = _field(message, name)
        if field.message_type is None or field.is_repeated:
            raise ValueError(f"{name} has no fields inside: write {name}=… without a dot.")
        message = getattr(message, name)
        # Named at all, it is there, even if what is set inside is empty.
        message.SetInParent()
    _set(message, _field(message, last), text.strip(), utc)


def _field(message: Message, name: str) -> FieldDescriptor:
    fields = message.DESCRIPTOR.fields_by_name
    found = fields.get(name)
    if found is not None:
        return cast(FieldDescriptor, found)
    ours = [field.name for field in fields.values() if not field.GetOptions().Extensions[made]]
    near = difflib.get_close_matches(name, ours, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ours)}."
    raise ValueError(f"{message.DESCRIPTOR.name} has no field {name}: {hint}")


def _set(message: Message, field: FieldDescriptor, text: str, utc: bool) -> None:
    if field.is_repeated:
        items = getattr(message, field.name)
        if field.message_type is None:
            items.append(_scalar(field, text))
        else:
            _fill(items.add(), field, text, utc)
    elif field.message_type is None:
        setattr(message, field.name, _scalar(field, text))
    else:
        inner = getattr(message, field.name)
        inner.SetInParent()
        _fill(inner, field, text, utc)


def _scalar(field: FieldDescriptor, text: str) -> Any:
    if field.enum_type is not None:
        try:
            return number(field.enum_type, text)
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError(f"{field.name}: {text!r} is neither yes nor no.")
            return text.lower() in _TRUE
        case FieldDescriptor.CPPTYPE_INT32 | FieldDescriptor.CPPTYPE_INT64:
            try:
                return int(text)
            except ValueError:
                raise ValueError(f"{field.name}: {text!r} is not a whole number.") from None
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            try:
                return bytes.fromhex(text)
            except ValueError:
                raise ValueError(f"{field.name}: {text!r} is not hexadecimal.") from None
    return text


def _fill(message: Any, field: FieldDescriptor, text: str, utc: bool) -> None:
    """Fill a message from one text: its own way of writing, or JSON."""
    try:
        if text.startswith("{"):
            json_format.Parse(text, message)
        elif isinstance(message, Identifier):
            message.CopyFrom(parse_identifier(text))
        elif message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
            message.FromDatetime(parse_time(text, utc=utc).astimezone(UTC).replace(tzinfo=None))
        elif message.DESCRIPTOR.full_name == "google.protobuf.Duration":
            message.FromTimedelta(parse_duration(text))
        else:
            inside = ", ".join(f"{field.name}.{inner.name}" for inner in message.DESCRIPTOR.fields)
            raise ValueError(f"it has fields inside: set {inside}, or give JSON")
    except json_format.ParseError as error:
        raise ValueError(f"{field.name}: {_reason(error)}") from None
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from None


def _reason(error: json_format.ParseError) -> str:
    """Return what json_format complains about, without the names of our classes."""
    cause = error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return f"not JSON ({cause.msg} at character {cause.pos + 1})"
    return str(error).partition("\n")[0]
