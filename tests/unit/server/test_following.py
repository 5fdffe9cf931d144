"""Following: everything in order and once, one caught_up, and checkpoints that say how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ledger.api.v1.errors_pb2 import POSITION_BEYOND_HEAD
from ledger.errors import LedgerError
from ledger.server import following
from ledger.server.following import Step, follow, start_of
from ledger.server.waiting import Waiting

CAUGHT_UP = "caught up"
CHECKPOINT = "checkpoint"


class Log:
    """A line whose items are their positions, read a few at a time; `wanted` filters them."""

    def __init__(self, head: int, wanted: Callable[[int], bool] = lambda position: True, piece: int = 3) -> None:
        self.head = head
        self.wanted = wanted
        self.piece = piece
        self.line = Waiting(lambda: self.head, look_seconds=0.001)
        self.line.look()

    async def read(self, after: int, until: int) -> tuple[list[tuple[int, int]], int]:
        cursor = min(after + self.piece, until)
        return [(position, position) for position in range(after + 1, cursor + 1) if self.wanted(position)], cursor


def told(step: Step[int]) -> tuple[object, int]:
    return (CAUGHT_UP if step.caught_up else CHECKPOINT if step.item is None else step.item), step.position


async def take(log: Log, after: int, count: int) -> list[tuple[object, int]]:
    heard: list[tuple[object, int]] = []
    async for step in follow(after, log.head, log.line, log.read):
        heard.append(told(step))
        if len(heard) == count:
            return heard
    raise AssertionError("a follower is never sent away")


def test_what_is_there_comes_in_order_then_caught_up() -> None:
    heard = asyncio.run(take(Log(head=5), after=1, count=5))

    assert [(2, 2), (3, 3), (4, 4), (5, 5), (CAUGHT_UP, 5)] == heard


def test_a_follower_from_the_head_is_caught_up_at_once() -> None:
    assert [(CAUGHT_UP, 5)] == asyncio.run(take(Log(head=5), after=5, count=1))


def test_what_comes_later_follows_and_caught_up_is_said_once() -> None:
    async def run() -> list[tuple[object, int]]:
        log = Log(head=1)
        steps = follow(0, 1, log.line, log.read)
        heard = [told(await anext(steps)), told(await anext(steps))]
        log.head = 3
        heard += [told(await anext(steps)), told(await anext(steps))]
        await steps.aclose()  # type: ignore[attr-defined]
        return heard

    assert [(1, 1), (CAUGHT_UP, 1), (2, 2), (3, 3)] == asyncio.run(run())


def test_after_a_burst_comes_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "BURST_COUNT", 4)

    async def run() -> list[tuple[object, int]]:
        log = Log(head=0, piece=10)
        steps = follow(0, 0, log.line, log.read)
        heard = [told(await anext(steps))]
        log.head = 4
        heard += [told(await anext(steps)) for _ in range(5)]
        await steps.aclose()  # type: ignore[attr-defined]
        return heard

    assert [(CAUGHT_UP, 0), (1, 1), (2, 2), (3, 3), (4, 4), (CHECKPOINT, 4)] == asyncio.run(run())


def test_what_is_left_out_by_the_filter_still_moves_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "QUIET_SECONDS", 0.01)

    async def run() -> list[tuple[object, int]]:
        log = Log(head=0, wanted=lambda position: False)
        steps = follow(0, 0, log.line, log.read)
        heard = [told(await anext(steps))]
        log.head = 7
        heard.append(told(await anext(steps)))
        await steps.aclose()  # type: ignore[attr-defined]
        return heard

    assert [(CAUGHT_UP, 0), (CHECKPOINT, 7)] == asyncio.run(run())


def test_a_quiet_follower_hears_of_its_place_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "CHECKPOINT_SECONDS_MAX", 0.01)

    heard = asyncio.run(take(Log(head=2), after=2, count=3))

    assert [(CAUGHT_UP, 2), (CHECKPOINT, 2), (CHECKPOINT, 2)] == heard


def test_a_stream_of_items_without_end_has_checkpoints_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "CHECKPOINT_SECONDS_MAX", 0.0)

    heard = asyncio.run(take(Log(head=6), after=0, count=8))

    assert [1, 2, 3, CHECKPOINT, 4, 5, 6, CAUGHT_UP] == [item for item, _ in heard]


def test_a_line_that_was_seen_further_than_it_can_be_read_is_read_again() -> None:
    async def run() -> list[tuple[object, int]]:
        log = Log(head=4)
        readable = 2

        async def read(after: int, until: int) -> tuple[list[tuple[int, int]], int]:
            nonlocal readable
            items, cursor = await log.read(after, min(until, readable))
            readable += 1
            return items, max(after, cursor)

        heard: list[tuple[object, int]] = []
        async for step in follow(0, 4, log.line, read):
            heard.append(told(step))
            if step.caught_up:
                break
        return heard

    assert [(1, 1), (2, 2), (3, 3), (4, 4), (CAUGHT_UP, 4)] == asyncio.run(run())


def test_without_a_position_following_starts_now() -> None:
    assert start_of(None, 9) == 9


def test_a_position_beyond_the_head_is_refused() -> None:
    with pytest.raises(LedgerError) as refused:
        start_of(10, 9)

    assert refused.value.reason == POSITION_BEYOND_HEAD
    assert refused.value.metadata == {"position": "10", "head_position": "9"}
