"""When events are recorded: by the store's clock where it has one, else by this machine's. A clock that jumps is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ledger.api.v1.errors_pb2 import STORE_READ_ONLY
from ledger.errors import LedgerError

BACKWARD_MAX_MICROS: Final = 2_000_000
FORWARD_MAX_MICROS: Final = 60_000_000
RETRY_SECONDS: Final = 1.0


class ClockRefusedError(LedgerError):
    """The clock is behind the ledger, or jumped: nothing is recorded by it. `why` tells it in few words."""

    def __init__(self, why: str, message: str, seconds: int) -> None:
        super().__init__(STORE_READ_ONLY, message, retry_after_seconds=RETRY_SECONDS, seconds=seconds)
        self.why = why


class RecordClock:
    """The clock of one log. What the store's clock said last is carried on by time that runs evenly, until it is read again."""

    def __init__(self, now: Callable[[], int], store_now: int | None) -> None:
        """`now`: this machine's clock. `store_now`: what the store's clock says at this moment; None: it has none.

        All times are microseconds, since 1970 UTC where they are a clock's.
        """
        self._now = now
        self._of_store = store_now is not None
        # Between two readings a clock may only have gone on. A test's own clock goes as it likes.
        self._checked_for_jumps = self._of_store or now is wall_clock
        self._offset = self._highest = (now() if store_now is None else store_now) - even_time()

    def estimate(self, last_record_time: int) -> int:
        """Return the time to decide by before the log is locked, never before the last one. Raises ClockRefusedError.

        A store's clock is not refused here: whether it is wrong shows when it is read, under the lock.
        """
        if self._of_store:
            return max(even_time() + self._offset, last_record_time)
        return self.read(None, last_record_time)

    def read(self, store_now: int | None, last_record_time: int) -> int:
        """Return the time to record at, never before the last one. `store_now`: what the store's clock said under the lock.

        Raises ClockRefusedError for a clock more than 2 s behind the last event, or that went more than 60 s further than time did.
        """
        now = self._now() if store_now is None else store_now
        whose = "The clock of the database server" if self._of_store else "The clock"
        behind = last_record_time - now
        if behind > BACKWARD_MAX_MICROS:
            raise ClockRefusedError(
                "clock behind the ledger",
                f"{whose} is {behind / 1_000_000:.0f} s behind the last event: the operator sets it right first.",
                behind // 1_000_000,
            )
        offset = now - even_time()
        ahead = offset - self._highest
        if ahead > FORWARD_MAX_MICROS and self._checked_for_jumps:
            raise ClockRefusedError(
                "clock jumped forward",
                f"{whose} jumped {ahead / 1_000_000:.0f} s ahead: the operator sets it right, or restarts if it is right now.",
                ahead // 1_000_000,
            )
        # A clock that was set back, and then right again, did not jump; one that slowly runs away from ours does not either.
        self._offset, self._highest = offset, max(offset, self._highest)
        return max(now, last_record_time)


def wall_clock() -> int:
    """Return the time, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def even_time() -> int:
    """Return microseconds that nobody sets, and that go on while the machine sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1000
