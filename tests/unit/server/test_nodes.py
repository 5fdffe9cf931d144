"""A node says that it does not serve only when another one would do better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pytest

from ledger.server.nodes import NodeWatch, behind_others
from ledger.store.recorder import Head, LogReader, NodePlace, StoredEventRow, StoreUnavailableError

LIMIT_SECONDS = 10.0


def place(name: str, position: int, lag_seconds: float) -> NodePlace:
    return NodePlace(name, position, int(lag_seconds * 1_000_000), 0)


@pytest.mark.parametrize(
    ("places", "lags"),
    [
        pytest.param([place("here", 5, 60)], False, id="alone"),
        pytest.param([place("here", 5, 60), place("there", 9, 0)], True, id="another one is level"),
        pytest.param([place("here", 5, 60), place("there", 9, 9)], True, id="another one is within the limit"),
        pytest.param([place("here", 5, 60), place("there", 9, 50)], False, id="all lag"),
        pytest.param([place("here", 5, 10), place("there", 9, 0)], False, id="within the limit"),
        pytest.param([place("here", 9, 0), place("there", 5, 60)], False, id="ahead"),
        pytest.param([place("there", 9, 0)], False, id="not heard of itself"),
    ],
)
def test_a_node_lags_when_it_is_beyond_its_limit_and_another_one_is_not(places: list[NodePlace], lags: bool) -> None:
    assert lags == (behind_others("here", places, LIMIT_SECONDS) is not None)


class Board:
    """What the nodes wrote, or nothing while it cannot be reached."""

    def __init__(self) -> None:
        self.places = [place("there", 9, 0)]
        self.fails = False

    def stand_at(self, name: str, position: int) -> list[NodePlace]:
        if self.fails:
            raise StoreUnavailableError("It cannot be reached.")
        return [place(name, position, 60 if position < 9 else 0), *self.places]

    def close(self) -> None:
        pass


class Log:
    """A log by the ids of its events."""

    def __init__(self, *ids: bytes) -> None:
        self.ids = list(ids)

    def head(self) -> Head:
        return Head(len(self.ids), 0)

    def read_positions(self, positions: Sequence[int]) -> dict[int, StoredEventRow]:
        found = [position for position in positions if 0 < position <= len(self.ids)]
        return {at: StoredEventRow(at, self.ids[at - 1], "", 1, "", 0, b"", None) for at in found}


def watch_of(board: Board | None, log: Log, position: Callable[[], int] = lambda: 9) -> tuple[NodeWatch, list[bool]]:
    lost: list[bool] = []
    reader = cast(LogReader, log)
    return NodeWatch(board, "here", position, LIMIT_SECONDS, reader, lambda: lost.append(True)), lost


@pytest.mark.parametrize(
    ("then", "is_lost"),
    [([b"a", b"b"], False), ([b"a", b"b", b"c"], False), ([b"a"], True), ([b"a", b"x", b"y"], True), ([], True)],
    ids=["the same", "longer", "shorter", "another branch", "empty"],
)
def test_a_log_that_lost_what_was_known_is_noticed_without_an_append(then: list[bytes], is_lost: bool) -> None:
    log = Log(b"a", b"b")
    watch, lost = watch_of(Board(), log)

    watch.look()
    assert [] == lost
    log.ids = then
    watch.look()

    assert is_lost == bool(lost)


def test_what_was_seen_last_counts_while_the_others_cannot_be_seen() -> None:
    board, position = Board(), 5
    watch, _ = watch_of(board, Log(), lambda: position)

    watch.look()
    board.fails = True
    watch.look()
    still = watch.lagging
    board.fails, position = False, 9
    watch.look()

    assert still == "the views stand at 5, 60 s behind, and those of another node at 9"
    assert None is watch.lagging


def test_a_ledger_in_a_file_has_one_node_which_serves() -> None:
    watch, _ = watch_of(None, Log())

    watch.start()
    watch.stop()

    assert None is watch.lagging
