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

    `ask` returns the last position and raises StoreError; it is called in a thread, or here where it is quick (`threads` None).
    `alone`: no other process appends to the log.
    """

    def __init__(self, ask: Callable[[], int], threads: Executor | None, *, alone: bool) -> None:
        self._ask = ask
        self._threads = threads
        self._alone = alone
        self._running: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None
        self.waiting = Waiting(self._position, LOOK_SECONDS)
        """For those who follow the log. Told of every commit before it is acknowledged here."""

    async def latest(self) -> int:
        """Return a position that every event acknowledged to anybody before this call stands at or below. Raises StoreError.

        Of a log that only this process appends to, it is known. Otherwise the log is asked: those who call while a question is
        under way share the next one, which begins after they came.
        """
        if self._alone:
            return self.waiting.reached
        if self._threads is None:
            return self._stands_at(self._ask())
        if self._next is None:
            self._next = asyncio.create_task(self._asked(self._running))
        return await asyncio.shield(self._next)

    def heard(self, position: int) -> None:
        """Take word from another process that the log reaches this position at least."""
        self._stands_at(position)

    def look_soon(self) -> None:
        """Ask the log where it ends without waiting for the answer: somebody appended to it."""
        if self._next is None:
            self._next = asyncio.create_task(self._asked(self._running))
            self._next.add_done_callback(_ignored)

    async def _asked(self, running: asyncio.Task[int] | None) -> int:
        if running is not None:
            await asyncio.wait((running,))
        self._running, self._next = self._next, None
        return self._stands_at(await asyncio.get_running_loop().run_in_executor(self._threads, self._ask))

    def _stands_at(self, position: int) -> int:
        # What is told and what is asked may cross.
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
