"""`tellonce playbooks`: what playbooks did, what people did instead, and what could not be done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import Output, show_rows, split
from clients.cli.options import usage
from clients.cli.output import NUMBER, SHORT, WIDE, print_json, print_table, table
from clients.cli.times import show_time
from ledger.api.v1.playbook_service_pb2 import Play, PlayStep, RefusedPlay

EXAMPLES: Final = (
    "tellonce playbooks --request r-1",
    "tellonce playbooks --playbook stolen_phone --overridden",
    "tellonce playbooks --refused",
)


def playbooks(
    playbook: Annotated[
        list[str] | None, typer.Option("--playbook", "-p", metavar="CODE", help="Only what this playbook did.")
    ] = None,
    request: Annotated[str | None, typer.Option("--request", metavar="REQUEST", help="Only what concerns this request.")] = None,
    trigger: Annotated[str | None, typer.Option("--trigger", metavar="EVENT", help="Only what this event set off.")] = None,
    overridden: Annotated[bool, options.flag("--overridden", help="Only those that a person overrode.")] = False,
    refused: Annotated[
        bool, options.flag("--refused", help="Those that could not be recorded instead, and why; as the node asked met them.")
    ] = False,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List what playbooks did, newest first, step by step, and what people did instead."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "playbooks": split(playbook),
        "request_id": request,
        "trigger_event_id": trigger,
        "overridden": overridden,
    }
    if refused and (any(which.values()) or asked is not None):
        raise usage("--refused", "it lists all that the node met, of now: leave the other choices out.")
    with connect(target) as client:
        if refused:
            response = client.refused_plays(output.page_size)
            if json:
                print_json(response)
            else:
                print_table(refused_table(response.plays, utc), "No playbook was refused.")
        else:
            pages = client.plays(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "plays", play_table, "No playbook did anything.", output)


def play_table(rows: Iterable[Play], utc: bool) -> Table:
    """Return plays as a table, one row a step."""
    made = table(("when", SHORT), "playbook", ("request", SHORT), ("set off by", SHORT), "step", ("did", WIDE), "instead")
    for row in rows:
        head = [
            show_time(row.trigger_time, utc=utc),
            row.playbook.replace("_", " "),
            row.request_id or "-",
            f"{row.trigger_topic}\nat {row.trigger_position}",
        ]
        for step in row.steps:
            made.add_row(*head, (step.step or "all of it").replace("_", " "), _did(step), _instead(step))
            head = ["", "", "", ""]
    return made


def refused_table(rows: Iterable[RefusedPlay], utc: bool) -> Table:
    """Return refused plays as a table."""
    made = table(("tried", SHORT), "playbook", ("policy", SHORT), ("set off by", SHORT), ("position", NUMBER), ("why", WIDE))
    for row in rows:
        made.add_row(
            show_time(row.refused_time, utc=utc),
            row.playbook.replace("_", " "),
            f"{row.policy_id} {row.policy_version}",
            row.trigger_topic,
            str(row.trigger_position),
            row.message,
        )
    return made


def _did(step: PlayStep) -> str:
    return f"{step.topic} in {step.stream}" if step.event_id else "nothing"


def _instead(step: PlayStep) -> str:
    if not step.HasField("override"):
        return "-"
    when = "before" if step.override.before else "afterwards"
    return (
        f"overridden {when}: {step.override.reason.replace('_', ' ')}{f' ({step.override.actor})' if step.override.actor else ''}"
    )
