"""The bulk lane: open while the views keep up, closed with a delay while they do not."""

from __future__ import annotations

import asyncio

import pytest

from ledger.api.v1.errors_pb2 import BULK_LANE_CLOSED
from ledger.errors import LedgerError
from ledger.server.lane import COMMITS_MAX, IN_FLIGHT_EVENTS_MAX, LAG_SECONDS_MAX, BulkLane
from ledger.server.waiting import Waiting


class World:
    """Views that stand somewhere, and a clock that is set by hand."""

    def __init__(self, views: int, head: int, wait_seconds: float = 0.02) -> None:
        self.views = views
        self.now = 100.0
        self.waiting = Waiting(lambda: self.views, look_seconds=0.001)
        self.waiting.look()
        self.lane = BulkLane(self.waiting, head, lambda: self.now, wait_seconds)


async def admit(world: World) -> bool:
    try:
        async with world.lane.admitted(1):
            return True
    except LedgerError as error:
        refused_with_delay = error.reason == BULK_LANE_CLOSED and error.retry_after_seconds is not None
        return not refused_with_delay


def test_the_lane_is_open_when_the_views_stand_at_the_head() -> None:
    async def run() -> bool:
        return await admit(World(views=9, head=9))

    assert asyncio.run(run())


def test_the_lane_is_closed_at_the_start_until_the_views_have_caught_up() -> None:
    async def run() -> tuple[bool, bool]:
        world = World(views=3, head=9)
        before = await admit(world)
        world.views = 9
        world.waiting.look()
        return before, await admit(world)

    assert asyncio.run(run()) == (False, True)


@pytest.mark.parametrize(("age_seconds", "is_open"), [(LAG_SECONDS_MAX * 0.9, True), (LAG_SECONDS_MAX * 1.1, False)])
def test_the_age_of_the_oldest_commit_that_the_views_lack_decides(age_seconds: float, is_open: bool) -> None:
    async def run() -> bool:
        world = World(views=9, head=9)
        world.lane.committed(10)
        world.now += age_seconds
        world.lane.committed(11)
        return await admit(world)

    assert asyncio.run(run()) == is_open


def test_a_long_pause_before_a_commit_is_no_lag() -> None:
    async def run() -> bool:
        world = World(views=9, head=9)
        world.now += 3600.0
        world.lane.committed(10)
        return await admit(world)

    assert asyncio.run(run())


def test_however_long_the_views_are_away_no_more_than_so_many_commits_are_remembered() -> None:
    async def run() -> tuple[float, bool]:
        world = World(views=9, head=9)
        for position in range(10, 10 + 2 * COMMITS_MAX):
            world.lane.committed(position)
            world.now += 0.02
        lag_seconds = world.lane.lag_seconds
        world.views = 10 + 2 * COMMITS_MAX
        world.waiting.look()
        return lag_seconds, await admit(world)

    lag_seconds, is_open = asyncio.run(run())

    assert lag_seconds > LAG_SECONDS_MAX
    assert is_open


def test_who_waits_is_admitted_as_soon_as_the_views_come() -> None:
    async def run() -> bool:
        world = World(views=3, head=9, wait_seconds=30.0)
        waiting = asyncio.create_task(admit(world))
        await asyncio.sleep(0)
        world.views = 9
        return await waiting

    assert asyncio.run(run())


def in_flight_together(*event_counts: int) -> list[bool]:
    """Append at once, none committed before all have been admitted or refused; tell which were admitted."""

    async def run() -> list[bool]:
        world = World(views=9, head=9)
        told: asyncio.Queue[bool] = asyncio.Queue()
        commits = asyncio.Event()

        async def append(event_count: int) -> bool:
            try:
                async with world.lane.admitted(event_count):
                    told.put_nowait(True)
                    await commits.wait()
                    return True
            except LedgerError:
                told.put_nowait(False)
                return False

        tasks = [asyncio.create_task(append(event_count)) for event_count in event_counts]
        for _ in tasks:
            await told.get()
        commits.set()
        return await asyncio.gather(*tasks)

    return asyncio.run(run())


def test_only_so_many_events_are_under_way_at_once_since_their_lag_is_not_seen_yet() -> None:
    half = IN_FLIGHT_EVENTS_MAX // 2

    assert [True, True, False] == in_flight_together(half, half, half)


def test_an_append_of_more_events_than_that_goes_alone() -> None:
    assert [True, False] == in_flight_together(IN_FLIGHT_EVENTS_MAX * 2, 1)


def test_a_place_in_the_lane_is_free_again_after_a_failed_append() -> None:
    async def run() -> bool:
        world = World(views=9, head=9)
        for _ in range(3):
            with pytest.raises(ValueError, match="failed"):
                async with world.lane.admitted(IN_FLIGHT_EVENTS_MAX):
                    raise ValueError("failed")
        return await admit(world)

    assert asyncio.run(run())
