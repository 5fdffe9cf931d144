"""The mistakes of a policy: all of them, each with its place and reason. What the protos cannot say stands here.

Pure but for zone and holiday data and the compiler of conditions, which are loaded only when a policy has calendars or playbooks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from ledger.api.v1.policy_pb2 import (
    BUSINESS_TIME,
    TARGET_FIRST_RESPONSE,
    TARGET_NEXT_RESPONSE,
    Calendar,
    Layer,
    OpenPeriod,
    Playbook,
    PlaybookStep,
    ServicePolicy,
    TargetKind,
    Weekday,
)
from ledger.catalogue import BY_TOPIC
from ledger.policy.policy import conditions

MISTAKES_MAX: Final = 200

ACTOR_MAX: Final = 96
"""A step acts as `playbook:step`, which has to fit into the actor of an event."""

_CALENDAR_YEARS: Final = range(1970, 2200)


class Mistake(NamedTuple):
    """One mistake: where, as a path of the policy's fields such as `calendars[0].week[2].periods[1]`, and what is wrong."""

    path: str
    message: str


class _Mistakes:
    def __init__(self) -> None:
        self.found: list[Mistake] = []

    def add(self, path: str, message: str) -> None:
        self.found.append(Mistake(path, message))


def mistakes_of(policy: ServicePolicy) -> list[Mistake]:
    """Return every mistake that the protos' own rules do not find, in the order of the document; at most MISTAKES_MAX."""
    mistakes = _Mistakes()
    for name, field in _LISTS.items():
        _check_unique(mistakes, name, [getattr(one, field) for one in getattr(policy, name)])
    _check_calendars(mistakes, policy)
    _check_departments(mistakes, policy)
    _check_priorities(mistakes, policy)
    _check_targets(mistakes, policy)
    _check_measures(mistakes, policy)
    _check_assessments(mistakes, policy)
    for index, layer in enumerate(policy.costs.layers):
        if layer.layer in [one.layer for one in policy.costs.layers[:index]]:
            mistakes.add(f"costs.layers[{index}]", f"{Layer.Name(layer.layer).lower()} stands twice")
    for index, playbook in enumerate(policy.playbooks):
        _check_playbook(mistakes, policy, playbook, f"playbooks[{index}]")
    return sorted(mistakes.found, key=lambda one: place_of(one.path))[:MISTAKES_MAX]


_LISTS: Final = {
    "calendars": "calendar",
    "departments": "department",
    "handoff_types": "type",
    "promise_kinds": "kind",
    "reasons": "reason",
    "playbooks": "playbook",
    "response_targets": "channel",
}
"""What is listed by a code, and the field that holds the code."""


