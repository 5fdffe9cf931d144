"""How a serving process gets events recorded: by a ledger of its own, or through the process that appends.

Intake happens here either way: it takes most of the time of an append, and workers do it side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, Protocol, TypeVar

from ledger.api.v1.ledger_service_pb2 import EventGroup, GroupResult
from ledger.application import Ledger
from ledger.commit.decision import IncomingGroup
from ledger.commit.reception import receive_groups
from ledger.errors import LedgerError
from ledger.server.append_line import AppendLine
from ledger.server.mailbox import Mailbox
from ledger.status import status_of

SMALL_EVENTS_MAX: Final = 10
"""Appends of more events are checked in a thread: in the event loop they would hold up every other call for milliseconds."""

T = TypeVar("T")


class Appends(Protocol):
    """Records the events of calls."""

    @property
    def queue_events(self) -> int:
        """Events waiting to be recorded."""

    @property
    def read_only_reason(self) -> str | None:
        """Why nothing is recorded now; None when it is."""

    async def append(self, groups: Sequence[EventGroup], *, internal: bool) -> list[GroupResult]:
        """Append groups and wait until they are durable. One result each, in order.

        `internal`: a part of the ledger itself appends. Raises LedgerError for what concerns the whole call. The commit goes on
        whatever becomes of the call.
        """


class OwnAppends:
    """Appends with the ledger of this process."""

    def __init__(self, ledger: Ledger, mailbox: Mailbox, threads: Executor) -> None:
        self._ledger = ledger
        self._mailbox = mailbox
        self._threads = threads

    @property
    def queue_events(self) -> int:
        """Events waiting to be recorded."""
        return self._ledger.queue_events

    @property
    def read_only_reason(self) -> str | None:
        """Why nothing is recorded now; None when it is."""
        return self._ledger.read_only_reason

    async def append(self, groups: Sequence[EventGroup], *, internal: bool) -> list[GroupResult]:
        """Append groups and wait until they are durable."""
        waiter: asyncio.Future[list[GroupResult]]
        waiter, answer = self._mailbox.expect()
        try:
            await _taken_in(groups, self._threads, partial(self._ledger.send, groups, answer, internal=internal))
        except BaseException:
            # Refused, or the caller went during intake: nobody will ask for the answer.
            waiter.cancel()
            raise
        return await waiter


class PassedAppends:
    """Passes appends on to the process that appends."""

    def __init__(self, line: AppendLine, threads: Executor, *, home_zone: str, default_region: str) -> None:
        self._line = line
        self._threads = threads
        self._receive = partial(receive_groups, home_zone=home_zone, default_region=default_region)

    @property
    def queue_events(self) -> int:
        """Events waiting to be recorded, as told last."""
        return self._line.queue_events

    @property
    def read_only_reason(self) -> str | None:
        """Why nothing is recorded now; None when it is."""
        return self._line.read_only_reason

    async def append(self, groups: Sequence[EventGroup], *, internal: bool) -> list[GroupResult]:
        """Append groups and wait until they are durable."""
        received = await _taken_in(groups, self._threads, partial(self._receive, groups, internal=internal))
        taken = [group for group in received if isinstance(group, IncomingGroup)]
        results = iter(await self._line.append(taken, internal=internal) if taken else ())
        return [GroupResult(error=status_of(one)) if isinstance(one, LedgerError) else next(results) for one in received]


async def _taken_in(groups: Sequence[EventGroup], threads: Executor, intake: Callable[[], T]) -> T:
    """Do the intake of groups here and now where it is quick, else in a thread."""
    if sum(len(group.events) for group in groups) <= SMALL_EVENTS_MAX and not _publishes(groups):
        return intake()
    return await asyncio.get_running_loop().run_in_executor(threads, intake)


def _publishes(groups: Sequence[EventGroup]) -> bool:
    """True when a policy is among the events: its calendars are expanded, and its conditions compiled, before it is queued."""
    return any(event.payload.HasField("policy_published") for group in groups for event in group.events)
