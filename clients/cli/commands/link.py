"""`tellonce link`: a link between two identifiers, and what was recorded across it: to look at before and after an unlink."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich.table import Table

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import Output, show_rows
from clients.cli.output import NUMBER, SHORT, WIDE, console, table
from clients.cli.times import show_time
from clients.cli.words import event_text, topic_words, word
from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.identity_pb2 import UnlinkReason
from ledger.api.v1.identity_service_pb2 import IdentityLink, LinkIneffective

EXAMPLES: Final = (
    "tellonce link 019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00",
    "tellonce link 019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00 --as-of 2026-03-01",
    "tellonce link 019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00 --all --json",
)


def link(
    event: Annotated[
        str, typer.Argument(metavar="EVENT", help="Id of the identity-linked event, as histories and `append` show it.")
    ],
    as_of: options.AsOfOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Show whether a link joins two customers, what ended it, and what was recorded across it meanwhile."""
    output = Output(json, utc, limit, all)
    try:
        event_id = str(uuid.UUID(event.strip()))
    except ValueError:
        raise options.usage("EVENT", f"{event!r} is no event id: write it as 019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00.") from None
    asked = options.as_of(as_of, None, utc=utc)
    with connect(target) as client:
        pages = client.link(event_id, as_of=asked, page_size=output.page_size)
        if not json:
            console().print(standing(pages.first.result))
        show_rows(pages, "across", across_table, "Nothing was recorded across it.", output)


def standing(row: IdentityLink) -> str:
    """Say in a sentence or two how a link stands."""
    said = f"{row.left_subject} and {row.right_subject}, linked at position {row.position:,}"
    if row.ended_position:
        said += f", ended at {row.ended_position:,}"
        if row.unlink_reason:
            said += f" ({word(UnlinkReason.DESCRIPTOR, row.unlink_reason)})"
    elif row.why:
        said += f", without effect ({word(LinkIneffective.DESCRIPTOR, row.why)})"
    if row.joined_otherwise:
        count = len(row.joined_by_event_ids)
        return f"{said}.\nThey are one customer all the same, by {'another link' if count == 1 else f'{count:,} other links'}."
    return f"{said}.\n{'They' if row.ended_position else 'Without it they'} are two customers."


def across_table(rows: Iterable[RecordedEvent], utc: bool) -> Table:
    """Return what brings the two together."""
    made = table(("position", NUMBER), ("when", SHORT), ("department", SHORT), ("about", SHORT), ("what happened", WIDE))
    for row in rows:
        text = event_text(row, utc=utc)
        what = topic_words(row.topic) + (f": {text}" if text else "")
        when = show_time(row.envelope.occur_time, utc=utc, seconds=False)
        made.add_row(f"{row.position:,}", when, row.envelope.department, row.stream, what)
    return made
