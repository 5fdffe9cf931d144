"""Plain messages: those whose bytes alone show that they keep to every rule, and what of them is clear and what is sealed.

One pass over the bytes of a message, as this process serialised it, does what otherwise takes several over its fields: rules of
the protos, unknown fields, fields that only the ledger sets, ids that look like a phone number, and the division. It only ever
accepts. Whatever it is not sure of (a rule it does not know, a rare type, anything wrong) is asked again of the library and of
receive.py, whose verdict and words are the only ones a caller sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container
from functools import cache
from typing import Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ledger.catalogue import CORRECTED, IDENTIFIER, TIME_TYPES, is_clear, is_made
from ledger.intake.field_rule import (
    REQUIRED,
    Numbers,
    Said,
    UnsureError,
    has_rules,
    is_required,
    items_of,
    numbers_of,
    rules_of,
    seconds_of,
    sizes_of,
    text_check,
)
from ledger.intake.validate import PERSONAL_ID

_CODE, _TEXT, _NUMBER, _TIME, _MESSAGE, _IDENTIFIER = range(6)
_PERSONAL_ID: Final = re.compile(PERSONAL_ID.pattern.encode())
NANOS_MAX: Final = 999_999_999
_LENGTH_DELIMITED, _VARINT = 2, 0

Check = Callable[[bytes], bool]


class Field(NamedTuple):
    """How one field is read. Singular and repeated fields alike: each item stands alone in the bytes."""

    how: int
    stays: bool
    """It is clear, and all of it."""
    others: int
    """Mask that takes its bit out of the required fields that are missing."""
    count_max: int
    """Of a repeated field; 0: singular."""
    known: Container[bytes]
    check: Check
    """Of codes: values known to be good, and how others are judged."""
    numbers: Numbers
    """Good numbers, seconds, or sizes in bytes."""
    inner: Shape | None
    name: str


class Shape(NamedTuple):
    """How a message type is read."""

    fields: dict[int, Field]
    """By the tag's bytes, read as a little-endian number."""
    required: int
    """A bit for each field that must be there."""


class Plain(NamedTuple):
    """A message that keeps to all rules, divided."""

    clear: bytes
    """Its bytes without what is sealed; of identifiers the type alone."""
    sealed: bytes
    """What is sealed but identifiers, as bytes of a message of its type; empty where nothing is."""
    identifiers: tuple[tuple[str, str, str], ...]
    """Field, type and value of each identifier, as given."""


def _never(value: bytes) -> bool:
    return False


@cache
def event_shape(descriptor: Descriptor) -> Shape | None:
    """Return how events of a type are read; None when the library has to be asked about each."""
    try:
        return _shape(descriptor, top=True, divided=True)
    except UnsureError:
        return None


def whole_shape(descriptor: Descriptor, without: Collection[str] = ()) -> Shape:
    """Return how a message is read that is not divided: all of it is clear. Fields left out make it none of the plain ones."""
    shape = _shape(descriptor, top=False, divided=False)
    return Shape({tag: field for tag, field in shape.fields.items() if field.name not in without}, shape.required)


def read_plain(shape: Shape, content: bytes, start: int, end: int) -> Plain | None:
    """Return a message divided, when its bytes show that it is good; None when others have to judge."""
    found: list[tuple[str, str, str]] = []
    divided = _read(shape, content, start, end, found)
    return None if divided is None else Plain(*divided, tuple(found))


def _read(shape: Shape, content: bytes, at: int, end: int, found: list[tuple[str, str, str]]) -> tuple[bytes, bytes] | None:
    fields, missing = shape
    clear: list[bytes] = []
    sealed: list[bytes] = []
    run = at
    counts: dict[int, int] | None = None
    while at < end:
        start = at
        tag = content[at]
        at += 1
        if tag > 127:
            tag |= content[at] << 8
            at += 1
        field = fields.get(tag)
        if field is None:
            return None
        how, stays, others, count_max, known, check, numbers, inner, name = field
        missing &= others
        if count_max:
            counts = {} if counts is None else counts
            counts[tag] = count = counts.get(tag, 0) + 1
            if count > count_max:
                return None
        size = content[at]
        at += 1
        if size > 127:
            size, at = varint_at(content, at - 1)
            if size < 0:
                return None
        if how == _NUMBER:
            if size not in numbers:
                return None
        else:
            begin, at = at, at + size
            if how == _CODE:
                value = content[begin:at]
                if value not in known and not check(value):
                    return None
            elif how == _TEXT:
                if size not in numbers:
                    return None
            elif how == _TIME:
                if not _is_time(content, begin, at, numbers):
                    return None
            else:
                assert inner is not None
                if how == _IDENTIFIER:
                    divided = _read_identifier(inner, content, begin, at, name, found)
                else:
                    divided = _read(inner, content, begin, at, found)
                if divided is None:
                    return None
                if not stays:
                    head = content[start : start + 1 + (content[start] > 127)]
                    clear += (content[run:start], head, varint(len(divided[0])), divided[0])
                    run = at
                    if divided[1]:
                        sealed += (head, varint(len(divided[1])), divided[1])
                    elif count_max:
                        # Of divided items those with nothing sealed would have to keep their place.
                        return None
                continue
        if not stays:
            sealed.append(content[start:at])
            if run != start:
                clear.append(content[run:start])
            run = at
    if missing:
        return None
    if not clear:
        return content[run:end], b"".join(sealed)
    clear.append(content[run:end])
    return b"".join(clear), b"".join(sealed)


