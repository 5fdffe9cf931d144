"""Check messages against the rules in the protos, and say what is wrong by reason and field.

Pure but for the compiled rules, which the library keeps. The text of a violation never holds the value.
"""

from __future__ import annotations

import re
from typing import Any, Final

import protovalidate
from google.protobuf.message import Message

from ledger.api.v1.errors_pb2 import (
    CODE_MALFORMED,
    FIELD_INVALID,
    FIELD_REQUIRED,
    FIELD_UNKNOWN,
    ID_MALFORMED,
    TEXT_TOO_LONG,
    TIME_OUT_OF_RANGE,
    ErrorReason,
)
from ledger.errors import LedgerError

VIOLATIONS_MAX: Final = 10
ID_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9._:-]{0,"
CODE_PATTERN: Final = "a-z0-9_]{0,"

PERSONAL_ID: Final = re.compile(r"(00[1-9]\d{7,13}|0[1-9]\d{8})$")
"""Ids that look like a phone number as people write it. E-mail addresses already break the pattern of ids."""

_validator: Final = protovalidate.Validator()


def check(message: Message, path: str = "") -> None:
    """Raise LedgerError when the message breaks a rule of the protos; `path` names it in the violations."""
    found = _validator.collect_violations(message)
    if found:
        raise _refusal(found[:VIOLATIONS_MAX], path)


def violations(message: Message) -> list[tuple[str, str]]:
    """Return every breach of the protos' rules, as field and text, instead of raising."""
    return [(_path(one.proto, ""), _text(one.proto)) for one in _validator.collect_violations(message)]


def check_known(message: Message, path: str = "") -> None:
    """Raise LedgerError when the message or one inside it carries a field this version does not know.

    The unknown bytes are dropped from the message on the way: it is refused, so nobody misses them.
    """
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        where = path or message.DESCRIPTOR.name
        raise LedgerError(
            FIELD_UNKNOWN,
            f"{where} carries a field that this ledger does not know: update the ledger, or drop the field.",
            violations=[(where, "unknown field")],
            field=where,
        )


def warm(message: Message) -> None:
    """Compile the rules of a message type: the first check of a type costs 15-25 ms."""
    _validator.collect_violations(message)


def _refusal(violations: list[Any], path: str) -> LedgerError:
    faults: list[tuple[str, str]] = []
    for violation in violations:
        proto = violation.proto
        faults.append((_path(proto, path), _text(proto)))
    reason = _reason(violations[0])
    listed = "; ".join(f"{field}: {text}" for field, text in faults)
    return LedgerError(reason, f"{listed}. Mend the fields named and send again.", violations=faults, field=faults[0][0])


def _text(proto: Any) -> str:
    return str(proto.message) or str(proto.rule_id)


def _path(proto: Any, prefix: str) -> str:
    # A rule of a whole message names no field.
    elements = proto.field.elements if proto.field else ()
    steps = [element.field_name + (f"[{element.subscript.value}]" if element.subscript else "") for element in elements]
    return ".".join([prefix, *steps] if prefix else steps)


def _reason(violation: Any) -> ErrorReason.ValueType:
    rule = str(violation.proto.rule_id)
    if rule.endswith(("required", "min_items", "min_len", "_empty")) and not rule.endswith("pattern"):
        return FIELD_REQUIRED
    if "uuid" in rule:
        return ID_MALFORMED
    if rule.endswith("pattern"):
        pattern = str(violation.rule_value)
        if ID_PATTERN in pattern:
            return ID_MALFORMED
        return CODE_MALFORMED if CODE_PATTERN in pattern else FIELD_INVALID
    if rule.endswith(("max_len", "max_bytes")):
        return TEXT_TOO_LONG
    if rule.startswith("timestamp"):
        return TIME_OUT_OF_RANGE
    return FIELD_INVALID
