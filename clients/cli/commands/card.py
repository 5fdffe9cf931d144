"""`tellonce card`: what a person needs to know of a customer before the first word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.commands.answers import answer_table
from clients.cli.commands.complaints import complaint_table
from clients.cli.commands.contacts import authenticated, contact_table
from clients.cli.commands.experience import score_table
from clients.cli.commands.handoffs import handoff_table
from clients.cli.commands.promises import promise_table
from clients.cli.commands.requests import request_table
from clients.cli.connection import connect
from clients.cli.output import NUMBER, SHORT, WIDE, console, print_json, print_read_at, table
from clients.cli.times import show_time
from clients.cli.words import identifier_text, plain
from ledger.api.v1.history_service_pb2 import Customer, KnownFact

EXAMPLES: Final = (
    "tellonce card email:a@example.org",
    "tellonce card phone:+33142000000",
    "tellonce card email:a@example.org --as-of 4711",
    "tellonce card email:a@example.org --json",
)


def card(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help=options.CUSTOMER_HELP)],
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Show a customer: who it is, what is owed and pending, what was said already."""
    asked = options.as_of(as_of, before, utc=utc)
    who = options.customer(customer)
    assert who is not None
    with connect(target) as client:
        response = client.card(who, as_of=asked)
    if json:
        print_json(response)
        return
    console().print(card_text(response.result, utc))
    print_read_at(response.read_at, utc=utc)


def card_text(row: Customer, utc: bool) -> RenderableType:
    """Return the card."""
    if not row.customer_id:
        return "Nothing is recorded with this customer."
    parts: list[RenderableType] = [_head(row, utc)]
    for title, made, none in (
        ("Promises", promise_table(row.promises, utc), "nothing is owed"),
        ("Pending handoffs", handoff_table(row.pending_handoffs, utc), "none"),
        ("Open requests", request_table(row.open_requests, utc), "none"),
        ("Open complaints", complaint_table(row.open_complaints, utc), "none"),
        ("Last answers", answer_table(row.last_answers, utc), "none"),
        ("Satisfaction", score_table(row.last_satisfaction, utc), "never said"),
        ("Said already", fact_table(row.facts, utc), "no facts"),
        ("Last contacts", contact_table(row.contacts, utc), "none"),
    ):
        if made.row_count:
            made.title = title
            parts += [Text(), made]
        else:
            parts += [Text(), Text.assemble((title, "bold"), f": {none}")]
    return Group(*parts)


def _head(row: Customer, utc: bool) -> Text:
    text = Text.assemble(("Customer ", "bold"), row.customer_id)
    known = [part.replace("_", " ").lower() for part in (row.tier, row.relation) if part]
    if known:
        text.append(f" · {' · '.join(known)}")
    for one in row.identifiers:
        text.append(f"\n  {identifier_text(one.identifier)}")
        if one.shared:
            text.append(" (shared by several people)", style="yellow")
    contacts = f"\n  {row.contact_count:,} contact{'' if row.contact_count == 1 else 's'}"
    if row.HasField("first_contact_time"):
        contacts += f", the first on {show_time(row.first_contact_time, utc=utc, seconds=False)}"
    text.append(contacts)
    if row.HasField("authentication"):
        text.append(f"\n  {authenticated(row.authentication, utc)}, in contact {row.authentication.contact_id}", style="green")
    return text


def fact_table(rows: Iterable[KnownFact], utc: bool) -> Table:
    """Return what the customer has told already."""
    made = table("fact", ("value", WIDE), ("told", SHORT), ("times", NUMBER), ("confirmed", SHORT), ("for", SHORT))
    for row in rows:
        made.add_row(
            row.fact.key.replace("_", " "),
            plain(row.fact.value),
            show_time(row.given_time, utc=utc, seconds=False),
            Text(str(row.given_count), style="yellow" if row.given_count > 1 else ""),
            show_time(row.confirmed_time, utc=utc, seconds=False) if row.HasField("confirmed_time") else "-",
            row.request_id or "-",
        )
    return made
