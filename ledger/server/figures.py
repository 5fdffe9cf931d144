"""What a request for figures means: which figures, of which period in which zone, by which windows."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ledger.api.v1.errors_pb2 import FIELD_INVALID
from ledger.api.v1.figure_pb2 import Figures, FigureSlice, GetFiguresRequest
from ledger.errors import LedgerError
from ledger.policy.policy import FIRST_CONTACT_WINDOW_MICROS, REPEAT_WINDOW_MICROS
from ledger.server.local_period import local_hours, period, zone_of
from ledger.server.times import timestamp
from projections import policies
from projections.figures.answer import figure
from projections.figures.assessing import assess
from projections.figures.definition import Definition, PeriodTooLongError, Question
from projections.figures.definitions import BASELINE, BY_NAME, SETS_BY_NAME, with_bundles
from projections.figures.tally import Asked, Slice
from projections.view import Read

SLICES_SAID: Final = {one.value: FigureSlice.Name(FigureSlice.ValueType(one)).removeprefix("FIGURE_BY_").lower() for one in Slice}
"""How people call a slice."""


class _Wanted(NamedTuple):
    """A figure to serve, and how."""

    definition: Definition
    slices: tuple[Slice, ...]
    bundled: bool


def answered(read: Read, request: GetFiguresRequest, home_zone: str) -> Figures:
    """Return the figures asked for. Raises LedgerError (FIELD_INVALID, LOCAL_TIME_INVALID)."""
    wanted = _wanted(request)
    zone_name = request.zone or home_zone
    zone = zone_of(zone_name)
    start, end = period(request.from_local, request.to_local, zone)
    asked = Asked(
        start=start,
        end=end,
        channels=frozenset(request.channels),
        departments=frozenset(request.departments),
        local=local_hours(zone),
    )
    policy = policies.book(read.log, read.known).in_force(read.evaluated)
    said = request.window.ToMicroseconds() if request.HasField("window") else None
    first_contact_window = said or (policy.first_contact_window if policy else FIRST_CONTACT_WINDOW_MICROS)
    repeat_window = said or (policy.repeat_window if policy else REPEAT_WINDOW_MICROS)
    made = Figures(zone=zone_name)
    shared: dict[Any, Any] = {}
    for one in wanted:
        question = Question(
            read=read,
            asked=asked._replace(slices=one.slices),
            exact=request.exact,
            first_contact_window=first_contact_window,
            repeat_window=repeat_window,
            answered_within=request.answered_within.ToMicroseconds() if request.HasField("answered_within") else None,
            found=shared,
        )
        try:
            answer = figure(one.definition, question, bundled=one.bundled, evidence_limit=request.evidence_limit)
        except PeriodTooLongError as error:
            raise LedgerError(FIELD_INVALID, str(error), violations=[("from_local", "the period is too long")]) from None
        if policy is not None:
            assess(answer, policy, question.asked)
        made.figures.append(answer)
    if start is not None:
        made.from_time.CopyFrom(timestamp(start))
    if end is not None:
        made.to_time.CopyFrom(timestamp(end))
    made.first_contact_window.FromMicroseconds(first_contact_window)
    made.repeat_window.FromMicroseconds(repeat_window)
    return made


def _wanted(request: GetFiguresRequest) -> list[_Wanted]:
    if request.names and request.set:
        raise _invalid("set", "give names or a set, not both")
    slices = tuple(Slice(one) for one in request.slices)
    if not request.names:
        chosen = SETS_BY_NAME.get(request.set or BASELINE)
        if chosen is None:
            raise _invalid("set", f"no such set; there are {', '.join(SETS_BY_NAME)}")
        return [_Wanted(BY_NAME[name], _allowed(name, slices), bundled) for name, bundled in with_bundles(chosen.figures).items()]
    for name in request.names:
        if name not in BY_NAME:
            raise _invalid("names", f"{name} is no figure; there are {', '.join(BY_NAME)}")
        refused = [SLICES_SAID[one] for one in slices if one not in BY_NAME[name].slices]
        if refused:
            allowed = ", ".join(SLICES_SAID[one] for one in BY_NAME[name].slices) or "nothing"
            raise _invalid("slices", f"{name} is not cut by {', '.join(refused)}, only by {allowed}")
    return [_Wanted(BY_NAME[name], _allowed(name, slices), bundled) for name, bundled in with_bundles(tuple(request.names)).items()]


def _allowed(name: str, slices: tuple[Slice, ...]) -> tuple[Slice, ...]:
    return tuple(one for one in slices if one in BY_NAME[name].slices)


def _invalid(field: str, description: str) -> LedgerError:
    return LedgerError(
        FIELD_INVALID, f"The figures cannot be asked for like this: {description}.", violations=[(field, description)]
    )
