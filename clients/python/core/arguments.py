"""Turns what callers write (texts, datetimes, tuples) into messages of the API.

Pure. What cannot be read is an `InvalidError`; an argument that does not exist is a `TypeError`, as in any Python call.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias, TypedDict, cast

import uuid_utils
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from clients.python.errors import InvalidError, Violation
from ledger.api.v1.consistency_pb2 import AsOf as AsOfMessage
from ledger.api.v1.consistency_pb2 import LedgerToken
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference

CustomerLike: TypeAlias = str | tuple[str, str] | Identifier | CustomerReference | uuid.UUID | uuid_utils.UUID
"""Who is meant: `"email:a@example.org"`, `("email", "a@example.org")`, an `Identifier`, or a customer id (UUID, or its text)."""

ConsistencyLike: TypeAlias = Literal["latest", "read_your_writes", "any"] | LedgerToken
"""How fresh an answer must be; see `Client`. A token means: at least what it saw."""

Names: TypeAlias = str | Iterable[str]
"""One code or several."""

EnumLike: TypeAlias = str | int
"""A value of an enum: its number, its name, or the end of its name: `"pending"`, `"to_department"`."""

EnumsLike: TypeAlias = EnumLike | Iterable[EnumLike]
"""One value of an enum or several."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """How far back an answer looks, on both axes.

    `known`: nothing recorded later is seen; a position, or a record time (both inclusive). `occurred_before`: nothing that
    happened at or after it is seen (exclusive). `evaluated_time`: when ages and *overdue* are judged; by default
    `occurred_before`, else the record time of `known`, else now. Datetimes need a time zone.

    Example:
        >>> client.count_handoffs(as_of=AsOf(occurred_before=datetime(2016, 4, 1, tzinfo=UTC)), pending=True).result.total
        151
    """

    known: int | datetime | None = None
    occurred_before: datetime | None = None
    evaluated_time: datetime | None = None


AsOfLike: TypeAlias = int | datetime | AsOf
"""A position, a record time, or an `AsOf` for both axes."""


class ReadOptions(TypedDict, total=False):
    """What every question takes: how far back (`as_of`), how fresh (`consistency`), and how long to try (`timeout_seconds`)."""

    as_of: AsOfLike | None
    consistency: ConsistencyLike | None
    timeout_seconds: float | None


class ListOptions(ReadOptions, total=False):
    """What every list takes: the read options, and how many rows to fetch at a time (1 to 500, default 50)."""

    page_size: int | None


def invalid(field: str, description: str) -> InvalidError:
    """Return the error for an argument that cannot be read."""
    return InvalidError(
        "FIELD_INVALID", f"The argument {field} cannot be used: mend it.", violations=[Violation(field, description)]
    )


def timestamp(value: datetime, field: str) -> Timestamp:
    """Return the instant as a Timestamp. A time without a zone is refused: it could mean anything."""
    if value.tzinfo is None:
        raise invalid(field, "the time has no zone; give it one, for example tzinfo=UTC")
    message = Timestamp()
    message.FromDatetime(value.astimezone(UTC).replace(tzinfo=None))
    return message


def as_of_message(value: AsOfLike) -> AsOfMessage:
    """Return the API's AsOf."""
    if not isinstance(value, AsOf):
        value = AsOf(known=value)
    message = AsOfMessage()
    if isinstance(value.known, datetime):
        message.record_time.CopyFrom(timestamp(value.known, "as_of.known"))
    elif value.known is not None:
        message.position = value.known
    if value.occurred_before is not None:
        message.occurred_before.CopyFrom(timestamp(value.occurred_before, "as_of.occurred_before"))
    if value.evaluated_time is not None:
        message.evaluated_time.CopyFrom(timestamp(value.evaluated_time, "as_of.evaluated_time"))
    return message


def identifier(value: str | tuple[str, str] | Identifier, field: str = "identifier") -> Identifier:
    """Return an Identifier of `"type:value"` or `(type, value)`.

    Example:
        >>> identifier("email:a@example.org") == Identifier(type="email", value="a@example.org")
        True
    """
    if isinstance(value, Identifier):
        return value
    if isinstance(value, str):
        kind, colon, rest = value.partition(":")
        if not (kind and colon and rest):
            raise invalid(field, "expected type:value, such as email:a@example.org, or a customer id")
        value = (kind, rest)
    return Identifier(type=value[0], value=value[1])


def customer_reference(value: CustomerLike, field: str = "customer") -> CustomerReference:
    """Return whom the caller means."""
    if isinstance(value, CustomerReference):
        return value
    if isinstance(value, uuid.UUID | uuid_utils.UUID):
        return CustomerReference(customer_id=str(value))
    if isinstance(value, str) and ":" not in value:
        try:
            return CustomerReference(customer_id=str(uuid.UUID(value)))
        except ValueError:
            raise invalid(field, "expected type:value, such as email:a@example.org, or a customer id") from None
    return CustomerReference(identifier=identifier(value, field))


def enum_number(enum: EnumDescriptor, value: EnumLike, field: str) -> int:
    """Return the number of an enum's value, given by number, name, or the end of its name in any case."""
    if isinstance(value, int):
        return value
    wanted = value.upper().replace("-", "_")
    found = [v for v in enum.values if v.name == wanted] or [v for v in enum.values if v.name.endswith(f"_{wanted}")]
    if len(found) != 1:
        choices = ", ".join(v.name.lower() for v in enum.values if v.number)
        raise invalid(field, f"{value} is not one of {choices}")
    return found[0].number


def fill(message: Message, values: Mapping[str, Any]) -> None:
    """Set fields of `message` from plain values; None leaves a field unset, and so does False where only True may be said."""
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        if name not in fields:
            raise TypeError(f"There is no argument {name!r}; known are {', '.join(sorted(fields))}.")
        if value is None or value is False:
            continue
        field = fields[name]
        if field.is_repeated:
            items = [value] if isinstance(value, str | int) else value
            getattr(message, name).extend(_converted(field, item) for item in items)
        elif field.message_type is not None:
            getattr(message, name).CopyFrom(_converted(field, value))
        else:
            setattr(message, name, _converted(field, value))


def _converted(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return enum_number(field.enum_type, value, field.name)
    kind = field.message_type.full_name if field.message_type is not None else ""
    if kind == "google.protobuf.Timestamp" and isinstance(value, datetime):
        return timestamp(value, field.name)
    if kind == "google.protobuf.Duration" and isinstance(value, timedelta):
        duration = Duration()
        duration.FromTimedelta(value)
        return duration
    if kind == CustomerReference.DESCRIPTOR.full_name:
        return customer_reference(cast(CustomerLike, value), field.name)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and isinstance(value, uuid.UUID | uuid_utils.UUID):
        return str(value)
    return value
