"""`tellonce opportunities`: what might interest customers, to what they consented, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.details import detail_table
from clients.cli.listing import Output, choices, enum_words, groups, numbers, show_counts, show_one, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_seconds
from clients.cli.words import plain, word
from ledger.api.v1.opportunity_pb2 import OpportunityKind
from ledger.api.v1.opportunity_service_pb2 import (
    OPPORTUNITY_BY_CONSENT,
    OPPORTUNITY_BY_DEPARTMENT,
    OPPORTUNITY_BY_KIND,
    OPPORTUNITY_BY_PRODUCT,
    OPPORTUNITY_BY_REASON,
    OPPORTUNITY_BY_STATE,
    Opportunity,
    OpportunityState,
)

STATES: Final = OpportunityState.DESCRIPTOR
KINDS: Final = OpportunityKind.DESCRIPTOR
GROUPS: Final = {
    "state": OPPORTUNITY_BY_STATE,
    "kind": OPPORTUNITY_BY_KIND,
    "product": OPPORTUNITY_BY_PRODUCT,
    "department": OPPORTUNITY_BY_DEPARTMENT,
    "consent": OPPORTUNITY_BY_CONSENT,
    "reason": OPPORTUNITY_BY_REASON,
}
EXAMPLES: Final = (
    "tellonce opportunities --open --consented",
    "tellonce opportunities --customer email:a@example.org",
    "tellonce opportunities --count state,kind --before 2026-04-01",
    "tellonce opportunities --id o-1",
)


def opportunities(
    id: Annotated[str | None, typer.Option("--id", metavar="OPPORTUNITY", help="Only this one, with all its fields.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
    ] = None,
    open: Annotated[bool, options.flag("--open", help="Only those that are open: suggested or noted.")] = False,
    consented: Annotated[bool, options.flag("--consented", help="Only those to which the customer consents.")] = False,
    kind: Annotated[list[str] | None, typer.Option("--kind", metavar="KIND", help=f"Only these kinds: {choices(KINDS)}.")] = None,
    product: Annotated[list[str] | None, typer.Option("--product", metavar="CODE", help="Only for this product.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those that this department saw first.")
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="REQUEST", help="Only those that arise from this request.")
    ] = None,
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
    """List opportunities, oldest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "states": numbers("--state", STATES, state),
        "open": open,
        "consented": consented,
        "kinds": numbers("--kind", KINDS, kind),
        "products": split(product),
        "departments": split(department),
        "request_id": request,
        "customer": options.customer(customer, "--customer"),
    }
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if id is not None:
            show_one(client.opportunity(id, as_of=asked), opportunity_details, output)
        elif group_by:
            response = client.count_opportunities(group_by, as_of=asked, **which)
            show_counts(response, names, {"state": enum_words(STATES), "kind": enum_words(KINDS)}, output)
        else:
            pages = client.opportunities(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "opportunities", opportunity_table, "No opportunities.", output)


def opportunity_table(rows: Iterable[Opportunity], utc: bool) -> Table:
    """Return opportunities as a table."""
    made = table(
        ("opportunity", SHORT), "state", "kind", "product", "consent", ("seen by", SHORT), ("age", NUMBER), ("what was said", WIDE)
    )
    for row in rows:
        made.add_row(
            row.opportunity_id,
            word(STATES, row.state),
            word(KINDS, row.kind) or "-",
            row.product.replace("_", " ") or "-",
            "yes" if row.consent else "no",
            row.department or "-",
            show_seconds(row.age_seconds),
            plain(row.text),
        )
    return made


def opportunity_details(row: Opportunity, utc: bool) -> Table:
    """Return one opportunity with all its fields."""
    ages = {"age_seconds": show_seconds(row.age_seconds)}
    return detail_table(row, utc=utc, replaced=ages, title=f"Opportunity {row.opportunity_id}")
