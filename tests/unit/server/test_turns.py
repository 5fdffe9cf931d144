"""Questions one at a time, first come first served; a slow one, a failed one and one given up hold up nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from ledger.server.turns import Turns

NEVER: Final = 3600.0
LONG_SECONDS: Final = 30.0


def with_turns(turn_seconds: float, use: Callable[[Turns], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        with ThreadPoolExecutor(4) as threads:
            return await use(Turns(threads, turn_seconds))

    return asyncio.run(run())


def test_one_runs_at_a_time_in_the_order_they_came() -> None:
    order: list[int] = []
    running = threading.Semaphore(1)

    def work(number: int) -> int:
        assert running.acquire(blocking=False), "another one is running"
        order.append(number)
        running.release()
        return number * number

    async def use(turns: Turns) -> list[int]:
        return await asyncio.gather(*(turns.run(lambda number=number: work(number)) for number in range(200)))  # type: ignore[misc]

    assert [number * number for number in range(200)] == with_turns(NEVER, use)
    assert list(range(200)) == order


def test_the_next_one_does_not_wait_for_a_slow_one() -> None:
    answered = threading.Event()

    async def use(turns: Turns) -> list[Any]:
        # The slow ones end when one that came after them has ended: they would wait for each other if it had to wait.
        slow = [asyncio.ensure_future(turns.run(lambda: answered.wait(LONG_SECONDS))) for _ in range(3)]
        await turns.run(answered.set)
        return await asyncio.gather(*slow)

    assert [True, True, True] == with_turns(0.001, use)


def test_after_slow_ones_again_one_runs_at_a_time() -> None:
    running = threading.Semaphore(1)
    answered = threading.Event()

    def alone() -> bool:
        if not running.acquire(blocking=False):
            return False
        try:
            return True
        finally:
            running.release()

    async def use(turns: Turns) -> list[bool]:
        slow = asyncio.ensure_future(turns.run(lambda: answered.wait(LONG_SECONDS)))
        await turns.run(answered.set)
        await slow
        # From here on nothing is slow.
        turns._turn_seconds = NEVER
        return await asyncio.gather(*(turns.run(alone) for _ in range(200)))

    assert all(with_turns(0.001, use))


def test_what_fails_passes_the_turn_on() -> None:
    def fail() -> None:
        raise ValueError("no")

    async def use(turns: Turns) -> int:
        with pytest.raises(ValueError, match="no"):
            await turns.run(fail)
        return await turns.run(lambda: 1)

    assert 1 == with_turns(NEVER, use)


def test_who_gives_up_passes_the_turn_on_whether_running_or_waiting() -> None:
    began, end = threading.Event(), threading.Event()

    def hold() -> bool:
        began.set()
        return end.wait(LONG_SECONDS)

    async def use(turns: Turns) -> int:
        running = asyncio.ensure_future(turns.run(hold))
        waiting = asyncio.ensure_future(turns.run(lambda: None))
        await asyncio.get_running_loop().run_in_executor(None, began.wait)
        waiting.cancel()
        running.cancel()
        await asyncio.wait((running, waiting))
        try:
            return await turns.run(lambda: 1)
        finally:
            end.set()

    assert 1 == with_turns(NEVER, use)
