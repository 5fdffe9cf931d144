"""The bulk lane: imports and large batches go at the projector's speed, so that they take freshness from nobody."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from ledger.api.v1.errors_pb2 import BULK_LANE_CLOSED
from ledger.errors import LedgerError
from ledger.server.waiting import Waiting

LAG_SECONDS_MAX: Final = 0.05
"""The lane is open while the oldest event that the views lack was committed less than this ago."""

WAIT_SECONDS_MAX: Final = 2.0
"""A bulk append waits so long for the lane to open. Waiting briefly beats refusing: the caller would only come again."""

IN_FLIGHT_EVENTS_MAX: Final = 500
"""Events admitted and not yet committed, unless one append alone has more: the lag that they will cause cannot be seen yet."""

RETRY_SECONDS: Final = 0.5

COMMITS_MAX: Final = 10_000
COMMIT_SECONDS: Final = 0.01
"""Commits so close together are remembered as one, and so many at most: the oldest of them is far beyond the limit by then."""


class BulkLane:
    """Admits bulk appends while the views keep up, first come first served. Belongs to one event loop."""

    def __init__(
        self, views: Waiting, head_position: int, now: Callable[[], float], wait_seconds: float = WAIT_SECONDS_MAX
    ) -> None:
        self._views = views
        self._now = now
        self._wait_seconds = wait_seconds
        self._turn = asyncio.Lock()
        self._in_flight_events = 0
        self._left = asyncio.Event()
        # What was there at the start counts as old: the lane opens when the views have caught up once.
        self._commits: deque[tuple[int, float]] = deque([(head_position, float("-inf"))], maxlen=COMMITS_MAX)

    def committed(self, head_position: int) -> None:
        """Note a commit: the log now ends at `head_position`."""
        now = self._now()
        if self._commits and now - self._commits[-1][1] < COMMIT_SECONDS:
            self._commits[-1] = head_position, self._commits[-1][1]
        else:
            self._commits.append((head_position, now))

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest commit that the views lack; 0 when they lack none."""
        while self._commits and self._commits[0][0] <= self._views.reached:
            self._commits.popleft()
        return self._now() - self._commits[0][1] if self._commits else 0.0

    @asynccontextmanager
    async def admitted(self, event_count: int) -> AsyncIterator[None]:
        """Hold a place in the lane until the append is committed. Raises LedgerError (BULK_LANE_CLOSED)."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                async with self._turn:
                    while self._in_flight_events and self._in_flight_events + event_count > IN_FLIGHT_EVENTS_MAX:
                        self._left.clear()
                        await self._left.wait()
                    await self._open()
                    self._in_flight_events += event_count
        except TimeoutError:
            lag_seconds = self.lag_seconds
            behind = f"are {lag_seconds:.2f} s behind" if math.isfinite(lag_seconds) else "have not caught up since the start"
            raise LedgerError(
                BULK_LANE_CLOSED,
                f"The views {behind}, and bulk appends wait for them: try again in {RETRY_SECONDS} s.",
                retry_after_seconds=RETRY_SECONDS,
                lag_seconds=f"{lag_seconds:.2f}",
            ) from None
        try:
            yield
        finally:
            self._in_flight_events -= event_count
            self._left.set()

    async def _open(self) -> None:
        while self.lag_seconds >= LAG_SECONDS_MAX:
            await self._views.until(self._commits[0][0], self._wait_seconds)
