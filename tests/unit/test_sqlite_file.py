from __future__ import annotations

import pytest

from ledger.sqlite_file import BATCH_MAX, in_batches, in_powers


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 255, 256, 257, 1_000])
def test_questions_are_cut_into_powers_of_two_and_leave_nothing_out(count: int) -> None:
    values = list(range(count))

    pieces = list(in_batches(values))

    assert values == sorted({value for piece in pieces for value in piece})
    assert all(len(piece) & (len(piece) - 1) == 0 and len(piece) <= BATCH_MAX for piece in pieces)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 255, 256, 257, 1_000])
def test_rows_are_cut_into_powers_of_two_and_none_is_repeated(count: int) -> None:
    rows = list(range(count))

    pieces = list(in_powers(rows))

    assert rows == [row for piece in pieces for row in piece]
    assert all(len(piece) & (len(piece) - 1) == 0 and len(piece) <= BATCH_MAX for piece in pieces)
