from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clients.connectors.expression import Expression, ExpressionError, Language, Scope, Type
from clients.connectors.function import Sources
from clients.connectors.mapping_text import Entry, Mistakes
from clients.connectors.time_text import TimeReader
from ledger.api.v1.core_pb2 import Ownership


def language(**tables: dict[str, str]) -> Language:
    made = Language(Sources(TimeReader(), tables), Mistakes("mapping.yaml"))
    made.declare(["row.a", "row.b"], Type.STRING)
    return made


def entry(text: str) -> Entry:
    return Entry("text", 1, "key", text, 1)


def compiled(made: Language, text: str) -> Expression:
    found = made.compile(entry(text))
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('row.a == "x"', True),
        ("row . a + row.b", "xy"),
        ('"row.zz" + row.a', "row.zzx"),
        ("row.a", "x"),
        ("int('3') + 1", 4),
        ("row.a.upperAscii()", "X"),
        ('[row.a, row.b].exists(one, one == "y")', True),
        ('time("2016-02-29") < time("2016-03-01")', True),
        ('time("2016-02-29") + duration("36h")', datetime(2016, 3, 1, 12, tzinfo=UTC)),
    ],
)
def test_an_expression_has_the_value_of_its_row(text: str, expected: object) -> None:
    assert expected == compiled(language(), text)({"row.a": "x", "row.b": "y"})


def test_equal_values_are_evaluated_once_and_other_values_again() -> None:
    calls: list[str] = []
    made = language()
    made._sources = Sources(_Counting(calls), {})  # type: ignore[arg-type]
    expression = compiled(made, "time(row.a)")

    for text in ("2016-01-01", "2016-01-02", "2016-01-01"):
        expression({"row.a": text, "row.b": ""})

    assert ["2016-01-01", "2016-01-02"] == calls


class _Counting(TimeReader):
    def __init__(self, calls: list[str]) -> None:
        super().__init__()
        self.calls = calls

    def instant(self, text: str, format: str = "", zone: str = "") -> datetime:
        self.calls.append(text)
        return super().instant(text, format, zone)


def test_an_expression_whose_values_never_come_again_keeps_nothing() -> None:
    expression = compiled(language(), 'row.a + "!"')

    for number in range(4_000):
        assert f"{number}!" == expression({"row.a": str(number), "row.b": ""})

    assert expression._kept is None


def test_a_definition_is_evaluated_when_it_is_first_needed_and_once() -> None:
    made = language()
    made.define("both", compiled(made, "row.a + row.b"), Type.STRING)
    first, second = compiled(made, 'both == "xy"'), compiled(made, "both + both")
    scope: Scope = {"row.a": "x", "row.b": "y"}

    assert (True, "xyxy", "xy") == (first(scope), second(scope), scope["both"])


def test_a_failing_expression_says_why_and_where() -> None:
    with pytest.raises(ExpressionError, match=r"^cannot convert string to int$") as raised:
        compiled(language(), "int(row.a)")({"row.a": "x", "row.b": ""})

    assert "key" == raised.value.entry.key


def test_values_of_an_enum_are_written_by_name_and_chosen_by_conditions_and_tables() -> None:
    made = language(whose={"ours": "STAYS", "theirs": "MOVES"})
    enum = Ownership.DESCRIPTOR
    scope: Scope = {"row.a": "ours", "row.b": ""}

    found = [
        made.compile_enum(entry(text), enum)
        for text in ("MOVES", 'row.a == "ours" ? STAYS : MOVES', "whose(row.a)", "whose(row.b, MOVES)")
    ]

    assert ["MOVES", "STAYS", "STAYS", "MOVES"] == [one(scope) for one in found if one is not None]


def test_lists_may_be_defined_and_named() -> None:
    made = language()
    found = made.compile(entry('row.a.split(",")'))
    assert found is not None
    made.define("parts", *found)

    assert 2 == compiled(made, "parts.size()")({"row.a": "x,y", "row.b": ""})