def _read_identifier(
    shape: Shape, content: bytes, at: int, end: int, name: str, found: list[tuple[str, str, str]]
) -> tuple[bytes, bytes] | None:
    """Note type and value, of which the type is clear; the value is sealed under the key of whom it stands for."""
    inner: list[tuple[str, str, str]] = []
    divided = _read(shape, content, at, end, inner)
    if divided is None:
        return None
    clear, sealed = divided
    # Both are required, and stand behind a tag of one byte and their lengths.
    found.append((name, clear[2:].decode(), sealed[2 + (sealed[1] > 127) :].decode()))
    return clear, b""


def _time(content: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Return seconds and nanoseconds of a Timestamp or Duration from the epoch on; None for any other bytes."""
    seconds = nanos = 0
    if at < end and content[at] == 0x08:
        seconds, at = varint_at(content, at + 1)
    if at < end and content[at] == 0x10:
        nanos, at = varint_at(content, at + 1)
    return (seconds, nanos) if at == end and seconds >= 0 and 0 <= nanos <= NANOS_MAX else None


def _is_time(content: bytes, at: int, end: int, good_seconds: Numbers) -> bool:
    time = _time(content, at, end)
    return time is not None and time[0] in good_seconds


def varint_at(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to 63 bits, and where it ends; -1 for those that are longer or negative."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift == 63:
            return -1, at


def varint(number: int) -> bytes:
    """Return a number from 0 on as protobuf writes it."""
    if number < 128:
        return _SMALL[number]
    content = bytearray()
    while number > 127:
        content.append(number & 127 | 128)
        number >>= 7
    content.append(number)
    return bytes(content)


_SMALL: Final = tuple(bytes((number,)) for number in range(128))


def tag_of(field: FieldDescriptor, wire_type: int) -> int:
    """Return a field's tag: its bytes, read as a little-endian number."""
    return int.from_bytes(varint(field.number << 3 | wire_type), "little")


# From descriptors to shapes


def _shape(descriptor: Descriptor, *, top: bool, divided: bool, within: tuple[Descriptor, ...] = ()) -> Shape:
    if has_rules(descriptor) or any(has_rules(oneof) for oneof in descriptor.oneofs) or descriptor in within:
        raise UnsureError
    fields: dict[int, Field] = {}
    required = 0
    for number, field in enumerate(descriptor.fields):
        rules = rules_of(field)
        bit = 1 << number if is_required(rules) else 0
        required |= bit
        if is_made(field):
            continue
        try:
            tag, read = _field(field, rules, top, divided, (*within, descriptor))
        except UnsureError:
            # Left out: the library is asked about those messages where it is set.
            continue
        fields[tag] = read._replace(others=~bit)
    return Shape(fields, required)


def _field(field: FieldDescriptor, rules: Said, top: bool, divided: bool, within: tuple[Descriptor, ...]) -> tuple[int, Field]:
    count_max = 0
    if field.is_repeated:
        count_max, rules = items_of(rules)
    elif not field.has_presence:
        raise UnsureError
    stays = not divided or is_clear(field)
    read = Field(_NUMBER, stays, -1, count_max, frozenset(), _never, frozenset(), None, field.name)
    inner = field.message_type
    if inner is not None:
        tag = tag_of(field, _LENGTH_DELIMITED)
        if inner.full_name in TIME_TYPES:
            return tag, read._replace(how=_TIME, numbers=seconds_of(field, rules))
        if rules.keys() - {REQUIRED} or inner.full_name == CORRECTED:
            raise UnsureError
        how = _IDENTIFIER if top and inner.full_name == IDENTIFIER and not count_max else _MESSAGE
        return tag, read._replace(how=how, inner=_shape(inner, top=False, divided=not stays, within=within))
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        tag = tag_of(field, _LENGTH_DELIMITED)
        sizes = sizes_of(rules, field.type)
        if sizes is not None:
            return tag, read._replace(how=_TEXT, numbers=range(sizes[0], sizes[1] + 1))
        is_id = top and field.name.endswith("_id") and not count_max
        known, check = text_check(rules, _PERSONAL_ID if is_id else None)
        return tag, read._replace(how=_CODE, known=known, check=check)
    if count_max:
        # Packed.
        raise UnsureError
    return tag_of(field, _VARINT), read._replace(numbers=numbers_of(field, rules))
