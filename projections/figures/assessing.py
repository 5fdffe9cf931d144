"""What figures are held against: the assessments of a policy (requirement S0-6). Has no tables, and changes no value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.api.v1.figure_pb2 import Figure, FigureAssessment, FigureRow
from ledger.api.v1.policy_pb2 import Assessment
from ledger.policy.policy import Policy
from projections.figures.definitions import BY_NAME
from projections.figures.tally import Asked, Slice

_CONDITIONS: Final[dict[int, str]] = {Slice.CHANNEL: "channel", Slice.REASON: "reason", Slice.DEPARTMENT: "department"}
"""Conditions of an assessment, by the slice that tells whether one holds."""


def assess(made: Figure, policy: Policy, asked: Asked) -> None:
    """Say in the rows of a figure what each is held against, and whether it is met, by one policy.

    An assessment holds for a row that is of its channel, reason and department alone: cut by them, or asked for of one. Of several
    the most specific one counts.
    """
    targets = [one for one in policy.document.assessments if one.figure == made.name]
    for row in made.rows if targets else ():
        known = {"channel": _only(asked.channels), "department": _only(asked.departments), "reason": ""}
        known |= {_CONDITIONS[one]: value for one, value in zip(made.slices, row.values, strict=True) if one in _CONDITIONS}
        holding = [one for one in targets if all(getattr(one, name) in ("", known[name]) for name in known)]
        if holding:
            target = max(holding, key=_specificity)
            row.assessment.CopyFrom(FigureAssessment(target=target))
            row.assessment.policy.policy_id, row.assessment.policy.policy_version = policy.policy_id, policy.version
            if row.HasField("value"):
                row.assessment.met = _met(target, row)


def _only(chosen: frozenset[str]) -> str:
    return next(iter(chosen)) if len(chosen) == 1 else ""


def _specificity(target: Assessment) -> tuple[int, bool, bool]:
    said = (bool(target.channel), bool(target.reason), bool(target.department))
    return sum(said), said[1], said[2]


def _met(target: Assessment, row: FigureRow) -> bool:
    above = not target.HasField("at_least") or row.value >= target.at_least
    return above and (not target.HasField("at_most") or row.value <= target.at_most)


def unanswered(assessments: Iterable[Assessment]) -> Iterator[tuple[str, str]]:
    """Yield the assessments that no figure answers: the path of each in a policy, and why."""
    for place, one in enumerate(assessments):
        definition = BY_NAME.get(one.figure)
        if definition is None:
            yield f"assessments[{place}].figure", f"there is no figure {one.figure} in this version: it is held against nothing"
            continue
        for slice_, name in _CONDITIONS.items():
            if getattr(one, name) and slice_ not in definition.slices:
                yield f"assessments[{place}].{name}", f"{one.figure} is not cut by {name}: it is held against nothing"
