"""A node says that it does not serve only when another one would do better."""

from __future__ import annotations

import pytest

from ledger.server.nodes import NodeWatch, behind_others
from ledger.store.recorder import NodePlace, StoreUnavailableError

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


def test_what_was_seen_last_counts_while_the_others_cannot_be_seen() -> None:
    board, position = Board(), 5
    watch = NodeWatch(board, "here", lambda: position, LIMIT_SECONDS)

    watch.look()
    board.fails = True
    watch.look()
    still = watch.lagging
    board.fails, position = False, 9
    watch.look()

    assert still == "the views stand at 5, 60 s behind, and those of another node at 9"
    assert None is watch.lagging


def test_a_ledger_in_a_file_has_one_node_which_serves() -> None:
    watch = NodeWatch(None, "here", lambda: 0, LIMIT_SECONDS)

    watch.start()
    watch.stop()

    assert None is watch.lagging
