"""Pieces of the log are cut to what a message carries, and lose nothing."""

from __future__ import annotations

from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.server.pieces import cut


def events(*sizes: int) -> list[RecordedEvent]:
    made = [RecordedEvent(stream="s" * size) for size in sizes]
    return made


def test_events_are_cut_where_the_size_is_reached() -> None:
    one = events(100)[0].ByteSize()

    runs = cut(events(100, 100, 100), size_max=2 * one)

    assert [2, 1] == [len(run) for run in runs]


def test_an_event_larger_than_a_piece_stands_alone() -> None:
    runs = cut(events(10, 1_000, 10), size_max=100)

    assert [1, 1, 1] == [len(run) for run in runs]


def test_nothing_is_cut_into_nothing() -> None:
    assert cut([], size_max=100) == []
