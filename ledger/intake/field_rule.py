"""The rules that the protos set on a field, as far as they are simple: what plain.py accepts by itself.

Read from the options' own bytes: importing the rules' messages would register them in every process that imports the ledger. The
numbers are those of buf/validate/validate.proto, which never change. Whatever is not known here makes a field `UnsureError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

RULES: Final = 1159
"""Number of the rules among the options of a field, a message or a oneof."""

REQUIRED: Final = 25
"""Number of the rule that a field must be set."""

_INT32, _INT64, _BOOL, _STRING, _BYTES, _ENUM, _REPEATED, _DURATION, _TIMESTAMP = 3, 4, 13, 14, 15, 16, 18, 21, 22
_MIN_LEN, _MAX_LEN, _PATTERN, _UUID, _LEN = 2, 3, 6, 22, 13
_MIN_ITEMS, _MAX_ITEMS, _ITEMS = 1, 2, 4
_CONST, _LT, _LTE, _GT, _GTE = 1, 2, 3, 4, 5
_TIME_LT, _TIME_GT, _TIME_GTE = 3, 5, 6
_DEFINED_ONLY, _NOT_IN = 2, 4

UUID: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
BYTES_MAX: Final = 1 << 30
CODES_KEPT: Final = 10_000
"""Of each pattern so many accepted values are remembered: codes and ids come again and again."""

Numbers = Container[int]
Said = dict[int, list[int | bytes]]
"""A message of options: what stands under each number."""


class UnsureError(Exception):
    """A rule that is not known here: whether a value keeps to it, the library has to say."""


def has_rules(described: Descriptor | OneofDescriptor) -> bool:
    """True when rules bind a message, or a oneof, as a whole."""
    return RULES in _said_of(described.GetOptions())


def rules_of(field: FieldDescriptor) -> Said:
    """Return the rules of a field."""
    content = _said_of(field.GetOptions()).get(RULES)
    return {} if content is None else _parsed(content)


def is_required(rules: Said) -> bool:
    """True when the field has to be set: to be there, or to hold an item."""
    return bool(_one(rules, REQUIRED, 0)) or bool(_one(_repeated(rules), _MIN_ITEMS, 0))


def items_of(rules: Said) -> tuple[int, Said]:
    """Return how many items a repeated field may have, and the rules of each."""
    repeated = _repeated(rules)
    _only(repeated, _MIN_ITEMS, _MAX_ITEMS, _ITEMS)
    _only(rules, _REPEATED, REQUIRED)
    if _one(repeated, _MIN_ITEMS, 0) > 1:
        raise UnsureError
    return _one(repeated, _MAX_ITEMS, BYTES_MAX), _parsed(repeated.get(_ITEMS, []))


def sizes_of(rules: Said, kind: int) -> tuple[int, int] | None:
    """Return between which sizes in bytes every value of a string or bytes field is good; None when the size does not tell."""
    said = _typed(rules, _STRING if kind == FieldDescriptor.TYPE_STRING else _BYTES)
    if kind != FieldDescriptor.TYPE_STRING:
        _only(said, _LEN)
        size = _one(said, _LEN, -1)
        return (0, BYTES_MAX) if size < 0 else (size, size)
    if _PATTERN in said or _UUID in said:
        return None
    _only(said, _MIN_LEN, _MAX_LEN)
    # A rule counts characters, of one to four bytes.
    return max(0, _one(said, _MIN_LEN, 0) * 4 - 3), _one(said, _MAX_LEN, BYTES_MAX)


def text_check(rules: Said, unlike: re.Pattern[bytes] | None = None) -> tuple[Container[bytes], Callable[[bytes], bool]]:
    """Return the values of a patterned string field known to be good, and how others are judged. `unlike`: what it must not match.

    Only ASCII is judged: there bytes are characters. A value is accepted when the whole of it matches, which is less than the rule
    asks, and the same for patterns from `^` to `$`.
    """
    said = _typed(rules, _STRING)
    _only(said, _MIN_LEN, _MAX_LEN, _PATTERN, _UUID)
    low, high = _one(said, _MIN_LEN, 0), _one(said, _MAX_LEN, BYTES_MAX)
    patterns = [bytes(one) for one in said.get(_PATTERN, []) if isinstance(one, bytes)] + ([UUID.encode()] if _UUID in said else [])
    if not all(one.isascii() and b"[^" not in one for one in patterns):
        raise UnsureError
    matches = [re.compile(one).fullmatch for one in patterns]
    accepted: set[bytes] = set()

    def check(value: bytes) -> bool:
        if not (value.isascii() and low <= len(value) <= high and all(match(value) for match in matches)):
            return False
        if unlike is not None and unlike.match(value):
            return False
        if len(accepted) >= CODES_KEPT:
            accepted.clear()
        accepted.add(value)
        return True

    return accepted, check


def numbers_of(field: FieldDescriptor, rules: Said) -> Numbers:
    """Return the numbers that are good in an enum, bool or integer field; none below 0."""
    if field.type == FieldDescriptor.TYPE_ENUM:
        said = _typed(rules, _ENUM)
        _only(said, _DEFINED_ONLY, _NOT_IN)
        assert field.enum_type is not None
        return frozenset(value.number for value in field.enum_type.values if value.number >= 0).difference(said.get(_NOT_IN, []))
    if field.type == FieldDescriptor.TYPE_BOOL:
        said = _typed(rules, _BOOL)
        _only(said, _CONST)
        return frozenset({_one(said, _CONST, 0)} if _CONST in said else {0, 1})
    bits = {FieldDescriptor.TYPE_INT32: (_INT32, 31), FieldDescriptor.TYPE_INT64: (_INT64, 63)}.get(field.type)
    if bits is None:
        raise UnsureError
    said = _typed(rules, bits[0])
    _only(said, _LT, _LTE, _GT, _GTE)
    low = max(0, _one(said, _GTE, 0), _one(said, _GT, -1) + 1)
    high = (1 << bits[1]) - 1
    high = min(high, _one(said, _LTE, high), _one(said, _LT, high + 1) - 1)
    return range(low, high + 1)


def seconds_of(field: FieldDescriptor, rules: Said) -> Numbers:
    """Return the whole seconds that are good in a Timestamp or Duration field, whatever the fraction; none below 0."""
    assert field.message_type is not None
    said = _typed(rules, _TIMESTAMP if field.message_type.name == "Timestamp" else _DURATION)
    _only(said, _TIME_LT, _TIME_GT, _TIME_GTE)
    low, high = 0, 1 << 32
    for number, values in said.items():
        bound = _parsed(values)
        _only(bound, 1)
        seconds = _one(bound, 1, 0)
        # Of a lower bound that is left out itself, all of its second is left to the library.
        low, high = (low, min(high, seconds)) if number == _TIME_LT else (max(low, seconds + (number == _TIME_GT)), high)
    return range(low, high)


def _repeated(rules: Said) -> Said:
    return _parsed(rules.get(_REPEATED, []))


def _typed(rules: Said, number: int) -> Said:
    _only(rules, number, REQUIRED)
    return _parsed(rules.get(number, []))


def _only(said: Said, *known: int) -> None:
    if not said.keys() <= set(known):
        raise UnsureError


def _one(said: Said, number: int, default: int) -> int:
    value = said.get(number, [default])[-1]
    if not isinstance(value, int):
        raise UnsureError
    return value - (1 << 64) if value >= 1 << 63 else value


def _parsed(contents: list[int | bytes]) -> Said:
    said: Said = {}
    for content in contents:
        if not isinstance(content, bytes):
            raise UnsureError
        for number, values in _said_of(Empty.FromString(content)).items():
            said.setdefault(number, []).extend(values)
    return said


def _said_of(message: Message) -> Said:
    said: Said = {}
    unknown: Any = UnknownFieldSet(message)
    for field in unknown:
        said.setdefault(field.field_number, []).append(field.data)
    return said
