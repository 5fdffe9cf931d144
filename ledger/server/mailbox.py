"""From other threads into the event loop, many calls with one wake-up.

Waking the loop costs a system call and a switch between threads; a commit answers many callers, so they share one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any


class Mailbox:
    """Runs functions in an event loop on behalf of other threads, in the order posted."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posted: deque[Callable[[], Any]] = deque()
        self._awake = False

    def post(self, function: Callable[[], Any]) -> None:
        """Run `function` in the loop soon. From any thread."""
        self._posted.append(function)
        if not self._awake:
            self._awake = True
            self._loop.call_soon_threadsafe(self._open)

    def expect(self) -> tuple[asyncio.Future[Any], Callable[[Any], None]]:
        """Return an awaitable, and what another thread calls with the result or exception. Cancelling it does not reach there."""
        waiter: asyncio.Future[Any] = self._loop.create_future()
        return waiter, lambda answer: self.post(partial(_settle, waiter, answer))

    def _open(self) -> None:
        # First: whatever is posted from now on wakes the loop again.
        self._awake = False
        while self._posted:
            self._posted.popleft()()


def _settle(waiter: asyncio.Future[Any], answer: Any) -> None:
    if waiter.done():
        return
    if isinstance(answer, Exception):
        waiter.set_exception(answer)
    else:
        waiter.set_result(answer)
