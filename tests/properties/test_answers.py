"""Validity, verdicts and contradictions of answers, at any position and time, are what going through all events by hand gives.

What an answer and a statement are at a position and time comes from their folds, which other tests prove; all that is derived from
many of them is computed here anew, the slow way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlite_utils
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.api.v1.answer_service_pb2 import (
    ANSWER_BY_CHANNEL,
    ANSWER_BY_KNOWABLE,
    ANSWER_BY_QUESTION,
    ANSWER_BY_VERDICT,
    AnswerFilter,
    ContradictionFilter,
)
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.answer import STATED, AnswerState
from ledger.rules.fold import state_at
from ledger.rules.statement import StatementState
from projections import answers, contradictions, statements
from projections.identities import IdentitiesView
from projections.view import MAX
from tests.answer_moves import ANSWERS, STATEMENTS
from tests.build import at, timestamp
from tests.folded import FoldedViews, belonging, effective
from tests.histories import histories, instants_of

EVALUATED = at(6)

stories = histories([ANSWERS, ANSWERS, STATEMENTS])
minutes = st.integers(0, 12)


class Said(NamedTuple):
    """An answer and what follows for it."""

    position: int
    state: AnswerState
    until: int
    statement: str
    verdict: int
    """0 no statement, 1 confirmed, 2 not confirmed, 3 contradicted."""
    knowable: bool

    @property
    def stated(self) -> bool:
        return self.state.state == STATED

    @property
    def valid(self) -> bool:
        return self.stated and self.state.order_time <= EVALUATED < self.until


def _states(story: Sequence[Event], family: str, known: int, before: int | None) -> dict[str, Any]:
    """Return the states of a family by stream, in order of the streams' first events."""
    streams = dict.fromkeys(one.stream for one in story if one.stream.startswith(f"{family}-"))
    stands = effective(story, known)
    found = {one: state_at(FAMILIES[family], belonging(one, stands), known, before, one) for one in streams}
    return {stream: state for stream, state in found.items() if state is not None}


def _ends(state: StatementState) -> list[int]:
    return [end for end in (state.valid_until, state.withdrawn_time, state.replaced_time) if end is not None]


def said(story: Sequence[Event], known: int, before: int | None) -> list[Said]:
    """Return all answers, oldest first, with what follows for each."""
    first = {one.stream: one.position for one in reversed(story)}
    official = list(_states(story, "statement", known, before).items())
    given_ = sorted(
        ((state, first[stream]) for stream, state in _states(story, "answer", known, before).items()),
        key=lambda one: (one[0].order_time, one[1]),
    )
    found = []
    for number, (state, position) in enumerate(given_):
        ends = [MAX] if state.claimed_until is None else [state.claimed_until]
        for later, _ in given_[number + 1 :]:
            same = (later.question_key, later.scope, later.department) == (state.question_key, state.scope, state.department)
            if same and later.state == STATED:
                ends.append(later.order_time)
        holding = [
            (one.valid_from, first[stream], one)
            for stream, one in official
            if one.question_key == state.question_key
            and state.scope == (f"o {one.object_key}" if one.object_key else "")
            and one.valid_from <= state.order_time
            and all(end > state.order_time for end in _ends(one))
            and (not one.departments or state.department in one.departments)
            and (not one.channels or state.channel in one.channels)
        ]
        if not holding:
            found.append(Said(position, state, min(ends), "", 0, False))
            continue
        one = max(holding, key=lambda held: held[:2])[2]
        verdict = 2 if state.state != STATED else 1 if state.answer_key == one.answer_key else 3
        found.append(Said(position, state, min(ends), one.statement_id, verdict, one.record_time <= state.earliest_time))
    return found


