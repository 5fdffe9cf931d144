"""Rows as every reader gives them, and the names of their columns. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_RESERVED: Final = frozenset(("in", "true", "false", "null"))
"""Words that CEL does not take as the name of a column."""


class Row(NamedTuple):
    """A row of a file: texts in the order of the columns."""

    line: int
    """1-based line on which it begins; in an event log, the 1-based number of the event."""
    cells: list[str]


class BadRow(NamedTuple):
    """Something that should have been a row."""

    line: int
    reason: str
    text: str
    """What stands there, shortened."""


class Table(NamedTuple):
    """The rows of a file, read as they are asked for."""

    columns: list[str]
    """Identifiers: the names mappings use, each once."""
    rows: Iterator[Row | BadRow]
    decoder: object = None
    """What decodes the file. Held, so that it does not end, and close the file, before whoever opened the file does."""


def not_encoded(encoding: str, error: UnicodeError) -> ReadError:
    """Return the error for a file whose encoding cannot be read on: of some encodings, one bad byte spoils all that follows."""
    return ReadError(f"the file is not encoded as {encoding}: {error.reason if isinstance(error, UnicodeDecodeError) else error}")


class ReadError(Exception):
    """The file cannot be read. The text says what to do."""


def identifiers(names: Iterable[str]) -> list[str]:
    """Return column names as mappings write them: other than letters and digits becomes _; a name seen before gets _2, _3 ..."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, 1):
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", name.strip()).strip("_") or f"column_{number}"
        if plain[0].isdigit() or plain in _RESERVED:
            plain = f"_{plain}"
        unique, count = plain, 1
        while unique in found:
            count += 1
            unique = f"{plain}_{count}"
        found[unique] = None
    return list(found)
