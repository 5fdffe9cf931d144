"""A published policy, ready to be asked: every look-up is by key, built once.

Pure: the document, and the calendars as they were resolved at publication. Views may import it: no calendar, zone or condition
library stands behind it. Instants and durations are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ledger.api.v1.policy_pb2 import (
    BUSINESS_TIME,
    TARGET_FIRST_RESPONSE,
    UNKNOWN_REFUSED,
    Department,
    HandoffType,
    PolicyPublished,
    PromiseKind,
    ReasonRule,
    ServicePolicy,
    Target,
    TargetKind,
    TimeMeasure,
)
from ledger.event import DAY_MICROS, MINUTE_MICROS, Event
from ledger.rules.business_time import CLOCK, Hours, OpenHours, unpack
from ledger.rules.hours_book import key_of

HOUR_MICROS: Final = 3_600_000_000

RECORDING_ALLOWANCE_MICROS: Final = 2 * MINUTE_MICROS
REOPEN_WINDOW_MICROS: Final = 30 * DAY_MICROS
REPEAT_WINDOW_MICROS: Final = 7 * DAY_MICROS
THREAD_WINDOW_MICROS: Final = 72 * HOUR_MICROS
ACT_WITHIN_MICROS: Final = HOUR_MICROS
FIRST_CONTACT_WINDOW_MICROS: Final = 7 * DAY_MICROS

CASES_KEPT: Final = 4096
"""A ledger has few kinds of cases: their targets are found once."""

Conditions = tuple[str, str, str, str]
"""Channel, tier, reason and priority; empty: any."""


class TargetRule(NamedTuple):
    """The target that applies in a case, and how its time is measured."""

    within: int
    """Longest time, inclusive."""
    hours: Hours
    """What measures it: `hours.add(start, within)` is the due; None there means beyond the horizon, and no due."""
    calendar: str
    """Code of the calendar; empty: by the clock."""
    pauses: bool
    """It pauses while the request waits for the customer."""


class Policy:
    """One version of a service policy. Immutable; equal when it is the same version published at the same position.

    A duration that the document leaves out has its default here; None where there is no default.
    """

    def __init__(
        self, document: ServicePolicy, policy_id: str = "", version: int = 0, position: int = 0, in_force_from: int = 0
    ) -> None:
        """Index a document. Made fields must be set: a calendar that was not expanded measures nothing (KeyError when asked)."""
        self.document: Final = document
        self.policy_id: Final = policy_id
        self.version: Final = version
        self.position: Final = position
        self.in_force_from: Final = in_force_from
        self.bot_answers: Final = document.bot_answers
        self.recording_allowance: Final = _duration(document, "recording_allowance", RECORDING_ALLOWANCE_MICROS)
        self.reopen_window: Final = _duration(document, "reopen_window", REOPEN_WINDOW_MICROS)
        self.repeat_window: Final = _duration(document, "repeat_window", REPEAT_WINDOW_MICROS)
        self.thread_window: Final = _duration(document, "thread_window", THREAD_WINDOW_MICROS)
        self.act_within: Final = _duration(document, "act_within", ACT_WITHIN_MICROS)
        self.first_contact_window: Final = _duration(document, "first_contact_window", FIRST_CONTACT_WINDOW_MICROS)
        self.silence_limit: Final = _duration_or_none(document, "silence_limit")
        self.answer_validity: Final = _duration_or_none(document, "answer_validity")
        self.departments: Final[dict[str, Department]] = {one.department: one for one in document.departments}
        self.handoff_types: Final[dict[str, HandoffType]] = {one.type: one for one in document.handoff_types}
        self.promise_kinds: Final[dict[str, PromiseKind]] = {one.kind: one for one in document.promise_kinds}
        self.reasons: Final[dict[str, ReasonRule]] = {one.reason: one for one in document.reasons}
        self.priorities: Final = tuple(document.priorities)
        """The most urgent first."""
        self.refuses_unknown_departments: Final = document.unknown_departments == UNKNOWN_REFUSED
        self._targets: Final = _Targets(document)
        # Of several departments that run a channel the first one counts.
        self._running: Final = {channel: one.department for one in reversed(document.departments) for channel in one.channels}
        self._hour_cents: Final = {one.layer: one.hour_cents for one in document.costs.layers}
        self._calendars: Final = {one.calendar: one for one in document.calendars}
        self._hours: Final[dict[str, OpenHours]] = {}
        self._keys: Final[dict[str, bytes]] = {}
        self._rules: Final[dict[tuple[TargetKind.ValueType, str, str, str, str, str], TargetRule | None]] = {}

    @classmethod
    def of(cls, event: Event) -> Policy:
        """Read a `policy-published` event."""
        return cls.published(event.payload, event.position)

    @classmethod
    def published(cls, said: PolicyPublished, position: int) -> Policy:
        """Read what was published at a position."""
        return cls(said.policy, said.policy_id, said.policy_version, position, said.in_force_from.ToMicroseconds())

    @property
    def reads_tiers(self) -> bool:
        """True when a target depends on the customer's tier."""
        return self._targets.reads_tiers

    def target_for(
        self,
        kind: TargetKind.ValueType,
        channel: str = "",
        tier: str = "",
        reason: str = "",
        priority: str = "",
        department: str = "",
    ) -> TargetRule | None:
        """Return the target that applies, None where there is none: untargeted, never on time.

        The most specific one counts (`Target` in policy.proto says by which rule); one without `within` says that there is no
        target. Empty arguments are unknown: a target that names that condition does not apply. `department` chooses the
        calendar of business time where the target names none; unknown, it is the department that runs the channel.
        """
        case = (kind, channel, tier, reason, priority, department)
        if case in self._rules:
            return self._rules[case]
        if len(self._rules) >= CASES_KEPT:
            self._rules.clear()
        rule = self._rules[case] = self._rule(*case)
        return rule

    def _rule(
        self, kind: TargetKind.ValueType, channel: str, tier: str, reason: str, priority: str, department: str
    ) -> TargetRule | None:
        target = self._targets.best(kind, channel, tier, reason, priority)
        if target is None or not target.HasField("within"):
            return None
        calendar = self._calendar(target.measure, department or self._running.get(channel, ""), target.calendar)
        pauses = target.pauses_for_customer and kind != TARGET_FIRST_RESPONSE
        return TargetRule(target.within.ToMicroseconds(), self._hours_or_clock(calendar), calendar, pauses)

    def hours_of(self, department: str) -> OpenHours | None:
        """Return the opening hours of a department: its calendar's, else the default calendar's; None without either."""
        calendar = self.calendar_of(department)
        return self.calendar(calendar) if calendar else None

    def calendar_of(self, department: str) -> str:
        """Return the code of a department's calendar, else of the default one; empty without either."""
        known = self.departments.get(department)
        return (known.calendar if known is not None else "") or self.document.default_calendar

    def calendar(self, code: str) -> OpenHours:
        """Return the hours of a calendar. Raises KeyError for one that the policy does not have."""
        hours = self._hours.get(code)
        if hours is None:
            expanded = self._calendars[code].expanded
            if not expanded.HasField("horizon_until"):
                raise KeyError(f"calendar {code} was not expanded")
            hours = self._hours[code] = unpack(
                expanded.step_minutes, expanded.horizon_from.ToMicroseconds(), expanded.horizon_until.ToMicroseconds()
            )
        return hours

    def hours_key(self, code: str) -> bytes:
        """Return the key under which events name the hours of a calendar (hours_book.py). Raises KeyError for an unknown one."""
        key = self._keys.get(code)
        if key is None:
            key = self._keys[code] = key_of(self._calendars[code].expanded)
        return key

    def hour_cents(self, department: str) -> int | None:
        """Return what an hour of a department's work costs, in hundredths; None where the policy has no price for its layer."""
        known = self.departments.get(department)
        return self._hour_cents.get(known.layer) if known is not None else None

    def due(self, measure: TimeMeasure.ValueType, department: str, start: int, duration: int) -> int | None:
        """Return when a duration from `start` on ends, measured by the clock or in the hours of a department.

        None beyond the horizon of the calendar. Business time of a department without a calendar is clock time.
        """
        return self._hours_or_clock(self._calendar(measure, department, "")).add(start, duration)

    def knows_department(self, code: str) -> bool:
        """True when the policy names the department, or names none at all."""
        return not self.departments or code in self.departments

    def rank(self, priority: str) -> int:
        """Return the place of a priority, 0 the most urgent; those not in the order come last."""
        return self.priorities.index(priority) if priority in self.priorities else len(self.priorities)

    def _calendar(self, measure: TimeMeasure.ValueType, department: str, named: str) -> str:
        if measure != BUSINESS_TIME:
            return ""
        return named or self.calendar_of(department)

    def _hours_or_clock(self, calendar: str) -> Hours:
        return self.calendar(calendar) if calendar else CLOCK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"Policy({self.policy_id}@{self.version}, in force from {self.in_force_from}, position {self.position})"

    @property
    def _identity(self) -> tuple[str, int, int, int]:
        return self.policy_id, self.version, self.position, self.in_force_from