filters = st.builds(
    AnswerFilter,
    question_keys=st.sampled_from(([], [], ["runs"], ["price", "runs"])),
    departments=st.sampled_from(([], [], ["north"])),
    channels=st.sampled_from(([], [], ["phone"])),
    valid=st.sampled_from((None, None, True)),
    unanswered=st.sampled_from((None, None, None, True)),
    verdicts=st.sampled_from(([], [], [3], [1, 2])),
    statement_id=st.sampled_from(("", "", "", "s-1", "s-7")),
    knowable=st.sampled_from((None, None, None, True)),
    object_key=st.sampled_from(("", "", "", "train")),
    from_time=st.sampled_from((None, None, None, timestamp(at(4)))),
    until_time=st.sampled_from((None, None, None, timestamp(at(9)))),
)


def _meets(filter: AnswerFilter, one: Said) -> bool:
    state = one.state
    return (
        (not filter.question_keys or state.question_key in filter.question_keys)
        and (not filter.departments or state.department in filter.departments)
        and (not filter.channels or state.channel in filter.channels)
        and (not filter.valid or one.valid)
        and (not filter.unanswered or not state.answer_key)
        and (not filter.verdicts or one.verdict in filter.verdicts)
        and (not filter.statement_id or one.statement == filter.statement_id)
        and (not filter.knowable or one.knowable)
        and (not filter.object_key or state.object_key == filter.object_key)
        and (not filter.HasField("from_time") or state.order_time >= at(4))
        and (not filter.HasField("until_time") or state.order_time < at(9))
    )


subjects = st.sampled_from((None, None, [b"\1" * 16]))


@settings(max_examples=250, deadline=None)
@given(story=stories, filter=filters, of=subjects, size=st.sampled_from((1, 3, 50)), data=st.data())
def test_answers_with_validity_and_verdict_are_those_computed_by_hand(
    story: list[Event], filter: AnswerFilter, of: list[bytes] | None, size: int, data: st.DataObject
) -> None:
    known, before = data.draw(st.integers(0, len(story))), data.draw(instants_of(story))
    views = FoldedViews(story)
    IdentitiesView().create_tables(sqlite_utils.Database(views.db))
    read = views.read(known, before, EVALUATED)

    found: list[Any] = []
    after = None
    while True:
        page, after = answers.page(read, filter, size, after, of)
        found += page
        if after is None:
            break
    groups = (ANSWER_BY_QUESTION, ANSWER_BY_CHANNEL, ANSWER_BY_VERDICT, ANSWER_BY_KNOWABLE)
    counted = answers.count(read, filter, groups, of)

    expected = [
        one for one in reversed(said(story, known, before)) if _meets(filter, one) and (of is None or one.state.subject in of)
    ]
    assert [one.position for one in expected] == [one.position for one in found]
    assert [(one.valid, one.verdict, one.statement, one.knowable) for one in expected] == [
        (one.valid, one.verdict, one.statement_id, one.knowable) for one in found
    ]
    assert [timestamp(one.until) if one.stated and one.until != MAX else None for one in expected] == [
        one.valid_until if one.HasField("valid_until") else None for one in found
    ]
    names = ["", "STATEMENT_CONFIRMED", "STATEMENT_NOT_CONFIRMED", "STATEMENT_CONTRADICTED"]
    assert Counter(
        (one.state.question_key, one.state.channel, names[one.verdict], str(one.knowable).lower() if one.statement else "")
        for one in expected
    ) == {tuple(row.values): row.count for row in counted.rows}
    assert len(expected) == counted.total == answers.count(read, filter, (), of).total


