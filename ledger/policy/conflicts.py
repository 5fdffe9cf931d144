"""What in a policy cannot be had together: two rules that cannot both be kept, or one of which undoes what the other is for.

Warnings: nothing is refused for them, because people may have their reasons. Pure. Durations are microseconds, and are compared
only where one is certainly longer: by the same measure, or business time with clock time, which it never falls short of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from ledger.api.v1.core_pb2 import MOVES
from ledger.api.v1.policy_pb2 import (
    BUSINESS_TIME,
    TARGET_COMPLAINT_ACKNOWLEDGE,
    TARGET_COMPLAINT_RESPOND,
    TARGET_FIRST_RESPONSE,
    TARGET_NEXT_RESPONSE,
    TARGET_RESOLUTION,
    Assessment,
    Calendar,
    HandoffType,
    MakePromise,
    OfferHandoff,
    ServicePolicy,
    Target,
    Weekday,
)
from ledger.policy.check import place_of
from ledger.policy.policy import REPEAT_WINDOW_MICROS, conditions

CONFLICTS_MAX: Final = 200

HANDLE_TIME: Final = "handle_time"
QUALITIES: Final = frozenset(
    {
        *("first_contact_resolution", "first_contact_resolution_net", "answer_completeness", "joint_outcome"),
        *("repeat_rate", "repeat_rate_any_reason", "short_and_repeated", "reopen_rate", "escalation"),
        *("satisfaction_csat", "satisfaction_nps", "satisfaction_ces"),
    }
)
"""Figures of what a cap on handle time is bought with (requirement S0-4)."""

_DAY: Final = 1440
_WEEK: Final = 7 * _DAY
"""Minutes."""
_MINUTE: Final = 60_000_000
_CLOSED: Final = re.compile(rb"\0+")


class Conflict(NamedTuple):
    """Two places of a policy, as paths of its fields, and why what they say does not go together."""

    path: str
    other: str
    message: str


def conflicts_of(policy: ServicePolicy) -> list[Conflict]:
    """Return what cannot be had together, in the order of the document; at most CONFLICTS_MAX. The policy has no mistakes."""
    found = (
        *_caps(policy),
        *_closed(policy),
        *_upside_down(policy),
        *_complaints(policy),
        *_terms(policy),
        *_playbooks(policy),
        *_promises(policy),
        *_silence(policy),
    )
    return sorted(found, key=lambda one: place_of(one.path))[:CONFLICTS_MAX]


# Assessments


def _caps(policy: ServicePolicy) -> Iterator[Conflict]:
    """A cap on handle time, with a target for what it is bought with, of the same contacts."""
    said = list(enumerate(policy.assessments))
    for place, cap in said:
        if cap.figure != HANDLE_TIME or not cap.HasField("at_most"):
            continue
        for other_place, other in said:
            if other.figure in QUALITIES and _overlap(cap, other):
                bound = "at_least" if other.HasField("at_least") else "at_most"
                yield Conflict(
                    f"assessments[{place}].at_most",
                    f"assessments[{other_place}].{bound}",
                    f"a cap on handle time cuts answers short, and {other.figure} is asked for of the same contacts: whoever keeps "
                    "the one misses the other. Leave the cap out, or say it of other contacts",
                )


def _overlap(one: Assessment, other: Assessment) -> bool:
    pairs = ((one.channel, other.channel), (one.reason, other.reason), (one.department, other.department))
    return all(not left or not right or left == right for left, right in pairs)


# Targets


class _Said(NamedTuple):
    """A target that gives a time."""

    path: str
    target: Target
    within: int


def _said(policy: ServicePolicy, *kinds: int) -> list[_Said]:
    found = []
    if TARGET_FIRST_RESPONSE in kinds:
        for place, short in enumerate(policy.response_targets):
            target = Target(kind=TARGET_FIRST_RESPONSE, channel=short.channel, within=short.within)
            found.append(_Said(f"response_targets[{place}]", target, short.within.ToMicroseconds()))
    for place, target in enumerate(policy.targets):
        if target.kind in kinds and target.HasField("within"):
            found.append(_Said(f"targets[{place}]", target, target.within.ToMicroseconds()))
    return found


def _closed(policy: ServicePolicy) -> Iterator[Conflict]:
    """A response by the clock, sooner than those who run the channel open again. Where bots answer, somebody may be there."""
    if policy.bot_answers:
        return
    known = {one.calendar: (place, one) for place, one in enumerate(policy.calendars)}
    closed: dict[tuple[str, ...], tuple[int, int]] = {}
    for path, target, within in _said(policy, TARGET_FIRST_RESPONSE, TARGET_NEXT_RESPONSE):
        names = _calendars_of(policy, target.channel)
        running = [known[name][1] for name in names if name in known]
        unsure = len(running) < len(names) or not running or len({one.zone for one in running}) > 1
        if target.measure == BUSINESS_TIME or unsure:
            continue
        if names not in closed:
            closed[names] = _longest_closed(running)
        begin, minutes = closed[names]
        if within < minutes * _MINUTE:
            day = Weekday.Name(Weekday.ValueType(begin // _DAY + 1)).lower()
            yield Conflict(
                path,
                f"calendars[{known[names[0]][0]}].week",
                f"{_text(within)} by the clock, and nobody is there for {_text(minutes * _MINUTE)} from {day} "
                f"{begin % _DAY // 60:02}:{begin % 60:02} on: what comes then is late whatever is done. Measure it in business "
                "time, or be there",
            )


def _calendars_of(policy: ServicePolicy, channel: str) -> tuple[str, ...]:
    """Return the calendars of the departments that run a channel, else the default one; an empty one is that of a department
    without any.
    """
    departments = [one for one in policy.departments if channel and channel in one.channels]
    if not departments:
        return (policy.default_calendar,) if policy.default_calendar else ()
    return tuple(dict.fromkeys(one.calendar or policy.default_calendar for one in departments))


def _longest_closed(calendars: Sequence[Calendar]) -> tuple[int, int]:
    """Return from which minute of the week (0 is Monday 00:00) nobody is there for longest, and for how many minutes.

    Holidays and special days are left aside: they close for longer still.
    """
    open_at = bytearray(_WEEK)
    for calendar in calendars:
        for hours in calendar.week:
            for period in hours.periods:
                first = (hours.weekday - 1) * _DAY + period.from_minute
                last = (hours.weekday - 1) * _DAY + period.until_minute
                open_at[first:last] = b"\1" * (last - first)
    # Twice around, so that what is closed over Sunday night is in one piece.
    longest = max(_CLOSED.finditer(bytes(open_at) * 2), key=lambda found: found.end() - found.start(), default=None)
    return (longest.start() % _WEEK, longest.end() - longest.start()) if longest is not None else (0, 0)


def _upside_down(policy: ServicePolicy) -> Iterator[Conflict]:
    """More time for what is more urgent, or for who matters more, than for the next."""
    for field, order in (("priority", list(policy.priorities)), ("tier", list(policy.tiers))):
        groups: dict[tuple[Any, ...], list[tuple[int, _Said]]] = {}
        for one in _said(policy, *_KINDS):
            value = getattr(one.target, field)
            if value and value not in order:
                continue
            rank = order.index(value) if value else len(order)
            groups.setdefault(_case_without(one.target, field), []).append((rank, one))
        for found in groups.values():
            found.sort(key=lambda ranked: ranked[0])
            for (rank, first), (next_rank, second) in pairwise(found):
                # Against the target for all, only what stands first is sure to be more urgent.
                sure = next_rank < len(order) or rank == 0
                if sure and rank < next_rank and first.within > second.within:
                    value, other = getattr(first.target, field), getattr(second.target, field) or "all others"
                    orders = "priorities" if field == "priority" else "tiers"
                    yield Conflict(
                        first.path,
                        second.path,
                        f"{_text(first.within)} for {value}, and {_text(second.within)} for {other}, which the order of {orders} "
                        "puts behind: what is said to come first is served later",
                    )


_KINDS: Final = (
    *(TARGET_FIRST_RESPONSE, TARGET_NEXT_RESPONSE, TARGET_RESOLUTION),
    *(TARGET_COMPLAINT_ACKNOWLEDGE, TARGET_COMPLAINT_RESPOND),
)


def _case_without(target: Target, field: str) -> tuple[Any, ...]:
    """Return what two targets must share to be compared by one of their conditions."""
    rest = Target()
    rest.CopyFrom(target)
    rest.ClearField(field)  # type: ignore[arg-type]
    return target.kind, conditions(rest), target.measure == BUSINESS_TIME, target.calendar


def _complaints(policy: ServicePolicy) -> Iterator[Conflict]:
    """A complaint acknowledged after it is to be responded to."""
    responded = {conditions(one.target): one for one in _said(policy, TARGET_COMPLAINT_RESPOND)}
    for one in _said(policy, TARGET_COMPLAINT_ACKNOWLEDGE):
        other = responded.get(conditions(one.target))
        if other is not None and _longer(one.within, one.target.measure, other.within, other.target.measure):
            yield Conflict(
                one.path,
                other.path,
                f"{_text(one.within)} to acknowledge a complaint, and {_text(other.within)} to respond to it: give less time to "
                "acknowledge, or more to respond",
            )


def _longer(one: int, measure: int, other: int, other_measure: int) -> bool:
    """True when a time is longer than another however the hours fall: by the clock no sure hours are known."""
    return one > other and (measure == BUSINESS_TIME or other_measure != BUSINESS_TIME)


def _most_lenient(policy: ServicePolicy) -> list[_Said]:
    """Return the resolution targets, where every request has one; none where some have none."""
    for target in policy.targets:
        if target.kind == TARGET_RESOLUTION and not target.HasField("within"):
            return []
    found = _said(policy, TARGET_RESOLUTION)
    return found if any(not any(conditions(one.target)) for one in found) else []


# Terms of handoffs


def _terms(policy: ServicePolicy) -> Iterator[Conflict]:
    resolutions = _most_lenient(policy)
    for place, type_ in enumerate(policy.handoff_types):
        path = f"handoff_types[{place}]"
        accept, complete = _micros(type_, "accept_within"), _micros(type_, "complete_within")
        if accept is not None and complete is not None and accept > complete:
            yield Conflict(
                f"{path}.accept_within",
                f"{path}.complete_within",
                f"{_text(accept)} to accept it, and {_text(complete)} to complete it, both from the offer on: it may be overdue "
                "before anybody took it",
            )
        if complete is None or not resolutions:
            continue
        if all(_longer(complete, type_.measure, one.within, one.target.measure) for one in resolutions):
            longest = max(resolutions, key=lambda one: one.within)
            yield Conflict(
                f"{path}.complete_within",
                longest.path,
                f"{_text(complete)} to complete it, and the request that it serves is to be resolved within "
                f"{_text(longest.within)} at most: a handoff in time makes the request late",
            )


def _playbooks(policy: ServicePolicy) -> Iterator[Conflict]:
    """A promise that is due before the handoff that serves it: both made by one playbook, for one department."""
    types = {one.type: one for one in policy.handoff_types}
    kinds = {one.kind: one for one in policy.promise_kinds}
    for number, playbook in enumerate(policy.playbooks):
        path = f"playbooks[{number}]"
        offers = [(place, step.offer_handoff) for place, step in enumerate(playbook.steps) if step.HasField("offer_handoff")]
        promises = [(place, step.make_promise) for place, step in enumerate(playbook.steps) if step.HasField("make_promise")]
        for place, offer in offers:
            type_ = types.get(offer.type)
            complete = _micros(type_, "complete_within") if type_ is not None else None
            for other_place, promise in promises:
                due, measure = _due_of(promise, kinds)
                if type_ is None or complete is None or due is None or not _serves(offer, type_, promise):
                    continue
                if _longer(complete, type_.measure, due, measure):
                    yield Conflict(
                        f"{path}.steps[{place}].offer_handoff",
                        f"{path}.steps[{other_place}].make_promise",
                        f"{_text(complete)} to complete the handoff, and the promise that it serves is due within {_text(due)}: a "
                        "handoff in time breaks the promise",
                    )


def _due_of(promise: MakePromise, kinds: dict[str, Any]) -> tuple[int | None, int]:
    """Return after what time a promise of a playbook is due, and how that is measured; None for undated."""
    said = _micros(promise, "due_within")
    if said is not None:
        return said, promise.measure
    kind = kinds.get(promise.kind)
    return (_micros(kind, "default_due"), kind.measure) if kind is not None else (None, 0)


def _serves(offer: OfferHandoff, type_: HandoffType, promise: MakePromise) -> bool:
    owner = promise.owner_department
    return owner == offer.to_department or (not owner and offer.ownership == MOVES) or promise.kind == type_.type


# Promises, and waiting without word


def _promises(policy: ServicePolicy) -> Iterator[Conflict]:
    window = _micros(policy, "repeat_window")
    window = REPEAT_WINDOW_MICROS if window is None else window
    for place, kind in enumerate(policy.promise_kinds):
        path = f"promise_kinds[{place}]"
        due, remind = _micros(kind, "default_due"), _micros(kind, "remind_before")
        if due is None:
            continue
        if remind is not None and remind >= due and kind.measure != BUSINESS_TIME:
            yield Conflict(
                f"{path}.remind_before",
                f"{path}.default_due",
                f"the reminder comes {_text(remind)} before the due, which is {_text(due)} after the promise: it is due soon from "
                "the beginning, and the reminder tells nothing",
            )
        if due > window:
            yield Conflict(
                f"{path}.default_due",
                "repeat_window" if policy.HasField("repeat_window") else "",
                f"due after {_text(due)}, and who comes back because it was broken counts as a repeat for {_text(window)} only: "
                "give a longer repeat_window",
            )


def _silence(policy: ServicePolicy) -> Iterator[Conflict]:
    limit, resolutions = _micros(policy, "silence_limit"), _most_lenient(policy)
    if limit is None or not resolutions:
        return
    longest = max(resolutions, key=lambda one: one.within)
    if all(_longer(limit, 0, one.within, one.target.measure) for one in resolutions):
        yield Conflict(
            "silence_limit",
            longest.path,
            f"silent after {_text(limit)} without word, and every request is to be resolved within {_text(longest.within)}: the "
            "notice comes when it is late anyhow",
        )


def _micros(message: Any, name: str) -> int | None:
    return int(getattr(message, name).ToMicroseconds()) if message.HasField(name) else None


_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def _text(micros: int) -> str:
    """Return a duration as a policy writes it."""
    left = micros // 1_000_000
    if left % 86_400:
        units: Iterable[tuple[str, int]] = _UNITS[1:]
    else:
        units = _UNITS
    parts = []
    for unit, size in units:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
