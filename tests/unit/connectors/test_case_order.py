from __future__ import annotations

from datetime import UTC, datetime

from clients.connectors.case_order import CaseOrder
from clients.connectors.rows import Row


def test_cases_come_in_the_order_of_their_first_row_each_in_order() -> None:
    cases = CaseOrder(2)
    late, early = datetime(2016, 1, 2, tzinfo=UTC), datetime(2016, 1, 1, tzinfo=UTC)
    for line, case, order in [
        (2, "b", (late, 1)),
        (3, "a", (late, 10)),
        (4, "b", (early, 5)),
        (5, "a", (late, 9)),
        (6, "a", (late, 9)),
    ]:
        cases.add(case, order, Row(line, [str(line)]))

    found = [[row.line for row in rows] for rows in cases.cases()]

    assert [[4, 2], [5, 6, 3]] == found
    assert 5 == cases.row_count


def test_more_rows_than_a_batch_keep_their_cells() -> None:
    cases = CaseOrder(1)
    for line in range(12_000):
        cases.add(str(line % 7), (-line,), Row(line, [f"cell {line}", 'a "b"', ""]))

    rows = [row for one in cases.cases() for row in one]

    assert 12_000 == len(rows)
    assert all(row.cells == [f"cell {row.line}", 'a "b"', ""] for row in rows)
    assert sorted((row.line for row in rows[:1_000]), reverse=True) == [row.line for row in rows[:1_000]]


def test_nothing_gives_no_case() -> None:
    assert [] == list(CaseOrder(1).cases())
