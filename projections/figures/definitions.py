"""All figures, and the sets in which they are asked for. A new figure is a line in one of the modules named here, and in docs."""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.api.v1.figure_pb2 import FigureDefinition, FigureDefinitions, FigurePartDefinition, FigureSet, FigureSlice
from projections.figures import (
    business_figures,
    contact_figures,
    entry_figures,
    escalation_figures,
    experience_figures,
    first_contact,
    information_figures,
    intake_figures,
    outcome_figures,
    promise_figures,
    quality_figures,
    work_figures,
)
from projections.figures.definition import Definition

ALL: Final[tuple[Definition, ...]] = (
    *contact_figures.DEFINITIONS,
    *business_figures.DEFINITIONS,
    *promise_figures.DEFINITIONS,
    *work_figures.DEFINITIONS,
    *first_contact.DEFINITIONS,
    *experience_figures.DEFINITIONS,
    *quality_figures.DEFINITIONS,
    *outcome_figures.DEFINITIONS,
    *intake_figures.DEFINITIONS,
    *information_figures.DEFINITIONS,
    *escalation_figures.DEFINITIONS,
    *entry_figures.DEFINITIONS,
)
BY_NAME: Final = {one.name: one for one in ALL}


class Set(NamedTuple):
    """Figures that somebody looks at together."""

    name: str
    text: str
    figures: tuple[str, ...]


BASELINE: Final = "baseline"

SETS: Final = (
    Set(
        BASELINE,
        "State of play, for everybody: how many demands, how many handled, how fast, how many solved at once, how satisfied.",
        (
            *(
                "volume",
                "unhandled",
                "first_response",
                "first_response_business",
                "first_contact_resolution",
                "repeat_rate",
                "reopen_rate",
            ),
            *("promise_kept_rate", "target_attainment", "satisfaction_csat", "satisfaction_nps", "satisfaction_ces"),
        ),
    ),
    Set(
        "desk",
        "For those who answer customers: waits before anything else.",
        (
            *("first_response", "next_response", "service_level", "speed_of_answer", "abandonment", "transfer_rate", "unhandled"),
            *("first_contact_resolution", "repeat_rate", "satisfaction_csat"),
        ),
    ),
    Set(
        "departments",
        "For those who answer for the way between departments. Cut it by department and receiver for pairs.",
        (
            "handoff_acceptance",
            "handoff_return_rate",
            "handoff_fact_loss",
            "handoffs_per_request",
            "reopen_rate",
            "time_to_resolution",
            "requester_wait",
            "joint_outcome",
            "answer_consistency",
        ),
    ),
    Set(
        "promises",
        "For those who owe something: what was kept, and what is left.",
        ("promise_kept_rate", "target_attainment", "backlog_requests", "backlog_contacts"),
    ),
    Set(
        "staffing",
        "For those who plan who is there when. Cut it by weekday and hour.",
        ("volume", "first_response", "service_level", "abandonment"),
    ),
    Set(
        "handling",
        "For coaching and for the process, never for ranking: handle time with what it must not be bought with.",
        ("handle_time", "answer_completeness", "short_and_repeated"),
    ),
    Set(
        "process",
        "For those who change how work is done: what it takes to know, to ask one another, to escalate, and to tell the ledger.",
        ("intake_completeness", "information_requests", "information_wait", "escalation", "data_entry_effort"),
    ),
)
SETS_BY_NAME: Final = {one.name: one for one in SETS}


def described() -> FigureDefinitions:
    """Return all definitions and sets as the API gives them."""
    return FigureDefinitions(
        definitions=[
            FigureDefinition(
                name=one.name,
                version=one.version,
                title=one.title,
                text=one.text,
                source=one.source,
                unit=one.unit,
                member_time=one.member_time,
                slices=[FigureSlice.ValueType(part) for part in one.slices],
                parts=[FigurePartDefinition(name=name, text=text) for name, text in one.parts.items()],
                bundle=one.bundle,
            )
            for one in ALL
        ],
        sets=[FigureSet(name=one.name, text=one.text, figures=one.figures) for one in SETS],
    )


def with_bundles(names: tuple[str, ...]) -> dict[str, bool]:
    """Return figures with those that they are never served without: name → whether it only comes along."""
    found = dict.fromkeys(names, False)
    for name in names:
        for other in BY_NAME[name].bundle:
            found.setdefault(other, True)
    return found
