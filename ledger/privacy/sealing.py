"""Sealed parts and value marks: what of an event is stored so that it can be forgotten.

The formats here are for ever: golden bytes hold them. A part is bound to its event and place, and its header entry commits to its
content without saying anything about it once the salt is gone with the key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.internal.v1.stored_pb2 import PartHeader
from ledger.privacy.derivation import MARK, derived_key
from ledger.privacy.mac import hmac_sha256

CONTENT: Final = 1
"""Class of a part: content."""

NONCE_BYTES: Final = 12
MARK_BYTES: Final = 16
_SALT_BYTES: Final = 16
_CLASS: Final[dict[str, Any]] = {"class": CONTENT}
"""`class` is a word of Python's own."""
_COMMITMENT_PREFIX: Final = b"\x02"


class SubjectKey(NamedTuple):
    """The data key of a subject."""

    subject: bytes
    """16-byte pseudonym."""
    key_id: int
    """Generation of the key, from 1."""
    key: bytes
    """32 random bytes."""

    def __repr__(self) -> str:
        return f"SubjectKey({self.subject.hex()}, {self.key_id})"


class SealBrokenError(Exception):
    """A sealed part does not open, or is not what its header committed to: it was damaged or changed."""


def seal(
    key: SubjectKey,
    ledger_id: bytes,
    event_id: bytes,
    part_number: int,
    content: bytes,
    random: Callable[[int], bytes] = os.urandom,
) -> tuple[PartHeader, bytes]:
    """Seal a part of an event, counted from 0. Returns what its header says of it, and what is stored beside it.

    Commitment: SHA-256(0x02 ‖ salt ‖ content). Stored: nonce ‖ AES-256-GCM(salt ‖ content), bound to ledger, event and number.
    """
    fresh = random(NONCE_BYTES + _SALT_BYTES)
    nonce = fresh[:NONCE_BYTES]
    salted = fresh[NONCE_BYTES:] + content
    ciphertext = nonce + AESGCM(key.key).encrypt(nonce, salted, _place(ledger_id, event_id, part_number))
    header = PartHeader(subject=key.subject, key_id=key.key_id, commitment=_commitment(salted), **_CLASS)
    return header, ciphertext


def open_part(key: SubjectKey, ledger_id: bytes, event_id: bytes, part_number: int, header: PartHeader, ciphertext: bytes) -> bytes:
    """Return the content of a sealed part. Raises SealBrokenError unless it is exactly what was sealed there."""
    nonce = ciphertext[:NONCE_BYTES]
    try:
        salted = AESGCM(key.key).decrypt(nonce, ciphertext[NONCE_BYTES:], _place(ledger_id, event_id, part_number))
    except (InvalidTag, ValueError) as error:
        raise SealBrokenError(f"Part {part_number} of event {event_id.hex()} does not open: it was damaged or changed.") from error
    # GCM opens one ciphertext under two keys to two contents; a commitment has one content.
    if not hmac.compare_digest(_commitment(salted), header.commitment):
        raise SealBrokenError(f"Part {part_number} of event {event_id.hex()} is not the content its header committed to.")
    return salted[_SALT_BYTES:]


def value_mark(key: SubjectKey, label: str, value: str) -> bytes:
    """Return 16 bytes that are equal for equal values of one subject and label, and say nothing once the key is gone."""
    return hmac_sha256(derived_key(key.key, MARK), f"{label}\0{value}".encode())[:MARK_BYTES]


def _place(ledger_id: bytes, event_id: bytes, part_number: int) -> bytes:
    return ledger_id + event_id + part_number.to_bytes(4, "big")


def _commitment(salted: bytes) -> bytes:
    return hashlib.sha256(_COMMITMENT_PREFIX + salted).digest()
