"""What a figure is held against: the most specific target that its row is of alone, and whether it is met."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from clients.connectors.policy_text import read_policy
from ledger.api.v1.figure_pb2 import FIGURE_BY_CHANNEL, FIGURE_BY_DEPARTMENT, FIGURE_BY_HOUR, FIGURE_BY_REASON, Figure, FigureRow
from ledger.policy.policy import Policy
from projections.figures.assessing import assess, unanswered
from projections.figures.tally import Asked

TARGETS = """
assessments:
  - {figure: repeat_rate, at_most: 10%}
  - {figure: repeat_rate, channel: phone, at_most: 12%}
  - {figure: repeat_rate, channel: phone, reason: billing, at_most: 20%}
  - {figure: repeat_rate, department: desk, at_least: 1%, at_most: 30%}
  - {figure: reopen_rate, channel: email, at_most: 5%}
"""


def policy(text: str = TARGETS) -> Policy:
    return Policy(read_policy(text, "policy.yaml").published.policy, "service", 3)


def assessed(
    slices: Sequence[int], values: Sequence[str], value: float | None = 0.11, name: str = "repeat_rate", **asked: str
) -> object:
    """Return the most and whether it is met, of a figure of one row; None where it is held against nothing."""
    row = FigureRow(values=values) if value is None else FigureRow(values=values, value=value)
    made = Figure(name=name, slices=slices, rows=[row])  # type: ignore[arg-type]
    chosen = {f"{one}s": frozenset([said]) for one, said in asked.items()}
    assess(made, policy(), Asked(**chosen))  # type: ignore[arg-type]
    found = made.rows[0].assessment
    if not made.rows[0].HasField("assessment"):
        return None
    assert ("service", 3) == (found.policy.policy_id, found.policy.policy_version)
    return found.target.at_most, found.met if found.HasField("met") else None


@pytest.mark.parametrize(
    ("slices", "values", "expected"),
    [
        ([], [], (0.1, False)),
        ([FIGURE_BY_HOUR], ["09"], (0.1, False)),
        ([FIGURE_BY_CHANNEL], ["phone"], (0.12, True)),
        ([FIGURE_BY_CHANNEL], ["email"], (0.1, False)),
        ([FIGURE_BY_REASON], ["billing"], (0.1, False)),
        ([FIGURE_BY_REASON, FIGURE_BY_CHANNEL], ["billing", "phone"], (0.2, True)),
        # Of two that name as much, the one that names the department.
        ([FIGURE_BY_CHANNEL, FIGURE_BY_DEPARTMENT], ["phone", "desk"], (0.3, True)),
    ],
)
def test_the_most_specific_target_counts(slices: list[int], values: list[str], expected: tuple[float, bool]) -> None:
    assert expected == assessed(slices, values)


def test_a_figure_asked_for_of_one_channel_is_of_it_alone() -> None:
    assert (0.12, True) == assessed([], [], channel="phone")
    assert (0.3, True) == assessed([], [], department="desk")


def test_bounds_are_inclusive_and_both_count() -> None:
    by_desk = ([FIGURE_BY_DEPARTMENT], ["desk"])

    assert [(0.3, False), (0.3, True), (0.3, True), (0.3, False)] == [assessed(*by_desk, one) for one in (0.009, 0.01, 0.3, 0.31)]


def test_without_a_value_nothing_is_met_or_missed_and_without_a_target_nothing_is_said() -> None:
    assert (0.1, None) == assessed([], [], None)
    assert assessed([], [], name="reopen_rate") is None
    assert assessed([], [], name="volume") is None


def test_a_target_that_no_figure_answers_is_told() -> None:
    document = policy(
        "assessments: [{figure: happiness, at_least: 1}, {figure: answer_consistency, channel: phone, at_least: 90%}, "
        "{figure: repeat_rate, reason: billing, at_most: 10%}]"
    ).document

    assert [
        ("assessments[0].figure", "there is no figure happiness in this version: it is held against nothing"),
        ("assessments[1].channel", "answer_consistency is not cut by channel: it is held against nothing"),
    ] == list(unanswered(document.assessments))
