"""`tellonce requests`: what customers want, who answers for it, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.details import detail_table
from clients.cli.listing import Output, choices, enum_words, groups, numbers, show_counts, show_one, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_seconds, show_time
from clients.cli.words import plain, word
from ledger.api.v1.request_pb2 import WaitingFor
from ledger.api.v1.request_service_pb2 import (
    REQUEST_BY_CHANNEL_SWITCHED,
    REQUEST_BY_OWNER,
    REQUEST_BY_PRIORITY,
    REQUEST_BY_REASON,
    REQUEST_BY_REFUSED_RULE,
    REQUEST_BY_STATE,
    Request,
    RequestState,
)

STATES: Final = RequestState.DESCRIPTOR
GROUPS: Final = {
    "state": REQUEST_BY_STATE,
    "department": REQUEST_BY_OWNER,
    "reason": REQUEST_BY_REASON,
    "priority": REQUEST_BY_PRIORITY,
    "refused-rule": REQUEST_BY_REFUSED_RULE,
    "switched": REQUEST_BY_CHANNEL_SWITCHED,
}
EXAMPLES: Final = (
    "tellonce requests --open --orphaned",
    "tellonce requests --open --department billing --as-of 2026-03-01",
    "tellonce requests --silent",
    "tellonce requests --count state",
    "tellonce requests --id r-1",
)


def requests(
    id: Annotated[str | None, typer.Option("--id", metavar="REQUEST", help="Only this one, with all its fields.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
    ] = None,
    open: Annotated[bool, options.flag("--open", help="Only those somebody has to act on: open or waiting.")] = False,
    orphaned: Annotated[bool, options.flag("--orphaned", help="Only open ones that no department answers for.")] = False,
    reopened: Annotated[bool, options.flag("--reopened", help="Only those that were reopened.")] = False,
    switched: Annotated[bool, options.flag("--switched", help="Only those that went over several channels.")] = False,
    silent: Annotated[
        bool, options.flag("--silent", help="Only open ones whose customer has had no word for longer than the silence limit.")
    ] = False,
    strands: Annotated[bool, options.flag("--strands", help="Only those with parallel strands that are not all done.")] = False,
    repeated: Annotated[bool, options.flag("--repeated", help="Only those that a customer had to come back for.")] = False,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those this department answers for.")
    ] = None,
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
    """List requests, oldest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "states": numbers("--state", STATES, state),
        "open": open,
        "orphaned": orphaned,
        "reopened": reopened,
        "channel_switched": switched,
        "silent": silent,
        "strands_open": strands,
        "repeated": repeated,
        "owner_departments": split(department),
        "reasons": split(reason),
        "customer": options.customer(customer, "--customer"),
    }
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if id is not None:
            show_one(client.request(id, as_of=asked), request_details, output)
        elif group_by:
            response = client.count_requests(group_by, as_of=asked, **which)
            show_counts(response, names, {"state": enum_words(STATES)}, output)
        else:
            pages = client.requests(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "requests", request_table, "No requests.", output)


def request_table(rows: Iterable[Request], utc: bool) -> Table:
    """Return requests as a table."""
    made = table(
        ("request", SHORT),
        "state",
        ("owner", SHORT),
        "reason",
        ("priority", SHORT),
        ("age", NUMBER),
        ("wish", WIDE),
        "remarks",
    )
    for row in rows:
        made.add_row(
            row.request_id,
            state_text(row),
            row.owner_department or Text("nobody", style="red"),
            row.reason.replace("_", " ") or "-",
            row.priority or "-",
            show_seconds(row.age_seconds),
            plain(row.wish),
            ", ".join(_remarks(row, utc)),
        )
    return made


def request_details(row: Request, utc: bool) -> Table:
    """Return one request with all its fields."""
    ages = {"age_seconds": show_seconds(row.age_seconds)}
    return detail_table(row, utc=utc, replaced=ages, title=f"Request {row.request_id}")


def state_text(row: Request) -> Text:
    """Return the state as a word, in colour where somebody has to act."""
    state = word(STATES, row.state)
    if row.waiting_for:
        state = f"waiting for {word(WaitingFor.DESCRIPTOR, row.waiting_for)}"
    return Text(state, style="yellow" if row.state in {RequestState.REQUEST_STATE_OPEN, RequestState.REQUEST_STATE_WAITING} else "")


def _remarks(row: Request, utc: bool) -> list[str]:
    remarks = []
    if row.pending_handoff_count:
        remarks.append(f"{row.pending_handoff_count} pending handoff{'s' if row.pending_handoff_count > 1 else ''}")
    if row.missing_intake_keys:
        remarks.append(f"opened without {', '.join(row.missing_intake_keys)}")
    if row.strand_count > 1:
        remarks.append(f"{row.strand_done_count} of {row.strand_count} strands done")
    if row.HasField("silent_since_time"):
        remarks.append(f"no word since {show_time(row.silent_since_time, utc=utc, seconds=False)}")
    if row.reopened_count:
        remarks.append("reopened" if row.reopened_count == 1 else f"reopened {row.reopened_count} times")
    if len(row.channels) > 1:
        remarks.append(f"over {' then '.join(one.replace('_', ' ') for one in row.channels)}")
    if row.merged_into_request_id:
        remarks.append(f"into {row.merged_into_request_id}")
    return remarks
