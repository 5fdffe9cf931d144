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
from ledger.api.v1.contact_pb2 import Completeness
from ledger.api.v1.customer_pb2 import Authentication
from ledger.api.v1.history_service_pb2 import (
    CONTACT_BY_ATTRIBUTED,
    CONTACT_BY_BOT_TO_HUMAN,
    CONTACT_BY_CHANNEL,
    CONTACT_BY_CHANNEL_SWITCHED,
    CONTACT_BY_COMPLETENESS,
    CONTACT_BY_CURRENT_DEPARTMENT,
    CONTACT_BY_DEPARTMENT,
    CONTACT_BY_DIRECTION,
    CONTACT_BY_IDENTIFIED,
    CONTACT_BY_INCOMPLETE_CAUSE,
    CONTACT_BY_REASON,
    CONTACT_BY_STATE,
    CONTACT_BY_TRANSFERRED,
    Contact,
    ContactState,
)

STATES: Final = ContactState.DESCRIPTOR
DEGREES: Final = Completeness.DESCRIPTOR
GROUPS: Final = {
    "channel": CONTACT_BY_CHANNEL,
    "department": CONTACT_BY_DEPARTMENT,
    "state": CONTACT_BY_STATE,
    "reason": CONTACT_BY_REASON,
    "direction": CONTACT_BY_DIRECTION,
    "identified": CONTACT_BY_IDENTIFIED,
    "with": CONTACT_BY_CURRENT_DEPARTMENT,
    "transferred": CONTACT_BY_TRANSFERRED,
    "completeness": CONTACT_BY_COMPLETENESS,
    "cause": CONTACT_BY_INCOMPLETE_CAUSE,
    "bot-to-human": CONTACT_BY_BOT_TO_HUMAN,
    "switched": CONTACT_BY_CHANNEL_SWITCHED,
    "attributed": CONTACT_BY_ATTRIBUTED,
}
EXAMPLES: Final = (
    "tellonce contacts --channel email --state received",
    "tellonce contacts --customer phone:+33142000000",
    "tellonce contacts --unanswered --with support",
    "tellonce contacts --completeness partial,none --count cause --count department",
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
    with_: Annotated[
        list[str] | None, typer.Option("--with", metavar="CODE", help="Only those with this department now, after transfers.")
    ] = None,
    skill: Annotated[list[str] | None, typer.Option("--skill", metavar="CODE", help="Only those that need this skill.")] = None,
    completeness: Annotated[
        list[str] | None,
        typer.Option("--completeness", metavar="DEGREE", help=f"Only those answered so far: {choices(DEGREES)}."),
    ] = None,
    cause: Annotated[
        list[str] | None, typer.Option("--cause", metavar="CODE", help="Only those not answered completely for this cause.")
    ] = None,
    unanswered: Annotated[bool, options.flag("--unanswered", help="Only those in which the customer waits for an answer.")] = False,
    transferred: Annotated[bool, options.flag("--transferred", help="Only those that were transferred.")] = False,
    attributed: Annotated[bool, options.flag("--attributed", help="Only those attributed to a customer afterwards.")] = False,
    bot_to_human: Annotated[
        bool, options.flag("--bot-to-human", help="Only those in which a person took over from a bot.")
    ] = False,
    switched: Annotated[bool, options.flag("--switched", help="Only those that went over several channels.")] = False,
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
        "current_departments": split(with_),
        "skills_needed": split(skill),
        "completeness": numbers("--completeness", DEGREES, completeness),
        "incomplete_causes": split(cause),
        "unanswered": unanswered,
        "transferred": transferred,
        "attributed": attributed,
        "bot_to_human": bot_to_human,
        "channel_switched": switched,
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
    show_counts(response, names, {"state": enum_words(STATES), "completeness": enum_words(DEGREES)}, output)


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
        ("remarks", WIDE),
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
            _departments(row),
            answered,
            ": ".join(filter(None, (row.reason.replace("_", " "), plain(row.summary)))),
            ", ".join(_remarks(row, utc)),
        )
    return made


def _departments(row: Contact) -> str:
    if row.current_department and row.current_department != row.department:
        return f"{row.department or '-'}\n→ {row.current_department}"
    return row.department or "-"


def _remarks(row: Contact, utc: bool) -> list[str]:
    remarks = []
    if row.unanswered_count:
        since = show_time(row.unanswered_since, utc=utc, seconds=False)
        remarks.append(f"{_count(row.unanswered_count, 'message')} unanswered since {since}")
    elif row.message_in_count or row.message_out_count:
        remarks.append(f"{row.message_in_count} messages in, {row.message_out_count} out")
    if row.transfer_count:
        kinds = {"warm": row.warm_transfer_count, "tepid": row.tepid_transfer_count, "cold": row.cold_transfer_count}
        said = " ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
        remarks.append(f"{_count(row.transfer_count, 'transfer')} ({said})")
    if row.bot_to_human:
        remarks.append("bot to human")
    if len(row.channels) > 1:
        remarks.append(f"over {' then '.join(one.replace('_', ' ') for one in row.channels)}")
    if row.incomplete_cause:
        remarks.append(f"{word(DEGREES, row.completeness) or 'incomplete'} answer: {row.incomplete_cause.replace('_', ' ')}")
    if row.attributed:
        remarks.append("attributed")
    if row.authentication.valid:
        remarks.append(authenticated(row.authentication, utc))
    return remarks


def authenticated(check: Authentication, utc: bool) -> str:
    """Return a check of who the customer is that counts, in words."""
    how = " ".join(filter(None, (check.method.replace("_", " "), check.level.replace("_", " "))))
    until = f" until {show_time(check.valid_until, utc=utc, seconds=False)}" if check.HasField("valid_until") else ""
    return f"authenticated by {how}{until}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
