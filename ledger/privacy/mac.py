"""HMAC-SHA-256 of short messages that keeps the interpreter's lock.

`hmac.digest` gives the lock up for every call. In the writer's thread, with the event loop busy beside it, getting it back takes
up to a switch interval each time: that cost more than the hashing of a whole batch. Half its price alone, besides.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the 32 bytes of HMAC-SHA-256 (RFC 2104). The key has at most 64 bytes."""
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    if len(padded) > _BLOCK_BYTES:
        raise ValueError(f"a key of {len(key)} bytes is longer than {_BLOCK_BYTES}")
    return sha256(padded.translate(_OUTER) + sha256(padded.translate(_INNER) + message).digest()).digest()
