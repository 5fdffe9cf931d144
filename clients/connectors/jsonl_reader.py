"""Rows of a file with one JSON object a line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import IO, Any

from clients.connectors.csv_reader import SHOWN_MAX, decoded
from clients.connectors.mapping import ReaderOptions
from clients.connectors.rows import BadRow, Row, Table, identifiers, not_encoded


def read_jsonl(stream: IO[bytes], options: ReaderOptions) -> Table:
    """Return the columns named in the mapping, paths such as `customer.email`, and the rows."""
    text = io.TextIOWrapper(stream, options.encoding, errors="surrogateescape")
    paths = [name.split(".") for name in options.columns]
    return Table(identifiers(options.columns), _rows(text, paths, options.encoding), text)


def _rows(text: io.TextIOWrapper, paths: Sequence[Sequence[str]], encoding: str) -> Iterator[Row | BadRow]:
    # Most files are flat, and have many cells: no path is walked then.
    names = [path[0] for path in paths] if all(len(path) == 1 for path in paths) else []
    for line, content in enumerate(_lines(text, encoding), 1):
        if not content.strip():
            continue
        begin = content.strip()[:SHOWN_MAX].encode("utf-8", "backslashreplace").decode()
        if not decoded(content):
            yield BadRow(line, f"is not encoded as {encoding}", begin)
            continue
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            yield BadRow(line, f"is no JSON: {error}", begin)
            continue
        if not isinstance(value, dict):
            yield BadRow(line, "is no JSON object", begin)
            continue
        if names:
            get = value.get
            yield Row(line, ["" if (cell := get(name)) is None else cell if type(cell) is str else _text(cell) for name in names])
        else:
            yield Row(line, [_cell(value, path) for path in paths])


def _lines(text: io.TextIOWrapper, encoding: str) -> Iterator[str]:
    try:
        yield from text
    except UnicodeError as error:
        raise not_encoded(encoding, error) from None


def _cell(value: Any, path: Sequence[str]) -> str:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return ""
    return value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
