"""Response time in opening hours: what a department could do about a wait, beside what the customer waited."""

from __future__ import annotations

from functools import partial
from typing import Final

from ledger.api.v1.figure_pb2 import FIGURE_SECONDS
from projections.figures.definition import SPREAD, Definition, Question, Result, Results, seconds, spread
from projections.figures.members import FLAG, Outcome, Series
from projections.figures.ruling import Ruling
from projections.figures.tally import Group, Measured, Slice

_ANSWERED: Final = (Outcome.UNTARGETED, Outcome.IN_TIME, Outcome.LATE, Outcome.KEPT, Outcome.KEPT_LATE)
_PARTS: Final = {**SPREAD, "without_hours": "Answered ones of departments without a calendar: not in the times."}


class _Waits:
    """The waits of a group."""

    def __init__(self) -> None:
        self.measured = Measured()
        self.without_hours = 0


def _in_opening_hours(question: Question, *, series: int) -> Results:
    ruling = Ruling(question.read)
    groups: dict[Group, _Waits] = {}
    for found in question.members(series):
        if found.outcome % FLAG not in _ANSWERED or found.value is None:
            continue
        waits = groups.setdefault(found.group, _Waits())
        policy = ruling.of(found.entity, found.time)
        hours = policy.hours_of(found.department) if policy is not None else None
        open_time = hours.open_between(found.time, found.time + found.value) if hours is not None else None
        if open_time is None:
            waits.without_hours += 1
        else:
            waits.measured.add(1, open_time, open_time)
    return {
        group: Result(
            seconds(waits.measured.percentile(0.5)),
            waits.measured.n,
            (*spread(waits.measured), ("without_hours", waits.without_hours)),
        )
        for group, waits in groups.items()
    }


DEFINITIONS: Final = (
    Definition(
        name="first_response_business",
        version=1,
        title="First response time in opening hours",
        text="As first_response, in the opening hours of the department that each contact was with, by the calendar of the "
        "policy that ruled when it was received. To be read beside the clock time, which is what the customer waited.",
        source="domain §4, first response time; S1-2",
        unit=FIGURE_SECONDS,
        member_time="received",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.TIER, Slice.HOUR, Slice.WEEKDAY),
        parts=_PARTS,
        measure=partial(_in_opening_hours, series=Series.CONTACT),
        series=(Series.CONTACT,),
        always_exact=True,
    ),
    Definition(
        name="next_response_business",
        version=1,
        title="Next response time in opening hours",
        text="As next_response, in the opening hours of the department that the contact was with when the message came, by the "
        "calendar of the policy that ruled then. To be read beside the clock time, which is what the customer waited.",
        source="domain §4, next response time; S1-2",
        unit=FIGURE_SECONDS,
        member_time="received",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.TIER, Slice.HOUR, Slice.WEEKDAY),
        parts=_PARTS,
        measure=partial(_in_opening_hours, series=Series.NEXT),
        series=(Series.NEXT,),
        always_exact=True,
    ),
)