def _check_unique(mistakes: _Mistakes, name: str, codes: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for index, code in enumerate(codes):
        if code in first:
            mistakes.add(f"{name}[{index}]", f"{code} stands twice: the first time at {name}[{first[code]}]")
        else:
            first[code] = index


def _check_repeated(mistakes: _Mistakes, path: str, codes: Iterable[str]) -> None:
    seen: set[str] = set()
    for index, code in enumerate(codes):
        if code in seen:
            mistakes.add(f"{path}[{index}]", f"{code} stands twice")
        seen.add(code)


# Calendars


def _check_calendars(mistakes: _Mistakes, policy: ServicePolicy) -> None:
    if policy.default_calendar:
        _check_known(mistakes, "default_calendar", policy.default_calendar, _codes(policy, "calendars"), "calendar")
    for index, calendar in enumerate(policy.calendars):
        path = f"calendars[{index}]"
        _check_zone_and_holidays(mistakes, calendar, path)
        days: set[int] = set()
        for number, hours in enumerate(calendar.week):
            if hours.weekday in days:
                mistakes.add(f"{path}.week[{number}]", f"{Weekday.Name(hours.weekday).lower()} stands twice")
            days.add(hours.weekday)
            _check_periods(mistakes, f"{path}.week[{number}]", hours.periods)
        if not any(hours.periods for hours in calendar.week):
            mistakes.add(f"{path}.week", "it is never open: give at least one day its hours")
        dates: set[str] = set()
        for number, special in enumerate(calendar.special_days):
            place = f"{path}.special_days[{number}]"
            if not _is_date(special.date):
                mistakes.add(f"{place}.date", f"{special.date} is no date of the calendar")
            if special.date in dates:
                mistakes.add(place, f"{special.date} stands twice")
            dates.add(special.date)
            _check_periods(mistakes, place, special.periods)


def _check_zone_and_holidays(mistakes: _Mistakes, calendar: Calendar, path: str) -> None:
    from ledger.policy.calendars import UnknownHolidaysError, UnknownZoneError, holidays_of, zone_of

    try:
        zone_of(calendar.zone)
    except UnknownZoneError as error:
        mistakes.add(f"{path}.zone", f"{error}: use one such as Europe/Paris")
    if calendar.holiday_subdivision and not calendar.holiday_country:
        mistakes.add(f"{path}.holiday_subdivision", "a subdivision needs its country")
    elif calendar.holiday_country:
        try:
            holidays_of(calendar.holiday_country, "", 2026)
        except UnknownHolidaysError as error:
            mistakes.add(f"{path}.holiday_country", f"{error}: use an ISO 3166 code such as FR, or list the days off")
            return
        try:
            holidays_of(calendar.holiday_country, calendar.holiday_subdivision, 2026)
        except UnknownHolidaysError as error:
            mistakes.add(f"{path}.holiday_subdivision", f"{error}: leave it out, or list the days off")


def _check_periods(mistakes: _Mistakes, path: str, periods: Sequence[OpenPeriod]) -> None:
    last = 0
    for index, period in enumerate(periods):
        place = f"{path}.periods[{index}]"
        if period.from_minute == period.until_minute:
            mistakes.add(place, f"{_hours(period)} is empty")
        elif period.from_minute > period.until_minute:
            mistakes.add(
                place,
                f"{_hours(period)} goes backward: hours over midnight are two periods, to 24:00 and from 00:00 on",
            )
        elif period.from_minute < last:
            mistakes.add(place, f"{_hours(period)} begins before the period before it ends")
        last = max(last, period.until_minute)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).year in _CALENDAR_YEARS
    except ValueError:
        return False


def _hours(period: OpenPeriod) -> str:
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (period.from_minute, period.until_minute))


# Departments and priorities


def _check_departments(mistakes: _Mistakes, policy: ServicePolicy) -> None:
    known = _codes(policy, "departments")
    calendars = _codes(policy, "calendars")
    successors = {one.department: one.successor for one in policy.departments if one.successor}
    for index, department in enumerate(policy.departments):
        path = f"departments[{index}]"
        if department.calendar:
            _check_known(mistakes, f"{path}.calendar", department.calendar, calendars, "calendar")
        _check_repeated(mistakes, f"{path}.channels", department.channels)
        _check_repeated(mistakes, f"{path}.skills", department.skills)
        if not department.successor:
            continue
        _check_known(mistakes, f"{path}.successor", department.successor, known, "department")
        if department.department in _line_of(department.department, successors):
            mistakes.add(f"{path}.successor", f"{department.department} would succeed itself")
    if not policy.departments and policy.HasField("unknown_departments"):
        mistakes.add("unknown_departments", "without departments nothing is unknown: list them, or leave this out")


def _line_of(department: str, successors: dict[str, str]) -> set[str]:
    """Return who follows a department, and who follows them."""
    line: set[str] = set()
    while department in successors and successors[department] not in line:
        department = successors[department]
        line.add(department)
    return line


def _check_priorities(mistakes: _Mistakes, policy: ServicePolicy) -> None:
    _check_repeated(mistakes, "priorities", policy.priorities)
    _check_repeated(mistakes, "tiers", policy.tiers)


# Targets and terms