class _Targets:
    """The targets of a policy by kind and conditions, tried from the most specific set of conditions to the least."""

    def __init__(self, document: ServicePolicy) -> None:
        self._by_key: dict[tuple[int, Conditions], Target] = {}
        for short in document.response_targets:
            target = Target(kind=TARGET_FIRST_RESPONSE, channel=short.channel, within=short.within)
            self._by_key[TARGET_FIRST_RESPONSE, (short.channel, "", "", "")] = target
        for target in document.targets:
            self._by_key[target.kind, conditions(target)] = target
        shapes: dict[int, set[Shape]] = {}
        for kind, said in self._by_key:
            shapes.setdefault(kind, set()).add(_shape(said))
        self._shapes = {kind: sorted(found, key=specificity, reverse=True) for kind, found in shapes.items()}
        self.reads_tiers = any(said[1] for _, said in self._by_key)

    def best(self, kind: int, channel: str, tier: str, reason: str, priority: str) -> Target | None:
        """Return the most specific target that applies. A handful of look-ups: one for each set of conditions in use."""
        for shape in self._shapes.get(kind, ()):
            by_channel, by_tier, by_reason, by_priority = shape
            said = (
                channel if by_channel else "",
                tier if by_tier else "",
                reason if by_reason else "",
                priority if by_priority else "",
            )
            found = self._by_key.get((kind, said))
            if found is not None and _shape(said) == shape:
                return found
        return None


Shape = tuple[bool, bool, bool, bool]
"""Which of channel, tier, reason and priority are named."""


def conditions(target: Target) -> Conditions:
    """Return under which conditions a target applies."""
    return target.channel, target.tier, target.reason, target.priority


def specificity(shape: Shape) -> tuple[int, bool, bool, bool, bool]:
    """Return how specific a set of conditions is: how many are named, then reason, tier, priority, channel in this order."""
    channel, tier, reason, priority = shape
    return sum(shape), reason, tier, priority, channel


def _shape(said: Conditions) -> Shape:
    channel, tier, reason, priority = said
    return bool(channel), bool(tier), bool(reason), bool(priority)


def _duration(document: Any, name: str, default: int) -> int:
    said = _duration_or_none(document, name)
    return default if said is None else said


def _duration_or_none(document: Any, name: str) -> int | None:
    return int(getattr(document, name).ToMicroseconds()) if document.HasField(name) else None


def missing(required: Iterable[str], given: Iterable[str]) -> list[str]:
    """Return the keys that are required and not given, in the order of the policy."""
    present = set(given)
    return [key for key in required if key not in present]
