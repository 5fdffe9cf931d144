"""Rows of a file with separators."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, Any, Final

from clients.connectors.mapping import ReaderOptions
from clients.connectors.rows import BadRow, ReadError, Row, Table, identifiers, not_encoded

SHOWN_MAX: Final = 500


def read_csv(stream: IO[bytes], options: ReaderOptions) -> Table:
    """Return columns and rows. Raises ReadError for an empty file."""
    # What cannot be decoded comes through as single surrogates, so that one bad byte rejects one row and not the file.
    text = io.TextIOWrapper(stream, options.encoding, errors="surrogateescape", newline="")
    quoting: dict[str, Any] = {"quotechar": options.quote} if options.quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    reader = csv.reader(text, delimiter=options.delimiter, **quoting)
    names = list(options.columns)
    if options.header:
        try:
            header = next(reader, None)
        except UnicodeError as error:
            raise not_encoded(options.encoding, error) from None
        if not header:
            raise ReadError("the file is empty: it has no header")
        names = header
    return Table(identifiers(names), _rows(reader, len(names), options.encoding), text)


def _rows(reader: Any, width: int, encoding: str) -> Iterator[Row | BadRow]:
    line = reader.line_num + 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield BadRow(line, f"no row of this format: {error}", "")
            line = reader.line_num + 1
            continue
        except UnicodeError as error:
            raise not_encoded(encoding, error) from None
        if cells is None:
            return
        if cells:
            yield _checked(line, cells, width, encoding)
        line = reader.line_num + 1


def _checked(line: int, cells: list[str], width: int, encoding: str) -> Row | BadRow:
    if len(cells) != width:
        return BadRow(line, f"has {len(cells)} cells, and the header {width}", shown(cells))
    if not decoded("".join(cells)):
        return BadRow(line, f"is not encoded as {encoding}", shown(cells))
    return Row(line, cells)


def decoded(text: str) -> bool:
    """True unless the text holds bytes that could not be decoded."""
    return text.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in text)


def shown(cells: list[str]) -> str:
    """Return cells as one text for the reject file."""
    return " | ".join(cells).encode("utf-8", "backslashreplace").decode()[:SHOWN_MAX]
