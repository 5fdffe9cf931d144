"""Wait until something that only grows stands at a position: the views, or the head of the log.

Waiters stand in a heap by position. They are woken from outside (`look`), and, as a backstop against lost wake-ups, by a look
every millisecond, only while someone waits. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

LOOK_SECONDS: Final = 0.001


class Waiting:
    """Waits for a position. `position` returns where it stands now; it is called in the event loop and must be quick."""

    def __init__(self, position: Callable[[], int], look_seconds: float = LOOK_SECONDS) -> None:
        self._position = position
        self._look_seconds = look_seconds
        self._heap: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None
        self.reached = 0
        """Where it stood at the last look."""
        self.on_move: list[Callable[[int], object]] = []
        """Called with the new position whenever a look finds another one."""

    def look(self) -> int:
        """Look where it stands, wake those who waited for that, and return it."""
        return self.stands_at(self._position())

    def stands_at(self, position: int) -> int:
        """Take word of where it stands, which saves a look; wake those who waited for that, and return it."""
        if position != self.reached:
            self.reached = position
            for listener in self.on_move:
                listener(position)
        heap = self._heap
        while heap and heap[0][0] <= position:
            _, _, future = heapq.heappop(heap)
            if not future.done():
                future.set_result(None)
        return position

    async def until(self, position: int, timeout_seconds: float) -> bool:
        """Wait until it stands at `position` or beyond; False when the time ran out."""
        if self.reached >= position or self.look() >= position:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (position, next(self._order), future))
        if self._timer is None:
            self._look_later()
        try:
            async with asyncio.timeout(timeout_seconds):
                await future
        except TimeoutError:
            return self.look() >= position
        finally:
            if future.cancelled():
                self._forget_cancelled()
        return True

    @property
    def waiter_count(self) -> int:
        """How many wait now."""
        return sum(not future.done() for _, _, future in self._heap)

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._look_seconds, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
        if self._heap:
            self._look_later()

    def _forget_cancelled(self) -> None:
        waiting = [entry for entry in self._heap if not entry[2].done()]
        if len(waiting) < len(self._heap):
            self._heap[:] = waiting
            heapq.heapify(self._heap)
