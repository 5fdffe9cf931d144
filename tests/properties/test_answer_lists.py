"""Rows, lists, counts and changes of statements, opportunities, improvements and answers are those of the folds, at any (P, T)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.api.v1.answer_service_pb2 import STATEMENT_BY_QUESTION, STATEMENT_BY_STATE, StatementFilter, StatementState
from ledger.api.v1.improvement_service_pb2 import (
    IMPROVEMENT_BY_EFFECT,
    IMPROVEMENT_BY_STATE,
    ImprovementFilter,
    ImprovementState,
)
from ledger.api.v1.opportunity_service_pb2 import (
    OPPORTUNITY_BY_CONSENT,
    OPPORTUNITY_BY_STATE,
    OpportunityFilter,
    OpportunityState,
)
from ledger.event import Event
from projections import answer_rows, improvements, opportunities, statements
from projections.fold_view import FoldView
from tests.answer_moves import ANSWERS, IMPROVEMENTS, OPPORTUNITIES, STATEMENTS
from tests.build import at, event_id_text
from tests.folded import FoldedViews, folded_findings, folded_rows
from tests.histories import Move, histories, instants_of, splits

EVALUATED = at(6)

Row = dict[str, Any]


class Asked(NamedTuple):
    """One kind of list, a filter, and what it means for a row of the fold."""

    module: Any
    view: FoldView
    moves: tuple[Move, ...]
    filter: Any
    holds: Callable[[Row], bool]
    order: Callable[[Row], Any]
    groups: tuple[int, int]
    values: Callable[[Row], tuple[str, str]]
    id: Callable[[Any], str]


def _state(row: Row) -> int:
    ends = {2: row["replaced_time"], 3: row["withdrawn_time"], 4: row["valid_until"]}
    over = [(end, state) for state, end in ends.items() if end is not None and end <= EVALUATED]
    return min(over)[1] if over else 1


def _statements(filter: StatementFilter) -> Asked:
    def holds(row: Row) -> bool:
        desks = [item.partition("=")[0] for item in row["acknowledged"].split()]
        in_force = row["valid_from"] <= EVALUATED and _state(row) == 1
        return (
            (not filter.question_keys or row["question_key"] in filter.question_keys)
            and (not filter.object_key or row["object_key"] == filter.object_key)
            and all(not row["departments"] or one in row["departments"].split() for one in filter.departments)
            and (not filter.channels or not row["channels"] or bool({*row["channels"].split()} & {*filter.channels}))
            and (not filter.states or _state(row) in filter.states)
            and (not filter.in_force or in_force)
            and (
                not filter.unacknowledged_by
                or (filter.unacknowledged_by not in desks and (not row["departments"] or "north" in row["departments"].split()))
            )
        )

    def values(row: Row) -> tuple[str, str]:
        return StatementState.Name(cast(Any, _state(row))), row["question_key"]

    groups = (STATEMENT_BY_STATE, STATEMENT_BY_QUESTION)
    order = lambda row: (-row["valid_from"], -row["first"])  # noqa: E731
    return Asked(statements, statements.VIEW, STATEMENTS, filter, holds, order, groups, values, lambda one: str(one.statement_id))


def _opportunities(filter: OpportunityFilter) -> Asked:
    def holds(row: Row) -> bool:
        return (
            (not filter.states or row["state"] in filter.states)
            and (not filter.open or row["state"] in (1, 2))
            and (not filter.kinds or row["kind"] in filter.kinds)
            and (not filter.consented or row["consent"])
            and (not filter.departments or row["department"] in filter.departments)
            and (not filter.request_id or row["request_id"] == filter.request_id)
        )

    def values(row: Row) -> tuple[str, str]:
        return OpportunityState.Name(row["state"]), str(bool(row["consent"])).lower()

    groups = (OPPORTUNITY_BY_STATE, OPPORTUNITY_BY_CONSENT)
    order = lambda row: (row["opened_time"], row["first"])  # noqa: E731
    named = lambda one: str(one.opportunity_id)  # noqa: E731
    return Asked(opportunities, opportunities.VIEW, OPPORTUNITIES, filter, holds, order, groups, values, named)


def _improvements(filter: ImprovementFilter) -> Asked:
    def holds(row: Row) -> bool:
        owners = row["owner_departments"].split()
        return (
            (not filter.states or row["state"] in filter.states)
            and (not filter.open or row["state"] == 1)
            and (not filter.problems or row["problem"] in filter.problems)
            and (not filter.departments or bool({*owners} & {*filter.departments}))
            and (not filter.figures or row["figure"] in filter.figures)
            and (not filter.evidence_event_id or filter.evidence_event_id in row["evidence_event_ids"].split())
        )

    def values(row: Row) -> tuple[str, str]:
        names = ["", "EFFECT_BETTER", "EFFECT_NONE", "EFFECT_WORSE", "EFFECT_NOT_DONE"]
        return ImprovementState.Name(row["state"]), names[row["effect"]]

    groups = (IMPROVEMENT_BY_STATE, IMPROVEMENT_BY_EFFECT)
    order = lambda row: (row["proposed_time"], row["first"])  # noqa: E731
    named = lambda one: str(one.improvement_id)  # noqa: E731
    return Asked(improvements, improvements.VIEW, IMPROVEMENTS, filter, holds, order, groups, values, named)


true = st.sampled_from((None, None, None, True))
departments = st.sampled_from(([], [], ["north"]))


def _states(last: int) -> st.SearchStrategy[list[int]]:
    return st.just([]) | st.just([]) | st.lists(st.integers(1, last), min_size=1, max_size=3, unique=True)


filters = st.one_of(
    st.builds(
        StatementFilter,
        states=_states(4),
        question_keys=st.sampled_from(([], [], ["runs"])),
        object_key=st.sampled_from(("", "", "train")),
        departments=departments,
        channels=st.sampled_from(([], [], ["phone"], ["email", "sms"])),
        in_force=true,
        unacknowledged_by=st.sampled_from(("", "", "north")),
    ).map(_statements),
    st.builds(
        OpportunityFilter,
        states=_states(4),
        open=true,
        kinds=_states(3),
        consented=true,
        departments=departments,
        request_id=st.sampled_from(("", "", "r-1")),
    ).map(_opportunities),
    st.builds(
        ImprovementFilter,
        states=_states(2),
        open=true,
        problems=st.sampled_from(([], [], ["quote_late"])),
        departments=departments,
        figures=st.sampled_from(([], [], ["repeat_rate"])),
        evidence_event_id=st.sampled_from(("", "", event_id_text("at 2"))),
    ).map(_improvements),
)
questions = filters.flatmap(lambda asked: st.tuples(st.just(asked), histories([asked.moves])))


def _expected(asked: Asked, history: list[Event], known: int, before: int | None) -> list[Row]:
    """Return the rows that the list must show, in its order."""
    first = {event.stream: event.position for event in reversed(history)}
    rows = [
        dict(zip(asked.view.table.names, values, strict=True))
        | {"first": first[stream], "id": stream.partition("-")[2], "all": values}
        for (stream, _), values in folded_rows(asked.view, history, known, before).items()
    ]
    return sorted((row for row in rows if asked.holds(row)), key=asked.order)


@settings(max_examples=200, deadline=None)
@given(question=questions, size=st.sampled_from((1, 2, 50)), data=st.data())
def test_pages_and_counts_hold_what_the_folds_say(question: tuple[Asked, list[Event]], size: int, data: st.DataObject) -> None:
    asked, history = question
    known, before = data.draw(st.integers(0, len(history))), data.draw(instants_of(history))
    read = FoldedViews(history).read(known, before, EVALUATED)

    found: list[Any] = []
    after = None
    while True:
        page, after = asked.module.page(read, asked.filter, size, after)
        found += page
        if after is None:
            break
    counted = asked.module.count(read, asked.filter, asked.groups)

    expected = _expected(asked, history, known, before)
    assert [row["id"] for row in expected] == [asked.id(one) for one in found]
    assert Counter(map(asked.values, expected)) == {tuple(row.values): row.count for row in counted.rows}
    assert len(expected) == counted.total


@settings(max_examples=100, deadline=None)
@given(history=histories([STATEMENTS]), states=_states(4), after=st.integers(0, 40))
def test_changes_of_statements_are_what_is_in_the_list_or_left_it_at_each_position(
    history: list[Event], states: list[int], after: int
) -> None:
    asked = _statements(StatementFilter(states=cast(Any, states)))

    changes = statements.changed(FoldedViews(history).read(None, None, EVALUATED), after, asked.filter)

    expected = []
    before: dict[Any, Any] = {}
    for position in range(len(history) + 1):
        now = folded_rows(asked.view, history, position, None)
        listed = {row["id"] for at_position in (position, position - 1) for row in _expected(asked, history, at_position, None)}
        for place, values in now.items():
            named = place[0].partition("-")[2]
            if before.get(place) != values and named in listed and position > after:
                expected.append((position, named))
        before = now
    assert sorted(expected) == sorted((position, one.statement_id) for position, one in changes)


@pytest.mark.parametrize(
    ("view", "moves"),
    [
        (answer_rows.VIEW, ANSWERS),
        (statements.VIEW, STATEMENTS),
        (opportunities.VIEW, OPPORTUNITIES),
        (improvements.VIEW, IMPROVEMENTS),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@settings(max_examples=60, deadline=None)
@given(data=st.data(), ends=splits)
def test_rows_and_findings_are_those_of_the_fold_however_the_log_is_cut(
    view: FoldView, moves: tuple[Move, ...], data: st.DataObject, ends: list[int]
) -> None:
    history = data.draw(histories([moves]))
    known, before = data.draw(st.integers(0, len(history))), data.draw(instants_of(history))
    whole = FoldedViews(history)
    pieces = FoldedViews(history, [end for end in ends if end < len(history)], entities_max=1)

    assert folded_rows(view, history, known, before) == whole.rows(view, known, before)
    assert folded_findings(history, known, before) == {found for found in whole.findings(known, before) if found[1] <= 3}
    assert whole.changes[view.name].entries == pieces.changes[view.name].entries
    assert whole.rows(view, known, before) == pieces.rows(view, known, before)
