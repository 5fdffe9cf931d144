"""Whom a person means on the command line: `email:a@example.org`, `phone:+33142000000`, a customer id, or a bare address or number.

Pure.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference

FORMS: Final = "email:a@example.org, phone:+33142000000, or a customer id"
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PHONE: Final = re.compile(r"\+[\d .()-]{6,}")


def parse_identifier(text: str) -> Identifier:
    """Return the identifier a person wrote. Raises ValueError that says what to write."""
    text = text.strip()
    kind, colon, value = text.partition(":")
    if colon and _TYPE.fullmatch(kind) and value.strip():
        return Identifier(type=kind, value=value.strip())
    if _PHONE.fullmatch(text):
        return Identifier(type="phone", value=text)
    if "@" in text and " " not in text and not colon:
        return Identifier(type="email", value=text)
    raise ValueError(f"{text!r} is nobody: write {FORMS}.")


def parse_customer(text: str) -> CustomerReference:
    """Return the customer a person means. Raises ValueError that says what to write."""
    try:
        return CustomerReference(customer_id=str(uuid.UUID(text.strip())))
    except ValueError:
        return CustomerReference(identifier=parse_identifier(text))
