"""Figures of contacts, satisfaction and backlog by hand, with the traps of each definition; and what all figures have in common."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_AUTOMATIC,
    ANSWERED_BY_BOT,
    FULL,
    REACHED_YES,
    ContactAbandoned,
    ContactMade,
    ContactQueued,
    ContactReceived,
    ContactTransferred,
    ContactWrappedUp,
)
from ledger.api.v1.experience_pb2 import CES, CSAT, NPS, SatisfactionAsked, SatisfactionRecorded
from ledger.api.v1.promise_pb2 import (
    PromiseBroken,
    PromiseKept,
)
from ledger.api.v1.request_pb2 import RequestOpened
from projections.figures.definitions import ALL, BY_NAME, SETS, described, with_bundles
from projections.figures.tally import Slice
from tests.build import DAY, HOUR, MINUTE, at, event_id, event_id_text
from tests.figure_story import Story, some


@pytest.fixture
def story() -> Story:
    return Story()


def test_contacts_received_are_answered_withdrawn_need_no_answer_or_are_unhandled(story: Story) -> None:
    for number in range(6):
        story.contact(f"c-{number}", number)
    story.answer("c-0", 10)
    story.tell(10, ContactAbandoned(contact_id="c-1"))
    story.end("c-2", 10, disposition="spam")
    story.end("c-3", 10, disposition="done")
    story.answer("c-4", 10, ANSWERED_BY_AUTOMATIC)

    value, parts = story.one("unhandled")

    # c-3 ended without an answer, c-4 got an acknowledgement only, c-5 waits.
    assert 3 == value
    assert [6, 1, 1, 1, 3] == some(parts, "received", "answered", "withdrawn", "no_answer_needed", "unhandled")
    assert 6 == story.one("volume")[0]


def test_an_outbound_contact_is_no_demand(story: Story) -> None:
    story.contact("c-0", 0)
    story.tell(1, ContactMade(contact_id="c-9", reached=REACHED_YES))

    assert 1 == story.one("volume")[0]


def test_first_response_counts_the_first_human_answer_and_no_answer_is_missing_not_zero(story: Story) -> None:
    for number, minutes in enumerate((1, 2, 3, 10)):
        story.contact(f"c-{number}", 0, within=2)
        story.answer(f"c-{number}", minutes / 2, ANSWERED_BY_AUTOMATIC)
        story.answer(f"c-{number}", minutes)
    story.contact("c-9", 0, within=2)

    value, parts = story.one("first_response")

    assert 120 == value
    assert [240, 120, 600, 1] == some(parts, "mean_seconds", "median_seconds", "p90_seconds", "missing")
    # Two of five with a target, the unanswered one included.
    assert [2, 5, 0.4] == some(parts, "in_time", "targeted", "share_in_time")


def test_a_contact_without_a_target_is_never_on_time(story: Story) -> None:
    story.contact("c-0", 0, within=None)
    story.answer("c-0", 0)

    _, parts = story.one("first_response")

    assert [0, 0] == some(parts, "in_time", "targeted")
    assert "share_in_time" not in parts
    assert [] == list(story.ask("target_attainment").rows)


def test_a_bot_answers_only_where_the_policy_says_so(story: Story) -> None:
    story.contact("c-0", 0)
    story.answer("c-0", 1, ANSWERED_BY_BOT)
    story.tell(0, ContactReceived(contact_id="c-1", bot_answers=True))
    story.answer("c-1", 1, ANSWERED_BY_BOT)

    assert [1, 1] == some(story.one("volume")[1], "answered", "unhandled")


def test_what_was_given_up_after_its_target_was_not_in_time(story: Story) -> None:
    story.contact("c-0", 0, within=2)
    story.tell(1, ContactAbandoned(contact_id="c-0"))
    story.contact("c-1", 0, within=2)
    story.tell(3, ContactAbandoned(contact_id="c-1"))

    assert [0, 1] == some(story.one("first_response")[1], "in_time", "targeted")


def test_service_level_is_divided_in_four_ways(story: Story) -> None:
    for number, minutes in enumerate((0.25, 0.25, 1)):
        story.contact(f"c-{number}", 0)
        story.answer(f"c-{number}", minutes)
    for number, minutes in enumerate((0.1, 2), start=3):
        story.contact(f"c-{number}", 0)
        story.tell(minutes, ContactAbandoned(contact_id=f"c-{number}"))
    story.contact("c-5", 0)
    story.end("c-5", 1, disposition="no_answer_needed")
    story.contact("c-6", 0)

    value, parts = story.one("service_level", within=20_000_000)

    assert 2 / 6 == value
    assert [2, 6, 3, 2, 1] == some(parts, "answered_within", "offered", "answered", "abandoned", "abandoned_within")
    assert [2 / 5, 2 / 3, 2 / 5] == some(parts, "of_answered_and_abandoned", "of_answered", "of_offered_less_abandoned_within")


def test_the_wait_begins_in_the_queue(story: Story) -> None:
    story.contact("c-0", 0)
    story.tell(5, ContactQueued(contact_id="c-0", queue="billing"))
    story.answer("c-0", 6)
    story.contact("c-1", 0)
    story.answer("c-1", 3)

    assert 120 == story.one("speed_of_answer")[0]
    assert 180 == story.one("first_response")[0]
    assert 2 == story.one("abandonment")[1]["offered"]


def test_the_queue_decides_the_period_of_waits(story: Story) -> None:
    story.contact("c-0", 0)
    story.tell(60, ContactQueued(contact_id="c-0", queue="billing"))
    story.answer("c-0", 61)

    before, after = (story.ask("speed_of_answer", start=start, end=start + HOUR) for start in (at(0), at(60)))

    assert [] == [row for row in before.rows if row.member_count]
    assert [60.0] == [row.value for row in after.rows]


def test_handle_time_is_talk_hold_and_wrap_up_over_all_legs(story: Story) -> None:
    story.contact("c-0", 0)
    story.answer("c-0", 1)
    story.tell(3, ContactTransferred(contact_id="c-0", talk=Duration(seconds=60), hold=Duration(seconds=30)))
    story.answer("c-0", 4)
    story.end("c-0", 6, talk=Duration(seconds=100), hold=Duration(seconds=20))
    story.tell(8, ContactWrappedUp(contact_id="c-0", wrap_up=Duration(seconds=90)))

    assert 300 == story.one("handle_time")[0]


def test_handle_time_brings_its_bundle() -> None:
    assert {
        "handle_time": False,
        "first_contact_resolution": True,
        "repeat_rate": True,
        "satisfaction_csat": True,
    } == with_bundles(("handle_time",))


def test_satisfaction_is_given_with_n_and_response_rate(story: Story) -> None:
    asked = story.tell(0, SatisfactionAsked(measure=CSAT))
    story.tell(0, SatisfactionAsked(measure=CSAT))
    story.tell(1, SatisfactionRecorded(measure=CSAT, score=4, asked_event_id=event_id_text(asked.event_id)))
    story.tell(1, SatisfactionRecorded(measure=CSAT, score=3))
    for score in (10, 9, 7, 2):
        story.tell(1, SatisfactionRecorded(measure=NPS, score=score))
    for score in (7, 4):
        story.tell(1, SatisfactionRecorded(measure=CES, score=score))

    value, parts = story.one("satisfaction_csat")

    assert 0.5 == value
    assert [2, 2, 1, 0.5] == some(parts, "scores", "asked", "answers", "response_rate")
    assert 25 == story.one("satisfaction_nps")[0]
    assert 5.5 == story.one("satisfaction_ces")[0]


def test_the_backlog_is_by_age_at_the_evaluated_time(story: Story) -> None:
    for minutes in (0, 60 * 24 * 2, 60 * 24 * 10):
        story.tell(minutes, RequestOpened(request_id=f"r-{minutes}", owner_department="desk"))
        story.contact(f"c-{minutes}", minutes)
    story.answer("c-0", 10)

    value, parts = story.one("backlog_requests", evaluated=at(0) + 10 * DAY + HOUR)

    assert 3 == value
    assert [1, 2] == some(parts, "under_1_day", "7_to_30_days")
    assert 2 == story.one("backlog_contacts", evaluated=at(0) + 10 * DAY + HOUR)[0]


def test_a_late_fact_mends_an_old_figure_and_both_values_can_be_asked(story: Story) -> None:
    story.promise("p-1", 60)
    story.tell(60, PromiseBroken(promise_id="p-1", set_by_event_id=event_id_text("event 1")))
    story.tell(30, PromiseKept(promise_id="p-1"), record=at(0) + 5 * DAY, record_late=True)

    for exact in (True, False):
        assert [0.0, 1.0] == [story.one("promise_kept_rate", known=known, exact=exact)[0] for known in (2, 3)]
    assert [1, 0] == some(story.one("promise_kept_rate", before=at(30))[1], "undecided", "kept")


def test_cells_and_rows_agree_and_the_answer_says_which_it_was(story: Story) -> None:
    for number in range(40):
        story.contact(f"c-{number}", number, within=3, channel=("phone", "email")[number % 2])
        story.answer(f"c-{number}", number + number / 7)

    cells, rows = (
        story.ask("first_response", slices=(Slice.CHANNEL,), exact=exact, start=None, end=None) for exact in (False, True)
    )

    assert (False, 0.01, True, 0.0) == (cells.exact, cells.relative_error, rows.exact, rows.relative_error)
    for one, other in zip(cells.rows, rows.rows, strict=True):
        assert list(one.values) == list(other.values)
        assert one.value == pytest.approx(other.value, rel=0.01)
        for part, of_rows in zip(one.parts, other.parts, strict=True):
            bucketed = part.name in ("median_seconds", "p90_seconds")
            assert part.value == (pytest.approx(of_rows.value, rel=0.01) if bucketed else of_rows.value)


def test_members_are_chosen_half_open_by_their_own_time(story: Story) -> None:
    quarter = 15 * MINUTE
    first = at(0) // quarter * quarter + quarter
    story.contact("c-0", (first - at(0)) / MINUTE)
    story.contact("c-1", (first + quarter - at(0)) / MINUTE)

    for exact in (False, True):
        assert 1 == story.one("volume", start=first, end=first + quarter, exact=exact)[0]


def test_hours_are_those_of_the_zone(story: Story) -> None:
    for minutes in (0, 60, 61):
        story.contact(f"c-{minutes}", minutes)

    for exact in (False, True):
        rows = story.ask("volume", slices=(Slice.HOUR, Slice.CHANNEL), exact=exact).rows
        assert [(["22", "phone"], 1), (["23", "phone"], 2)] == [(list(row.values), row.value) for row in rows]


def test_evidence_names_the_events_behind_a_figure(story: Story) -> None:
    story.promise("p-1", 60)
    story.tell(30, PromiseKept(promise_id="p-1"))
    story.promise("p-2", 60)

    figure_ = story.ask("promise_kept_rate", evidence=1)

    assert 2 == figure_.evidence_total
    (one,) = figure_.evidence
    assert ("kept", event_id_text(event_id("event 1")), event_id_text(event_id("event 2"))) == (
        one.outcome,
        one.event_id,
        one.last_event_id,
    )


def test_a_reason_is_read_from_the_rows(story: Story) -> None:
    story.contact("c-1", 0)
    story.tell(0, ContactReceived(contact_id="c-2", reason="delivery"))

    figure_ = story.ask("volume", slices=(Slice.REASON,), exact=False)

    assert figure_.exact
    assert {"billing": 1, "delivery": 1} == {row.values[0]: row.value for row in figure_.rows}


@pytest.mark.parametrize("definition", ALL, ids=lambda one: one.name)
def test_a_definition_is_whole(definition: Any) -> None:
    assert definition.version >= 1
    assert definition.text.endswith(".")
    assert definition.source
    assert all(name in BY_NAME for name in definition.bundle)


@pytest.mark.parametrize("definition", ALL, ids=lambda one: one.name)
def test_a_figure_without_members_has_no_value(definition: Any, story: Story) -> None:
    story.tell(0, RequestOpened(request_id="r-0"))

    rows = story.ask(definition.name, start=at(0) - 20 * DAY, end=at(0) - 10 * DAY, exact=False).rows

    assert [] == list(rows)


def test_sets_name_figures_that_exist_once() -> None:
    assert len(BY_NAME) == len(ALL) == len(described().definitions)
    for one in SETS:
        assert [name for name in one.figures if name not in BY_NAME] == []
        assert len({*one.figures}) == len(one.figures)


def test_every_part_that_is_served_is_defined(story: Story) -> None:
    story.contact("c-1", 0)
    story.answer("c-1", 1)
    story.end("c-1", 2, completeness=FULL)
    story.promise("p-1", 60)
    story.tell(0, SatisfactionRecorded(measure=CSAT, score=4))

    for definition in ALL:
        for row in story.ask(definition.name).rows:
            assert {part.name for part in row.parts} <= set(definition.parts)
