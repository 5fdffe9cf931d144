"""`tellonce handoffs`: what is passed between departments, and in whose hands it is."""

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
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_seconds, show_time
from clients.cli.words import plain, word
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_BY_EVER_ACCEPTED,
    HANDOFF_BY_FROM_DEPARTMENT,
    HANDOFF_BY_HANDS,
    HANDOFF_BY_STATE,
    HANDOFF_BY_TO_DEPARTMENT,
    HANDOFF_BY_TYPE,
    Handoff,
    HandoffState,
    WatchHandoffsResponse,
)
from ledger.api.v1.repetition_pb2 import FactDiff, FactPassing

PENDING: Final = "pending"
STATES: Final = HandoffState.DESCRIPTOR
GROUPS: Final = {
    "state": HANDOFF_BY_STATE,
    "department": HANDOFF_BY_HANDS,
    "to": HANDOFF_BY_TO_DEPARTMENT,
    "from": HANDOFF_BY_FROM_DEPARTMENT,
    "type": HANDOFF_BY_TYPE,
    "ever-accepted": HANDOFF_BY_EVER_ACCEPTED,
}
EXAMPLES: Final = (
    "tellonce handoffs --department shipping --state pending",
    "tellonce handoffs --count department --state pending --before 2016-04-01",
    "tellonce handoffs --id h-1",
    "tellonce handoffs --id h-1 --facts",
    "tellonce handoffs --follow",
)


def handoffs(
    id: Annotated[str | None, typer.Option("--id", metavar="HANDOFF", help="Only this one, with all its fields.")] = None,
    facts: Annotated[bool, options.flag("--facts", help="With --id: what became of its facts.")] = False,
    request: Annotated[str | None, typer.Option("--request", metavar="REQUEST", help="Only those of this request.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those in the hands of this department.")
    ] = None,
    to: Annotated[list[str] | None, typer.Option("--to", metavar="CODE", help="Only those to this department.")] = None,
    from_: Annotated[list[str] | None, typer.Option("--from", metavar="CODE", help="Only those from this department.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES, PENDING)}.")
    ] = None,
    overdue: Annotated[bool, options.flag("--overdue", help="Only open ones of which a term has passed.")] = False,
    incomplete: Annotated[bool, options.flag("--incomplete", help="Only pending ones that lack facts.")] = False,
    customer: Annotated[str | None, typer.Option("--customer", metavar="CUSTOMER", help=options.CUSTOMER_HELP)] = None,
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
    """List handoffs between departments, longest in the present hands first."""
    output = Output(json, utc, limit, all)
    options.present_only(following, as_of, before)
    asked = options.as_of(as_of, before, utc=utc)
    states = split(state)
    which: dict[str, Any] = {
        "pending": PENDING in states,
        "states": numbers("--state", STATES, [one for one in states if one != PENDING], PENDING),
        "hands": split(department),
        "to_departments": split(to),
        "from_departments": split(from_),
        "customer": options.customer(customer, "--customer"),
        "overdue": overdue,
        "incomplete": incomplete,
    }
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if id is not None and facts:
            show_one(client.fact_diff(id, request_id=request, as_of=asked), fact_table, output)
        elif id is not None:
            show_one(client.handoff(id, request_id=request, as_of=asked), handoff_details, output)
        elif following:
            changes = client.watch_handoffs(after, request_id=request, timeout_seconds=FOLLOW_PATIENCE_SECONDS, **which)
            follow(changes, _watched, handoff_line, output, "handoffs that change")
        elif group_by:
            response = client.count_handoffs(group_by, request_id=request, as_of=asked, **which)
            show_counts(response, names, {"state": enum_words(STATES)}, output)
        else:
            pages = client.handoffs(request_id=request, as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "handoffs", handoff_table, "No handoffs.", output)


def handoff_table(rows: Iterable[Handoff], utc: bool) -> Table:
    """Return handoffs as a table."""
    made = table(
        ("handoff", SHORT),
        ("request", SHORT),
        ("state", SHORT),
        ("from → to", SHORT),
        ("in the hands of", SHORT),
        ("there for", NUMBER),
        ("remarks", WIDE),
    )
    for row in rows:
        made.add_row(
            row.handoff_id,
            row.request_id,
            state_text(row),
            f"{row.from_department}\n→ {row.to_department}",
            row.hands or "-",
            show_seconds(row.hands_age_seconds) if row.hands else "-",
            ", ".join(_remarks(row)),
        )
    return made


def handoff_line(row: Handoff, utc: bool) -> Text:
    """Return a change of a handoff as one line."""
    text = Text.assemble(
        (show_time(row.since_time, utc=utc), "dim"),
        f"  {row.handoff_id} of {row.request_id}  ",
        state_text(row),
        f"  {row.from_department} → {row.to_department}",
    )
    remarks = ", ".join(_remarks(row))
    return text.append(f"  {remarks}") if remarks else text


def handoff_details(row: Handoff, utc: bool) -> Table:
    """Return one handoff with all its fields."""
    ages = {"age_seconds": show_seconds(row.age_seconds), "hands_age_seconds": show_seconds(row.hands_age_seconds)}
    return detail_table(row, utc=utc, replaced=ages, title=f"Handoff {row.handoff_id}")


def fact_table(diff: FactDiff, utc: bool) -> Table:
    """Return what became of the facts on their way through a handoff."""
    title = f"Handoff {diff.handoff_id} of {diff.request_id}, {diff.from_department} → {diff.to_department}"
    made = table(("fact", SHORT), "passing", ("known", WIDE), ("passed", WIDE), ("remarks", WIDE), title=title)
    for fact in diff.facts:
        remarks = [
            text
            for text, holds in (
                ("supplied", fact.supplied),
                ("required, missing at the offer", fact.required_missing),
                ("returned as missing", fact.returned_missing),
                ("returned as wrong", fact.returned_wrong),
                (f"asked again {fact.asked_again_count} times", fact.asked_again_count),
            )
            if holds
        ]
        known = plain(fact.given.value) or ("known" if fact.HasField("given") else "-")
        passed = plain(fact.passed.value) or ("passed" if fact.HasField("passed") else "-")
        made.add_row(fact.key, word(FactPassing.DESCRIPTOR, fact.passing), known, passed, ", ".join(remarks))
    if diff.fact_loss:
        made.caption = "Facts were lost on the way."
    return made


def state_text(row: Handoff) -> Text:
    """Return the state as a word, in colour where somebody has to act."""
    return Text(word(STATES, row.state), style={"offered": "yellow", "returned": "magenta"}.get(word(STATES, row.state), ""))


def _remarks(row: Handoff) -> list[str]:
    remarks = []
    if row.overdue or row.marked_overdue or row.expired:
        remarks.append("overdue")
    if row.returned_count:
        remarks.append("returned" if row.returned_count == 1 else f"returned {row.returned_count} times")
    if row.missing_keys and word(STATES, row.state) in ("offered", "returned"):
        remarks.append(f"missing: {' '.join(row.missing_keys)}")
    if row.reason:
        remarks.append(row.reason.replace("_", " "))
    if row.HasField("authentication"):
        remarks.append("authenticated" if row.authentication.valid else "authentication no longer counts")
    return remarks


def _watched(position: int, row: Handoff) -> WatchHandoffsResponse:
    return WatchHandoffsResponse(position=position, handoff=row)
