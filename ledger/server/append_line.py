"""A worker's line to the process that appends: connected anew whenever it breaks.

Whether an append that was under way then was recorded is not known, and the caller is told so: sending it again, with the same
ids, is always safe.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from ledger.api.v1.errors_pb2 import OUTCOME_UNKNOWN, SHUTTING_DOWN
from ledger.api.v1.ledger_service_pb2 import GroupResult
from ledger.commit.decision import IncomingGroup
from ledger.commit.passing import pack
from ledger.errors import LedgerError
from ledger.internal.v1.passing_pb2 import FromAppender, Standing
from ledger.server.frames import Frames
from ledger.status import error_of

CONNECT_SECONDS: Final = 0.05
"""A broken line is tried again so often."""
RETRY_AFTER_SECONDS: Final = 0.25
AWAY: Final = "the process that appends is being started"

log = logging.getLogger("tellonce.server")


class AppendLine:
    """Passes appends on. Belongs to one event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.heard: list[Callable[[int], object]] = []
        """Called with the head of the log whenever it is told."""
        self._frames: Frames | None = None
        self._broken = asyncio.Event()
        self._connected = asyncio.Event()
        self._pending: dict[int, asyncio.Future[list[GroupResult]]] = {}
        self._numbers = count(1)
        self._standing = Standing()

    @property
    def read_only_reason(self) -> str | None:
        """Why nothing is recorded now; None when it is."""
        return (self._standing.read_only_reason or None) if self._frames is not None else AWAY

    @property
    def queue_events(self) -> int:
        """Events waiting to be recorded, as told last."""
        return self._standing.queue_events

    async def keep(self) -> None:
        """Stay connected until cancelled."""
        while True:
            self._broken.clear()
            with suppress(OSError):
                _, self._frames = await asyncio.get_running_loop().create_unix_connection(
                    lambda: Frames(self._received, self._lost), str(self._path)
                )
                await self._broken.wait()
                log.warning("the line to the process that appends broke, and is made anew")
            await asyncio.sleep(CONNECT_SECONDS)

    async def connected(self) -> None:
        """Wait until the line stood once."""
        await self._connected.wait()

    async def append(self, groups: Iterable[IncomingGroup], *, internal: bool) -> list[GroupResult]:
        """Pass groups on and wait until they are durable: one result each. Raises LedgerError when the whole call is refused."""
        if self._frames is None:
            raise LedgerError(
                SHUTTING_DOWN,
                "The process that appends is being started: send the events again, with the same ids.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        number = next(self._numbers)
        waiter: asyncio.Future[list[GroupResult]] = asyncio.get_running_loop().create_future()
        self._pending[number] = waiter
        self._frames.send(pack(number, groups, internal=internal))
        return await waiter

    def close(self) -> None:
        """Hang up. Nothing may be under way any more."""
        if self._frames is not None:
            self._frames.close()

    def _received(self, message: bytes) -> None:
        told = FromAppender.FromString(message)
        if told.HasField("standing"):
            self._standing = told.standing
            self._connected.set()
            for listener in self.heard:
                listener(told.standing.head_position)
            return
        answered = told.answered
        waiter = self._pending.pop(answered.number)
        if waiter.done():
            return  # the caller is gone
        if answered.HasField("refusal"):
            waiter.set_exception(error_of(answered.refusal))
        else:
            waiter.set_result(list(answered.results))

    def _lost(self) -> None:
        self._frames = None
        self._broken.set()
        pending, self._pending = self._pending, {}
        for waiter in pending.values():
            if not waiter.done():
                waiter.set_exception(
                    LedgerError(
                        OUTCOME_UNKNOWN,
                        "The process that appends ended, so whether the events were recorded is not known: send them again with "
                        "the same ids.",
                        retry_after_seconds=RETRY_AFTER_SECONDS,
                    )
                )