def _check_targets(mistakes: _Mistakes, policy: ServicePolicy) -> None:
    first: dict[tuple[Any, ...], str] = {
        (TARGET_FIRST_RESPONSE, (short.channel, "", "", "")): f"response_targets[{index}]"
        for index, short in enumerate(policy.response_targets)
    }
    calendars = _codes(policy, "calendars")
    for index, target in enumerate(policy.targets):
        path = f"targets[{index}]"
        key = (target.kind, conditions(target))
        if key in first:
            mistakes.add(path, f"{first[key]} has the same kind and conditions: one of them has to name more")
        else:
            first[key] = path
        if target.kind not in (TARGET_FIRST_RESPONSE, TARGET_NEXT_RESPONSE) and target.channel:
            mistakes.add(f"{path}.channel", f"a {_kind(target.kind)} has no channel: leave it out")
        if target.kind == TARGET_FIRST_RESPONSE and target.priority:
            mistakes.add(f"{path}.priority", "a contact has no priority when it arrives: leave it out")
        if target.tier and policy.tiers and target.tier not in policy.tiers:
            mistakes.add(f"{path}.tier", f"{target.tier} stands not among the tiers")
        if target.priority and target.priority not in policy.priorities:
            mistakes.add(f"{path}.priority", f"{target.priority} stands not in the order of priorities")
        if target.kind == TARGET_FIRST_RESPONSE and target.pauses_for_customer:
            mistakes.add(f"{path}.pauses_for_customer", "a first response never pauses: leave it out")
        if target.reason and policy.reasons and target.reason not in _codes(policy, "reasons"):
            mistakes.add(f"{path}.reason", f"{target.reason} stands not among the reasons")
        if target.calendar:
            _check_known(mistakes, f"{path}.calendar", target.calendar, calendars, "calendar")
            if target.measure != BUSINESS_TIME:
                mistakes.add(f"{path}.calendar", "a calendar measures business time: say so, or leave it out")
        if target.HasField("within") and target.within.ToMicroseconds() <= 0:
            mistakes.add(f"{path}.within", "no time at all: give some, or leave it out for no target")


def _check_measures(mistakes: _Mistakes, policy: ServicePolicy) -> None:
    """Business time needs hours to count: those named, else those of every department, else the default ones."""
    if policy.default_calendar:
        return
    places = [(f"targets[{index}].measure", one.measure) for index, one in enumerate(policy.targets) if not one.calendar]
    places += [(f"handoff_types[{index}].measure", one.measure) for index, one in enumerate(policy.handoff_types)]
    places += [(f"promise_kinds[{index}].measure", one.measure) for index, one in enumerate(policy.promise_kinds)]
    places += [
        (f"playbooks[{number}].steps[{index}].make_promise.measure", step.make_promise.measure)
        for number, playbook in enumerate(policy.playbooks)
        for index, step in enumerate(playbook.steps)
        if step.HasField("make_promise")
    ]
    for path, measure in places:
        if measure == BUSINESS_TIME:
            mistakes.add(path, "business time needs a default calendar, for whoever has none of their own")


# Assessments


def _check_assessments(mistakes: _Mistakes, policy: ServicePolicy) -> None:
    first: dict[tuple[str, ...], str] = {}
    for index, one in enumerate(policy.assessments):
        path = f"assessments[{index}]"
        key = (one.figure, one.channel, one.reason, one.department)
        if key in first:
            mistakes.add(path, f"{first[key]} is about the same figure and conditions: one of them has to name more")
        else:
            first[key] = path
        if not one.HasField("at_least") and not one.HasField("at_most"):
            mistakes.add(path, "it asks for nothing: say at_least or at_most")
        elif one.HasField("at_least") and one.HasField("at_most") and one.at_least > one.at_most:
            mistakes.add(f"{path}.at_most", "it is less than at_least: no value is both")
        if one.reason and policy.reasons and one.reason not in _codes(policy, "reasons"):
            mistakes.add(f"{path}.reason", f"{one.reason} stands not among the reasons")
        if one.department and policy.departments:
            _check_known(mistakes, f"{path}.department", one.department, _codes(policy, "departments"), "department")


# Playbooks


