"""Policies as YAML: what is written is what is meant, and every mistake of the text names its line and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.connectors.policy_text import PolicyTextError, read_policy
from clients.connectors.policy_words import (
    choices,
    read_days,
    read_duration,
    read_number,
    read_periods,
    write_duration,
    write_periods,
)
from clients.connectors.policy_writer import write_policy
from ledger.api.v1.policy_pb2 import (
    BUSINESS_TIME,
    FRONT_OFFICE,
    TARGET_FIRST_RESPONSE,
    FactsMode,
    Layer,
    OpenPeriod,
    PolicyPublished,
    TargetKind,
    TimeMeasure,
    UnknownDepartments,
)
from ledger.policy.default import default_policy

POLICIES = Path(__file__).parents[3] / "clients" / "connectors" / "policies"
SHIPPED = sorted(POLICIES.glob("*.yaml"))


def mistakes(text: str) -> list[tuple[int, str, str]]:
    return sorted(tuple(mistake) for mistake in read_policy(text, "p.yaml").mistakes)  # type: ignore[misc]


def read(text: str) -> PolicyPublished:
    found = read_policy(text, "p.yaml")
    found.end()
    return found.published


def test_the_shipped_default_is_the_policy_a_ledger_is_born_with() -> None:
    published = read((POLICIES / "default.yaml").read_text(encoding="utf-8"))

    assert ("default", 1) == (published.policy_id, published.policy_version)
    assert default_policy() == published.policy


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_policy_that_is_written_and_read_again_is_the_same(path: Path) -> None:
    published = read(path.read_text(encoding="utf-8"))

    assert published == read(write_policy(published))


def test_what_the_ledger_made_of_a_policy_is_not_written() -> None:
    published = read("calendars: {desk: {zone: UTC, week: {monday: 09:00-10:00}}}")
    published.policy.calendars[0].expanded.step_minutes.append(1)

    assert "expanded" not in write_policy(published)


def test_a_calendar_is_written_as_people_say_it() -> None:
    text = """
calendars:
  desk:
    zone: Europe/Paris
    week:
      monday-wednesday: 09:00-12:30, 14:00-24:00
      friday: [09:00-10:00, 11:00-12:00]
      saturday: closed
    holidays: DE-BY
    days_off: [2026-12-24]
    special_days: {2026-12-31: 09:00-12:00}
