"""A reader that tails a log in PostgreSQL misses nothing, however many append; a store without the head row would not do."""

from __future__ import annotations

import random
import threading
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
TOTAL = 60_000

Append = Callable[[int], int]
"""Appends so many events and returns how many it did."""


def tailed(place: str, appends: Sequence[Append], total: int) -> list[int]:
    """Return the positions that a reader saw, who asks for what stands after the last one it has, while all append."""
    seen: list[int] = []
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
    return seen


def test_a_reader_misses_none_of_60000_events_of_24_appenders_on_3_nodes() -> None:
    place = new_schema()
    with ExitStack() as stack:
        recorders = [stack.enter_context(closing(postgres.open_recorder(place))) for _ in range(NODES)]

        def appending(recorder: Any) -> Append:
            def append(size: int) -> int:
                with recorder.transaction() as transaction:
                    transaction.insert([row._replace(record_time=1) for row in rows_of(size, transaction.head.position)])
                return size

            return append

        seen = tailed(place, [appending(recorder) for recorder in recorders], TOTAL)

    assert list(range(1, TOTAL + 1)) == seen


def test_a_store_that_takes_positions_from_a_sequence_is_caught() -> None:
    place = new_schema()
    with closing(postgres.open_recorder(place)), psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE place")

    def by_sequence(size: int) -> int:
        """Do as many stores do: nothing is locked, so what got its position first may become visible last."""
        with psycopg.connect(place) as connection:
            for row in rows_of(size):
                connection.execute(
                    "INSERT INTO event VALUES (nextval('place'), %s, %s, %s, %s, %s, %s, %s)", _values(row), prepare=False
                )
        return size

    seen = tailed(place, [by_sequence], 6_000)

    assert len(seen) < 6_000


def _values(row: StoredEventRow) -> tuple[Any, ...]:
    return row[1:]