def _check_playbook(mistakes: _Mistakes, policy: ServicePolicy, playbook: Playbook, path: str) -> None:
    if not playbook.topics:
        mistakes.add(f"{path}.topics", "nothing triggers it: name at least one topic")
    if not playbook.steps:
        mistakes.add(f"{path}.steps", "it does nothing: give it a step")
    for index, topic in enumerate(playbook.topics):
        kind = BY_TOPIC.get(topic)
        if kind is None:
            mistakes.add(f"{path}.topics[{index}]", f"{topic} is no event: see docs/events.md")
        elif kind.area in _NO_TRIGGERS:
            mistakes.add(f"{path}.topics[{index}]", f"{topic} is about the ledger, not about a customer: nothing follows from it")
    _check_repeated(mistakes, f"{path}.topics", playbook.topics)
    if playbook.condition:
        _check_condition(mistakes, playbook, f"{path}.condition")
    _check_unique(mistakes, f"{path}.steps", [step.step for step in playbook.steps])
    for index, step in enumerate(playbook.steps):
        if len(playbook.playbook) + 1 + len(step.step) > ACTOR_MAX:
            mistakes.add(f"{path}.steps[{index}].step", f"with its playbook's code it is longer than {ACTOR_MAX - 1}: shorten one")
        action = step.WhichOneof("action")
        if action is not None:
            _STEPS[action](mistakes, policy, step, f"{path}.steps[{index}].{action}")


_NO_TRIGGERS: Final = frozenset({"policy", "governance"})
"""Areas whose events trigger no playbook."""


def _check_condition(mistakes: _Mistakes, playbook: Playbook, path: str) -> None:
    # Imported here: a policy without conditions needs no compiler.
    from ledger.policy.conditions import Condition, ConditionError

    try:
        Condition(playbook.condition, playbook.topics)
    except ConditionError as error:
        where = f" (line {error.line} of it)" if error.line > 1 else ""
        mistakes.add(path, error.message + where)


def _check_offer(mistakes: _Mistakes, policy: ServicePolicy, step: PlaybookStep, path: str) -> None:
    _check_known(mistakes, f"{path}.type", step.offer_handoff.type, _codes(policy, "handoff_types"), "handoff type")
    if policy.departments:
        _check_known(
            mistakes, f"{path}.to_department", step.offer_handoff.to_department, _codes(policy, "departments"), "department"
        )


def _check_promise(mistakes: _Mistakes, policy: ServicePolicy, step: PlaybookStep, path: str) -> None:
    promise = step.make_promise
    _check_known(mistakes, f"{path}.kind", promise.kind, _codes(policy, "promise_kinds"), "promise kind")
    if promise.owner_department and policy.departments:
        _check_known(mistakes, f"{path}.owner_department", promise.owner_department, _codes(policy, "departments"), "department")


def _check_opportunity(mistakes: _Mistakes, policy: ServicePolicy, step: PlaybookStep, path: str) -> None:
    """Its kind is an enum, its product any code."""


_STEPS: Final[dict[str, Callable[[_Mistakes, ServicePolicy, PlaybookStep, str], None]]] = {
    "offer_handoff": _check_offer,
    "make_promise": _check_promise,
    "suggest_opportunity": _check_opportunity,
}


def _check_known(mistakes: _Mistakes, path: str, code: str, known: Sequence[str], what: str) -> None:
    if code not in known:
        listed = ", ".join(known) or "none"
        mistakes.add(path, f"{code} is no {what} of this policy; there is {listed}")


def _codes(policy: ServicePolicy, name: str) -> list[str]:
    field = _LISTS[name]
    return [getattr(one, field) for one in getattr(policy, name)]


def _kind(kind: TargetKind.ValueType) -> str:
    return TargetKind.Name(kind).removeprefix("TARGET_").lower().replace("_", " ")


_STEP: Final = re.compile(r"(\w+)|\[(\d+)\]")
_ORDER: Final = {field.name: field.number for field in ServicePolicy.DESCRIPTOR.fields}


def place_of(path: str) -> tuple[Any, ...]:
    """Return where a path stands in the document."""
    return tuple((_ORDER.get(name, 0), name) if name else (int(index), "") for name, index in _STEP.findall(path))
