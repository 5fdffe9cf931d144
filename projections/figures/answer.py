"""Answers a question for figures: measures each, and puts it into a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.api.v1.figure_pb2 import Figure, FigureEvidence, FigurePart, FigureRow, FigureSlice
from ledger.api.v1.policy_service_pb2 import PolicyVersion
from ledger.event_id import to_text
from projections.figures.buckets import RELATIVE_ERROR
from projections.figures.definition import Definition, Evidence, Question, Result
from projections.figures.members import FLAG, Outcome
from projections.figures.tally import Group, members_of

_NAMES: Final = {
    number: name.lower() for name, number in vars(Outcome).items() if isinstance(number, int) and not name.startswith("_")
}
"""Names of outcomes, as evidence gives them."""


def figure(definition: Definition, question: Question, *, bundled: bool, evidence_limit: int) -> Figure:
    """Return a figure, cut by the slices of the question, which must be the definition's."""
    results = definition.measure(question)
    exact = definition.always_exact or not question.by_cells
    made = Figure(
        name=definition.name,
        version=definition.version,
        unit=definition.unit,
        slices=[FigureSlice.ValueType(one) for one in question.asked.slices],
        rows=[_row(group, results[group]) for group in sorted(results)],
        exact=exact,
        relative_error=RELATIVE_ERROR if definition.buckets and not exact else 0.0,
        bundled=bundled,
    )
    if definition.prices is not None:
        prices = definition.prices(question)
        if prices.currency:
            made.currency = prices.currency
        made.policies.extend(PolicyVersion(policy_id=one.policy_id, policy_version=one.version) for one in prices.policies)
    if evidence_limit and (definition.series or definition.evidence):
        found, total = _evidence(definition, question, evidence_limit)
        made.evidence.extend(found)
        made.evidence_total = total
    return made


def _row(group: Group, result: Result) -> FigureRow:
    row = FigureRow(values=group, member_count=result.member_count)
    if result.value is not None:
        row.value = result.value
    row.parts.extend(FigurePart(name=name, value=value) for name, value in result.parts if value is not None)
    return row


def _evidence(definition: Definition, question: Question, limit: int) -> tuple[Iterable[FigureEvidence], int]:
    """Return members by position of their opener, and how many there are."""
    found = sorted(definition.evidence(question) if definition.evidence is not None else _of_series(definition, question))
    shown = found[:limit]
    stored = question.read.log.read_positions(sorted({place for one in shown for place in one[:2]}))
    named = [
        FigureEvidence(outcome=outcome, event_id=to_text(stored[opener].event_id), last_event_id=to_text(stored[last].event_id))
        for opener, last, outcome in shown
    ]
    return named, len(found)


def _of_series(definition: Definition, question: Question) -> Iterable[Evidence]:
    for series in definition.series:
        for one in members_of(question.read, series, question.asked):
            yield Evidence(one.entity, one.position, _NAMES[one.outcome % FLAG])
