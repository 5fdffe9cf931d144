"""Rows of an event log in XES (IEEE 1849): one row an event, with the attributes of its trace as `case:…`. Streaming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Final
from xml.etree.ElementTree import Element, ParseError, iterparse

from clients.connectors.mapping import ReaderOptions
from clients.connectors.rows import ReadError, Row, Table, identifiers

ATTRIBUTES: Final = frozenset(("string", "date", "int", "float", "boolean", "id"))


def read_xes(stream: IO[bytes], options: ReaderOptions) -> Table:
    """Return the columns named in the mapping, such as `concept:name` and `case:concept:name`, and the events as they stand."""
    return Table(identifiers(options.columns), _rows(stream, options.columns))


def _rows(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Row]:
    open_elements: list[tuple[str, Element]] = []
    case: dict[str, str] = {}
    event: dict[str, str] = {}
    count = 0
    try:
        for what, element in iterparse(stream, events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if what == "start":
                open_elements.append((tag, element))
                if tag == "trace":
                    case = {}
                elif tag == "event":
                    event = {}
                continue
            open_elements.pop()
            parent, parent_element = open_elements[-1] if open_elements else ("", None)
            if tag in ATTRIBUTES:
                if parent == "event":
                    event[element.get("key", "")] = element.get("value", "")
                elif parent == "trace":
                    case[f"case:{element.get('key', '')}"] = element.get("value", "")
            elif tag == "event":
                count += 1
                yield Row(count, [event.get(name, case.get(name, "")) for name in columns])
            if tag in ("event", "trace") and parent_element is not None:
                # What is read is dropped, so that the log is never in memory as a whole.
                parent_element.clear()
    except ParseError as error:
        raise ReadError(f"the file is no XES: {error}. {count} events were read before") from None
