"""What in a policy cannot be had together is told, with both its places, and refuses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.connectors.policy_text import read_policy
from ledger.policy.check import mistakes_of
from ledger.policy.conflicts import QUALITIES, conflicts_of
from ledger.policy.default import default_policy
from projections.figures.assessing import unanswered
from projections.figures.definitions import BY_NAME

SHIPPED = sorted((Path(__file__).parents[3] / "clients" / "connectors" / "policies").glob("*.yaml"))

DESK = """
calendars:
  desk: {zone: Europe/Paris, week: {monday-friday: "09:00-12:00, 13:00-18:00", saturday: "09:00-12:00"}}
  night: {zone: Europe/Paris, week: {monday-sunday: "00:00-09:00, 12:00-13:00, 18:00-24:00"}}
  sunday: {zone: Europe/Paris, week: {monday-saturday: "00:00-10:00, 11:00-24:00", sunday: "00:00-24:00"}}
  abroad: {zone: Asia/Tokyo, week: {monday-sunday: "00:00-24:00"}}
"""


def found(text: str) -> list[tuple[str, str]]:
    """Return both places of each conflict of a policy, which has to be without mistakes."""
    said = read_policy(text, "policy.yaml")
    said.end()
    assert [] == mistakes_of(said.published.policy)
    return [(one.path, one.other) for one in conflicts_of(said.published.policy)]


def message(text: str) -> str:
    (one,) = conflicts_of(read_policy(text, "policy.yaml").published.policy)
    return one.message


def test_the_policy_a_ledger_is_born_with_has_none() -> None:
    assert [] == conflicts_of(default_policy())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_policy_has_none_and_every_assessment_is_of_a_figure(path: Path) -> None:
    policy = read_policy(path.read_text(encoding="utf-8"), path.name).published.policy

    assert ([], []) == (conflicts_of(policy), list(unanswered(policy.assessments)))


# Assessments


CAP = "{figure: handle_time, channel: phone, at_most: 6m}"


@pytest.mark.parametrize(
    ("cap", "other", "conflicting"),
    [
        (CAP, "{figure: first_contact_resolution, channel: phone, at_least: 70%}", True),
        (CAP, "{figure: first_contact_resolution, at_least: 70%}", True),
        (CAP, "{figure: satisfaction_csat, reason: billing, at_least: 0.8}", True),
        (CAP, "{figure: repeat_rate, department: desk, at_most: 10%}", True),
        # Of other contacts, or nothing that a cap is bought with, or no cap.
        (CAP, "{figure: first_contact_resolution, channel: email, at_least: 70%}", False),
        (CAP, "{figure: service_level, channel: phone, at_least: 80%}", False),
        ("{figure: handle_time, at_least: 1m}", "{figure: first_contact_resolution, at_least: 70%}", False),
    ],
)
def test_a_cap_on_handle_time_conflicts_with_what_it_is_bought_with(cap: str, other: str, conflicting: bool) -> None:
    bound = "at_least" if "at_least" in other else "at_most"

    conflicts = found(f"assessments: [{other}, {cap}]")

    assert ([("assessments[1].at_most", f"assessments[0].{bound}")] if conflicting else []) == conflicts


def test_what_a_cap_is_bought_with_are_figures() -> None:
    assert QUALITIES <= set(BY_NAME)


# Targets


def test_a_response_by_the_clock_is_sooner_than_anybody_is_there() -> None:
    text = (
        DESK
        + "departments: {front: {channels: [email], calendar: desk}}\ntargets: [{kind: first_response, channel: email, within: 4h}]"
    )

    assert [("targets[0]", "calendars[0].week")] == found(text)
    # Saturday 12:00 to Monday 9:00.
    assert message(text).startswith("4h by the clock, and nobody is there for 45h from saturday 12:00 on")
    # As long as the longest time that nobody is there, it can be kept.
    assert [] == found(text.replace("4h", "45h"))
    assert [] == found(text.replace("4h", "4h, measure: business, calendar: desk"))
    # A bot that counts may answer at night.
    assert [] == found(text + "\nbot_answers: yes")


def test_departments_that_run_a_channel_are_there_together() -> None:
    departments = "departments: {front: {channels: [email], calendar: desk}, other: {channels: [email], calendar: night}}\n"
    text = DESK + departments + "targets: [{kind: next_response, channel: email, within: 3h}]"

    # Together they leave Saturday 13:00 to 18:00 and Sunday 9:00 to 12:00 and 13:00 to 18:00.
    assert "nobody is there for 5h from saturday 13:00 on" in message(text)
    # Hours of several zones are not laid over one another, and who has no hours may be there always.
    assert [] == found(text.replace("night}", "abroad}"))
    assert [] == found(text.replace(", calendar: night}", "}"))


def test_a_channel_that_nobody_runs_has_the_default_hours() -> None:
    target = "response_targets: [{channel: phone, within: 30m}]\n"

    assert [("response_targets[0]", "calendars[2].week")] == found(DESK + target + "default_calendar: sunday")
    assert [] == found(DESK + target)


@pytest.mark.parametrize(
    ("first", "second", "conflicting"),
    [
        ("priority: urgent, within: 8h", "priority: normal, within: 4h", True),
        ("priority: urgent, within: 8h", "within: 4h", True),
        ("tier: gold, within: 8h", "tier: silver, within: 4h", True),
        ("priority: urgent, within: 4h", "priority: normal, within: 4h", False),
        # Who waits longest of all may wait longer than the others.
        ("priority: low, within: 8h", "within: 4h", False),
        # Two reasons, or two measures, are not compared.
        ("priority: urgent, reason: a, within: 8h", "priority: normal, reason: b, within: 4h", False),
        ("priority: urgent, within: 8h", "priority: normal, within: 4h, measure: business, calendar: desk", False),
    ],
)
def test_what_comes_first_does_not_wait_longer(first: str, second: str, conflicting: bool) -> None:
    orders = "priorities: [urgent, normal, low]\ntiers: [gold, silver]\n"

    conflicts = found(DESK + orders + f"targets: [{{kind: resolution, {first}}}, {{kind: resolution, {second}}}]")

    assert ([("targets[0]", "targets[1]")] if conflicting else []) == conflicts


def test_a_complaint_is_acknowledged_before_it_is_responded_to() -> None:
    text = "targets: [{kind: complaint_acknowledge, within: 3d}, {kind: complaint_respond, within: 2d}]"

    assert [("targets[0]", "targets[1]")] == found(text)
    assert [] == found(text.replace("2d", "3d"))


# Terms


def test_a_handoff_may_not_take_longer_than_the_request_that_it_serves() -> None:
    targets = "targets: [{kind: resolution, within: 2d}, {kind: resolution, reason: billing, within: 1d}]\n"
    text = targets + "handoff_types: {delivery: {complete_within: 3d}}"

    assert [("handoff_types[0].complete_within", "targets[0]")] == found(text)
    # It may serve a request that has as much time, or one that has no target.
    assert [] == found(text.replace("1d}]", "4d}]"))
    assert [] == found(text.replace("within: 2d", "reason: delivery, within: 2d"))
    assert [] == found(text.replace("1d}]", "1d}, {kind: resolution, reason: project, within: none}]"))


def test_business_time_is_longer_than_clock_time_but_not_the_other_way_round() -> None:
    targets = "default_calendar: desk\ntargets: [{kind: resolution, within: 10h}]\n"
    text = DESK + targets + "handoff_types: {a: {complete_within: 11h, measure: business}}"

    assert [("handoff_types[0].complete_within", "targets[0]")] == found(text)
    turned = text.replace("10h}", "10h, measure: business}").replace("11h, measure: business", "11h")
    assert [] == found(turned)


def test_a_handoff_is_accepted_before_it_is_complete() -> None:
    text = "handoff_types: {delivery: {accept_within: 5h, complete_within: 4h}}"

    assert [("handoff_types[0].accept_within", "handoff_types[0].complete_within")] == found(text)


PLAYBOOK = """
handoff_types: {{repair: {{complete_within: 2d}}}}
promise_kinds: {{repair_visit: {{default_due: 1d}}, call_back: {{default_due: 1h}}}}
playbooks:
  broken:
    topics: [request-opened]
    steps:
      do: {{offer_handoff: {{type: repair, to_department: workshop, ownership: {ownership}}}}}
      say: {{make_promise: {{{promise}}}}}
