"""Each mistake of a policy, by name: it is found at its place. The texts are checked through the files people write."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.connectors.policy_text import read_policy
from ledger.policy.check import mistakes_of
from ledger.policy.default import default_policy

SHIPPED = sorted((Path(__file__).parents[3] / "clients" / "connectors" / "policies").glob("*.yaml"))

GOOD = """
calendars:
  desk: {zone: Europe/Paris, week: {monday-friday: "09:00-12:30, 13:30-18:00"}, holidays: FR}
default_calendar: desk
departments:
  sales: {calendar: desk}
  shipping: {}
priorities: [urgent, normal]
targets:
  - {kind: resolution, within: 8h, measure: business}
handoff_types:
  delivery: {required_facts: [address]}
promise_kinds:
  call_back: {default_due: 2h}
reasons:
  outage: {}
"""


def mistakes(text: str) -> list[tuple[str, str]]:
    found = read_policy(text, "policy.yaml")
    assert [] == found.mistakes
    return [tuple(mistake) for mistake in mistakes_of(found.published.policy)]  # type: ignore[misc]


def paths(text: str) -> list[str]:
    return [path for path, _ in mistakes(text)]


def test_a_good_policy_has_no_mistakes() -> None:
    assert [] == mistakes(GOOD)


def test_the_default_policy_has_no_mistakes() -> None:
    assert [] == mistakes_of(default_policy())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_policy_has_no_mistakes(path: Path) -> None:
    assert [] == mistakes(path.read_text(encoding="utf-8"))


def in_calendar(week: str = "monday: 09:00-12:00", more: str = "") -> str:
    return f"calendars:\n  desk:\n    zone: Europe/Paris\n    week:\n      {week}\n    {more}\n"


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        # Calendars
        (in_calendar().replace("Paris", "Pariss"), "calendars[0].zone", "Europe/Pariss is no IANA time zone"),
        (in_calendar(more="holidays: XX"), "calendars[0].holiday_country", "no public holidays are known of XX"),
        (in_calendar(more="holidays: DE-ZZ"), "calendars[0].holiday_subdivision", "no public holidays are known of DE-ZZ"),
        (in_calendar("monday: 09:00-09:00"), "calendars[0].week[0].periods[0]", "09:00-09:00 is empty"),
        (in_calendar("monday: 22:00-06:00"), "calendars[0].week[0].periods[0]", "22:00-06:00 goes backward"),
        (in_calendar("monday: 09:00-12:00, 11:00-15:00"), "calendars[0].week[0].periods[1]", "before the period before it ends"),
        (in_calendar("monday: closed"), "calendars[0].week", "never open"),
        (in_calendar("monday, monday-friday: 09:00-12:00"), "calendars[0].week[1]", "monday stands twice"),
        (in_calendar(more="days_off: [2026-02-30]"), "calendars[0].special_days[0].date", "2026-02-30 is no date"),
        (in_calendar(more="days_off: [2026-02-01, 2026-02-01]"), "calendars[0].special_days[1]", "2026-02-01 stands twice"),
        (in_calendar(more="special_days: {2026-02-01: 12:00-09:00}"), "calendars[0].special_days[0].periods[0]", "backward"),
        ("default_calendar: desk", "default_calendar", "desk is no calendar of this policy; there is none"),
        # Departments
        ("departments: {sales: {calendar: desk}}", "departments[0].calendar", "desk is no calendar"),
        ("departments: {sales: {successor: shop}}", "departments[0].successor", "shop is no department"),
        ("departments: {sales: {successor: sales}}", "departments[0].successor", "sales would succeed itself"),
        ("departments: {sales: {channels: [phone, phone]}}", "departments[0].channels[1]", "phone stands twice"),
        ("unknown_departments: refused", "unknown_departments", "without departments nothing is unknown"),
        # Priorities and targets
        ("priorities: [high, low, high]", "priorities[2]", "high stands twice"),
        ("tiers: [gold, gold]", "tiers[1]", "gold stands twice"),
        ("tiers: [gold]\ntargets: [{kind: resolution, tier: silver, within: 1h}]", "targets[0].tier", "not among the tiers"),
        ("targets: [{kind: resolution, priority: high, within: 1h}]", "targets[0].priority", "not in the order of priorities"),
        ("targets: [{kind: resolution, channel: phone, within: 1h}]", "targets[0].channel", "a resolution has no channel"),
        ("targets: [{kind: resolution, within: 0s}]", "targets[0].within", "no time at all"),
        (
            "targets: [{kind: resolution, within: 1h, measure: business, calendar: desk}]",
            "targets[0].calendar",
            "desk is no calendar",
        ),
        (
            in_calendar() + "targets: [{kind: resolution, within: 1h, calendar: desk}]",
            "targets[0].calendar",
            "a calendar measures business time",
        ),
        ("targets: [{kind: resolution, within: 1h, measure: business}]", "targets[0].measure", "needs a default calendar"),
        (
            "priorities: [high]\ntargets: [{kind: first_response, channel: phone, priority: high, within: 1h}]",
            "targets[0].priority",
            "a contact has no priority when it arrives",
        ),
        (
            "targets: [{kind: first_response, within: 1h, pauses_for_customer: yes}]",
            "targets[0].pauses_for_customer",
            "a first response never pauses",
        ),
        (
            "targets:\n  - {kind: resolution, tier: gold, within: 1h}\n  - {kind: resolution, tier: gold, within: 2h}",
            "targets[1]",
            "targets[0] has the same kind and conditions",
        ),
        (
            "reasons: {outage: {}}\ntargets: [{kind: resolution, reason: outrage, within: 1h}]",
            "targets[0].reason",
            "outrage stands not among the reasons",
        ),
        # Assessments and costs
        ("assessments: [{figure: repeat_rate}]", "assessments[0]", "it asks for nothing"),
        ("assessments: [{figure: a, at_least: 2, at_most: 1}]", "assessments[0].at_most", "no value is both"),
        (
            "assessments: [{figure: a, channel: phone, at_least: 1}, {figure: a, channel: phone, at_most: 2}]",
            "assessments[1]",
            "assessments[0] is about the same figure and conditions",
        ),
        ("reasons: {a: {}}\nassessments: [{figure: a, reason: b, at_least: 1}]", "assessments[0].reason", "not among the reasons"),
        (
            "departments: {a: {}}\nassessments: [{figure: a, department: b, at_least: 1}]",
            "assessments[0].department",
            "no department",
        ),
        (
            "costs: {currency: EUR, layers: [{layer: front, hour_cents: 1}, {layer: front, hour_cents: 2}]}",
            "costs.layers[1]",
            "front_office stands twice",
        ),
        # Business time elsewhere
        ("handoff_types: {a: {accept_within: 1h, measure: business}}", "handoff_types[0].measure", "needs a default calendar"),
        ("promise_kinds: {a: {default_due: 1h, measure: business}}", "promise_kinds[0].measure", "needs a default calendar"),
    ],
)
def test_a_mistake_is_found_at_its_place(text: str, path: str, says: str) -> None:
    ((place, message),) = mistakes(text)

    assert path == place
    assert says in message


def playbook(step: str = "{make_promise: {kind: call_back}}", condition: str = "", topics: str = "[request-opened]") -> str:
    said = f"    condition: '{condition}'\n" if condition else ""
    return f"{GOOD}playbooks:\n  p:\n    topics: {topics}\n{said}    steps:\n      one: {step}\n"


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        (playbook(topics="[]"), "playbooks[0].topics", "nothing triggers it"),
        (playbook(topics="[request-open]"), "playbooks[0].topics[0]", "request-open is no event"),
        (playbook(topics="[policy-published]"), "playbooks[0].topics[0]", "is about the ledger"),
        (playbook(topics="[request-opened, request-opened]"), "playbooks[0].topics[1]", "request-opened stands twice"),
        (playbook("{offer_handoff: {type: refund, to_department: sales}}"), "playbooks[0].steps[0].offer_handoff.type", "refund"),
        (
            playbook("{offer_handoff: {type: delivery, to_department: shop}}"),
            "playbooks[0].steps[0].offer_handoff.to_department",
            "shop is no department",
        ),
        (playbook("{make_promise: {kind: visit}}"), "playbooks[0].steps[0].make_promise.kind", "visit is no promise kind"),
        (
            playbook("{make_promise: {kind: call_back, owner_department: shop}}"),
            "playbooks[0].steps[0].make_promise.owner_department",
            "shop is no department",
        ),
        (playbook(condition="event.reason =="), "playbooks[0].condition", "Syntax error"),
        (playbook(condition="event.raison == 1"), "playbooks[0].condition", "nothing is called event.raison"),
        (playbook(condition="event.wish == 1"), "playbooks[0].condition", "nothing is called event.wish"),
        (playbook(condition="event.reason > 3"), "playbooks[0].condition", "no matching overload"),
        (playbook(condition="event.reason"), "playbooks[0].condition", "has to give true or false"),
        (GOOD + "playbooks: {p: {topics: [request-opened]}}", "playbooks[0].steps", "it does nothing"),
    ],
)
def test_a_mistake_of_a_playbook_is_found_at_its_place(text: str, path: str, says: str) -> None:
    ((place, message),) = mistakes(text)

    assert path == place
    assert says in message


def test_a_line_of_successors_may_not_lead_back() -> None:
    assert ["departments[0].successor", "departments[1].successor"] == paths("departments: {a: {successor: b}, b: {successor: a}}")


def test_all_mistakes_are_found_in_the_order_of_the_document() -> None:
    text = (
        "priorities: [a, a]\n"
        "default_calendar: x\n"
        "targets: [{kind: resolution, within: 0s, priority: b}]\n"
        "departments: {d: {successor: e}}\n"
    )

    assert ["default_calendar", "departments[0].successor", "priorities[1]", "targets[0].priority", "targets[0].within"] == paths(
        text
    )
