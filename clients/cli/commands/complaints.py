"""`tellonce complaints`: what customers are dissatisfied with, at which stage, and who has to act."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.details import detail_table
from clients.cli.listing import Output, choices, enum_words, groups, numbers, show_counts, show_one, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_seconds, show_time
from clients.cli.words import plain, topic_words, word
from ledger.api.v1.complaint_service_pb2 import (
    COMPLAINT_BY_ABOUT,
    COMPLAINT_BY_HANDS,
    COMPLAINT_BY_OWNER,
    COMPLAINT_BY_REASON,
    COMPLAINT_BY_ROOT_CAUSE,
    COMPLAINT_BY_SEVERITY,
    COMPLAINT_BY_STATE,
    Complaint,
    ComplaintState,
)
from ledger.api.v1.policy_pb2 import Layer

STATES: Final = ComplaintState.DESCRIPTOR
GROUPS: Final = {
    "state": COMPLAINT_BY_STATE,
    "hands": COMPLAINT_BY_HANDS,
    "owner": COMPLAINT_BY_OWNER,
    "severity": COMPLAINT_BY_SEVERITY,
    "reason": COMPLAINT_BY_REASON,
    "about": COMPLAINT_BY_ABOUT,
    "root-cause": COMPLAINT_BY_ROOT_CAUSE,
}
EXAMPLES: Final = (
    "tellonce complaints --open",
    "tellonce complaints --overdue --hands service",
    "tellonce complaints --open --count state",
    "tellonce complaints --id k-1",
)


def complaints(
    id: Annotated[
        str | None, typer.Option("--id", metavar="COMPLAINT", help="Only this one, with all its fields, steps and clocks.")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
    ] = None,
    open: Annotated[bool, options.flag("--open", help="Only those neither closed nor withdrawn.")] = False,
    overdue: Annotated[
        bool, options.flag("--overdue", help="Only those whose acknowledgement or response is owed and late.")
    ] = False,
    safety: Annotated[bool, options.flag("--safety", help="Only those about somebody's safety.")] = False,
    hands: Annotated[
        list[str] | None, typer.Option("--hands", metavar="CODE", help="Only those this department has to act on.")
    ] = None,
    about: Annotated[list[str] | None, typer.Option("--about", metavar="CODE", help="Only those about this department.")] = None,
    severity: Annotated[list[str] | None, typer.Option("--severity", metavar="CODE", help="Only those of this severity.")] = None,
    reason: Annotated[list[str] | None, typer.Option("--reason", metavar="CODE", help="Only those with this reason.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="CUSTOMER", help=options.CUSTOMER_HELP)] = None,
    count: Annotated[list[str] | None, typer.Option("--count", metavar="GROUP", help=f"Count by {', '.join(GROUPS)}.")] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List complaints, oldest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "states": numbers("--state", STATES, state),
        "open": open,
        "overdue": overdue,
        "safety": safety,
        "hands": split(hands),
        "about_departments": split(about),
        "severities": split(severity),
        "reasons": split(reason),
        "customer": options.customer(customer, "--customer"),
    }
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if id is not None:
            show_one(client.complaint(id, as_of=asked), complaint_details, output)
        elif group_by:
            response = client.count_complaints(group_by, as_of=asked, **which)
            show_counts(response, names, {"state": enum_words(STATES)}, output)
        else:
            pages = client.complaints(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "complaints", complaint_table, "No complaints.", output)


def complaint_table(rows: Iterable[Complaint], utc: bool) -> Table:
    """Return complaints as a table."""
    made = table(
        ("complaint", SHORT),
        "state",
        ("hands", SHORT),
        ("about", SHORT),
        ("severity", SHORT),
        ("age", NUMBER),
        ("text", WIDE),
        "remarks",
    )
    for row in rows:
        made.add_row(
            row.complaint_id,
            Text(word(STATES, row.state), style="" if row.HasField("ended_time") else "yellow"),
            row.hands or Text("nobody", style="red"),
            row.about_department or "-",
            row.severity or "-",
            show_seconds(row.age_seconds),
            plain(row.text),
            ", ".join(_remarks(row)),
        )
    return made


def complaint_details(row: Complaint, utc: bool) -> RenderableType:
    """Return one complaint with all its fields, its steps, and the time of each department."""
    ages = {"age_seconds": show_seconds(row.age_seconds)}
    fields = detail_table(row, utc=utc, replaced=ages, hidden=("steps", "clocks"), title=f"Complaint {row.complaint_id}")
    steps = table("step", ("when", SHORT), ("department", SHORT), "layer", ("after", NUMBER), title="Steps")
    for step in row.steps:
        steps.add_row(
            topic_words(step.topic.removeprefix("complaint-")),
            show_time(step.time, utc=utc, seconds=False),
            step.department or "-",
            word(Layer.DESCRIPTOR, step.layer) or "-",
            show_seconds(step.seconds),
        )
    clocks = table(("department", SHORT), "layer", ("steps", NUMBER), ("time", NUMBER), title="Time of each department")
    for clock in row.clocks:
        clocks.add_row(
            clock.department or "-", word(Layer.DESCRIPTOR, clock.layer) or "-", str(clock.step_count), show_seconds(clock.seconds)
        )
    return Group(fields, Text(), steps, Text(), clocks)


def _remarks(row: Complaint) -> list[str]:
    remarks = []
    if row.overdue:
        remarks.append("overdue")
    if row.safety:
        remarks.append("safety")
    if row.contested_count:
        remarks.append("contested" if row.contested_count == 1 else f"contested {row.contested_count} times")
    if row.reopened_count:
        remarks.append("reopened" if row.reopened_count == 1 else f"reopened {row.reopened_count} times")
    return remarks
