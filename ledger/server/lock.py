"""Locks that the kernel frees when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

RETRY_SECONDS: Final = 0.05

OTHER_SERVER_SECONDS: Final = 20.0
"""A server whose supervisor died may need so long to finish what it has begun."""


class FileLock:
    """An exclusive lock on a file, which also tells who holds it. Freed when the process ends, or by `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, wait_seconds: float = 0.0) -> bool:
        """Take the lock, waiting so long for its holder; False when it is still held then."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        end_time = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end_time:
                    os.close(descriptor)
                    return False
                time.sleep(RETRY_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def holder(self) -> str:
        """Return the process id that the holder wrote; empty when it has not yet."""
        try:
            return self._path.read_text().strip()
        except OSError:
            return ""

    def release(self) -> None:
        """Free the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
