"""What the sync and the aio client do when answers are lost, calls are cancelled, or the server is overloaded."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from clients.python import AsyncClient, OutcomeUnknownError, OverloadedError, RetryPolicy, UnavailableError
from tests.both_clients import Both
from tests.cutting_proxy import CuttingProxy
from tests.fault_server import QUICK, FaultServer, after, before, hold, lose_answer, note, refuse, wait

LONG = 3600.0
"""A delay that is longer than any call may take: who is asked to wait so long gives up at once."""


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED"])
def test_an_append_that_the_server_refused_in_passing_is_sent_again(server: FaultServer, client: Any, code: str) -> None:
    server.script("Append", refuse(code), refuse(code))

    [appended] = client.append(note())

    assert 1 == appended.position
    assert 3 == len(server.requests["Append"])


def test_every_attempt_carries_the_same_ids_and_times(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("UNAVAILABLE"), lose_answer("CANCELLED"), lose_answer())

    client.append(note(), note("c-2"))

    first, *others = server.requests["Append"]
    assert 3 == len(others)
    assert [first] * 3 == others


def test_an_append_whose_answer_was_lost_is_recorded_once(server: FaultServer, client: Any) -> None:
    server.script("Append", lose_answer())

    [appended] = client.append(note())

    assert 1 == len(server.events)
    assert (1, True) == (appended.position, appended.duplicate)


def test_a_read_is_tried_again(server: FaultServer, client: Any) -> None:
    client.append(note())
    server.script("GetHead", refuse("UNAVAILABLE", "SHUTTING_DOWN"), refuse("CANCELLED"))

    assert 1 == client.head().position


def test_overload_waits_as_long_as_the_ledger_says(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("RESOURCE_EXHAUSTED", "QUEUE_FULL", retry_after_seconds=0.3))
    began = time.monotonic()

    client.append(note())

    assert time.monotonic() - began >= 0.3


def test_exhaustion_without_a_delay_is_not_tried_again(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("RESOURCE_EXHAUSTED"))

    with pytest.raises(OverloadedError):
        client.append(note())

    assert 1 == len(server.requests["Append"])


def test_overload_until_the_end_of_the_time_is_raised_with_the_delay(server: FaultServer, client: Any) -> None:
    server.script("Append", *[refuse("RESOURCE_EXHAUSTED", "BULK_LANE_CLOSED", retry_after_seconds=0.01)] * 3)
    server.every_append = refuse("RESOURCE_EXHAUSTED", "BULK_LANE_CLOSED", retry_after_seconds=LONG)

    with pytest.raises(OverloadedError, match="Tried 4 times") as raised:
        client.append(note())

    assert ("BULK_LANE_CLOSED", LONG) == (raised.value.reason, raised.value.retry_after_seconds)


def test_an_append_without_any_answer_ends_as_outcome_unknown_within_its_time(server: FaultServer, client: Any) -> None:
    server.every_append = lose_answer()
    began = time.monotonic()

    with pytest.raises(OutcomeUnknownError, match="same ids"):
        client.append(note(), timeout_seconds=0.5)

    # Tried to the end of its own time, and not to the end of the 60 s that the client gives a call.
    assert 0.3 < time.monotonic() - began < 50.0


def test_a_refusal_after_a_lost_answer_that_passes_still_leaves_the_outcome_unknown(server: FaultServer, client: Any) -> None:
    server.script("Append", lose_answer())
    server.every_append = refuse("UNAVAILABLE", "STORE_READ_ONLY", retry_after_seconds=LONG)

    with pytest.raises(OutcomeUnknownError):
        client.append(note())


def test_an_append_that_was_surely_not_taken_is_not_called_unknown(server: FaultServer, client: Any) -> None:
    server.script("Append", *[refuse("UNAVAILABLE", "STORE_READ_ONLY")] * 3)
    server.every_append = refuse("UNAVAILABLE", "STORE_READ_ONLY", retry_after_seconds=LONG)

    with pytest.raises(UnavailableError) as raised:
        client.append(note())

    assert not isinstance(raised.value, OutcomeUnknownError)


def test_an_attempt_that_hangs_is_given_up_and_sent_again(server: FaultServer, both: Both) -> None:
    client = both(server.target, retry=RetryPolicy(first_delay_seconds=0.01, attempt_seconds=0.2))
    server.script("Append", wait(1.0))

    client.append(note())

    assert len(server.requests["Append"]) > 1
    assert 1 == len(server.events)


def test_a_server_that_restarts_is_found_again(server: FaultServer, client: Any) -> None:
    client.append(note("c-1"))
    server.restart()

    client.append(note("c-2"))

    assert 2 == client.head().position


def test_a_connection_cut_during_the_call_costs_nothing(server: FaultServer, both: Both) -> None:
    proxy = CuttingProxy(server.target)
    client = both(proxy.target, retry=QUICK)
    server.script("Append", after(proxy.cut))

    [appended] = client.append(note())

    assert 1 == len(server.events)
    assert (1, True) == (appended.position, appended.duplicate)
    proxy.close()


def test_a_swallowed_answer_costs_one_attempt(server: FaultServer, both: Both) -> None:
    proxy = CuttingProxy(server.target)
    client = both(proxy.target, connections=1, retry=RetryPolicy(first_delay_seconds=0.01, attempt_seconds=0.5))
    client.head()
    proxy.swallow = True

    def come_back() -> None:
        proxy.swallow = False
        proxy.cut()

    # The answer to the first attempt is swallowed; the second finds the connection cut, and the next one is answered.
    server.script("Append", before(lambda: None), before(come_back))

    [appended] = client.append(note())

    assert 1 == len(server.events)
    assert (1, True) == (appended.position, appended.duplicate)
    assert len(server.requests["Append"]) > 2
    proxy.close()


def test_a_call_whose_task_was_cancelled_is_not_tried_again(server: FaultServer) -> None:
    came, ended = threading.Event(), threading.Event()
    server.script("Append", before(came.set, hold(ended)))

    async def give_up() -> None:
        async with AsyncClient(server.target) as client:
            appending = asyncio.ensure_future(client.append(note()))
            await asyncio.to_thread(came.wait)
            appending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await appending

    asyncio.run(give_up())
    ended.set()

    assert 1 == len(server.requests["Append"])
