"""One thing with all its fields, one below the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from google.protobuf.message import Message
from rich import box
from rich.table import Table

from clients.cli.words import value_text


def detail_table(
    message: Message,
    *,
    utc: bool,
    replaced: Mapping[str, str] | None = None,
    hidden: Collection[str] = (),
    title: str | None = None,
) -> Table:
    """Return the set fields of a message. `replaced` has texts for fields that read better another way."""
    made = Table(
        box=box.SIMPLE, show_edge=False, show_header=False, title=title, title_justify="left", title_style="bold", pad_edge=False
    )
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold", ratio=1)
    for field, value in message.ListFields():
        if field.name not in hidden:
            text = (replaced or {}).get(field.name) or value_text(field, value, utc=utc)
            if not text:
                continue
            made.add_row(field.name.removesuffix("_seconds").replace("_", " "), text)
    return made
