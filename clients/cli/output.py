"""What commands print: tables for people on the console, one stable JSON object for programs.

Answers go to standard output, everything else (progress, complaints, remarks) to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import Message
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.cli.times import show_time, zone_name
from ledger.api.v1.consistency_pb2 import CountRow, ReadAt

PIPE_WIDTH: Final = 160
"""Width of tables when the output is no terminal and COLUMNS is unset: nothing is cut that a terminal would show."""


def console() -> Console:
    """Return the console for answers."""
    made = Console(highlight=False, markup=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in made._environ:
        made = Console(highlight=False, markup=False, emoji=False, width=PIPE_WIDTH)
    return made


def side_console() -> Console:
    """Return the console for progress, remarks and complaints."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_json(message: Message) -> None:
    """Print a message as one JSON object: names as in the protos, keys sorted, so that equal answers are equal text."""
    print(json_format.MessageToJson(message, preserving_proto_field_name=True, sort_keys=True, ensure_ascii=False))


def print_json_line(message: Message) -> None:
    """Print a message as one line of JSON, at once."""
    text = json_format.MessageToJson(message, preserving_proto_field_name=True, sort_keys=True, ensure_ascii=False, indent=None)
    print(text, flush=True)


def table(*columns: str | tuple[str, dict[str, Any]], title: str | None = None) -> Table:
    """Return an empty table. A column is its heading, or heading and options of rich."""
    made = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="bold",
        title=title,
        title_justify="left",
        title_style="bold",
    )
    for column in columns:
        heading, options = (column, {}) if isinstance(column, str) else column
        made.add_column(heading, **{"overflow": "fold", **options})
    return made


NUMBER: Final[dict[str, Any]] = {"justify": "right", "no_wrap": True}
SHORT: Final[dict[str, Any]] = {"overflow": "fold"}
"""Ids, codes and times. Where a terminal is too narrow they go on below: an id that is cut is of no use."""
WIDE: Final[dict[str, Any]] = {"ratio": 1, "overflow": "fold"}


def print_table(made: Table, none: str) -> None:
    """Print a table, or what there is none of."""
    if made.row_count:
        console().print(made)
    else:
        console().print(none)


_YES_NO: Final = {"true": "yes", "false": "no"}


def count_table(names: Sequence[str], rows: Iterable[CountRow], total: int, words: Sequence[dict[str, str]]) -> Table:
    """Return counts by group. `words` has, per group, the words for values that are names of enums."""
    made = table(*(name.replace("-", " ") for name in names), ("count", NUMBER), ("share", NUMBER))
    for row in rows:
        values = [known.get(value) or _YES_NO.get(value, value) or "-" for known, value in zip(words, row.values, strict=False)]
        made.add_row(*values, f"{row.count:,}", f"{row.count / total:.1%}" if total else "")
    made.add_section()
    made.add_row(*(["all"] + [""] * len(names))[: len(names)], f"{total:,}", "", style="bold")
    return made


def print_read_at(read_at: ReadAt, *, utc: bool, shown: int | None = None, more: bool = False) -> None:
    """Print where an answer stands, how many rows were shown, and whether there are more."""
    parts = []
    if shown is not None:
        parts.append(f"{shown:,} row{'' if shown == 1 else 's'}" + (", more with --all" if more else ""))
    known = f"position {read_at.position:,}"
    if read_at.HasField("record_time"):
        known += f" of {show_time(read_at.record_time, utc=utc)}"
    parts.append(known)
    if read_at.HasField("evaluated_time"):
        parts.append(f"ages at {show_time(read_at.evaluated_time, utc=utc)} {zone_name(utc=utc)}")
    console().print(Text(" · ".join(parts), style="dim"))


def remark(text: str) -> None:
    """Print a remark for the person who waits."""
    side_console().print(Text(text, style="dim"), soft_wrap=True)


def complain(text: str) -> None:
    """Print what went wrong and what to do."""
    sys.stdout.flush()
    side_console().print(Text("Error: ", style="bold red") + Text(text), soft_wrap=True)