"""


@pytest.mark.parametrize(
    ("ownership", "promise", "conflicting"),
    [
        ("stays", "kind: repair_visit, owner_department: workshop", True),
        ("moves", "kind: repair_visit", True),
        ("stays", "kind: repair_visit, owner_department: workshop, due_within: 2d", False),
        # What the desk owes is not what the workshop does.
        ("stays", "kind: call_back, owner_department: desk", False),
        ("stays", "kind: call_back", False),
    ],
)
def test_a_playbooks_promise_is_not_due_before_the_handoff_that_serves_it(ownership: str, promise: str, conflicting: bool) -> None:
    conflicts = found(PLAYBOOK.format(ownership=ownership, promise=promise))

    assert ([("playbooks[0].steps[0].offer_handoff", "playbooks[0].steps[1].make_promise")] if conflicting else []) == conflicts


# Promises, and waiting without word


def test_a_reminder_comes_after_the_promise_and_before_its_due() -> None:
    text = "promise_kinds: {call_back: {default_due: 2h, remind_before: 2h}}"

    assert [("promise_kinds[0].remind_before", "promise_kinds[0].default_due")] == found(text)
    assert [] == found(text.replace("remind_before: 2h", "remind_before: 119m"))


def test_who_comes_back_over_a_broken_promise_counts_as_a_repeat() -> None:
    text = "promise_kinds: {delivery: {default_due: 10d}}"

    assert [("promise_kinds[0].default_due", "")] == found(text)
    assert [("promise_kinds[0].default_due", "repeat_window")] == found(text + "\nrepeat_window: 9d")
    assert [] == found(text + "\nrepeat_window: 10d")


def test_silence_is_told_before_the_request_is_late() -> None:
    text = "silence_limit: 3d\ntargets: [{kind: resolution, within: 2d}]"

    assert [("silence_limit", "targets[0]")] == found(text)
    assert [] == found(text.replace("3d", "2d"))
    assert [] == found("silence_limit: 3d")


def test_they_come_in_the_order_of_the_documents_fields() -> None:
    text = f"""
    silence_limit: 3d
    assessments: [{CAP}, {{figure: repeat_rate, at_most: 10%}}]
    handoff_types: {{a: {{complete_within: 3d}}}}
    targets: [{{kind: resolution, within: 2d}}]
    """

    assert ["handoff_types[0].complete_within", "silence_limit", "assessments[0].at_most"] == [path for path, _ in found(text)]
