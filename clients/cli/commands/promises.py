"""`tellonce promises`: what was promised, by when, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.details import detail_table
from clients.cli.listing import (
    FOLLOW_PATIENCE_SECONDS,
    Output,
    choices,
    enum_words,
    follow,
    groups,
    numbers,
    show_counts,
    show_one,
    show_rows,
    split,
)
from clients.cli.output import SHORT, WIDE, table
from clients.cli.times import show_time
from clients.cli.words import plain, word
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_BY_CHANNEL,
    PROMISE_BY_EVER_BROKEN,
    PROMISE_BY_KIND,
    PROMISE_BY_OWNER,
    PROMISE_BY_STATE,
    Promise,
    PromiseState,
    WatchPromisesResponse,
)

STATES: Final = PromiseState.DESCRIPTOR
GROUPS: Final = {
    "state": PROMISE_BY_STATE,
    "department": PROMISE_BY_OWNER,
    "channel": PROMISE_BY_CHANNEL,
    "kind": PROMISE_BY_KIND,
    "ever-broken": PROMISE_BY_EVER_BROKEN,
}
EXAMPLES: Final = (
    "tellonce promises --state broken",
    "tellonce promises --overdue --department shipping",
    "tellonce promises --count state --count department",
    "tellonce promises --targets --count channel,state",
    "tellonce promises --targets --kind resolution --overdue",
    "tellonce promises --id p-1",
    "tellonce promises --follow",
)


def promises(
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="PROMISE", help="Only this one, with all fields; response-CONTACT for a target."),
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
    ] = None,
    overdue: Annotated[bool, options.flag("--overdue", help="Only open ones whose due has passed.")] = False,
    due_before: Annotated[str | None, typer.Option("--due-before", metavar="TIME", help="Only those due before this time.")] = None,
    undated: Annotated[bool, options.flag("--undated", help="Only those without a date.")] = False,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those this department answers for.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option("--kind", metavar="CODE", help="Only this kind, such as call_back.")] = None,
    channel: Annotated[list[str] | None, typer.Option("--channel", metavar="CODE", help="Only those over this channel.")] = None,
    request: Annotated[str | None, typer.Option("--request", metavar="REQUEST", help="Only those of this request.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="CUSTOMER", help=options.CUSTOMER_HELP)] = None,
    targets: Annotated[
        bool, options.flag("--targets", help="Targets of the policy instead; --kind chooses: first_response, resolution, ….")
    ] = False,
    count: Annotated[list[str] | None, typer.Option("--count", metavar="GROUP", help=f"Count by {', '.join(GROUPS)}.")] = None,
    following: options.FollowOption = False,
    after: options.AfterOption = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List promises, earliest due first."""
    output = Output(json, utc, limit, all)
    options.present_only(following, as_of, before)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "states": numbers("--state", STATES, state),
        "overdue": overdue,
        "due_before": options.moment("--due-before", due_before, utc=utc),
        "undated": undated,
        "owner_departments": split(department),
        "kinds": split(kind),
        "channels": split(channel),
        "request_id": request,
        "customer": options.customer(customer, "--customer"),
        "response_targets": targets,
    }
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if id is not None:
            show_one(client.promise(id, as_of=asked), promise_details, output)
        elif following:
            changes = client.watch_promises(after, timeout_seconds=FOLLOW_PATIENCE_SECONDS, **which)
            follow(changes, _watched, promise_line, output, "promises that change")
        elif group_by:
            response = client.count_promises(group_by, as_of=asked, **which)
            show_counts(response, names, {"state": enum_words(STATES)}, output)
        else:
            pages = client.promises(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "promises", promise_table, "No response targets." if targets else "No promises.", output)


def promise_table(rows: Iterable[Promise], utc: bool) -> Table:
    """Return promises as a table."""
    made = table(
        ("promise", SHORT),
        "kind",
        ("state", SHORT),
        ("due", SHORT),
        ("owner", SHORT),
        ("request", SHORT),
        ("what", WIDE),
        "remarks",
    )
    for row in rows:
        made.add_row(
            row.promise_id,
            row.kind.replace("_", " "),
            state_text(row),
            show_time(row.due_time, utc=utc, seconds=False) if row.HasField("due_time") else "undated",
            row.owner_department or "-",
            row.request_id or "-",
            plain(row.what),
            ", ".join(_remarks(row)),
        )
    return made


def promise_line(row: Promise, utc: bool) -> Text:
    """Return a change of a promise as one line."""
    due = show_time(row.due_time, utc=utc, seconds=False) if row.HasField("due_time") else "undated"
    text = Text.assemble(f"{row.promise_id}  ", state_text(row), f"  {row.kind}, {row.owner_department}, due {due}")
    remarks = ", ".join(_remarks(row))
    return text.append(f"  {remarks}") if remarks else text


def promise_details(row: Promise, utc: bool) -> Table:
    """Return one promise with all its fields."""
    return detail_table(row, utc=utc, title=f"Promise {row.promise_id}")


def state_text(row: Promise) -> Text:
    """Return the state as a word, in colour where something is owed."""
    state = word(STATES, row.state)
    if row.overdue:
        return Text("overdue", style="yellow")
    return Text(state, style={"broken": "red", "kept": "green", "kept late": "yellow"}.get(state, ""))


def _remarks(row: Promise) -> list[str]:
    remarks = []
    if row.HasField("broken_time") and row.state != PromiseState.PROMISE_STATE_BROKEN:
        remarks.append("was broken")
    if row.renegotiated_count:
        remarks.append(f"renegotiated {_times(row.renegotiated_count)}")
    if row.moved_by_us_count:
        remarks.append(f"moved by us {_times(row.moved_by_us_count)}")
    if row.partly_kept:
        remarks.append("partly kept")
    if not row.told and not row.response_target:
        remarks.append("not told")
    return remarks


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _watched(position: int, row: Promise) -> WatchPromisesResponse:
    return WatchPromisesResponse(position=position, promise=row)
