"""`tellonce contacts`: who contacted whom, over which channel, and whether it was answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import Output, choices, enum_words, groups, numbers, show_counts, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_seconds, show_time
from clients.cli.words import plain, word
from clients.python import AsOf, Client
from ledger.api.v1.history_service_pb2 import (
    CONTACT_BY_CHANNEL,
    CONTACT_BY_DEPARTMENT,
    CONTACT_BY_DIRECTION,
    CONTACT_BY_IDENTIFIED,
    CONTACT_BY_REASON,
    CONTACT_BY_STATE,
    Contact,
    ContactState,
)

STATES: Final = ContactState.DESCRIPTOR
GROUPS: Final = {
    "channel": CONTACT_BY_CHANNEL,
    "department": CONTACT_BY_DEPARTMENT,
    "state": CONTACT_BY_STATE,
    "reason": CONTACT_BY_REASON,
    "direction": CONTACT_BY_DIRECTION,
    "identified": CONTACT_BY_IDENTIFIED,
}
EXAMPLES: Final = (
    "tellonce contacts --channel email --state received",
    "tellonce contacts --customer phone:+33142000000",
    "tellonce contacts --count channel --count state",
)


def contacts(
    channel: Annotated[list[str] | None, typer.Option("--channel", metavar="CODE", help="Only those over this channel.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those first with this department.")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
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
    """List contacts over all channels, newest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "channels": split(channel),
        "departments": split(department),
        "states": numbers("--state", STATES, state),
        "reasons": split(reason),
        "customer": options.customer(customer, "--customer"),
    }
    groups(count, GROUPS)
    with connect(target) as client:
        if count:
            count_contacts(client, count, asked, output, **which)
        else:
            list_contacts(client, asked, output, **which)


def list_contacts(client: Client, asked: AsOf | None, output: Output, **which: Any) -> None:
    """Show contacts as a list."""
    pages = client.contacts(as_of=asked, page_size=output.page_size, **which)
    show_rows(pages, "contacts", contact_table, "No contacts.", output)


def count_contacts(client: Client, by: list[str], asked: AsOf | None, output: Output, **which: Any) -> None:
    """Show counts of contacts."""
    names, group_by = groups(by, GROUPS)
    response = client.count_contacts(group_by, as_of=asked, **which)
    show_counts(response, names, {"state": enum_words(STATES)}, output)


def contact_table(rows: Iterable[Contact], utc: bool) -> Table:
    """Return contacts as a table."""
    made = table(
        ("when", SHORT),
        ("contact", SHORT),
        ("channel", SHORT),
        ("state", SHORT),
        ("department", SHORT),
        ("answered in", NUMBER),
        ("about", WIDE),
    )
    for row in rows:
        answered = "-"
        if row.HasField("answered_time"):
            answered = show_seconds(max(row.answered_time.ToNanoseconds() - row.opened_time.ToNanoseconds(), 0) // 10**9)
        made.add_row(
            show_time(row.opened_time, utc=utc, seconds=False),
            row.contact_id,
            row.channel.replace("_", " "),
            "made by us" if row.outbound else word(STATES, row.state),
            row.department or "-",
            answered,
            ": ".join(filter(None, (row.reason.replace("_", " "), plain(row.summary)))),
        )
    return made
