"""`tellonce history`: everything with a customer, over all channels and departments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.commands.contacts import list_contacts
from clients.cli.connection import connect
from clients.cli.customers import FORMS as CUSTOMER_FORMS
from clients.cli.listing import FOLLOW_PATIENCE_SECONDS, Output, follow, show_rows, split
from clients.cli.output import SHORT, WIDE, table
from clients.cli.times import show_time
from clients.cli.words import event_text, topic_words
from ledger.api.v1.history_service_pb2 import HistoryEntry, WatchHistoryResponse

EXAMPLES: Final = (
    "tellonce history email:a@example.org",
    "tellonce history email:a@example.org --as-of 2026-03-01",
    "tellonce history email:a@example.org --search colis",
    "tellonce history --search 'facture*' --limit 10",
    "tellonce history email:a@example.org --follow",
    "tellonce history --contacts --channel chat",
)


def history(
    customer: Annotated[str | None, typer.Argument(metavar="CUSTOMER", help=options.CUSTOMER_HELP, show_default=False)] = None,
    search: Annotated[
        str | None,
        typer.Option("--search", metavar="WORDS", help="Only what holds all these words; word* finds beginnings."),
    ] = None,
    channel: Annotated[list[str] | None, typer.Option("--channel", metavar="CODE", help="Over this channel.")] = None,
    department: Annotated[list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Of this department.")] = None,
    topic: Annotated[list[str] | None, typer.Option("--topic", metavar="TOPIC", help="Of this kind, such as promise-made.")] = None,
    stream: Annotated[str | None, typer.Option("--stream", metavar="STREAM", help="Only this, such as request-4711.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only what occurred at that time or later.")] = None,
    oldest_first: Annotated[bool, options.flag("--oldest-first", help="Oldest first instead of newest first.")] = False,
    contacts: Annotated[bool, options.flag("--contacts", help="Contacts instead of events, of everybody if need be.")] = False,
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
    """Show what happened with a customer, newest first, without limit of age."""
    output = Output(json, utc, limit, all)
    options.present_only(following, as_of, before)
    asked = options.as_of(as_of, before, utc=utc)
    who = options.customer(customer)
    if who is None and (following or not (search or contacts)):
        raise options.usage("CUSTOMER", f"Whose history? Write {CUSTOMER_FORMS}; or search all with --search.")
    which: dict[str, Any] = {
        "channels": split(channel),
        "departments": split(department),
        "topics": split(topic),
        "stream": stream,
        "occurred_from": options.moment("--since", since, utc=utc),
    }
    with connect(target) as client:
        if contacts:
            list_contacts(client, asked, output, customer=who, channels=split(channel), departments=split(department))
        elif following:
            assert who is not None
            changes = client.watch_history(who, after, timeout_seconds=FOLLOW_PATIENCE_SECONDS, **which)
            follow(changes, _watched, history_line, output, "what comes next")
        elif search:
            found = client.search(search, customer=who, as_of=asked, page_size=output.page_size, **which)
            show_rows(found, "entries", history_table, f"Nothing holds the words {search!r}.", output)
        else:
            assert who is not None
            pages = client.history(who, oldest_first=oldest_first, as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "entries", history_table, "Nothing is recorded with this customer.", output)


def history_table(rows: Iterable[HistoryEntry], utc: bool) -> Table:
    """Return events as a table."""
    made = table(("when", SHORT), ("channel", SHORT), ("department", SHORT), ("about", SHORT), ("what happened", WIDE))
    for row in rows:
        event = row.event
        made.add_row(
            show_time(event.envelope.occur_time, utc=utc, seconds=False),
            event.envelope.channel.replace("_", " "),
            event.envelope.department,
            about(event.stream),
            what_happened(row, utc=utc),
        )
    return made


def history_line(row: HistoryEntry, utc: bool) -> Text:
    """Return an event as one line."""
    event = row.event
    by = " ".join(part for part in (event.envelope.channel, event.envelope.department) if part)
    text = Text.assemble((show_time(event.envelope.occur_time, utc=utc), "dim"), f"  {by}  {about(event.stream)}  ")
    return text.append_text(what_happened(row, utc=utc))


def what_happened(row: HistoryEntry, *, utc: bool) -> Text:
    """Return what an event says, with a mark where it stands without effect."""
    text = Text(topic_words(row.event.topic), style="bold")
    said = event_text(row.event, utc=utc)
    if said:
        text.append(f": {said}", style="not bold")
    if row.retracted:
        text.append(" (retracted)", style="not bold yellow")
    elif row.HasField("corrected"):
        text.append(f" (corrected: {_corrected(row, utc=utc)})", style="not bold yellow")
    if row.without_effect or row.event.held_back:
        text.append(" (held back until confirmed)" if row.event.held_back else " (without effect)", style="not bold yellow")
    return text


def _corrected(row: HistoryEntry, *, utc: bool) -> str:
    """Return what an event says as it stands: what is said, and of the envelope what is another one than recorded."""
    was, now = row.event.envelope, row.corrected.envelope
    said = [event_text(row.corrected, utc=utc)]
    if now.occur_time != was.occur_time:
        said.append(f"occurred {show_time(now.occur_time, utc=utc, seconds=False)}")
    said.extend(
        f"{name} {getattr(now, name) or 'none'}" for name in ("channel", "department") if getattr(now, name) != getattr(was, name)
    )
    return ", ".join(part for part in said if part)


def about(stream: str) -> str:
    """Return the id of what a stream is about; nothing for events that have a stream of their own."""
    kind, _, id = stream.partition("-")
    return id if kind in {"contact", "request", "promise", "import"} else ""


def _watched(position: int, row: HistoryEntry) -> WatchHistoryResponse:
    return WatchHistoryResponse(position=position, entry=row)