"""
    calendar = read(text).policy.calendars[0]

    assert ["desk", "Europe/Paris", "DE", "BY"] == [
        calendar.calendar,
        calendar.zone,
        calendar.holiday_country,
        calendar.holiday_subdivision,
    ]
    assert [1, 2, 3, 5, 6] == [hours.weekday for hours in calendar.week]
    assert [(540, 750), (840, 1440)] == [(one.from_minute, one.until_minute) for one in calendar.week[0].periods]
    assert [2, 0] == [len(hours.periods) for hours in calendar.week[3:]]
    assert [("2026-12-24", 0), ("2026-12-31", 1)] == [(day.date, len(day.periods)) for day in calendar.special_days]


def test_what_is_listed_by_a_code_is_a_map() -> None:
    policy = read("departments: {sales: {layer: front, channels: phone}, shipping: {}}").policy

    assert ["sales", "shipping"] == [department.department for department in policy.departments]
    assert (FRONT_OFFICE, ["phone"]) == (policy.departments[0].layer, list(policy.departments[0].channels))


def test_a_target_says_its_kind_and_measure_in_words() -> None:
    target, none = read(
        "targets: [{kind: first-response, channel: email, within: 1h 30m, measure: business}, {kind: resolution, within: none}]"
    ).policy.targets

    assert (TARGET_FIRST_RESPONSE, 5400, BUSINESS_TIME) == (target.kind, target.within.seconds, target.measure)
    assert not none.HasField("within")


def test_id_version_and_time_stand_beside_the_policy() -> None:
    published = read("policy_id: service\nversion: 3\nin_force_from: 2026-12-01T08:00+01:00\n")

    assert ("service", 3, 1_796_108_400) == (published.policy_id, published.policy_version, published.in_force_from.seconds)


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("default_calender: desk", 1, "default_calender", "there is no such key; did you mean default_calendar?"),
        ("a: 1\nreopen_window: soon", 2, "reopen_window", "'soon' is no duration: write one such as 30s"),
        ("repeat_window: 2 business days", 1, "repeat_window", "measure: business"),
        ("bot_answers: maybe", 1, "bot_answers", "'maybe' is neither yes nor no"),
        ("unknown_departments: kept", 1, "unknown_departments", "'kept' is not one of listed, refused"),
        ("targets:\n  - kind: answer", 2, "targets[0].kind", "'answer' is not one of first_response, next_response"),
        ("targets:\n  - kind: resolution\n    whithin: 3h", 3, "targets[0].whithin", "did you mean within?"),
        ("targets: {}", 1, "targets", "has to be a list"),
        ("calendars: []", 1, "calendars", "has to be a map: each calendar with what belongs to it"),
        ("calendars:\n  desk: 9-5", 2, "calendars.desk", "has to be a map of keys"),
        ("calendars:\n  desk:\n    week: weekdays", 3, "calendars.desk.week", "has to be a map: each day"),
        ("calendars:\n  desk:\n    week:\n      moonday: 09:00-12:00", 4, "calendars.desk.week.moonday", "'moonday' is no day"),
        ("calendars:\n  desk:\n    week:\n      monday: 9 to 5", 4, "calendars.desk.week.monday", "'9 to 5' are no hours"),
        (
            "calendars:\n  desk:\n    week:\n      monday: 09:00-25:00",
            4,
            "calendars.desk.week.monday",
            "hours run from 00:00 to 24:00",
        ),
        (
            "calendars:\n  desk:\n    week:\n      monday: 09:60-10:00",
            4,
            "calendars.desk.week.monday",
            "hours run from 00:00 to 24:00",
        ),
        ("calendars:\n  desk:\n    holidays: France", 3, "calendars.desk.holidays", "'France' is no country"),
        (
            "calendars:\n  desk:\n    special_days: [x]",
            3,
            "calendars.desk.special_days",
            "has to be a map: each date with its hours",
        ),
        ("calendars:\n  desk:\n    zone:", 3, "calendars.desk.zone", "is empty"),
        ("calendars:\n  desk: {zone: UTC}\n  desk: {zone: UTC}", 3, "calendars.desk", "stands twice; the first time on line 2"),
        ("promise_kinds:\n  visit:\n    attempts: many", 3, "promise_kinds.visit.attempts", "'many' is no whole number"),
        ("promise_kinds:\n  visit:\n    attempts: [1]", 3, "promise_kinds.visit.attempts", "has to be one value"),
        ("assessments:\n  - {figure: a, at_most: much}", 2, "assessments[0].at_most", "'much' is no number: write one such as 0.7"),
        ("assessments:\n  - {figure: a, at_most: inf}", 2, "assessments[0].at_most", "'inf' is no number"),
        ("priorities: [high, {low: 1}]", 1, "priorities[1]", "has to be one value"),
        ("version: first", 1, "version", "'first' is no version"),
        ("in_force_from: tomorrow", 1, "in_force_from", "'tomorrow' is no time"),
    ],
)
def test_a_mistake_of_the_text_names_its_line_and_key(text: str, line: int, key: str, says: str) -> None:
    found = [mistake for mistake in mistakes(text) if mistake[1] != "a"]

    assert [(line, key)] == [mistake[:2] for mistake in found]
    assert says in found[0][2]


@pytest.mark.parametrize("text", ["", "  \n", "- a", "just text", "a: [b", "a: &x [*x]", "\x00"])
def test_what_is_no_policy_is_refused_at_once_or_with_its_place(text: str) -> None:
    with pytest.raises(PolicyTextError, match=r"^p\.yaml:1: "):
        read_policy(text, "p.yaml").end()


def test_all_mistakes_are_listed_in_the_order_of_their_lines() -> None:
    with pytest.raises(PolicyTextError) as raised:
        read("bot_answers: maybe\ndefault_calender: x\nrepeat_window: soon\n")

    assert [1, 2, 3] == [mistake.line for mistake in raised.value.mistakes]
    assert 3 == len(str(raised.value).splitlines())


def test_a_path_of_the_message_leads_back_to_its_line() -> None:
    text = """calendars:
  desk:
    zone: UTC
    week:
      monday-tuesday: 09:00-10:00
      friday: 11:00-10:00
