"""`tellonce improvements`: problems to be solved together, the events that show them, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.details import detail_table
from clients.cli.listing import Output, choices, enum_words, groups, numbers, show_counts, show_one, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_seconds, show_time
from clients.cli.words import plain, topic_words, word
from ledger.api.v1.improvement_pb2 import ImprovementEffect
from ledger.api.v1.improvement_service_pb2 import (
    IMPROVEMENT_BY_EFFECT,
    IMPROVEMENT_BY_FIGURE,
    IMPROVEMENT_BY_PROBLEM,
    IMPROVEMENT_BY_STATE,
    IMPROVEMENT_BY_STEP,
    EvidenceEvent,
    Improvement,
    ImprovementState,
)

STATES: Final = ImprovementState.DESCRIPTOR
EFFECTS: Final = ImprovementEffect.DESCRIPTOR
GROUPS: Final = {
    "state": IMPROVEMENT_BY_STATE,
    "problem": IMPROVEMENT_BY_PROBLEM,
    "step": IMPROVEMENT_BY_STEP,
    "figure": IMPROVEMENT_BY_FIGURE,
    "effect": IMPROVEMENT_BY_EFFECT,
}
EXAMPLES: Final = (
    "tellonce improvements --open --department shipping",
    "tellonce improvements --count problem,effect",
    "tellonce improvements --id i-1",
)


def improvements(
    id: Annotated[
        str | None, typer.Option("--id", metavar="IMPROVEMENT", help="Only this one, with the events that show it.")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
    ] = None,
    open: Annotated[bool, options.flag("--open", help="Only those that are open.")] = False,
    problem: Annotated[list[str] | None, typer.Option("--problem", metavar="CODE", help="Only for this problem.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those that this department answers for.")
    ] = None,
    step: Annotated[list[str] | None, typer.Option("--step", metavar="CODE", help="Only those about this step.")] = None,
    figure: Annotated[
        list[str] | None, typer.Option("--figure", metavar="CODE", help="Only those measured by this figure.")
    ] = None,
    effect: Annotated[
        list[str] | None, typer.Option("--effect", metavar="EFFECT", help=f"Only with these effects: {choices(EFFECTS)}.")
    ] = None,
    event: Annotated[str | None, typer.Option("--event", metavar="EVENT", help="Only those that this event shows.")] = None,
    count: Annotated[list[str] | None, typer.Option("--count", metavar="GROUP", help=f"Count by {', '.join(GROUPS)}.")] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List improvements, oldest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "states": numbers("--state", STATES, state),
        "open": open,
        "problems": split(problem),
        "departments": split(department),
        "steps": split(step),
        "figures": split(figure),
        "effects": numbers("--effect", EFFECTS, effect),
        "evidence_event_id": event,
    }
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if id is not None:
            show_one(client.improvement(id, as_of=asked), improvement_details, output)
        elif group_by:
            response = client.count_improvements(group_by, as_of=asked, **which)
            show_counts(response, names, {"state": enum_words(STATES), "effect": enum_words(EFFECTS)}, output)
        else:
            pages = client.improvements(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "improvements", improvement_table, "No improvements.", output)


def improvement_table(rows: Iterable[Improvement], utc: bool) -> Table:
    """Return improvements as a table."""
    made = table(
        ("improvement", SHORT), "state", "problem", ("together", WIDE), ("shown by", NUMBER), "figure", "effect", ("age", NUMBER)
    )
    for row in rows:
        made.add_row(
            row.improvement_id,
            word(STATES, row.state),
            row.problem.replace("_", " "),
            " ".join(row.owner_departments) or "-",
            f"{len(row.evidence):,} event{'' if len(row.evidence) == 1 else 's'}",
            row.figure.replace("_", " ") or "-",
            word(EFFECTS, row.effect) or "-",
            show_seconds(row.age_seconds),
        )
    return made


def improvement_details(row: Improvement, utc: bool) -> Table:
    """Return one improvement with all its fields."""
    replaced = {
        "age_seconds": show_seconds(row.age_seconds),
        "evidence": "\n".join(_evidence(one, utc) for one in row.evidence),
    }
    return detail_table(row, utc=utc, replaced=replaced, title=f"Improvement {row.improvement_id}")


def _evidence(row: EvidenceEvent, utc: bool) -> str:
    if not row.position:
        return f"{row.event_id} (not recorded)"
    where = f" by {row.department}" if row.department else ""
    when = show_time(row.occur_time, utc=utc, seconds=False)
    return f"{plain(topic_words(row.topic))}{where} at {when}, {row.stream} ({row.event_id})"
