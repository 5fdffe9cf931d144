from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.policy_pb2 import (
    BUSINESS_TIME,
    CLOCK_TIME,
    TARGET_FIRST_RESPONSE,
    TARGET_NEXT_RESPONSE,
    TARGET_RESOLUTION,
    Department,
    PolicyPublished,
    ResponseTarget,
    ServicePolicy,
    Target,
)
from ledger.policy.calendars import expand
from ledger.policy.policy import Policy, missing
from ledger.rules.business_time import CLOCK
from tests.unit.policy.hours import HOUR, at, calendar, lasting


def within(hours: int) -> Duration:
    made = Duration()
    made.FromTimedelta(timedelta(hours=hours))
    return made


def resolution(hours: int, **conditions: str) -> Target:
    return Target(kind=TARGET_RESOLUTION, within=within(hours), **conditions)  # type: ignore[arg-type]


def published(document: ServicePolicy) -> Policy:
    said = PolicyPublished(policy_id="p", policy_version=1, policy=document)
    said.in_force_from.FromMicroseconds(at("2026-06-01T00:00Z"))
    expand(said)
    return Policy.published(said, 7)


def hours_within(policy: Policy, **case: str) -> int | None:
    found = policy.target_for(TARGET_RESOLUTION, **case)  # type: ignore[arg-type]
    return None if found is None else found.within // HOUR


TARGETS = [
    resolution(100),
    resolution(48, tier="gold"),
    resolution(24, reason="outage"),
    resolution(12, priority="urgent"),
    resolution(8, tier="gold", priority="urgent"),
    resolution(4, tier="gold", reason="outage"),
]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, 100),
        ({"tier": "silver", "reason": "other", "priority": "low"}, 100),
        ({"tier": "gold"}, 48),
        ({"priority": "urgent"}, 12),
        # Of one condition each: the reason before the tier, the tier before the priority.
        ({"reason": "outage", "priority": "urgent"}, 24),
        ({"tier": "gold", "priority": "urgent"}, 8),
        ({"tier": "gold", "reason": "outage"}, 4),
        # Of two conditions each: the one that names the reason.
        ({"tier": "gold", "reason": "outage", "priority": "urgent"}, 4),
    ],
)
def test_the_most_specific_target_counts(case: dict[str, str], expected: int) -> None:
    assert expected == hours_within(Policy(ServicePolicy(targets=TARGETS)), **case)


def test_a_reason_counts_more_than_a_tier() -> None:
    policy = Policy(ServicePolicy(targets=[resolution(48, tier="gold"), resolution(24, reason="outage")]))

    assert 24 == hours_within(policy, tier="gold", reason="outage")


def test_a_target_without_a_time_says_that_there_is_none() -> None:
    policy = Policy(ServicePolicy(targets=[resolution(48), Target(kind=TARGET_RESOLUTION, reason="newsletter")]))

    assert (48, None) == (hours_within(policy), hours_within(policy, reason="newsletter"))


def test_kinds_of_targets_are_apart() -> None:
    policy = Policy(ServicePolicy(targets=[resolution(48)]))

    assert policy.target_for(TARGET_FIRST_RESPONSE, "phone") is None


def test_a_policy_stored_before_targets_has_them_by_channel() -> None:
    policy = Policy(ServicePolicy(response_targets=[ResponseTarget(channel="phone", within=within(1))]))

    found = policy.target_for(TARGET_FIRST_RESPONSE, "phone", reason="delivery")

    assert found is not None
    assert (HOUR, CLOCK, "", False) == tuple(found)
    assert policy.target_for(TARGET_FIRST_RESPONSE, "email") is None


def test_a_first_response_never_pauses() -> None:
    kinds = (TARGET_FIRST_RESPONSE, TARGET_NEXT_RESPONSE)
    policy = Policy(ServicePolicy(targets=[Target(kind=kind, within=within(1), pauses_for_customer=True) for kind in kinds]))

    assert [False, True] == [policy.target_for(kind, "email").pauses for kind in kinds]  # type: ignore[union-attr]


