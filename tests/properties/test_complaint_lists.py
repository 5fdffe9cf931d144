"""Rows, lists, counts and changes of complaints, exceptions, overrides, experience and derived targets are those of the folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.api.v1.complaint_service_pb2 import COMPLAINT_BY_HANDS, COMPLAINT_BY_STATE, ComplaintFilter, ComplaintState
from ledger.api.v1.exception_service_pb2 import EXCEPTION_BY_RULE, EXCEPTION_BY_STATE, ExceptionFilter, ExceptionState
from ledger.api.v1.experience_pb2 import SatisfactionMeasure
from ledger.api.v1.experience_service_pb2 import IRRITANT_BY_CAUSE, IRRITANT_BY_STEP, SATISFACTION_BY_MEASURE, ExperienceFilter
from ledger.api.v1.promise_service_pb2 import PROMISE_BY_KIND, PROMISE_BY_STATE, PromiseFilter, PromiseState
from ledger.event import Event
from ledger.rules.experience import ASKED, IRRITANT, SCORE
from projections import complaints, derived_targets, exceptions, experience, overrides, promises
from projections.fold_view import FoldView
from projections.view import MAX
from tests.build import at
from tests.complaint_moves import COMPLAINTS, EXCEPTIONS, EXPERIENCES, RESOLUTIONS
from tests.folded import FoldedViews, folded_findings, folded_rows
from tests.histories import Move, histories, instants_of, splits

EVALUATED = at(6)
OPEN = (1, 2, 3, 4, 5, 6, 7)

Row = dict[str, Any]

VIEWS = {
    "complaints": (complaints.VIEW, COMPLAINTS),
    "complaint_targets": (derived_targets.COMPLAINTS, COMPLAINTS),
    "request_targets": (derived_targets.REQUESTS, RESOLUTIONS),
    "exceptions": (exceptions.VIEW, EXCEPTIONS),
    "experience": (experience.VIEW, EXPERIENCES),
    "overrides": (overrides.VIEW, EXPERIENCES),
}


@pytest.mark.parametrize("name", VIEWS)
@settings(max_examples=60)
@given(data=st.data())
def test_rows_at_a_position_and_a_time_are_those_of_the_fold_up_to_there(name: str, data: st.DataObject) -> None:
    view, moves = VIEWS[name]
    history = data.draw(histories([moves]))
    cut = [place for place in data.draw(splits) if place < len(history)]
    views = FoldedViews(history, cut, entities_max=data.draw(st.sampled_from((1, 1000))))
    known, before = data.draw(st.integers(0, len(history))), data.draw(instants_of(history))

    assert folded_rows(view, history, known, before) == views.rows(view, known, before)
    assert folded_findings(history, known, before) == views.findings(known, before)


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


def _complaints(filter: ComplaintFilter) -> Asked:
    def late(row: Row, target: str) -> bool:
        state, due = row[f"{target}_target"], row[f"{target}_due_time"]
        return bool(state == 4 or (state == 1 and due < EVALUATED))

    def holds(row: Row) -> bool:
        is_open = row["state"] in OPEN
        return (
            (not filter.open or is_open)
            and (not filter.states or row["state"] in filter.states)
            and (not filter.hands or row["hands"] in filter.hands)
            and (not filter.severities or row["severity"] in filter.severities)
            and (not filter.safety or row["safety"])
            and (not filter.overdue or (is_open and (late(row, "acknowledge") or late(row, "respond"))))
        )

    return Asked(
        complaints,
        complaints.VIEW,
        COMPLAINTS,
        filter,
        holds,
        lambda row: (row["started_time"], row["first"]),
        (COMPLAINT_BY_STATE, COMPLAINT_BY_HANDS),
        lambda row: (ComplaintState.Name(row["state"]), row["hands"]),
        lambda one: f"complaint-{one.complaint_id}",
    )


def _exceptions(filter: ExceptionFilter) -> Asked:
    def holds(row: Row) -> bool:
        in_force = row["state"] == 2 and row["from_time"] <= EVALUATED < row["until_time"]
        return (
            (not filter.in_force or in_force)
            and (not filter.states or row["state"] in filter.states)
            and (not filter.rules or row["rule"] in filter.rules)
        )

    return Asked(
        exceptions,
        exceptions.VIEW,
        EXCEPTIONS,
        filter,
        holds,
        lambda row: (row["opened_time"], row["first"]),
        (EXCEPTION_BY_STATE, EXCEPTION_BY_RULE),
        lambda row: (ExceptionState.Name(row["state"]), row["rule"]),
        lambda one: f"exception-{one.exception_id}",
    )


def _targets(filter: PromiseFilter) -> Asked:
    resolution = "resolution" in filter.kinds
    filter.response_targets = True

    def holds(row: Row) -> bool:
        return (
            row["kind"] in filter.kinds
            and (not filter.states or row["state"] in filter.states)
            and (not filter.undated or row["due_time"] == MAX)
            and (not filter.overdue or (row["state"] == 1 and row["due_time"] < EVALUATED))
        )

    return Asked(
        promises,
        derived_targets.REQUESTS if resolution else derived_targets.COMPLAINTS,
        RESOLUTIONS if resolution else COMPLAINTS,
        filter,
        holds,
        lambda row: (row["due_time"], row["first"], row["key"]),
        (PROMISE_BY_STATE, PROMISE_BY_KIND),
        lambda row: (PromiseState.Name(row["state"]), row["kind"]),
        lambda one: f"request-{one.request_id}" if resolution else f"complaint-{one.complaint_id}",
    )


true = st.sampled_from((None, None, True))
departments = st.sampled_from(([], [], ["north"], ["north", "south"]))


def _states(last: int) -> st.SearchStrategy[list[int]]:
    return st.just([]) | st.lists(st.integers(1, last), min_size=1, max_size=3, unique=True)


filters = st.one_of(
    st.builds(
        ComplaintFilter,
        states=_states(9),
        open=true,
        hands=departments,
        overdue=true,
        safety=true,
        severities=st.sampled_from(([], ["high"])),
    ).map(_complaints),
    st.builds(ExceptionFilter, states=_states(4), in_force=true, rules=st.sampled_from(([], ["delay"]))).map(_exceptions),
    st.builds(PromiseFilter, states=_states(8), overdue=true, kinds=st.just(["complaint_acknowledge", "complaint_respond"])).map(
        _targets
    ),
    st.builds(PromiseFilter, states=_states(8), undated=true, kinds=st.just(["resolution"])).map(_targets),
)
questions = filters.flatmap(lambda asked: st.tuples(st.just(asked), histories([asked.moves], restated=False)))
subjects = st.sampled_from((None, None, [b"\1" * 16]))


def _expected(asked: Asked, history: list[Event], known: int, before: int | None, of: Any) -> list[tuple[str, Row]]:
    first = {event.stream: event.position for event in reversed(history)}
    found = []
    for (stream, key), values in folded_rows(asked.view, history, known, before).items():
        row = dict(zip(asked.view.table.names, values, strict=True)) | {"key": key, "first": first[stream]}
        if asked.holds(row) and (of is None or row["subject"] in of):
            found.append((stream, row))
    return sorted(found, key=lambda one: asked.order(one[1]))


@given(question=questions, of=subjects, size=st.sampled_from((1, 2, 50)), data=st.data())
def test_pages_and_counts_hold_what_the_folds_say(
    question: tuple[Asked, list[Event]], of: Any, size: int, data: st.DataObject
) -> None:
    asked, history = question
    views = FoldedViews(history)
    known, before = data.draw(st.integers(0, len(history))), data.draw(instants_of(history))
    read = views.read(known, before, EVALUATED)

    found: list[Any] = []
    after = None
    while True:
        page, after = asked.module.page(read, asked.filter, size, after, of)
        found.extend(page)
        if after is None:
            break
    counted = asked.module.count(read, asked.filter, asked.groups, of)

    expected = _expected(asked, history, known, before, of)
    assert [stream for stream, _ in expected] == [asked.id(one) for one in found]
    assert [row["state"] for _, row in expected] == [one.state for one in found]
    assert Counter(asked.values(row) for _, row in expected) == {tuple(row.values): row.count for row in counted.rows}
    assert len(expected) == counted.total


@given(question=questions, of=subjects, after=st.integers(0, 40))
def test_changes_are_what_is_in_the_list_or_left_it_at_each_position(
    question: tuple[Asked, list[Event]], of: Any, after: int
) -> None:
    asked, history = question
    views = FoldedViews(history)

    changes = asked.module.changed(views.read(None, None, EVALUATED), after, asked.filter, of)

    expected = []
    rows: dict[Any, Any] = {}
    listed_before: set[Any] = set()
    for position in range(len(history) + 1):
        now = folded_rows(asked.view, history, position, None)
        listed = {(stream, row["key"]) for stream, row in _expected(asked, history, position, None, of)}
        for place, values in now.items():
            if rows.get(place) != values and place in listed | listed_before and position > after:
                expected.append((position, place[0], values[asked.view.table.names.index("state")]))
        rows, listed_before = now, listed
    assert sorted(expected) == sorted((position, asked.id(one), one.state) for position, one in changes)


@settings(max_examples=60)
@given(history=histories([EXPERIENCES]), data=st.data())
def test_experience_is_listed_and_counted_as_folded(history: list[Event], data: st.DataObject) -> None:
    views = FoldedViews(history)
    known, before = data.draw(st.integers(0, len(history))), data.draw(instants_of(history))
    read = views.read(known, before, EVALUATED)
    names = experience.TABLE.names
    rows = [dict(zip(names, values, strict=True)) for values in folded_rows(experience.VIEW, history, known, before).values()]

    scores = experience.scores(read, at(2), at(8))
    counted = experience.count_satisfaction(read, ExperienceFilter(), [SATISFACTION_BY_MEASURE])
    irritants = experience.count_irritants(read, ExperienceFilter(), [IRRITANT_BY_CAUSE, IRRITANT_BY_STEP])

    expected = [row for row in rows if row["state"] == SCORE and at(2) <= row["occur_time"] < at(8)]
    assert Counter((row["measure"], row["score"]) for row in expected) == Counter((one.measure, one.score) for one in scores)
    by_measure = Counter((SatisfactionMeasure.Name(row["measure"]), row["state"]) for row in rows if row["state"] in (ASKED, SCORE))
    found = {row.values[0]: (row.asked_count, row.recorded_count) for row in counted.rows}
    assert {name: (by_measure[name, ASKED], by_measure[name, SCORE]) for name, _ in by_measure} == found
    causes = Counter((cause, row["step"]) for row in rows if row["state"] == IRRITANT for cause in row["causes"].split())
    assert causes == {tuple(row.values): row.count for row in irritants.rows}
    assert sum(row["state"] == IRRITANT for row in rows) == irritants.total
