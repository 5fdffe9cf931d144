"""`tellonce move-department`: hands the pending work of a department that ends to the one that takes its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.failure import REFUSED, CommandError
from clients.cli.output import WIDE, console, print_table, remark, table
from clients.connectors.department_move import DepartmentMove, Left, Outcome
from clients.python import Client

EXAMPLES: Final = (
    "tellonce move-department after_sales --dry-run",
    "tellonce move-department after_sales --to service --actor s-17",
    "tellonce move-department after_sales --to service --run after_sales-service-20261122T101500",
)


def move_department(
    old: Annotated[str, typer.Argument(metavar="DEPARTMENT", help="The department that ends.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="CODE", help="Who takes its place. Default: its successor in the policy in force.")
    ] = None,
    dry_run: Annotated[bool, options.flag("--dry-run", help="Say what would move, and record nothing.")] = False,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="Id of the run: give it again to go on with one that was broken off.")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", metavar="CODE", help="Staff code of who decided it.")] = None,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Move open requests, unfinished handoffs and promises owed to another department, as a supervisor."""
    with connect(target) as client:
        new = to or _successor(client, old)
        if new == old:
            raise options.usage("--to", f"{old} would take its own place.")
        run = run or f"{old[:30]}-{new[:30]}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        move = DepartmentMove(client, old, new, run, actor)
        if dry_run:
            _show_plan(move, old, new)
            return
        remark(f"Run {run}: if it is broken off, go on with --run {run}.")
        outcome = move.run(lambda done: remark(f"{done:,} requests and promises tried."))
        _show(outcome, old, new)


def _successor(client: Client, old: str) -> str:
    policy = client.policy().result.policy
    successor = next((one.successor for one in policy.departments if one.department == old), "")
    if not successor:
        raise options.usage("--to", f"The policy in force names no successor of {old}: say who takes its place.")
    return successor


def _show_plan(move: DepartmentMove, old: str, new: str) -> None:
    counts: dict[str, int] = {}
    events = 0
    for work in move.plan():
        family = work.entity.partition("-")[0]
        counts[family] = counts.get(family, 0) + 1
        events += len(work.events)
    console().print(f"Would move from {old} to {new}: {_counted(counts)}, by {events:,} events. Nothing was recorded.")
    _show_left(move.outcome.left)


def _show(outcome: Outcome, old: str, new: str) -> None:
    console().print(f"Moved from {old} to {new}: {_counted(outcome.moved)}.")
    _show_left(outcome.left)
    if outcome.left:
        raise CommandError(f"{len(outcome.left):,} could not be moved; the list says why.", REFUSED)


def _show_left(left: list[Left]) -> None:
    made = table("what stays", ("why", WIDE))
    for one in left:
        made.add_row(one.entity, one.why)
    if left:
        print_table(made, "")


def _counted(counts: dict[str, int]) -> str:
    named = {"request": "requests", "promise": "promises"}
    return ", ".join(f"{counts.get(family, 0):,} {name}" for family, name in named.items())
