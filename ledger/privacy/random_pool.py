"""Random bytes drawn many at once.

Every call of `os.urandom` gives up the interpreter's lock, and in the writer's thread getting it back costs more than the bytes.
"""

from __future__ import annotations

import os
from typing import Final

DRAWN_BYTES: Final = 8_192


class RandomPool:
    """Hands out bytes of the operating system's generator, each once. Used by one thread, of a process that does not fork."""

    def __init__(self) -> None:
        self._drawn = b""
        self._next = 0

    def __call__(self, size: int) -> bytes:
        """Return so many fresh random bytes."""
        end = self._next + size
        if end > len(self._drawn):
            self._drawn = os.urandom(max(size, DRAWN_BYTES))
            self._next, end = 0, size
        fresh = self._drawn[self._next : end]
        self._next = end
        return fresh
