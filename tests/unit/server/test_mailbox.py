"""From other threads into the loop: in order, results and errors alike, and never the other way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from ledger.server.mailbox import Mailbox


def test_functions_run_in_the_loop_in_the_order_posted() -> None:
    async def run() -> list[tuple[int, bool]]:
        loop_thread = threading.get_ident()
        mailbox = Mailbox(asyncio.get_running_loop())
        seen: list[tuple[int, bool]] = []
        done = asyncio.Event()

        def post_all() -> None:
            for number in range(100):
                mailbox.post(partial(lambda n: seen.append((n, threading.get_ident() == loop_thread)), number))
            mailbox.post(done.set)

        thread = threading.Thread(target=post_all)
        thread.start()
        await done.wait()
        thread.join()
        return seen

    assert [(number, True) for number in range(100)] == asyncio.run(run())


def settled_elsewhere(settle: Any) -> Coroutine[Any, Any, Any]:
    async def run() -> Any:
        mailbox = Mailbox(asyncio.get_running_loop())
        awaited, answer = mailbox.expect()
        thread = threading.Thread(target=settle, args=(answer,))
        thread.start()
        try:
            return await awaited
        finally:
            thread.join()

    return run()


def test_a_result_of_another_thread_can_be_awaited() -> None:
    assert asyncio.run(settled_elsewhere(lambda answer: answer("done"))) == "done"


def test_an_error_of_another_thread_is_raised() -> None:
    with pytest.raises(ValueError, match="no"):
        asyncio.run(settled_elsewhere(lambda answer: answer(ValueError("no"))))


def test_cancelling_the_wait_does_not_reach_the_work() -> None:
    async def run() -> list[str]:
        mailbox = Mailbox(asyncio.get_running_loop())
        awaited, answer = mailbox.expect()
        waiter = asyncio.ensure_future(asyncio.wait_for(awaited, None))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        answer("done all the same")
        seen: list[str] = []
        after = asyncio.Event()
        mailbox.post(lambda: seen.append("the next one is served"))
        mailbox.post(after.set)
        await after.wait()
        return seen

    assert ["the next one is served"] == asyncio.run(run())
