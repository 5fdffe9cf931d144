"""Appends passed from a worker to the process that appends: the same results, the same refusals, and what a broken line means."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.errors_pb2 import OUTCOME_UNKNOWN, QUEUE_FULL, SHUTTING_DOWN, STORE_READ_ONLY
from ledger.api.v1.governance_pb2 import LedgerOpened
from ledger.api.v1.ledger_service_pb2 import EventGroup, GroupResult
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.commit.writer import Answer
from ledger.data_directory import DataDirectory
from ledger.errors import LedgerError
from ledger.passing_ledger import PassingLedger
from ledger.server.append_door import AppendDoor, AppendsEndedError
from ledger.server.append_line import AppendLine
from ledger.server.appends import PassedAppends
from ledger.server.head import Head
from ledger.server.mailbox import Mailbox
from tests.appending import group, reason_of, to_append


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    made = DataDirectory(tmp_path / "data")
    made.prepare()
    return made


@pytest.fixture
def ledger(data: DataDirectory) -> Iterator[Ledger]:
    opened = Ledger.open(data.path)
    yield opened
    opened.close()


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class World:
    """A process that appends and a worker, in one event loop, with the real socket between them."""

    def __init__(self, data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
        self.data = data
        self.ledger = ledger
        self.mailbox = Mailbox(asyncio.get_running_loop())
        self.line = AppendLine(data.append_socket)
        self.appends = PassedAppends(self.line, threads, home_zone="UTC", default_region="FR")
        self.stopping = asyncio.Event()
        self.keeping = asyncio.create_task(self.line.keep())
        self.opened = asyncio.Event()

    def open_door(self) -> asyncio.Task[None]:
        self.stopping = asyncio.Event()
        door = AppendDoor(self.ledger, self.mailbox)
        return asyncio.create_task(door.keep_open(self.data.append_socket, self.stopping, self.opened.set))

    async def append(self, *groups: EventGroup, internal: bool = False) -> list[GroupResult]:
        return await self.appends.append(groups, internal=internal)


def in_world(data: DataDirectory, ledger: Ledger, threads: Executor, what: Callable[[World], Awaitable[Any]]) -> Any:
    """Do something while a worker's line to the ledger stands."""

    async def run() -> Any:
        world = World(data, ledger, threads)
        keeping_open = world.open_door()
        try:
            await asyncio.wait_for(world.line.connected(), 20)
            return await asyncio.wait_for(what(world), 60)
        finally:
            world.keeping.cancel()
            world.line.close()
            world.stopping.set()
            with suppress(AppendsEndedError):
                await keeping_open

    return asyncio.run(run())


def opened_elsewhere() -> LedgerOpened:
    return LedgerOpened(
        ledger_id="01980000-0000-4000-8000-000000000001",
        incarnation=1,
        hash_suite="sha256_v1",
        home_zone="UTC",
        default_region="FR",
    )


def contact(contact_id: str, **fields: Any) -> EventGroup:
    return group(to_append(ContactReceived(contact_id=contact_id, reason="delivery", **fields), channel="phone"))


