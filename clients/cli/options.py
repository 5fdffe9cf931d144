"""The options that commands share, each with its one meaning. The only place of the command line that reads the environment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer

from clients.cli.customers import FORMS as CUSTOMER_FORMS
from clients.cli.customers import parse_customer
from clients.cli.times import parse_as_of, parse_duration, parse_time
from clients.python import AsOf
from ledger.api.v1.customer_pb2 import CustomerReference

DEFAULT_TARGET: Final = "127.0.0.1:50051"
TARGET_VARIABLE: Final = "TELLONCE_TARGET"

TIME_PANEL: Final = "How far back"
OUTPUT_PANEL: Final = "Output"
CONNECTION_PANEL: Final = "Connection"


def flag(*names: str, help: str, panel: str | None = None) -> Any:
    """Return an option that is said or not: without the word `bool` in the help."""
    return typer.Option(*names, metavar="", help=help, rich_help_panel=panel)


TargetOption = Annotated[
    str,
    typer.Option(
        "--target", envvar=TARGET_VARIABLE, metavar="HOST:PORT", help="The ledger to ask.", rich_help_panel=CONNECTION_PANEL
    ),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="POSITION|TIME",
        help="As known then: nothing recorded later is seen. A position, or a date or time (a date alone is its beginning).",
        rich_help_panel=TIME_PANEL,
    ),
]
BeforeOption = Annotated[
    str | None,
    typer.Option(
        "--before",
        metavar="TIME",
        help="As it happened before then: nothing that occurred at that time or later is seen.",
        rich_help_panel=TIME_PANEL,
    ),
]
JsonOption = Annotated[
    bool,
    flag("--json", help="One JSON object for programs; with --follow one a line.", panel=OUTPUT_PANEL),
]
UtcOption = Annotated[bool, flag("--utc", help="Read and show times in UTC, not in this machine's zone.", panel=OUTPUT_PANEL)]
LimitOption = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, metavar="ROWS", help="At most so many rows.", rich_help_panel=OUTPUT_PANEL)
]
AllOption = Annotated[bool, flag("--all", help="All rows, without limit.", panel=OUTPUT_PANEL)]
FollowOption = Annotated[bool, flag("--follow", "-f", help="Show changes as they are recorded, until Ctrl-C.")]
AfterOption = Annotated[
    int | None, typer.Option("--after", min=0, metavar="POSITION", help="With --follow: begin after this position, not now.")
]


def usage(option: str, message: str) -> typer.BadParameter:
    """Return the error for an option that was written wrongly: it ends the command with exit code 2."""
    return typer.BadParameter(message, param_hint=option)


def as_of(known: str | None, before: str | None, *, utc: bool) -> AsOf | None:
    """Return how far back to look."""
    try:
        return parse_as_of(known, before, utc=utc)
    except ValueError as error:
        raise usage("--as-of" if known is not None and repr(known) in str(error) else "--before", str(error)) from None


def moment(option: str, text: str | None, *, utc: bool) -> datetime | None:
    """Return the time an option gives."""
    if text is None:
        return None
    try:
        return parse_time(text, utc=utc)
    except ValueError as error:
        raise usage(option, str(error)) from None


def duration(option: str, text: str | None) -> timedelta | None:
    """Return the duration an option gives."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise usage(option, str(error)) from None


def customer(text: str | None, option: str = "CUSTOMER") -> CustomerReference | None:
    """Return whom an argument or option means."""
    if text is None:
        return None
    try:
        return parse_customer(text)
    except ValueError as error:
        raise usage(option, str(error)) from None


def present_only(following: bool, known: str | None, before: str | None) -> None:
    """Refuse to follow the past."""
    if following and (known is not None or before is not None):
        raise usage("--follow", "The past does not change: leave out --as-of and --before, or begin at a position with --after.")


CUSTOMER_HELP: Final = f"Whom: {CUSTOMER_FORMS}."
