"""What every store of the log promises (ledger/store/recorder.py). A new store is one line in STORES."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from uuid_utils import uuid7

from ledger.store import postgres, sqlite
from ledger.store.recorder import (
    Head,
    LogReader,
    LogRecorder,
    StoreConflictError,
    StoredEventRow,
    StoreError,
    StoreUnavailableError,
)
from tests.postgres_server import new_schema


class Store(NamedTuple):
    name: str
    open_recorder: Callable[[Any], LogRecorder]
    open_reader: Callable[[Any], LogReader]
    new_place: Callable[[Path], Any]
    """Of an empty folder, where a log can be made that is not there yet."""


STORES = [
    Store("sqlite", sqlite.open_recorder, sqlite.open_reader, lambda folder: folder / "log.db"),
    Store("postgres", postgres.open_recorder, postgres.open_reader, lambda folder: new_schema()),
]


@pytest.fixture(params=STORES, ids=lambda store: store.name)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.param
    return found


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Any:
    return store.new_place(tmp_path)


@pytest.fixture
def recorder(store: Store, place: Any) -> Iterator[LogRecorder]:
    opened = store.open_recorder(place)
    yield opened
    opened.close()


@pytest.fixture
def reader(store: Store, place: Any, recorder: LogRecorder) -> Iterator[LogReader]:
    opened = store.open_reader(place)
    yield opened
    opened.close()


def row(position: int, *, stream: str | None = None, revision: int = 1, record_time: int = 1_000) -> StoredEventRow:
    event_id = uuid7().bytes
    return StoredEventRow(
        position=position,
        event_id=event_id,
        stream=stream or f"contact-{event_id.hex()}",
        revision=revision,
        topic="contact-received",
        record_time=record_time,
        header=b"header \x00\xff" + event_id,
        parts=None if position % 2 else b"parts \x00\xff" + event_id,
    )


def rows_of(count: int, after: int = 0) -> list[StoredEventRow]:
    return [row(position) for position in range(after + 1, after + count + 1)]


def append(recorder: LogRecorder, rows: Sequence[StoredEventRow]) -> None:
    with recorder.transaction() as transaction:
        transaction.insert(rows)


def test_an_empty_log_ends_at_position_zero(recorder: LogRecorder) -> None:
    head = recorder.head()

    assert Head(0, 0) == head
    assert [] == recorder.read(0, 10)
    assert 0 == recorder.position_at(2**60)


@pytest.mark.parametrize("count", [1, 2, 3, 100, 255, 256, 257, 600])
def test_batches_of_any_size_are_read_as_they_were_inserted(recorder: LogRecorder, reader: LogReader, count: int) -> None:
    rows = rows_of(count)

    append(recorder, rows)

    assert rows == recorder.read(0, count + 1)
    assert rows == reader.read(0, count + 1)
    assert Head(count, 1_000) == reader.head()


def test_an_empty_insert_changes_nothing(recorder: LogRecorder) -> None:
    append(recorder, [])

    assert Head(0, 0) == recorder.head()


def test_reading_starts_after_one_position_ends_at_another_and_stops_at_the_limit(recorder: LogRecorder) -> None:
    rows = rows_of(9)
    append(recorder, rows)

    assert rows[2:] == recorder.read(2, 100)
    assert rows[2:7] == recorder.read(2, 100, 7)
    assert rows[2:4] == recorder.read(2, 2, 7)
    assert [] == recorder.read(9, 100)


def test_positions_beyond_the_head_are_left_out(recorder: LogRecorder) -> None:
    rows = rows_of(4)
    append(recorder, rows)

    found = recorder.read_positions([4, 2, 5, 2])

    assert {2: rows[1], 4: rows[3]} == found
    assert {} == recorder.read_positions([])


def test_a_stream_is_read_in_order_of_revision_up_to_a_position(recorder: LogRecorder) -> None:
    rows = [row(1, stream="a"), row(2, stream="b"), row(3, stream="a", revision=2), row(4, stream="a", revision=3)]
    append(recorder, rows)

    assert [rows[0], rows[2], rows[3]] == recorder.read_stream("a")
    assert [rows[0], rows[2]] == recorder.read_stream("a", 3)
    assert [] == recorder.read_stream("c")


def test_several_streams_are_read_at_once_and_unknown_ones_are_empty(recorder: LogRecorder) -> None:
    rows = [row(1, stream="a"), row(2, stream="b"), row(3, stream="a", revision=2)]
    append(recorder, rows)

    found = recorder.read_streams(["b", "a", "c", "a"])

    assert {"b": [rows[1]], "a": [rows[0], rows[2]], "c": []} == found


def test_more_values_than_fit_one_statement_are_all_found(recorder: LogRecorder) -> None:
    rows = rows_of(1_000)
    append(recorder, rows)

    assert {stored.event_id: stored for stored in rows} == recorder.find_event_ids([stored.event_id for stored in rows])
    assert {stored.position: stored for stored in rows} == recorder.read_positions(range(1, 1_001))
    assert {stored.stream: [stored] for stored in rows} == recorder.read_streams([stored.stream for stored in rows])
    with recorder.transaction() as transaction:
        assert {stored.stream: 1 for stored in rows} == transaction.revisions([stored.stream for stored in rows])


def test_unknown_event_ids_are_left_out(recorder: LogRecorder) -> None:
    rows = rows_of(2)
    append(recorder, rows)

    found = recorder.find_event_ids([rows[1].event_id, bytes(16)])

    assert {rows[1].event_id: rows[1]} == found


def test_what_governs_is_read_in_order_and_policies_without_the_marks_beside_them(recorder: LogRecorder) -> None:
    topics = ["policy-published", "identifier-shared", "contact-received", "policy-published", "policy-withdrawn"]
    streams = ["policy-z-1", "identity-a", "policies-are-no-policy", "policy-a-1", "policy-z-1"]
    rows = [
        row(number, stream=stream, revision=2 if number == 5 else 1)._replace(topic=topic)
        for number, (topic, stream) in enumerate(zip(topics, streams, strict=True), 1)
    ]
    append(recorder, rows)

    assert [1, 2, 4, 5] == [one.position for one in recorder.read_governing()]
    assert [rows[0], rows[3], rows[4]] == recorder.read_policies()


def test_the_position_at_a_time_is_the_last_one_recorded_at_or_before_it(recorder: LogRecorder) -> None:
    order = random.Random(1)
    times = sorted(order.randrange(1_000, 1_100) for _ in range(200))
    append(recorder, [row(position, record_time=time) for position, time in enumerate(times, 1)])

    for asked in range(995, 1_105):
        assert sum(time <= asked for time in times) == recorder.position_at(asked)


def test_a_transaction_sees_the_head_revisions_and_ids_with_its_own_inserts(recorder: LogRecorder) -> None:
    first, second = row(1, stream="a", record_time=5), row(2, stream="a", revision=2, record_time=7)
    append(recorder, [first])

    with recorder.transaction() as transaction:
        before = transaction.head, transaction.revisions(["a", "b"]), transaction.find_event_ids([second.event_id])
        transaction.insert([second])
        after = transaction.head, transaction.revisions(["a", "b"]), transaction.find_event_ids([second.event_id])

    assert (Head(1, 5), {"a": 1}, {}) == before
    assert (Head(2, 7), {"a": 2}, {second.event_id: second}) == after


def test_several_inserts_of_one_transaction_are_one_step(recorder: LogRecorder, reader: LogReader) -> None:
    rows = rows_of(5)

    with recorder.transaction() as transaction:
        transaction.insert(rows[:2])
        transaction.insert(rows[2:])
        unseen = reader.head()

    assert Head(0, 0) == unseen
    assert rows == reader.read(0, 10)


def test_a_touch_and_a_confirmation_change_nothing(recorder: LogRecorder, reader: LogReader) -> None:
    rows = rows_of(2)
    append(recorder, rows)

    with recorder.transaction() as transaction:
        transaction.touch()
    recorder.confirm()

    assert (rows, Head(2, 1_000)) == (reader.read(0, 9), reader.head())


def test_nothing_of_a_transaction_that_raises_happened(recorder: LogRecorder) -> None:
    rows = rows_of(3)
    append(recorder, rows[:1])

    def insert_and_fail() -> None:
        with recorder.transaction() as transaction:
            transaction.insert(rows[1:])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        insert_and_fail()

    assert rows[:1] == recorder.read(0, 10)
    assert Head(1, 1_000) == recorder.head()


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param([row(3)], id="gap after the head"),
        pytest.param([row(1)], id="position taken"),
        pytest.param([row(2), row(4)], id="gap within"),
        pytest.param([row(2), row(2)], id="same position twice"),
        pytest.param([row(2, record_time=999)], id="recorded before the head"),
        pytest.param([row(2, record_time=1_001), row(3, record_time=1_000)], id="recorded before the one before"),
    ],
)
def test_gaps_and_times_that_run_back_are_refused(recorder: LogRecorder, refused: list[StoredEventRow]) -> None:
    kept = rows_of(1)
    append(recorder, kept)

    with pytest.raises(ValueError, match="does not follow"):
        append(recorder, refused)

    assert kept == recorder.read(0, 10)


def test_an_event_id_is_recorded_once(recorder: LogRecorder) -> None:
    kept = rows_of(1)
    append(recorder, kept)

    with pytest.raises(StoreConflictError):
        append(recorder, [row(2), row(3)._replace(event_id=kept[0].event_id)])

    assert kept == recorder.read(0, 10)


def test_a_revision_of_a_stream_is_recorded_once(recorder: LogRecorder) -> None:
    kept = [row(1, stream="a")]
    append(recorder, kept)

    with pytest.raises(StoreConflictError):
        append(recorder, [row(2), row(3, stream="a")])

    assert kept == recorder.read(0, 10)


def test_nothing_is_kept_of_a_transaction_whose_failed_insert_was_passed_over(recorder: LogRecorder) -> None:
    kept = rows_of(1)
    append(recorder, kept)

    # Enough rows before the double one that a store inserts some of them first.
    refused = [*rows_of(400, 1), row(402)._replace(event_id=kept[0].event_id)]

    def pass_over() -> None:
        with recorder.transaction() as transaction, contextlib.suppress(StoreConflictError):
            transaction.insert(refused)

    with pytest.raises(StoreError, match="nothing of its transaction is kept"):
        pass_over()

    assert kept == recorder.read(0, 1_000)
    assert Head(1, 1_000) == recorder.head()


def test_a_refused_insert_does_not_stop_the_next_one(recorder: LogRecorder) -> None:
    rows = rows_of(2)
    append(recorder, rows[:1])
    with pytest.raises(StoreConflictError):
        append(recorder, [row(2)._replace(event_id=rows[0].event_id)])

    append(recorder, rows[1:])

    assert rows == recorder.read(0, 10)


def test_everything_is_there_after_opening_again(store: Store, place: Any) -> None:
    rows = rows_of(700)
    first = store.open_recorder(place)
    append(first, rows[:300])
    first.close()

    second = store.open_recorder(place)
    append(second, rows[300:])
    found = second.read(0, 1_000)
    second.close()

    assert rows == found


def test_a_closed_store_says_so(store: Store, place: Any) -> None:
    recorder = store.open_recorder(place)
    reader = store.open_reader(place)
    recorder.close()
    reader.close()

    with pytest.raises(StoreUnavailableError, match="closed"):
        recorder.head()
    with pytest.raises(StoreUnavailableError, match="closed"), recorder.transaction():
        pass
    with pytest.raises(StoreUnavailableError, match="closed"):
        reader.read(0, 1)


def test_closing_twice_is_no_harm(store: Store, place: Any) -> None:
    recorder = store.open_recorder(place)

    recorder.close()
    recorder.close()


def test_a_missing_log_cannot_be_read_and_is_not_made_by_reading(store: Store, place: Any) -> None:
    with pytest.raises(StoreUnavailableError, match="does not exist"):
        store.open_reader(place)

    with pytest.raises(StoreUnavailableError, match="does not exist"):
        store.open_reader(place)


def test_a_tailing_reader_misses_nothing_while_many_append(recorder: LogRecorder, reader: LogReader) -> None:
    appender_count, batch_count, batch_size = 6, 40, 7
    total = appender_count * batch_count * batch_size
    seen: list[int] = []
    done = threading.Event()

    def appends(number: int) -> None:
        for _ in range(batch_count):
            with recorder.transaction() as transaction:
                transaction.insert(rows_of(batch_size, transaction.head.position))

    def tail() -> None:
        while len(seen) < total and not done.wait(0):
            seen.extend(stored.position for stored in reader.read(seen[-1] if seen else 0, 50))

    follower = threading.Thread(target=tail)
    follower.start()
    try:
        with ThreadPoolExecutor(appender_count) as pool:
            list(pool.map(appends, range(appender_count)))
        follower.join(30)
    finally:
        done.set()
        follower.join()

    assert list(range(1, total + 1)) == seen


def test_many_threads_read_at_once(recorder: LogRecorder, reader: LogReader) -> None:
    rows = rows_of(300)
    append(recorder, rows)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: reader.read(number, 1), range(300)))

    assert [[stored] for stored in rows] == found
