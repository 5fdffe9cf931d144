"""Follow something that grows, the log or the views: what is there, one `caught_up`, then what comes, with checkpoints between.

Nothing is missed and nothing repeated: one cursor, moved only past what was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from ledger.api.v1.errors_pb2 import POSITION_BEYOND_HEAD
from ledger.errors import LedgerError
from ledger.server.waiting import LOOK_SECONDS, Waiting

CHECKPOINT_SECONDS_MAX: Final = 10.0
"""A follower hears of its progress at least so often."""

QUIET_SECONDS: Final = 1.0
"""When what came did not concern the follower, it hears of its progress after so long."""

BURST_COUNT: Final = 100
"""After so many items without a checkpoint one is sent as soon as there is nothing more to send."""

Item = TypeVar("Item")


class Step(NamedTuple, Generic[Item]):
    """What a follower is told: an item, or that everything up to the position has been sent."""

    position: int
    item: Item | None
    caught_up: bool


Read = Callable[[int, int], Awaitable[tuple[Sequence[tuple[int, Item]], int]]]
"""Reads after one position and until another, both as far as it likes: positions and items, and how far it got."""


async def follow(after: int, head: int, line: Waiting, read: Read[Item]) -> AsyncIterator[Step[Item]]:
    """Follow `line` from a position on, for ever. `head` is where the log stood at the call: `caught_up` is sent there."""
    loop = asyncio.get_running_loop()
    cursor = told = after
    checked_time = loop.time()
    item_count = 0
    caught_up = False
    while True:
        if cursor < head:
            target = head
        else:
            if not caught_up:
                caught_up = True
                told, checked_time, item_count = cursor, loop.time(), 0
                yield Step(cursor, None, caught_up=True)
            target = line.reached
        if cursor < target:
            before = cursor
            items, cursor = await read(cursor, target)
            for position, item in items:
                told = position
                item_count += 1
                yield Step(position, item, caught_up=False)
            if before < head <= cursor:
                continue
            if cursor == before:
                # The line was seen further than it can be read yet: a moment passes before the next try.
                await asyncio.sleep(LOOK_SECONDS)
            if cursor < line.reached and loop.time() - checked_time < CHECKPOINT_SECONDS_MAX:
                continue
        elapsed = loop.time() - checked_time
        patience = QUIET_SECONDS if cursor > told else CHECKPOINT_SECONDS_MAX
        if item_count < BURST_COUNT and elapsed < patience and await line.until(cursor + 1, patience - elapsed):
            continue
        told, checked_time, item_count = cursor, loop.time(), 0
        yield Step(cursor, None, caught_up=False)


def start_of(after: int | None, head: int) -> int:
    """Return where to start: after the position asked, or from now on. Raises LedgerError (POSITION_BEYOND_HEAD)."""
    if after is None:
        return head
    check_within(after, head)
    return after


def check_within(position: int, head: int) -> None:
    """Raise LedgerError (POSITION_BEYOND_HEAD) when the log does not reach the position."""
    if position > head:
        raise LedgerError(
            POSITION_BEYOND_HEAD,
            f"Position {position} is beyond the head of the log, {head}: ask for one that exists.",
            position=position,
            head_position=head,
        )
