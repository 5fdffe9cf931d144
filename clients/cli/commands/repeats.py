"""`tellonce repeats`: customers who had to come back, and what they had to say again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich.table import Table

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import Output, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, remark, table
from clients.cli.times import show_duration, show_time
from clients.cli.words import plain, word
from ledger.api.v1.repetition_pb2 import Repeat, RepeatRule, Repetition, RepetitionKind

EXAMPLES: Final = (
    "tellonce repeats --from 2026-01-01 --window 30d",
    "tellonce repeats --any-reason --channel phone",
    "tellonce repeats --facts --department shipping",
)


def repeats(
    facts: Annotated[
        bool, options.flag("--facts", help="Facts that customers gave, or were asked for, again; not contacts.")
    ] = False,
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="From then on.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before then.")] = None,
    window: Annotated[
        str | None,
        typer.Option("--window", metavar="DURATION", help="How long after the earlier contact ended. Default: as the policy says."),
    ] = None,
    any_reason: Annotated[
        bool, options.flag("--any-reason", help="Whatever the contacts were about: a figure of its own, beside repeats.")
    ] = False,
    customer: Annotated[str | None, typer.Option("--customer", metavar="CUSTOMER", help=options.CUSTOMER_HELP)] = None,
    channel: Annotated[list[str] | None, typer.Option("--channel", metavar="CODE", help="Only contacts over this channel.")] = None,
    reason: Annotated[list[str] | None, typer.Option("--reason", metavar="CODE", help="Only contacts with this reason.")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", metavar="CODE", help="With --facts: only this fact.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="With --facts: only what this department asked.")
    ] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List repeat contacts in order of time, or with --facts what customers had to say again, newest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    start, end = options.moment("--from", from_, utc=utc), options.moment("--to", to, utc=utc)
    whose = options.customer(customer, "--customer")
    longest = options.duration("--window", window)
    with connect(target) as client:
        if facts:
            repetitions = client.repetitions(
                from_time=start,
                to_time=end,
                customer=whose,
                keys=split(key),
                departments=split(department),
                as_of=asked,
                page_size=output.page_size,
            )
            show_rows(repetitions, "repetitions", repetition_table, "Nobody had to say anything again.", output)
            return
        pages = client.repeats(
            from_time=start,
            to_time=end,
            window=longest,
            any_reason=any_reason,
            customer=whose,
            channels=split(channel),
            reasons=split(reason),
            as_of=asked,
            page_size=output.page_size,
        )
        if not json:
            found = pages.first.result
            remark(f"{found.repeat_count:,} of {found.contact_count:,} contacts, within {show_duration(found.window)}.")
        show_rows(pages, "repeats", repeat_table, "Nobody had to come back.", output)


def repeat_table(rows: Iterable[Repeat], utc: bool) -> Table:
    """Return repeat contacts as a table."""
    made = table(
        ("received", SHORT),
        ("contact", SHORT),
        ("repeats", SHORT),
        ("after", NUMBER),
        ("channel", SHORT),
        ("reason", WIDE),
        ("by", WIDE),
    )
    for row in rows:
        made.add_row(
            show_time(row.received_time, utc=utc),
            row.contact_id,
            row.repeated_contact_id,
            show_duration(row.gap),
            row.channel,
            row.reason.replace("_", " "),
            ", ".join(word(RepeatRule.DESCRIPTOR, rule) for rule in row.rules),
        )
    return made


def repetition_table(rows: Iterable[Repetition], utc: bool) -> Table:
    """Return what customers had to say again as a table."""
    made = table(
        ("time", SHORT),
        ("how", SHORT),
        ("fact", SHORT),
        ("department", SHORT),
        ("request", SHORT),
        ("given before", SHORT),
        ("value", WIDE),
    )
    for row in rows:
        made.add_row(
            show_time(row.occur_time, utc=utc),
            word(RepetitionKind.DESCRIPTOR, row.kind),
            row.key,
            row.department or "-",
            row.request_id or "-",
            show_time(row.given_time, utc=utc),
            plain(row.given.value),
        )
    return made
