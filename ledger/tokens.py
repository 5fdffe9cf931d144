"""Ledger tokens and page tokens: opaque texts whose inside is a private message. The only place that writes or reads them.

A text is base64url of a checksum and the message, so that a damaged one is refused instead of being read as another place.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Protocol, cast
from uuid import UUID

from google.protobuf.message import DecodeError, Message

from ledger.api.v1.consistency_pb2 import LedgerToken
from ledger.api.v1.errors_pb2 import (
    PAGE_TOKEN_INVALID,
    TOKEN_MALFORMED,
    TOKEN_OF_OTHER_INCARNATION,
    TOKEN_OF_OTHER_LEDGER,
)
from ledger.errors import LedgerError
from ledger.internal.v1.stored_pb2 import CursorKey, PageCursor, Token

SortKey = int | str | None
"""One sort key of the last row shown on a page."""

PINNED: Final = ("page_token", "page_size", "consistency")
"""Arguments that may differ between pages: the first page's token pins position and times, so they cannot change the rows."""

_CHECKSUM_LENGTH: Final = 4
_DIGEST_LENGTH: Final = 16


class Branch(NamedTuple):
    """One line of history: a ledger and its incarnation. Positions mean something on one branch only."""

    ledger_id: bytes
    """16 bytes."""
    incarnation: int


def write_token(branch: Branch, position: int) -> LedgerToken:
    """Return the token of a position."""
    inside = Token(ledger_id=branch.ledger_id, incarnation=branch.incarnation, position=position)
    return LedgerToken(value=_text(b"ledger", inside))


def read_token(branch: Branch, token: LedgerToken) -> int:
    """Return the position of a token. Raises LedgerError (TOKEN_MALFORMED, TOKEN_OF_OTHER_LEDGER, TOKEN_OF_OTHER_INCARNATION)."""
    inside = Token()
    if not _read(b"ledger", token.value, inside) or inside.position < 0:
        raise LedgerError(TOKEN_MALFORMED, "The token cannot be read: use one that an append or a read returned, unchanged.")
    _check_branch(branch, inside)
    return inside.position


def write_page_token(cursor: PageCursor) -> str:
    """Return the page token of a cursor."""
    return _text(b"page", cursor)


def read_page_token(branch: Branch, text: str, digest: bytes) -> PageCursor:
    """Return the cursor of a page token.

    Raises LedgerError (PAGE_TOKEN_INVALID, TOKEN_OF_OTHER_LEDGER, TOKEN_OF_OTHER_INCARNATION). `digest` is
    `arguments_digest` of the call it came with: a token goes with the arguments it was made for.
    """
    cursor = PageCursor()
    if not _read(b"page", text, cursor) or not 0 <= cursor.known_position <= cursor.position:
        raise LedgerError(PAGE_TOKEN_INVALID, "The page token cannot be read: use it unchanged, or start again without it.")
    _check_branch(branch, cursor)
    if cursor.arguments_digest != digest:
        raise LedgerError(
            PAGE_TOKEN_INVALID,
            "The page token belongs to a call with other arguments: ask again with the same ones, or start again without it.",
        )
    return cursor


def arguments_digest(request: Message) -> bytes:
    """Return 16 bytes that are equal for calls that ask the same: name and fields of the request, but for PINNED ones."""
    rest = type(request)()
    rest.CopyFrom(request)
    for name in PINNED:
        if name in rest.DESCRIPTOR.fields_by_name:
            rest.ClearField(name)
    named = rest.DESCRIPTOR.full_name.encode() + b"\0" + rest.SerializeToString(deterministic=True)
    return sha256(named).digest()[:_DIGEST_LENGTH]


def write_keys(keys: Sequence[SortKey]) -> list[CursorKey]:
    """Return sort keys as a cursor holds them."""
    return [CursorKey() if key is None else CursorKey(integer=key) if isinstance(key, int) else CursorKey(text=key) for key in keys]


def read_keys(keys: Sequence[CursorKey]) -> tuple[SortKey, ...]:
    """Return the sort keys that a cursor holds."""
    return tuple(cast(SortKey, getattr(key, which)) if (which := key.WhichOneof("value")) else None for key in keys)


class _OnBranch(Protocol):
    ledger_id: bytes
    incarnation: int


def _check_branch(branch: Branch, inside: _OnBranch) -> None:
    if inside.ledger_id != branch.ledger_id:
        raise LedgerError(
            TOKEN_OF_OTHER_LEDGER,
            f"The token comes from another ledger than this one, {UUID(bytes=branch.ledger_id)}: connect to that ledger.",
            ledger_id=UUID(bytes=branch.ledger_id),
        )
    if inside.incarnation != branch.incarnation:
        raise LedgerError(
            TOKEN_OF_OTHER_INCARNATION,
            f"The token comes from incarnation {inside.incarnation} of this ledger, which is now at {branch.incarnation}: "
            "read again without it.",
            token_incarnation=inside.incarnation,
            incarnation=branch.incarnation,
        )


def _text(kind: bytes, inside: Message) -> str:
    content = inside.SerializeToString(deterministic=True)
    encoded = binascii.b2a_base64(_checksum(kind, content) + content, newline=False)
    return encoded.rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_").decode("ascii")


def _read(kind: bytes, text: str, inside: Message) -> bool:
    """Fill `inside` from a text; False when it is none of ours."""
    try:
        encoded = text.encode("ascii").replace(b"-", b"+").replace(b"_", b"/")
        decoded = binascii.a2b_base64(encoded + b"=" * (-len(encoded) % 4), strict_mode=True)
        content = decoded[_CHECKSUM_LENGTH:]
        if decoded[:_CHECKSUM_LENGTH] != _checksum(kind, content):
            return False
        inside.MergeFromString(content)
    except (UnicodeEncodeError, binascii.Error, DecodeError):
        return False
    return True


def _checksum(kind: bytes, content: bytes) -> bytes:
    return sha256(kind + b"\0" + content).digest()[:_CHECKSUM_LENGTH]
