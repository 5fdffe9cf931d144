"""Who reads when: questions take turns at the interpreter, and none waits long behind a slow one.

SQLite's driver gives up the interpreter's lock at every row. Where several threads ask at once, each then waits for the others at
every row: four threads answered a quarter fewer questions a second than one. So one question runs at a time; one that has taken
long loses its turn, goes on beside the next ones, and holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

TURN_SECONDS: Final = 0.02
"""A question that takes longer counts no more: a few times what a page takes, and less than anybody notices."""

T = TypeVar("T")


class Turns:
    """Runs work in threads, first come first served, one at a time unless it takes long. Belongs to one event loop."""

    def __init__(self, threads: Executor, turn_seconds: float = TURN_SECONDS) -> None:
        """`threads` bounds how many run at once, the slow ones included."""
        self._threads = threads
        self._turn_seconds = turn_seconds
        self._free = asyncio.Semaphore()

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in a thread, or raise what it raises."""
        await self._free.acquire()
        turn = _Turn(self._free)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._turn_seconds, turn.pass_on)
        try:
            return await loop.run_in_executor(self._threads, work)
        finally:
            timer.cancel()
            turn.pass_on()


class _Turn:
    """A turn, passed on once."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free

    def pass_on(self) -> None:
        """Let the next one run, if it does not yet."""
        if self._free is not None:
            self._free.release()
            self._free = None
