"""`tellonce notices`: what will go wrong unless somebody acts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import FOLLOW_PATIENCE_SECONDS, Output, choices, follow, numbers, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_time
from clients.cli.words import word
from ledger.api.v1.notice_service_pb2 import (
    NOTICE_DUE_SOON,
    NOTICE_SILENT,
    Notice,
    NoticeKind,
    WatchNoticesResponse,
)

KINDS: Final = NoticeKind.DESCRIPTOR
EXAMPLES: Final = (
    "tellonce notices --department shipping",
    "tellonce notices --kind due-soon --tier gold",
    "tellonce notices --as-of 2026-03-01",
    "tellonce notices --follow",
)


def notices(
    kind: Annotated[list[str] | None, typer.Option("--kind", "-k", metavar="KIND", help=f"Only these: {choices(KINDS)}.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only what this department has to act upon.")
    ] = None,
    tier: Annotated[list[str] | None, typer.Option("--tier", metavar="CODE", help="Only customers of this tier.")] = None,
    following: options.FollowOption = False,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List what is due soon, silent or not accepted: the tiers that matter most first, then the newest customers."""
    output = Output(json, utc, limit, all)
    options.present_only(following, as_of, before)
    asked = options.as_of(as_of, before, utc=utc)
    which: dict[str, Any] = {
        "kinds": numbers("--kind", KINDS, kind),
        "departments": split(department),
        "tiers": split(tier),
    }
    with connect(target) as client:
        if following:
            changes = client.watch_notices(timeout_seconds=FOLLOW_PATIENCE_SECONDS, **which)
            follow(changes, _watched, notice_line, output, "notices", by_time=True)
        else:
            pages = client.notices(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "notices", notice_table, "Nothing is due soon, silent or unaccepted.", output)


def notice_table(rows: Iterable[Notice], utc: bool) -> Table:
    """Return notices as a table."""
    made = table(
        ("notice", SHORT),
        ("since", SHORT),
        ("due", SHORT),
        ("department", SHORT),
        ("tier", SHORT),
        ("what", WIDE),
        ("also to do", NUMBER),
    )
    for row in rows:
        made.add_row(
            kind_text(row),
            show_time(row.notice_time, utc=utc, seconds=False),
            show_time(row.due_time, utc=utc, seconds=False),
            f"{row.department or '-'}{f' {row.assignee}' if row.assignee else ''}",
            row.tier or "-",
            _what(row),
            str(row.competing_count or "-"),
        )
    return made


def notice_line(row: Notice, utc: bool) -> Text:
    """Return a notice that came, or was resolved, as one line."""
    when = (show_time(row.notice_time, utc=utc), "dim")
    text = Text.assemble(when, "  ", kind_text(row), f"  {row.department or 'nobody'}: {_what(row)}")
    return text.append("  resolved", style="green") if row.resolved else text


def kind_text(row: Notice) -> Text:
    """Return the kind as a word, in colour."""
    return Text(word(KINDS, row.kind), style={NOTICE_DUE_SOON: "yellow", NOTICE_SILENT: "magenta"}.get(row.kind, "red"))


def _what(row: Notice) -> str:
    about = f" ({row.about.replace('_', ' ')})" if row.about else ""
    if row.promise_id:
        return f"promise {row.promise_id}{about}" + (f" of {row.request_id}" if row.request_id else "")
    if row.handoff_id:
        return f"handoff {row.handoff_id}{about} of {row.request_id} from {row.from_department}"
    return f"request {row.request_id}{about}"


def _watched(position: int, row: Notice) -> WatchNoticesResponse:
    watched = WatchNoticesResponse(notice=row)
    # Notices come as time passes: their place is a time.
    watched.evaluated_time.FromMicroseconds(position)
    return watched