def test_business_time_is_that_of_the_target_else_the_department_else_the_default() -> None:
    desk, late = calendar({"monday-friday": "09:00-17:00"}), calendar({"monday-friday": "13:00-21:00"})
    late.calendar = "late"
    policy = published(
        ServicePolicy(
            calendars=[desk, late],
            default_calendar="desk",
            departments=[Department(department="night", calendar="late"), Department(department="day")],
            targets=[
                Target(kind=TARGET_RESOLUTION, within=within(1), measure=BUSINESS_TIME),
                Target(kind=TARGET_RESOLUTION, reason="late", within=within(1), measure=BUSINESS_TIME, calendar="late"),
            ],
        )
    )

    def due(**case: str) -> int | None:
        found = policy.target_for(TARGET_RESOLUTION, **case)  # type: ignore[arg-type]
        assert found is not None
        return found.hours.add(at("2026-06-01T08:00+02:00"), found.within)

    assert at("2026-06-01T10:00+02:00") == due() == due(department="day") == due(department="unknown")
    assert at("2026-06-01T14:00+02:00") == due(department="night") == due(reason="late", department="day")


def test_business_time_of_a_contact_without_a_department_is_that_of_who_runs_the_channel() -> None:
    desk, late = calendar({"monday-friday": "09:00-17:00"}), calendar({"monday-friday": "13:00-21:00"})
    late.calendar = "late"
    policy = published(
        ServicePolicy(
            calendars=[desk, late],
            default_calendar="desk",
            departments=[
                Department(department="night", calendar="late", channels=["chat"]),
                Department(department="day", channels=["chat", "phone"]),
            ],
            targets=[Target(kind=TARGET_FIRST_RESPONSE, within=within(1), measure=BUSINESS_TIME)],
        )
    )

    found = {
        (channel, department): policy.target_for(TARGET_FIRST_RESPONSE, channel, department=department)
        for channel, department in (("chat", ""), ("chat", "day"), ("phone", ""), ("letter", ""))
    }

    assert ["late", "desk", "desk", "desk"] == [rule.calendar for rule in found.values() if rule is not None]


def test_a_due_is_by_the_clock_unless_business_time_is_said() -> None:
    policy = published(ServicePolicy(calendars=[calendar({"monday-friday": "09:00-17:00"})], default_calendar="desk"))
    start = at("2026-06-05T16:00+02:00")

    dues = [policy.due(measure, "sales", start, lasting("2:00")) for measure in (CLOCK_TIME, BUSINESS_TIME)]

    assert [at("2026-06-05T18:00+02:00"), at("2026-06-08T10:00+02:00")] == dues


def test_business_time_beyond_the_horizon_has_no_due() -> None:
    policy = published(ServicePolicy(calendars=[calendar({"monday-friday": "09:00-17:00"})], default_calendar="desk"))

    assert policy.due(BUSINESS_TIME, "sales", at("2031-06-05T16:00+02:00"), HOUR) is None


def test_a_duration_that_a_policy_leaves_out_has_its_default() -> None:
    policy = Policy(ServicePolicy())

    assert [7 * 24, 72, 1, 7 * 24] == [
        one // HOUR for one in (policy.repeat_window, policy.thread_window, policy.act_within, policy.first_contact_window)
    ]
    assert (None, None) == (policy.silence_limit, policy.answer_validity)


def test_priorities_rank_in_their_one_order_and_unknown_ones_last() -> None:
    policy = Policy(ServicePolicy(priorities=["urgent", "low"]))

    assert [0, 1, 2] == [policy.rank(priority) for priority in ("urgent", "low", "whenever")]


def test_a_policy_without_departments_knows_all_of_them() -> None:
    named = Policy(ServicePolicy(departments=[Department(department="sales")]))

    assert [True, True, False] == [Policy(ServicePolicy()).knows_department("x"), *map(named.knows_department, ("sales", "x"))]


def test_missing_keys_stand_in_the_order_of_the_policy() -> None:
    assert ["b", "a"] == missing(["b", "c", "a"], ["c", "d"])
