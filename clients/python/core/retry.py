"""When to try again, how long to wait, and when to give up.

Pure: the clock and the random source are given. One `Attempts` belongs to one call of the caller's; the drivers in client.py and
aio.py only sleep and send.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from clients.python.core.faults import Fault
from clients.python.errors import OutcomeUnknownError, TellonceError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How the client tries again. Waits double each time, and are shortened at random by up to a half, so that clients spread.

    Everything the client sends may be sent again: reads change nothing, and appends carry their ids. `first_delay_seconds` and
    `delay_seconds_max` bound the waits; a delay that the ledger asks for is kept to instead. `attempt_seconds` bounds one
    attempt, so that a connection that swallows answers does not use up the whole time of a call. `stream_seconds` is the age
    at which an open stream is silently renewed from its last position, for the same reason.

    Example:
        >>> Client(retry=RetryPolicy(first_delay_seconds=0.01, delay_seconds_max=0.5))
    """

    first_delay_seconds: float = 0.05
    delay_seconds_max: float = 2.0
    attempt_seconds: float = 15.0
    stream_seconds: float = 120.0


class Attempts:
    """The attempts of one call, bounded by `timeout_seconds` in all.

    `appends`: whether an attempt without an answer leaves open if something was recorded.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        timeout_seconds: float,
        *,
        appends: bool = False,
        clock: Callable[[], float] = time.monotonic,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._timeout_seconds = timeout_seconds
        self._appends = appends
        self._clock = clock
        self._fraction = fraction
        self._began = clock()
        self._failed_count = 0
        self._unknown = False

    def attempt_seconds(self) -> float:
        """Return how long the next attempt may take."""
        left = self._began + self._timeout_seconds - self._clock()
        return max(min(left, self._policy.attempt_seconds), 0.001)

    def failed(self, fault: Fault) -> float:
        """Return how many seconds to wait before the next attempt; raise the error when there is none."""
        self._failed_count += 1
        self._unknown |= self._appends and fault.unknown
        if not fault.passing:
            raise fault.error
        delay = self._delay_seconds(fault)
        spent = self._clock() - self._began
        if spent + delay >= self._timeout_seconds:
            raise self._given_up(fault.error, spent)
        return delay

    def progressed(self) -> None:
        """Start again: an open stream brought something, so what failed before is over."""
        self._began = self._clock()
        self._failed_count = 0

    def _delay_seconds(self, fault: Fault) -> float:
        asked = fault.error.retry_after_seconds
        if asked is not None:
            return asked * (1 + self._fraction() / 4)
        backoff = min(self._policy.first_delay_seconds * 2.0 ** (self._failed_count - 1), self._policy.delay_seconds_max)
        return backoff * (1 - self._fraction() / 2)

    def _given_up(self, error: TellonceError, spent: float) -> TellonceError:
        tries = f"Tried {self._failed_count} times in {spent:.1f} s"
        kind = OutcomeUnknownError if self._unknown else type(error)
        cure = " Whether it was recorded is not known: send the same events again, with the same ids." if self._unknown else ""
        return kind(error.reason, f"{error.message} {tries}.{cure}", error.metadata, error.violations, error.retry_after_seconds)