@settings(max_examples=150, deadline=None)
@given(
    story=stories,
    departments=st.sampled_from(([], [], ["north"])),
    standing=st.sampled_from((None, None, True)),
    size=st.sampled_from((1, 3, 50)),
    data=st.data(),
)
def test_contradictions_are_those_found_by_comparing_all_answers_with_all_others(
    story: list[Event], departments: list[str], standing: bool | None, size: int, data: st.DataObject
) -> None:
    known, before = data.draw(st.integers(0, len(story))), data.draw(instants_of(story))
    read = FoldedViews(story).read(known, before, EVALUATED)
    filter = ContradictionFilter(departments=departments, standing=standing)

    found: list[Any] = []
    after = None
    while True:
        page, after = contradictions.page(read, filter, size, after)
        found += page.contradictions
        if after is None:
            break

    stated = [one for one in said(story, known, before) if one.stated]
    expected = []
    for number, one in enumerate(stated):
        for other in stated[number + 1 :]:
            begin, end = other.state.order_time, min(one.until, other.until)
            about = (one.state.question_key, one.state.scope) == (other.state.question_key, other.state.scope)
            listed = not departments or {one.state.department, other.state.department} & set(departments)
            stands = not standing or begin <= EVALUATED < end
            if about and listed and stands and one.state.answer_key != other.state.answer_key and begin < end:
                expected.append((one.state.question_key, -begin, -other.position, one.position, end))
    expected.sort()
    assert [place[2:4] for place in expected] == [(-one.later.position, one.earlier.position) for one in found]
    assert [timestamp(-place[1]) for place in expected] == [one.from_time for one in found]
    assert [place[4] != MAX for place in expected] == [one.HasField("until_time") for one in found]
    shares = {
        key: (
            sum(one.state.question_key == key for one in stated),
            len({place for one in expected if one[0] == key for place in (-one[2], one[3])}),
            sum(one[0] == key for one in expected),
        )
        for key in {one[0] for one in expected}
    }
    assert shares == {
        one.question_key: (one.stated_count, one.contradicted_count, one.contradiction_count) for one in page.questions
    }
    assert all(one.share == one.contradicted_count / one.stated_count for one in page.questions)
    assert len(expected) == sum(row.count for row in page.by_departments) == sum(row.count for row in page.by_channels)


@settings(max_examples=100, deadline=None)
@given(story=stories, start=minutes, length=minutes, data=st.data())
def test_consistency_is_the_share_of_questions_asked_twice_without_a_contradiction(
    story: list[Event], start: int, length: int, data: st.DataObject
) -> None:
    known, before = data.draw(st.integers(0, len(story))), data.draw(instants_of(story))
    low, high = at(start), at(start + length)

    found = answers.consistency(FoldedViews(story).read(known, before), low, high)

    given_ = [one for one in said(story, known, before) if low <= one.state.order_time < high]
    asked = sorted(key for key, times in Counter(one.state.question_key for one in given_).items() if times > 1)
    inside = [
        (one, other)
        for one in given_
        for other in given_
        if one.stated and other.stated and one.state.answer_key != other.state.answer_key
        if (one.state.question_key, one.state.scope) == (other.state.question_key, other.state.scope)
        if (one.state.order_time, one.position) < (other.state.order_time, other.position)
        if other.state.order_time < min(one.until, other.until)
    ]
    wrong = sorted({one.state.question_key for one, _ in inside})
    assert (tuple(asked), tuple(wrong)) == (found.asked_keys, found.contradicted_keys)
    assert sorted({one.position for pair in inside for one in pair}) == list(found.event_positions)
    assert found.value == (1 - len(wrong) / len(asked) if asked else None)


@settings(max_examples=100, deadline=None)
@given(story=stories, data=st.data())
def test_the_official_answer_is_the_latest_valid_statement_that_binds_who_asks(story: list[Event], data: st.DataObject) -> None:
    known, before = data.draw(st.integers(0, len(story))), data.draw(instants_of(story))
    evaluated = at(data.draw(minutes))
    department, channel = data.draw(st.sampled_from(("", "north", "west"))), data.draw(st.sampled_from(("", "phone", "email")))
    views = FoldedViews(story)

    found = statements.official(views.read(known, before, evaluated), "runs", "", department, channel)

    first = {one.stream: one.position for one in reversed(story)}
    holding = [
        (one.valid_from, first[stream])
        for stream, one in _states(story, "statement", known, before).items()
        if (one.question_key, one.object_key) == ("runs", "")
        and one.valid_from <= evaluated
        and all(end > evaluated for end in _ends(one))
        and (not department or not one.departments or department in one.departments)
        and (not channel or not one.channels or channel in one.channels)
    ]
    assert max(holding, default=None) == (None if found is None else (found.valid_from, found.entity))
