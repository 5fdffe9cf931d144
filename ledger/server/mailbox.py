"""From other threads into the event loop, many calls with one wake-up.

Waking the loop costs a system call and a switch between threads; a commit answers many callers, so they share one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")


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

    def result_of(self, future: concurrent.futures.Future[Result]) -> asyncio.Future[Result]:
        """Return an awaitable for a result made in another thread. Cancelling it does not reach the work."""
        waiter: asyncio.Future[Result] = self._loop.create_future()
        future.add_done_callback(lambda done: self.post(partial(_settle, waiter, done)))
        return waiter

    def _open(self) -> None:
        # First: whatever is posted from now on wakes the loop again.
        self._awake = False
        while self._posted:
            self._posted.popleft()()


def _settle(waiter: asyncio.Future[Result], done: concurrent.futures.Future[Result]) -> None:
    if waiter.done():
        return
    error = done.exception()
    if error is not None:
        waiter.set_exception(error)
    else:
        waiter.set_result(done.result())
