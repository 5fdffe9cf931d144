"""`tellonce exceptions`: approved departures from rules, outcomes with and without them, and rules that people overrode."""

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
from clients.cli.times import show_time
from clients.cli.words import plain, word
from ledger.api.v1.exception_pb2 import ExceptionEffect, ExceptionScope
from ledger.api.v1.exception_service_pb2 import (
    EXCEPTION_BY_APPROVER,
    EXCEPTION_BY_EFFECT,
    EXCEPTION_BY_REASON,
    EXCEPTION_BY_RULE,
    EXCEPTION_BY_STATE,
    AdjustedOutcome,
    ExceptionState,
    Override,
    RuleException,
)
from ledger.api.v1.promise_service_pb2 import PromiseState

STATES: Final = ExceptionState.DESCRIPTOR
GROUPS: Final = {
    "state": EXCEPTION_BY_STATE,
    "rule": EXCEPTION_BY_RULE,
    "reason": EXCEPTION_BY_REASON,
    "approver": EXCEPTION_BY_APPROVER,
    "effect": EXCEPTION_BY_EFFECT,
}
OUTCOMES: Final = ("kept", "kept_late", "broken", "undecided", "beside")
EXAMPLES: Final = (
    "tellonce exceptions --in-force",
    "tellonce exceptions --count rule",
    "tellonce exceptions --id x-1",
    "tellonce exceptions --adjusted --from 2026-03-01 --until 2026-04-01",
    "tellonce exceptions --overrides",
)


def exceptions(
    id: Annotated[str | None, typer.Option("--id", metavar="EXCEPTION", help="Only this one, with all its fields.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
    ] = None,
    in_force: Annotated[bool, options.flag("--in-force", help="Only those that count now.")] = False,
    rule: Annotated[list[str] | None, typer.Option("--rule", metavar="CODE", help="Only from this rule.")] = None,
    count: Annotated[list[str] | None, typer.Option("--count", metavar="GROUP", help=f"Count by {', '.join(GROUPS)}.")] = None,
    adjusted: Annotated[
        bool, options.flag("--adjusted", help="What became of promises due in a period, with and without exceptions.")
    ] = False,
    due_from: Annotated[str | None, typer.Option("--from", metavar="TIME", help="With --adjusted: begin of the period.")] = None,
    due_until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="With --adjusted: its end, exclusive.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--kind", metavar="CODE", help="With --adjusted: only this kind.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="With --adjusted: only of this department.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", metavar="CODE", help="With --adjusted: only this channel.")
    ] = None,
    targets: Annotated[bool, options.flag("--targets", help="With --adjusted: derived targets instead of promises.")] = False,
    overrides: Annotated[bool, options.flag("--overrides", help="Rules that people overrode instead.")] = False,
    request: Annotated[str | None, typer.Option("--request", metavar="REQUEST", help="With --overrides: of this request.")] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List exceptions from rules, oldest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {"states": numbers("--state", STATES, state), "in_force": in_force, "rules": split(rule)}
    names, group_by = groups(count, GROUPS)
    period = [options.moment("--from", due_from, utc=utc), options.moment("--until", due_until, utc=utc)]
    if adjusted and None in period:
        raise options.usage("--adjusted", "A period is needed: give --from and --until.")
    with connect(target) as client:
        if id is not None:
            show_one(client.exception(id, as_of=asked), exception_details, output)
        elif adjusted:
            assert period[0] is not None
            assert period[1] is not None
            response = client.adjusted(
                period[0],
                period[1],
                kinds=split(kind),
                owner_departments=split(department),
                channels=split(channel),
                response_targets=targets,
                as_of=asked,
            )
            show_one(response, adjusted_text, output)
        elif overrides:
            found = client.overrides(rules=split(rule), request_id=request, as_of=asked, page_size=output.page_size)
            show_rows(found, "overrides", override_table, "No overrides.", output)
        elif group_by:
            show_counts(client.count_exceptions(group_by, as_of=asked, **which), names, {"state": enum_words(STATES)}, output)
        else:
            pages = client.exceptions(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "exceptions", exception_table, "No exceptions.", output)


def exception_table(rows: Iterable[RuleException], utc: bool) -> Table:
    """Return exceptions as a table."""
    made = table(
        ("exception", SHORT), "rule", ("state", SHORT), ("from", SHORT), ("until", SHORT), "effect", ("scope", WIDE), "approver"
    )
    for row in rows:
        made.add_row(
            row.exception_id,
            row.rule.replace("_", " "),
            Text("in force", style="green") if row.in_force else word(STATES, row.state),
            show_time(row.from_time, utc=utc, seconds=False) if row.HasField("from_time") else "-",
            show_time(row.until_time, utc=utc, seconds=False) if row.HasField("until_time") else "-",
            word(ExceptionEffect.DESCRIPTOR, row.effect) or "-",
            _scope(row.scope),
            row.approver or "-",
        )
    return made


def exception_details(row: RuleException, utc: bool) -> Table:
    """Return one exception with all its fields."""
    return detail_table(row, utc=utc, replaced={"scope": _scope(row.scope)}, title=f"Exception {row.exception_id}")


def adjusted_text(row: AdjustedOutcome, utc: bool) -> RenderableType:
    """Return outcomes raw and adjusted, and what differs."""
    counts = table("outcome", ("raw", NUMBER), ("adjusted", NUMBER))
    for name in OUTCOMES:
        counts.add_row(name.replace("_", " "), f"{getattr(row.raw, name):,}", f"{getattr(row.adjusted, name):,}")
    counts.add_row("left out", "", f"{row.excluded_count:,}")
    if not row.differences:
        return Group(counts, Text("\nNo exception covers any of them."))
    differences = table(
        ("promise", SHORT), ("due", SHORT), "raw", "adjusted", ("due instead", SHORT), ("exception", SHORT), title="Covered"
    )
    for one in row.differences:
        differences.add_row(
            one.promise_id,
            show_time(one.due_time, utc=utc, seconds=False),
            word(PromiseState.DESCRIPTOR, one.raw) or "beside",
            word(PromiseState.DESCRIPTOR, one.adjusted) or ("beside" if one.HasField("extended_to") else "left out"),
            show_time(one.extended_to, utc=utc, seconds=False) if one.HasField("extended_to") else "-",
            one.exception_id,
        )
    return Group(counts, Text(), differences)


def override_table(rows: Iterable[Override], utc: bool) -> Table:
    """Return overrides as a table."""
    made = table(("when", SHORT), "rule", "step", "reason", ("request", SHORT), ("department", SHORT), "by", ("done instead", WIDE))
    for row in rows:
        made.add_row(
            show_time(row.time, utc=utc, seconds=False),
            row.rule.replace("_", " "),
            row.step.replace("_", " ") or "-",
            row.reason.replace("_", " "),
            row.request_id or "-",
            row.department or "-",
            row.actor or "-",
            plain(row.done_instead),
        )
    return made


def _scope(scope: ExceptionScope) -> str:
    ids = [*scope.promise_ids, *scope.request_ids, *scope.contact_ids]
    return " ".join(ids or [part for part in (scope.department, scope.channel) if part])
