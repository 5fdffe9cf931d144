"""The door of the process that appends: workers pass their appends through it, and hear where the log ends.

A Unix socket in a folder of the owner's alone. What comes in went through intake; here it is decided and committed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from ledger.api.v1.ledger_service_pb2 import GroupResult
from ledger.application import Ledger
from ledger.commit.passing import unpack
from ledger.errors import LedgerError
from ledger.internal.v1.passing_pb2 import AnsweredAppend, FromAppender, PassedAppend, Standing
from ledger.server.call import refusal_of
from ledger.server.frames import Frames
from ledger.server.mailbox import Mailbox
from ledger.status import status_of

LOOK_SECONDS: Final = 0.2
"""How often it is looked whether appends are still taken."""

DRAIN_SECONDS: Final = 12.0
"""When it is told to stop, it waits so long for the workers, who pass on until they have stopped themselves."""

log = logging.getLogger("tellonce.server")


class AppendsEndedError(Exception):
    """The ledger's writer ended unasked: the process has to end, and a new one to start."""


class AppendDoor:
    """Takes appends from workers. Belongs to one event loop."""

    def __init__(self, ledger: Ledger, mailbox: Mailbox) -> None:
        self._ledger = ledger
        self._mailbox = mailbox
        self._lines: set[Frames] = set()
        self._no_lines = asyncio.Event()
        self._no_lines.set()
        self._told = Standing()
        ledger.on_commit.append(self._in_writer)

    async def keep_open(self, path: Path, stopping: asyncio.Event, ready: Callable[[], None]) -> None:
        """Take appends until told to stop, and then until the workers are gone. Raises AppendsEndedError."""
        self._told = self._standing(self._ledger.head().position)
        server = await asyncio.get_running_loop().create_unix_server(self._connected, path)
        try:
            os.chmod(path, 0o600)
            ready()
            while not stopping.is_set():
                if self._ledger.failed.is_set():
                    raise AppendsEndedError
                if self._standing(self._told.head_position).read_only_reason != self._told.read_only_reason:
                    self._tell(self._told.head_position)
                    reason = self._told.read_only_reason
                    log.warning("appends are %s", f"refused: {reason}" if reason else "taken again")
                await _set_within(stopping, LOOK_SECONDS)
            if not await _set_within(self._no_lines, DRAIN_SECONDS):
                log.warning("%d workers still hold their line: it is cut", len(self._lines))
        finally:
            server.close()
            for line in list(self._lines):
                line.close()

    def _connected(self) -> Frames:
        line = Frames(lambda message: self._pass_in(line, message), lambda: self._lost(line))
        self._lines.add(line)
        self._no_lines.clear()
        line.send(FromAppender(standing=self._told).SerializeToString())
        return line

    def _lost(self, line: Frames) -> None:
        self._lines.discard(line)
        if not self._lines:
            self._no_lines.set()

    def _pass_in(self, line: Frames, message: bytes) -> None:
        passed = PassedAppend.FromString(message)
        try:
            groups = unpack(passed)
            self._ledger.send_received(
                groups,
                sum(len(group.events) for group in groups),
                lambda answer: self._mailbox.post(partial(_settle, line, passed.number, answer)),
            )
        except LedgerError as error:
            _answer(line, AnsweredAppend(number=passed.number, refusal=status_of(error)))

    def _in_writer(self, position: int) -> None:
        self._mailbox.post(partial(self._tell, position))

    def _tell(self, position: int) -> None:
        self._told = self._standing(position)
        message = FromAppender(standing=self._told).SerializeToString()
        for line in self._lines:
            line.send(message)

    def _standing(self, position: int) -> Standing:
        return Standing(
            head_position=position,
            queue_events=self._ledger.queue_events,
            read_only_reason=self._ledger.read_only_reason or "",
        )


def _settle(line: Frames, number: int, answer: list[GroupResult] | Exception) -> None:
    if isinstance(answer, Exception):
        refusal = answer if isinstance(answer, LedgerError) else refusal_of(answer)
        _answer(line, AnsweredAppend(number=number, refusal=status_of(refusal)))
    else:
        _answer(line, AnsweredAppend(number=number, results=answer))


def _answer(line: Frames, answered: AnsweredAppend) -> None:
    line.send(FromAppender(answered=answered).SerializeToString())


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
