"""`tellonce status`: how the ledger is doing, and what it says about itself as a record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.commands.contacts import GROUPS as CONTACT_GROUPS
from clients.cli.commands.contacts import count_contacts
from clients.cli.connection import connect
from clients.cli.listing import Output, enum_words, numbers, show_rows
from clients.cli.output import NUMBER, SHORT, WIDE, console, print_json, print_read_at, table
from clients.cli.times import show_seconds, show_time
from clients.cli.words import topic_words, word, words
from clients.python import AsOf, Client
from ledger.api.v1.admin_service_pb2 import RUNNING, WAITING, GetStatusResponse, Part, PartState
from ledger.api.v1.audit_service_pb2 import ViewDigest
from ledger.api.v1.identity_service_pb2 import DuplicateCandidate, LinkIneffective
from ledger.api.v1.insight_service_pb2 import Finding, FindingKind

KINDS: Final = FindingKind.DESCRIPTOR
EXAMPLES: Final = (
    "tellonce status",
    "tellonce status --quality",
    "tellonce status --quality --kind overtaken",
    "tellonce status --contacts channel",
    "tellonce status --duplicates",
    "tellonce status --digests",
)


def status(
    quality: Annotated[bool, options.flag("--quality", help="What does not fit: irregular, overtaken, held back, …")] = False,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help=f"With --quality, only this: {', '.join(words(KINDS))}.")
    ] = None,
    contacts: Annotated[
        list[str] | None, typer.Option("--contacts", metavar="GROUP", help=f"Contacts, counted by {', '.join(CONTACT_GROUPS)}.")
    ] = None,
    duplicates: Annotated[bool, options.flag("--duplicates", help="Links that join nobody, for a person to look at.")] = False,
    digests: Annotated[bool, options.flag("--digests", help="Digests of log and views, equal on every node.")] = False,
    at: Annotated[
        int | None,
        typer.Option("--at", min=0, metavar="POSITION", help="With --digests: a multiple of 1024. Default: the last."),
    ] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Show how the ledger is doing: head, views, lag, size; or one of its records about itself."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    if sum((quality, bool(contacts), duplicates, digests)) > 1:
        raise options.usage("--quality, --contacts, --duplicates, --digests", "One at a time.")
    if asked is not None and not (quality or contacts or duplicates):
        raise options.usage("--as-of", "How the ledger is doing is about now; --quality, --contacts and --duplicates take it.")
    with connect(target) as client:
        if quality:
            _show_quality(client, kind, asked, output)
        elif contacts:
            count_contacts(client, contacts, asked, output)
        elif duplicates:
            pages = client.duplicate_candidates(as_of=asked, page_size=output.page_size)
            show_rows(pages, "candidates", duplicate_table, "Every link joins what it names.", output)
        elif digests:
            _show_digests(client, at, output)
        else:
            _show_status(client, output)


def _show_status(client: Client, output: Output) -> None:
    response = client.status()
    if output.json:
        print_json(response)
    else:
        console().print(status_table(response, output.utc))


def status_table(row: GetStatusResponse, utc: bool) -> Table:
    """Return how the ledger is doing."""
    made = Table(box=box.SIMPLE, show_edge=False, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row("ledger", f"{row.ledger_id}, incarnation {row.incarnation}")
    recorded = f", recorded {show_time(row.head_record_time, utc=utc)}" if row.HasField("head_record_time") else ""
    made.add_row("head", f"position {row.head_position:,}{recorded}")
    if row.lag_events:
        behind = Text(
            f"position {row.views_position:,}, {row.lag_events:,} events and {show_seconds(row.lag_seconds)} behind, "
            f"{100 * row.views_position // max(1, row.head_position)} % done",
            "yellow",
        )
    else:
        behind = Text(f"position {row.views_position:,}, up to date")
    made.add_row("views", behind)
    if row.lagging_reason:
        made.add_row("serves", Text(f"no: {row.lagging_reason}", "red"))
    made.add_row("search", f"position {row.search_position:,}")
    made.add_row(
        "appends", Text(row.read_only_reason, "red") if row.read_only_reason else f"accepted, {row.queue_events:,} waiting"
    )
    made.add_row("imports open", ", ".join(row.open_import_runs) or "none")
    made.add_row("set aside", Text(f"{row.set_aside_count:,} events", "red") if row.set_aside_count else "none")
    made.add_row("store", f"{row.store}: log {_size(row.log_bytes)}, views and search {_size(row.views_bytes)}")
    for node in row.nodes:
        lag = f"{show_seconds(node.lag_seconds)} behind" if node.lag_seconds else "up to date"
        made.add_row("this node" if node.here else "node", f"{node.name}: position {node.views_position:,}, {lag}")
    if row.parts:
        made.add_row("processes", Text("\n").join(_part(part, utc) for part in row.parts))
    made.add_row("version", f"{row.version}, views {row.view_version}")
    return made


def _part(part: Part, utc: bool) -> Text:
    """Say how a process is: one that keeps ending stands out."""
    said = f"{part.name}: {word(PartState.DESCRIPTOR, part.state) or 'not started'}"
    if part.HasField("process_id"):
        said += f", process {part.process_id} since {show_time(part.start_time, utc=utc)}"
    if part.state == WAITING:
        said += f", started again at {show_time(part.next_start_time, utc=utc)}"
    if part.failures:
        said += f", ended unasked {part.failures:,} times, last with {part.last_end}"
    if part.failures_in_a_row > 1:
        said += f", {part.failures_in_a_row:,} times in a row"
    return Text(
        said, "" if part.state == RUNNING and not part.failures_in_a_row else "red" if part.failures_in_a_row > 1 else "yellow"
    )


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"


def _show_quality(client: Client, kind: str | None, asked: AsOf | None, output: Output) -> None:
    wanted = numbers("--kind", KINDS, [kind]) if kind is not None else [None]
    pages = client.data_quality(wanted[0], as_of=asked, page_size=output.page_size)
    if not output.json:
        names = enum_words(KINDS)
        counts = table("finding", ("events", NUMBER))
        for row in pages.first.result.counts:
            counts.add_row(names.get(row.values[0], row.values[0]), f"{row.count:,}")
        console().print(counts if counts.row_count else "Everything fits.")
    show_rows(pages, "findings", finding_table, "No findings.", output)


def finding_table(rows: Iterable[Finding], utc: bool) -> Table:
    """Return events that do not fit."""
    made = table(("position", NUMBER), "finding", "event", ("of", WIDE))
    for row in rows:
        made.add_row(f"{row.position:,}", word(KINDS, row.kind), topic_words(row.topic), row.entity)
    return made


def duplicate_table(rows: Iterable[DuplicateCandidate], utc: bool) -> Table:
    """Return links that join nobody."""
    made = table(("position", NUMBER), "why not", ("customers", SHORT), ("link", SHORT))
    for row in rows:
        why = word(LinkIneffective.DESCRIPTOR, row.why)
        made.add_row(f"{row.position:,}", why, f"{row.left_subject}\n{row.right_subject}", row.link_event_id)
    return made


def _show_digests(client: Client, at: int | None, output: Output) -> None:
    response = client.view_digest(at)
    if output.json:
        print_json(response)
        return
    if not response.result.position:
        console().print("No position has been compared yet: digests are kept at every 1,024th.")
    else:
        console().print(digest_table(response.result.digests, response.result.position))
    print_read_at(response.read_at, utc=output.utc)


def digest_table(rows: Iterable[ViewDigest], position: int) -> Table:
    """Return digests at a position."""
    made = table("view", ("digest", {"overflow": "fold"}), title=f"Digests at position {position:,}")
    for row in rows:
        made.add_row(row.view, row.digest.hex())
    return made
