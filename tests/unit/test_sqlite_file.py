from __future__ import annotations

import sqlite3

import pytest

from ledger.sqlite_file import BATCH_MAX, bindable, in_batches, in_powers


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


def test_a_row_is_stored_as_it_is_whichever_way_it_is_bound() -> None:
    row = (1, -(2**63), "", "text", b"", b"\0bytes", None, True, False, 1.5)
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE TABLE row (way TEXT, {', '.join(f'c{number}' for number in range(len(row)))})")

    for way, bound in (("plain", row), ("bindable", bindable(row))):
        db.execute(f"INSERT INTO row VALUES (?{', ?' * len(row)})", (way, *bound))

    columns = ", ".join(f"c{number}, typeof(c{number})" for number in range(len(row)))
    (plain,), (other,) = (
        db.execute(f"SELECT {columns} FROM row WHERE way = ?", (way,)).fetchall() for way in ("plain", "bindable")
    )
    assert plain == other


def test_nothing_is_bound_as_null_where_a_value_must_stand() -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE row (may INTEGER, must INTEGER NOT NULL) STRICT")

    db.execute("INSERT INTO row VALUES (?, ?)", bindable((None, 1)))

    assert [(None, 1)] == db.execute("SELECT may, must FROM row").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        db.execute("INSERT INTO row VALUES (?, ?)", bindable((1, None)))
