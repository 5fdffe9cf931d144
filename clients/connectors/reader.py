"""Which reader reads which format."""

from __future__ import annotations

from typing import IO, Final

from clients.connectors.csv_reader import read_csv
from clients.connectors.jsonl_reader import read_jsonl
from clients.connectors.mapping import Mapping
from clients.connectors.mapping_text import Mistakes, did_you_mean
from clients.connectors.rows import Table, identifiers
from clients.connectors.xes_reader import read_xes

READERS: Final = {"csv": read_csv, "jsonl": read_jsonl, "xes": read_xes}


def read_table(stream: IO[bytes], mapping: Mapping, mistakes: Mistakes) -> Table:
    """Return the table in an unpacked file; notes columns that the mapping names and the file does not have. Raises ReadError."""
    options = mapping.reader
    table = READERS[options.format](stream, options)
    for name in identifiers(options.columns):
        if name not in table.columns:
            near = did_you_mean(name, table.columns)
            mistakes.add(mapping.root.fields["reader"].fields["columns"], f"the file has no column {name!r}{near}")
    return table