playbooks:
  p:
    steps:
      one:
        make_promise: {kind: x}
targets:
  - kind: resolution
"""
    found = read_policy(text, "p.yaml")

    places = {
        path: found.place_of(path)[:2]
        for path in (
            "calendars[0].week[2].periods[0]",
            "calendars[0].week",
            "playbooks[0].steps[0].make_promise.kind",
            "playbooks[0].topics",
            "targets[0].within",
            "priorities",
        )
    }
    assert {
        "calendars[0].week[2].periods[0]": (6, "calendars.desk.week.friday"),
        "calendars[0].week": (4, "calendars.desk.week"),
        "playbooks[0].steps[0].make_promise.kind": (11, "playbooks.p.steps.one.make_promise.kind"),
        "playbooks[0].topics": (8, "playbooks.p"),
        "targets[0].within": (13, "targets[0]"),
        "priorities": (1, ""),
    } == places


def test_what_follows_from_a_mistake_of_the_text_is_not_said_twice() -> None:
    found = read_policy("targets:\n  - kind: answer\n", "p.yaml")

    found.add_found("targets[0].kind", "value is required")
    found.add_found("targets[0]", "another mistake")

    assert [2, 2] == [mistake.line for mistake in found.mistakes]
    assert "another mistake" == found.mistakes[1].message


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        (TimeMeasure, ["clock", "business"]),
        (Layer, ["front", "back", "support"]),
        (FactsMode, ["marked", "enforced"]),
        (UnknownDepartments, ["listed", "refused"]),
        (
            TargetKind,
            ["first_response", "next_response", "resolution", "complaint_acknowledge", "complaint_respond"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_choice_has_a_word(enum: type, words: list[str]) -> None:
    assert words == list(choices(enum.DESCRIPTOR).values())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "number"), [("0.7", 0.7), ("70%", 0.7), ("-20", -20), ("6m", 360), ("1h 30s", 3630), ("5", 5), (" 12.5 % ", 0.125)]
)
def test_a_number_is_a_share_or_a_time_in_seconds_too(text: str, number: float) -> None:
    assert number == pytest.approx(read_number(text))


def test_what_figures_are_held_against_is_written_and_read_again() -> None:
    said = read(
        """
        policy_id: service
        version: 1
        costs: {currency: EUR, escalation_cents: 250, layers: [{layer: front, hour_cents: 3200}]}
        assessments:
          - {figure: first_contact_resolution, channel: phone, at_least: 70%}
          - {figure: handle_time, reason: billing, department: desk, at_most: 6m}
        """
    )

    assert said == read(write_policy(said))
    share, time = said.policy.assessments
    assert ([0.7, False], [False, 360]) == ([share.at_least, share.HasField("at_most")], [time.HasField("at_least"), time.at_most])


@given(st.integers(0, 366 * 86_400 - 1))
def test_a_duration_that_is_written_is_read_again(seconds: int) -> None:
    duration = read_duration(f"{seconds}s")

    assert seconds == read_duration(write_duration(duration)).seconds


@given(st.lists(st.integers(0, 1440), max_size=8, unique=True).map(sorted))
def test_hours_that_are_written_are_read_again(edges: list[int]) -> None:
    periods = [OpenPeriod(from_minute=start, until_minute=end) for start, end in zip(edges[::2], edges[1::2], strict=False)]

    assert periods == read_periods(write_periods(periods))


@pytest.mark.parametrize(
    ("text", "days"),
    [("monday", [1]), ("monday-friday", [1, 2, 3, 4, 5]), ("saturday-monday", [6, 7, 1]), ("monday, Wednesday", [1, 3])],
)
def test_days_are_read_as_people_write_them(text: str, days: list[int]) -> None:
    assert days == read_days(text)
