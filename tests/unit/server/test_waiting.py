"""Waiting for a position: woken by a look, by the backstop, or told that the time ran out."""

from __future__ import annotations

import asyncio

from ledger.server.waiting import Waiting

NEVER_LOOK = 3600.0
LONG = 30.0


class Line:
    """Something that grows."""

    def __init__(self) -> None:
        self.position = 0
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return self.position


def test_what_is_reached_already_is_not_waited_for() -> None:
    async def run() -> None:
        line = Line()
        line.position = 5
        waiting = Waiting(line, NEVER_LOOK)

        assert await waiting.until(5, 0.0)
        assert waiting.waiter_count == 0

    asyncio.run(run())


def test_a_look_wakes_those_who_are_served_and_no_others() -> None:
    async def run() -> None:
        line = Line()
        waiting = Waiting(line, NEVER_LOOK)
        early, late = (asyncio.create_task(waiting.until(position, LONG)) for position in (3, 4))
        await asyncio.sleep(0)

        line.position = 3
        waiting.look()
        await asyncio.sleep(0.01)

        assert (True, False) == (early.done(), late.done())
        late.cancel()

    asyncio.run(run())


def test_without_a_wake_up_the_backstop_finds_out() -> None:
    async def run() -> bool:
        line = Line()
        waiting = Waiting(line, 0.001)
        task = asyncio.create_task(waiting.until(7, LONG))
        await asyncio.sleep(0)
        line.position = 7
        return await task

    assert asyncio.run(run())


def test_nobody_looks_while_nobody_waits() -> None:
    async def run() -> tuple[int, int]:
        line = Line()
        waiting = Waiting(line, 0.001)
        line.position = 1
        await waiting.until(1, LONG)
        before = line.looks
        await asyncio.sleep(0.02)
        return before, line.looks

    before, after = asyncio.run(run())

    assert before == after


def test_the_time_running_out_is_told_and_leaves_nobody_behind() -> None:
    async def run() -> tuple[bool, int]:
        waiting = Waiting(Line(), NEVER_LOOK)
        return await waiting.until(9, 0.01), waiting.waiter_count

    assert asyncio.run(run()) == (False, 0)


def test_what_is_reached_in_the_last_moment_counts() -> None:
    async def run() -> bool:
        line = Line()
        waiting = Waiting(line, NEVER_LOOK)
        task = asyncio.create_task(waiting.until(9, 0.01))
        await asyncio.sleep(0)
        line.position = 9
        return await task

    assert asyncio.run(run())


def test_a_cancelled_waiter_is_forgotten() -> None:
    async def run() -> int:
        waiting = Waiting(Line(), NEVER_LOOK)
        task = asyncio.create_task(waiting.until(9, LONG))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return waiting.waiter_count

    assert asyncio.run(run()) == 0


def test_listeners_hear_of_every_new_position_once() -> None:
    async def run() -> list[int]:
        line = Line()
        waiting = Waiting(line, NEVER_LOOK)
        heard: list[int] = []
        waiting.on_move.append(heard.append)
        for position in (1, 1, 4):
            line.position = position
            waiting.look()
        return heard

    assert asyncio.run(run()) == [1, 4]