def test_what_is_passed_is_recorded_as_if_it_had_not_been(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    groups = [contact("c-1", customer=Identifier(type="email", value="A@example.org")), contact("c-2")]

    results = in_world(data, ledger, threads, lambda world: world.append(*groups))

    assert [3, 4] == [result.appended[0].position for result in results]
    assert ["contact-c-1", "contact-c-2"] == [result.appended[0].stream for result in results]
    again = ledger.append(groups)
    assert [(3, True), (4, True)] == [(result.appended[0].position, result.appended[0].duplicate) for result in again]


def test_refusals_stand_in_the_place_of_their_group(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    at_intake = contact("c-2")
    at_intake.events[0].payload.contact_received.ClearField("contact_id")
    at_commit = group(to_append(NoteAdded(contact_id="c-2", text="who?")))
    reserved = group(to_append(opened_elsewhere()))

    results = in_world(
        data, ledger, threads, lambda world: world.append(reserved, contact("c-1"), at_intake, at_commit, contact("c-3"))
    )

    assert ["TOPIC_RESERVED", "", "FIELD_REQUIRED"] == [reason_of(result.error) for result in results[:3]]
    assert results[3].HasField("error")
    assert [3, 4] == [results[1].appended[0].position, results[4].appended[0].position]


def test_a_call_with_nothing_good_in_it_is_not_passed(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    results = in_world(data, ledger, threads, lambda world: world.append(EventGroup()))

    assert ["FIELD_REQUIRED"] == [reason_of(result.error) for result in results]
    assert 2 == ledger.head().position


def test_the_worker_knows_of_a_commit_when_it_is_acknowledged(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    async def watch(world: World) -> list[tuple[int, int]]:
        heads: list[int] = []
        world.line.heard.append(heads.append)
        results = [(await world.append(contact(f"c-{number}")), heads[-1]) for number in range(5)]
        return [(result[0].appended[0].position, head) for result, head in results]

    assert [(n, n) for n in range(3, 8)] == in_world(data, ledger, threads, watch)


def test_the_latest_is_asked_of_the_log_whatever_the_worker_was_told(data: DataDirectory, ledger: Ledger) -> None:
    reading = PassingLedger(data)

    async def ask() -> list[tuple[int, int]]:
        head = Head(lambda: reading.head().position, None, alone=False)
        seen = []
        for number in range(20):
            (result,) = ledger.append([contact(f"c-{number}")])
            seen.append((result.appended[0].position, await head.latest()))
            head.heard(2)
        return seen

    try:
        assert [(n, n) for n in range(3, 23)] == asyncio.run(ask())
    finally:
        reading.close()


def test_many_at_once_are_each_answered_with_their_own(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    async def many(world: World) -> list[tuple[str, str]]:
        async def one(number: int) -> tuple[str, str]:
            # Of several sizes, small ones here and large ones in a thread.
            groups = [contact(f"c-{number}-{index}") for index in range(1 + number % 3 * 10)]
            results = await world.append(*groups)
            return f"contact-c-{number}-{len(groups) - 1}", results[-1].appended[0].stream

        return list(await asyncio.gather(*(one(number) for number in range(40))))

    assert all(expected == actual for expected, actual in in_world(data, ledger, threads, many))


@pytest.mark.parametrize(
    "error",
    [
        LedgerError(QUEUE_FULL, "full", retry_after_seconds=0.25, queue_events=7),
        LedgerError(STORE_READ_ONLY, "disk", retry_after_seconds=1.0),
    ],
    ids=lambda error: error.reason_name,
)
def test_the_refusal_of_a_call_arrives_with_all_it_says(
    data: DataDirectory, ledger: Ledger, threads: Executor, monkeypatch: pytest.MonkeyPatch, error: LedgerError
) -> None:
    monkeypatch.setattr(ledger, "send_received", lambda groups, event_count, answer: answer(error))

    with pytest.raises(LedgerError) as raised:
        in_world(data, ledger, threads, lambda world: world.append(contact("c-1")))

    told = raised.value
    assert (error.reason, error.message, error.metadata) == (told.reason, told.message, told.metadata)
    assert error.retry_after_seconds == told.retry_after_seconds


def test_while_nobody_appends_a_call_is_refused_to_be_sent_again(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    async def away(world: World) -> tuple[str | None, LedgerError]:
        line = AppendLine(data.run / "nobody.sock")
        appends = PassedAppends(line, threads, home_zone="UTC", default_region="FR")
        with pytest.raises(LedgerError) as raised:
            await appends.append([contact("c-1")], internal=False)
        return line.read_only_reason, raised.value

    reason, error = in_world(data, ledger, threads, away)

    assert reason is not None
    assert (SHUTTING_DOWN, True) == (error.reason, error.retry_after_seconds is not None)


def test_when_the_line_breaks_the_outcome_is_unknown_and_the_same_ids_are_safe(
    data: DataDirectory, ledger: Ledger, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = contact("c-1")
    send = ledger.send_received
    taken = threading.Event()

    def swallow(groups: Any, event_count: int, answer: Answer) -> None:
        send(groups, event_count, lambda answer: taken.set())

    async def break_it(world: World) -> tuple[LedgerError, list[GroupResult]]:
        monkeypatch.setattr(ledger, "send_received", swallow)
        asking = asyncio.ensure_future(world.append(sent))
        await asyncio.get_running_loop().run_in_executor(None, taken.wait, 20)
        monkeypatch.setattr(ledger, "send_received", send)
        assert world.line._frames is not None
        world.line._frames.close()
        with pytest.raises(LedgerError) as raised:
            await asking
        connected = asyncio.Event()
        world.line.heard.append(lambda position: connected.set())
        await connected.wait()
        return raised.value, await world.append(sent)

    error, again = in_world(data, ledger, threads, break_it)

    assert OUTCOME_UNKNOWN == error.reason
    assert [(3, True)] == [(result.appended[0].position, result.appended[0].duplicate) for result in again]
    assert 3 == ledger.head().position


def test_a_caller_that_goes_away_takes_nothing_with_it(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    async def go_away(world: World) -> None:
        asking = asyncio.ensure_future(world.append(contact("c-1")))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await world.append(contact("c-2"))

    in_world(data, ledger, threads, go_away)

    assert ["contact-c-1", "contact-c-2"] == [row.stream for row in ledger.store.read(2, 10)]


def test_told_to_stop_it_waits_for_the_workers_and_takes_what_they_still_pass(
    data: DataDirectory, ledger: Ledger, threads: Executor
) -> None:
    async def stop(world: World) -> list[GroupResult]:
        world.stopping.set()
        return await world.append(contact("c-1"))

    assert 3 == in_world(data, ledger, threads, stop)[0].appended[0].position


def test_when_the_writer_ends_the_door_says_so(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    async def fail() -> None:
        world = World(data, ledger, threads)
        ledger.failed.set()
        try:
            await asyncio.wait_for(world.open_door(), 20)
        finally:
            world.keeping.cancel()

    with pytest.raises(AppendsEndedError):
        asyncio.run(fail())


def test_why_nothing_is_recorded_reaches_the_workers(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    async def look(world: World) -> None:
        told = asyncio.Event()
        world.line.heard.append(lambda position: told.set())
        ledger.writer.read_only_reason = "disk full"
        while world.appends.read_only_reason != "disk full":
            told.clear()
            await told.wait()

    in_world(data, ledger, threads, look)


def test_only_the_owner_may_pass_the_door(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    async def mode(world: World) -> int:
        return data.append_socket.stat().st_mode & 0o777

    assert 0o600 == in_world(data, ledger, threads, mode)


def test_nothing_of_the_passing_stands_in_the_event(data: DataDirectory, ledger: Ledger, threads: Executor) -> None:
    ledger.append([contact("c-1")])
    in_world(data, ledger, threads, lambda world: world.append(contact("c-2")))

    own, passed = (read_event(row.position, row.header).header for row in ledger.store.read(2, 2))

    assert [field.name for field, _ in own.ListFields()] == [field.name for field, _ in passed.ListFields()]
    assert (own.channel, own.actor_kind, own.source) == (passed.channel, passed.actor_kind, passed.source)
