"""Figures that stand against a quantity, and the one outcome of a request, counted by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from clients.connectors.policy_text import read_policy
from ledger.api.v1.answer_pb2 import STATED, AnswerGiven
from ledger.api.v1.contact_pb2 import ANSWERED_BY_HUMAN, FULL, PARTIAL, ContactEnded, MessageReceived, MessageSent
from ledger.api.v1.core_pb2 import MOVES, STAYS, Fact
from ledger.api.v1.experience_pb2 import CSAT, SatisfactionRecorded
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffReturned, HandoffSupplied
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.api.v1.promise_pb2 import PromiseKept
from ledger.api.v1.request_pb2 import (
    RESOLUTION_DONE,
    RESOLUTION_PARTLY,
    WAITING_FOR_CUSTOMER,
    WAITING_FOR_DEPARTMENT,
    RequestOpened,
    RequestReopened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
)
from ledger.event_id import to_text
from ledger.policy.calendars import expand
from projections.figures.definitions import ALL, BY_NAME
from projections.figures.tally import Slice
from tests.build import MINUTE, at
from tests.figure_story import Story, some
from tests.unit.policy.hours import at as instant


@pytest.fixture
def story() -> Story:
    return Story()


def lasting(minutes: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(minutes=minutes))
    return duration


def by_group(figure: Any) -> dict[tuple[str, ...], float | None]:
    return {tuple(row.values): row.value if row.HasField("value") else None for row in figure.rows}


# Facts lost


def _offer(story: Story, name: str, keys: tuple[str, ...], missing: tuple[str, ...], required: int = 2) -> None:
    story.tell(
        0,
        HandoffOffered(
            request_id="r-1",
            handoff_id=name,
            from_department="desk",
            to_department="shipping",
            ownership=STAYS,
            facts=[Fact(key=key) for key in keys],
            missing_required_keys=missing,
            required_fact_count=required,
        ),
    )


@pytest.mark.parametrize("exact", [True, False], ids=["rows", "cells"])
def test_fact_loss_is_facts_absent_at_acceptance_of_facts_required(story: Story, exact: bool) -> None:
    story.tell(0, RequestOpened(request_id="r-1", owner_department="desk"))
    _offer(story, "h-whole", ("order", "address"), ())
    _offer(story, "h-half", ("order",), ("address",))
    _offer(story, "h-mended", (), ("order", "address"))
    _offer(story, "h-untaken", (), ("order", "address"))
    _offer(story, "h-asks-nothing", (), (), required=0)
    story.tell(5, HandoffReturned(request_id="r-1", handoff_id="h-mended", missing_keys=["order", "address"]))
    story.tell(6, HandoffSupplied(request_id="r-1", handoff_id="h-mended", facts=[Fact(key="address")]))
    for name in ("h-whole", "h-half", "h-mended", "h-asks-nothing"):
        story.tell(10, HandoffAccepted(request_id="r-1", handoff_id=name))

    value, parts = story.one("handoff_fact_loss", exact=exact)

    # 2 + 1 + 1 of 3 x 2 were passed: what nobody took, and what requires nothing, is in neither part.
    assert 2 / 6 == value
    assert [2, 6, 2] == some(parts, "absent", "required", "accepted_without")
    assert {("desk", "shipping"): 2 / 6} == by_group(
        story.ask("handoff_fact_loss", slices=(Slice.DEPARTMENT, Slice.RECEIVER), exact=exact)
    )


# Handle time and what it must not be bought with


@pytest.mark.parametrize("definition", [one for one in ALL if one.bundle], ids=lambda one: one.name)
def test_a_bundle_is_served_for_the_same_slice(definition: Any) -> None:
    assert {name: [] for name in definition.bundle} == {
        name: [one for one in definition.slices if one not in BY_NAME[name].slices] for name in definition.bundle
    }


def test_satisfaction_is_cut_by_the_reason_of_its_contact_else_of_its_request(story: Story) -> None:
    story.contact("c-1", 0)
    story.end("c-1", 2, reason="invoice")
    story.tell(1, RequestOpened(request_id="r-1", reason="delivery", owner_department="desk"))
    for score, about in ((5, {"contact_id": "c-1"}), (1, {"request_id": "r-1"}), (2, {})):
        story.tell(9, SatisfactionRecorded(measure=CSAT, score=score, **about))  # type: ignore[arg-type]

    figure = story.ask("satisfaction_csat", slices=(Slice.REASON,))

    assert {("invoice",): 1.0, ("delivery",): 0.0, ("",): 0.0} == by_group(figure)


def _handled(story: Story, name: str, minute: float, talk: float, subject: bytes, reason: str = "billing") -> None:
    story.contact(name, minute, subject=subject)
    story.answer(name, minute + 1)
    story.tell(minute + 2, ContactEnded(contact_id=name, reason=reason, talk=lasting(talk), completeness=FULL))


def test_short_handling_is_held_against_what_had_to_be_repeated(story: Story) -> None:
    for number, talk in enumerate((1, 10, 10, 10, 30)):
        _handled(story, f"c-{number}", number, talk, bytes([number + 1]) * 16)
    # Of another reason a minute is usual.
    _handled(story, "c-quick", 6, 1, b"q" * 16, reason="opening_hours")
    story.contact("c-again", 600, subject=bytes([1]) * 16)

    value, parts = story.one("short_and_repeated")

    assert 1 == value
    assert [6, 1, 1, 0, 0, 1] == some(parts, "handled", "short", "short_repeated", "others_repeated", "share_of_others", "long")
    # The usual time of a reason is that of everybody, in every slice.
    assert [("billing",), ("opening_hours",)] == list(by_group(story.ask("short_and_repeated", slices=(Slice.REASON,))))


def test_whole_answers_are_shown_by_how_long_they_were_waited_for(story: Story) -> None:
    for number, (waited, completeness) in enumerate(((0.2, PARTIAL), (0.3, PARTIAL), (0.7, FULL), (20, FULL))):
        name = f"c-{number}"
        story.contact(name, 0, subject=bytes([number + 1]) * 16)
        story.answer(name, waited)
        story.end(name, 30, completeness=completeness)
    story.contact("c-unanswered", 0, subject=b"u" * 16)
    story.end("c-unanswered", 30, completeness=FULL)

    value, parts = story.one("answer_completeness")

    assert 0.5 == value
    assert [2, 2, 0] == some(parts, "full", "partial", "none")
    assert [2, 1, 0, 1] == some(parts, *(f"answered_{one}" for one in ("within_20s", "20s_to_1min", "1_to_10min", "over_10min")))
    assert [0, 1, 1] == some(parts, "share_full_within_20s", "share_full_20s_to_1min", "share_full_over_10min")
    assert "share_full_1_to_10min" not in parts


def test_first_contact_resolution_is_cut_by_reason_and_skill(story: Story) -> None:
    for number, (skill, completeness) in enumerate((("tariffs", FULL), ("tariffs", PARTIAL), ("", FULL))):
        name = f"c-{number}"
        story.tell(0, _received(name, skill), subject=bytes([number + 1]) * 16)
        story.answer(name, 1)
        story.end(name, 2, completeness=completeness)

    figure = story.ask("first_contact_resolution", slices=(Slice.REASON, Slice.SKILL))

    assert {("billing", "tariffs"): 0.5, ("billing", ""): 1.0} == by_group(figure)


def _received(name: str, skill: str) -> Any:
    from ledger.api.v1.contact_pb2 import ContactReceived

    return ContactReceived(contact_id=name, reason="billing", skill_of_reason=skill)


# Waits


def test_the_customers_wait_leaves_out_only_what_waited_for_the_customer(story: Story) -> None:
    story.tell(0, RequestOpened(request_id="r-1", owner_department="desk"))
    story.tell(10, RequestWaiting(request_id="r-1", waiting_for=WAITING_FOR_CUSTOMER))
    story.tell(30, RequestResumed(request_id="r-1"))
    story.tell(40, RequestWaiting(request_id="r-1", waiting_for=WAITING_FOR_DEPARTMENT))
    story.tell(60, RequestResolved(request_id="r-1", resolution=RESOLUTION_DONE))

    value, parts = story.one("requester_wait")

    assert 40 * 60 == value
    assert 1 == parts["waited_for_customer"]
    assert 60 * 60 == story.one("time_to_resolution")[0]


def test_next_response_in_opening_hours_counts_messages_and_says_who_has_no_hours(story: Story) -> None:
    story.tell(0, _policy())
    story.contact("c-1", 1)
    story.answer("c-1", 2)
    story.tell(10, MessageReceived(contact_id="c-1"))
    story.tell(40, MessageSent(contact_id="c-1", sent_by=ANSWERED_BY_HUMAN))
    story.tell(50, MessageReceived(contact_id="c-1"))

    value, parts = story.one("next_response_business")

    assert value is None
    assert 1 == parts["without_hours"]
    assert 30 * 60 == story.one("next_response")[0]


def test_next_response_in_opening_hours_leaves_out_lunch_weekend_holiday_and_the_hour_that_was_not(story: Story) -> None:
    story.tell(0, _with_hours())
    for name, department, received, answered in (
        # 11:00 to 12:00 and 13:00 to 14:00: two hours.
        ("c-lunch", "desk", "2026-04-01T11:00+02:00", "2026-04-01T14:00+02:00"),
        # Friday 11:30 to 12:00 and 13:00 to 17:00; Saturday, Sunday and Easter Monday are closed; Tuesday 9:00 to 9:30: five hours.
        ("c-easter", "desk", "2026-04-03T11:30+02:00", "2026-04-07T09:30+02:00"),
        # Saturday 23:00 to Sunday 4:00 by the wall, and from 2:00 to 3:00 there was no hour: four hours.
        ("c-spring", "night", "2026-03-28T23:00+01:00", "2026-03-29T04:00+02:00"),
        # Saturday 23:00 to Sunday 4:00, and the hour from 2:00 came twice: six hours.
        ("c-autumn", "autumn", "2026-10-24T23:00+02:00", "2026-10-25T04:00+01:00"),
    ):
        came, went = (minute_of(one) for one in (received, answered))
        story.contact(name, came - 2, department=department)
        story.answer(name, came - 1, department=department)
        story.tell(came, MessageReceived(contact_id=name), department=department)
        story.tell(went, MessageSent(contact_id=name, sent_by=ANSWERED_BY_HUMAN), department=department)

    evaluated = round(minute_of("2026-11-01T00:00+01:00")) * MINUTE + at(0)
    found = story.ask("next_response_business", slices=(Slice.DEPARTMENT,), start=None, end=None, evaluated=evaluated)

    means = {row.values[0]: (row.member_count, row.parts[0].value / 3600, row.value / 3600) for row in found.rows}
    assert {"desk": (2, 3.5, 2), "night": (1, 4, 4), "autumn": (1, 6, 6)} == means
    assert [0, 0, 0] == [part.value for row in found.rows for part in row.parts if part.name == "without_hours"]


def _with_hours() -> PolicyPublished:
    night = "week: {saturday: '22:00-24:00', sunday: '00:00-06:00'}"
    said = read_policy(
        f"""
        calendars:
          desk: {{zone: Europe/Paris, week: {{monday-friday: "09:00-12:00, 13:00-17:00"}}, holidays: FR}}
          night: {{zone: Europe/Paris, {night}}}
        departments: {{desk: {{calendar: desk}}, night: {{calendar: night}}, autumn: {{calendar: night}}}}
        """,
        "policy.yaml",
    )
    said.end()
    published = said.published
    published.policy_id, published.policy_version = "p", 1
    published.in_force_from.FromMicroseconds(instant("2026-01-01T00:00+01:00"))
    expand(published)
    return published


def minute_of(text: str) -> float:
    return (instant(text) - at(0)) / MINUTE


def _policy() -> PolicyPublished:
    published = PolicyPublished(policy_id="p", policy_version=1)
    published.in_force_from.FromSeconds(0)
    published.policy.SetInParent()
    return published


# One outcome


def test_the_outcome_of_a_request_counts_for_every_department_that_it_touched(story: Story) -> None:
    story.contact("c-0", 0)
    for name in ("r-good", "r-late", "r-reopened", "r-open"):
        story.tell(1, RequestOpened(request_id=name, contact_id="c-0" if name == "r-good" else "", owner_department="desk"))
    offer = {"from_department": "desk", "to_department": "shipping"}
    story.tell(2, HandoffOffered(request_id="r-late", handoff_id="h-1", ownership=MOVES, **offer))  # type: ignore[arg-type]
    story.tell(3, HandoffAccepted(request_id="r-late", handoff_id="h-1"))
    story.tell(2, HandoffOffered(request_id="r-good", handoff_id="h-2", ownership=STAYS, **offer))  # type: ignore[arg-type]
    story.promise("p-1", 60, request_id="r-late")
    story.promise("p-2", 60, request_id="r-good")
    story.tell(50, PromiseKept(promise_id="p-2"))
    story.tell(90, PromiseKept(promise_id="p-1"))
    for name in ("r-good", "r-late", "r-reopened"):
        story.tell(100, RequestResolved(request_id=name, resolution=RESOLUTION_DONE))
    story.tell(110, RequestReopened(request_id="r-reopened"))
    story.tell(120, RequestResolved(request_id="r-reopened", resolution=RESOLUTION_DONE))
    story.tell(130, SatisfactionRecorded(measure=CSAT, score=5, contact_id="c-0"))
    story.tell(130, SatisfactionRecorded(measure=CSAT, score=2, request_id="r-late"))

    value, parts = story.one("joint_outcome")
    departments = story.ask("joint_outcome", slices=(Slice.DEPARTMENT,))

    assert 1 / 3 == value
    assert [4, 3, 1, 1, 1, 1] == some(parts, "requests", "decided", "good", "reopened", "kept", "not_kept")
    assert [2, 1, 0.5] == some(parts, "scores", "high", "share_high")
    # Shipping accepted one of the two: the late one, which is desk's as well. An offer alone touches nothing.
    assert {("desk",): 1 / 3, ("shipping",): 0.0} == by_group(departments)
    assert [3, 1] == [row.member_count for row in departments.rows]


def test_the_requests_behind_the_one_outcome_are_named(story: Story) -> None:
    opened = {
        name: story.tell(1, RequestOpened(request_id=name, owner_department=department))
        for name, department in (("r-good", "desk"), ("r-partly", "desk"), ("r-open", "desk"), ("r-others", "shipping"))
    }
    resolved = {
        name: story.tell(9, RequestResolved(request_id=name, resolution=resolution))
        for name, resolution in (("r-good", RESOLUTION_DONE), ("r-partly", RESOLUTION_PARTLY), ("r-others", RESOLUTION_DONE))
    }

    figure = story.ask("joint_outcome", evidence=9)
    of_shipping = story.ask("joint_outcome", evidence=9, departments=["shipping"])
    cut_short = story.ask("joint_outcome", evidence=1)

    behind = {"r-good": "good", "r-partly": "not_good", "r-open": "undecided", "r-others": "good"}
    assert [
        (outcome, to_text(opened[name].event_id), to_text(resolved.get(name, opened[name]).event_id))
        for name, outcome in behind.items()
    ] == [(one.outcome, one.event_id, one.last_event_id) for one in figure.evidence]
    assert [to_text(opened["r-others"].event_id)] == [one.event_id for one in of_shipping.evidence]
    assert (1, 4) == (len(cut_short.evidence), cut_short.evidence_total)


def test_the_answers_that_contradict_one_another_are_named(story: Story) -> None:
    given = [
        story.tell(number, AnswerGiven(question_key=question, answer_key=answer, stance=STATED), department=department)
        for number, (question, answer, department) in enumerate(
            [("fee", "none", "desk"), ("fee", "fifty", "billing"), ("hours", "nine", "desk"), ("hours", "nine", "billing")]
        )
    ]

    figure = story.ask("answer_consistency", evidence=9)

    assert [0.5] == [row.value for row in figure.rows]
    assert [("contradicted", to_text(one.event_id), to_text(one.event_id)) for one in given[:2]] == [
        (one.outcome, one.event_id, one.last_event_id) for one in figure.evidence
    ]
    assert 2 == figure.evidence_total
