"""A reader that tails a log in PostgreSQL misses nothing, however many append; a store without the head row would not do."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import psycopg

from ledger.store import postgres
from ledger.store.recorder import StoredEventRow
from tests.contract.test_recorder import rows_of
from tests.postgres_server import new_schema

NODES = 3
APPENDERS_EACH = 8
EVENTS_EACH_ROUND, EVENTS_MAX = 12_000, 60_000

MUTANT_EVENTS = 1_000
PATIENCE_SECONDS = 60.0

Append = Callable[[int], int]
"""Appends so many events and returns how many it did."""


def tail(place: str, appends: Sequence[Append], total: int, seen: list[int]) -> None:
    """Fill in the positions that a reader sees, who asks for what stands after the last one it has, while all append."""
    done = threading.Event()
    left = total
    turn = threading.Lock()

    def take(size: int) -> int:
        nonlocal left
        with turn:
            taken = min(size, left)
            left -= taken
            return taken

    def work(number: int) -> None:
        chance = random.Random(number)
        while size := take(chance.randint(1, 50)):
            appends[number % len(appends)](size)

    def follow() -> None:
        with closing(postgres.open_reader(place)) as reader:
            while True:
                last_look = done.is_set()
                while rows := reader.read(seen[-1] if seen else 0, 1_000):
                    seen.extend(row.position for row in rows)
                if last_look:
                    return

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        with ThreadPoolExecutor(NODES * APPENDERS_EACH) as pool:
            list(pool.map(work, range(NODES * APPENDERS_EACH)))
    finally:
        done.set()
        follower.join()


def test_a_reader_misses_none_of_what_24_appenders_on_3_nodes_record(rounds: int) -> None:
    total = min(EVENTS_EACH_ROUND * rounds, EVENTS_MAX)
    place, seen = new_schema(), list[int]()
    with ExitStack() as stack:
        recorders = [stack.enter_context(closing(postgres.open_recorder(place))) for _ in range(NODES)]

        def appending(recorder: Any) -> Append:
            def append(size: int) -> int:
                with recorder.transaction() as transaction:
                    transaction.insert([row._replace(record_time=1) for row in rows_of(size, transaction.head.position)])
                return size

            return append

        tail(place, [appending(recorder) for recorder in recorders], total, seen)

    assert list(range(1, total + 1)) == seen


def test_a_store_that_takes_positions_from_a_sequence_is_caught() -> None:
    place, seen = new_schema(), list[int]()
    first = threading.Lock()
    with closing(postgres.open_recorder(place)), psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE place")

    def by_sequence(size: int) -> int:
        """Do as many stores do: nothing is locked, so what got its position first may become visible last."""
        with psycopg.connect(place) as connection:
            for row in rows_of(size):
                connection.execute(
                    "INSERT INTO event VALUES (nextval('place'), %s, %s, %s, %s, %s, %s, %s)", _values(row), prepare=False
                )
            if first.acquire(blocking=False):
                # One of all is slow to commit, as it happens now and then: until the reader has seen others that came after it.
                end_time = time.monotonic() + PATIENCE_SECONDS
                while not seen and time.monotonic() < end_time:
                    time.sleep(0.01)
        return size

    tail(place, [by_sequence], MUTANT_EVENTS, seen)

    assert sorted(seen) == seen
    assert 0 < len(seen) < MUTANT_EVENTS


def _values(row: StoredEventRow) -> tuple[Any, ...]:
    return row[1:]
