"""Keys for one purpose each, derived from another key, so that no key serves two purposes."""

from __future__ import annotations

from typing import Final

from ledger.privacy.mac import hmac_sha256

INDEX: Final = b"tellonce/1/index"
"""Master key → key of the blind indexes."""
WRAP: Final = b"tellonce/1/wrap"
"""Master key → key that wraps the data keys."""
CHECK: Final = b"tellonce/1/check"
"""Master key → value by which a vault knows its master key. Stored in the clear: nothing is derived from it."""
MARK: Final = b"tellonce/1/mark"
"""Data key → key of the value marks."""


def derived_key(key: bytes, purpose: bytes) -> bytes:
    """Return the 32-byte key of a purpose: HKDF-Expand of RFC 5869 with SHA-256, for one block.

    HKDF-Extract is left out, as section 3.3 there allows: our keys are random already.
    """
    return hmac_sha256(key, purpose + b"\x01")
