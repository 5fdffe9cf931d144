"""Where the log ends, as the event loop knows it; and, where other processes append too, as the log itself says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from ledger.server.waiting import Waiting
from ledger.store.recorder import StoreError

LOOK_SECONDS: Final = 1.0
"""Followers of the log are woken by commits; a look so often is the backstop."""


class Head:
    """The head of one log. Belongs to one event loop.

    `ask` returns the last position and raises StoreError. `shared`: other processes append to the log too.
    """

    def __init__(self, ask: Callable[[], int], threads: Executor, *, shared: bool) -> None:
        self._ask = ask
        self._threads = threads
        self._shared = shared
        self._running: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None
        self.waiting = Waiting(self._position, LOOK_SECONDS)
        """For those who follow the log. Told of every commit of this process before that is acknowledged."""

    async def latest(self) -> int:
        """Return a position that every event acknowledged to anybody before this call stands at or below. Raises StoreError.

        Of a log that only this process appends to, it is known. Otherwise the log is asked: those who call while a question is
        under way share the next one, which begins after they came.
        """
        if not self._shared:
            return self.waiting.reached
        if self._next is None:
            self._next = asyncio.create_task(self._asked(self._running))
        return await asyncio.shield(self._next)

    def look_soon(self) -> None:
        """Ask the log where it ends without waiting for the answer: somebody appended to it."""
        if self._next is None:
            self._next = asyncio.create_task(self._asked(self._running))
            self._next.add_done_callback(_ignored)

    async def _asked(self, running: asyncio.Task[int] | None) -> int:
        if running is not None:
            await asyncio.wait((running,))
        self._running, self._next = self._next, None
        position = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask)
        return self.waiting.stands_at(max(position, self.waiting.reached))

    def _position(self) -> int:
        try:
            return self._ask()
        except StoreError:
            # Whoever has to know asks for himself, and is told; here nothing new is known.
            return self.waiting.reached


def _ignored(task: asyncio.Task[int]) -> None:
    if not task.cancelled():
        task.exception()
