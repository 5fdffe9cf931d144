"""How every command shows a list, counts, one thing, or changes as they come: as tables or as JSON."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import FrameType
from typing import Any, Final, TypeVar, cast

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clients.cli.options import usage
from clients.cli.output import console, count_table, print_json, print_json_line, print_read_at, print_table, remark
from clients.cli.words import number, word, words
from clients.python.pages import Pages
from clients.python.subscription import Subscription

T = TypeVar("T", bound=Message)

ROWS_SHOWN: Final = 50
PAGE_SIZE_MAX: Final = 500
FOLLOW_PATIENCE_SECONDS: Final = 30.0
"""A stream that is followed ends when the ledger did not answer for so long."""


@dataclass(frozen=True, slots=True)
class Output:
    """How to print: tables or JSON, in which zone, how many rows (None: as many as suit: 50 in a table, all in JSON)."""

    json: bool
    utc: bool
    limit: int | None = None
    all: bool = False

    @property
    def row_limit(self) -> int | None:
        """The most rows to print; None: all of them."""
        if self.all or (self.json and self.limit is None):
            return None
        return ROWS_SHOWN if self.limit is None else self.limit

    @property
    def page_size(self) -> int:
        """Rows to fetch at a time: one more than is shown tells whether there are more."""
        return PAGE_SIZE_MAX if self.row_limit is None else min(self.row_limit + 1, PAGE_SIZE_MAX)


def show_rows(
    pages: Pages[Any, T], field: str, make_table: Callable[[Iterable[T], bool], Table], none: str, output: Output
) -> None:
    """Print a list whose rows stand in `result.<field>` of its answers."""
    most = output.row_limit
    rows = list(pages if most is None else islice(pages, most + 1))
    more = most is not None and len(rows) > most
    rows = rows[:most]
    if output.json:
        whole = type(pages.first)()
        whole.CopyFrom(pages.first)
        whole.ClearField("next_page_token")
        listed = getattr(cast(Any, whole).result, field)
        del listed[:]
        listed.extend(rows)
        print_json(whole)
    else:
        print_table(make_table(rows, output.utc), none)
        print_read_at(pages.read_at, utc=output.utc, shown=len(rows), more=more)


def show_counts(response: Message, groups: list[str], words_of: Mapping[str, Mapping[str, str]], output: Output) -> None:
    """Print counts by group. `words_of` has, for groups whose values are names of enums, the words."""
    if output.json:
        print_json(response)
        return
    answer = cast(Any, response)
    names = groups or ["all"]
    known = [dict(words_of.get(name, {})) for name in names]
    console().print(count_table(names, answer.result.rows, answer.result.total, known))
    print_read_at(answer.read_at, utc=output.utc)


def show_one(response: Message, make_table: Callable[[Any, bool], RenderableType], output: Output) -> None:
    """Print one thing: its fields below one another."""
    if output.json:
        print_json(response)
        return
    answer = cast(Any, response)
    console().print(make_table(answer.result, output.utc))
    print_read_at(answer.read_at, utc=output.utc)


def follow(
    subscription: Subscription[T],
    wrap: Callable[[int, T], Message],
    line: Callable[[T, bool], Text],
    output: Output,
    what: str,
    *,
    by_time: bool = False,
) -> None:
    """Print changes as they come, until Ctrl-C. `wrap` makes the JSON line of a change.

    `by_time`: what comes has no position to go on from.
    """
    with subscription, _closed_by_ctrl_c(subscription):
        for change in subscription.changes():
            if change.item is not None:
                if output.json:
                    print_json_line(wrap(change.position, change.item))
                else:
                    console().print(line(change.item, output.utc))
            elif change.mark == "caught_up":
                where = "" if by_time else f" at position {change.position:,}"
                remark(f"Up to date{where}: waiting for {what}. Ctrl-C ends it.")
            elif change.mark == "membership_changed":
                remark("Identifiers were joined to or split from the customer: read the history again.")
    if by_time:
        return
    remark(f"Ended at position {subscription.position:,}. Go on from here with --after {subscription.position}.")


@contextmanager
def _closed_by_ctrl_c(subscription: Subscription[T]) -> Iterator[None]:
    """Let Ctrl-C close the stream; a second one interrupts as usual.

    An exception raised wherever the signal happens to arrive may be lost in the libraries below; closing is not. It takes locks
    that the interrupted code may hold, so it is done by a thread.
    """

    def close(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        threading.Thread(target=subscription.close, daemon=True).start()

    before = signal.signal(signal.SIGINT, close)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def split(texts: Iterable[str] | None) -> list[str]:
    """Return the values of an option that may be repeated and may hold several, separated by commas."""
    return [part.strip() for text in texts or () for part in text.split(",") if part.strip()]


def numbers(option: str, enum: EnumDescriptor, texts: Iterable[str] | None, *more: str) -> list[int]:
    """Return the values of an enum that an option names. `more`: what else the option takes, for the complaint."""
    found = []
    for text in split(texts):
        try:
            found.append(number(enum, text))
        except ValueError:
            raise usage(option, f"{text!r} is not one of {choices(enum, *more)}.") from None
    return found


def groups(texts: Iterable[str] | None, known: Mapping[str, int]) -> tuple[list[str], list[int]]:
    """Return the groups that --count names, and their numbers."""
    names = split(texts)
    for name in names:
        if name not in known:
            raise usage("--count", f"{name!r} is not one of {', '.join(known)}.")
    return names, [known[name] for name in names]


def enum_words(enum: EnumDescriptor) -> dict[str, str]:
    """Return the words for the names of an enum's values."""
    return {value.name: word(enum, value.number) for value in enum.values}


def choices(enum: EnumDescriptor, *more: str) -> str:
    """Return the choices of an enum for a help text."""
    return ", ".join([*more, *words(enum)])
