"""What a mapping says: its keys, and what the plain ones hold. Expressions are left as entries.

docs/import.md is the reference of these keys; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from clients.connectors.mapping_text import Entry
from clients.connectors.time_text import ISO

LANGUAGE: Final = "1"
"""Version of the mapping language: a mapping says which one it is written in."""

KEYS: Final = (
    "mapping",
    "source",
    "answers_recorded",
    "reader",
    "rows",
    "case",
    "order",
    "key",
    "skip",
    "times",
    "tables",
    "let",
    "memory",
    "envelope",
    "rules",
)
ROW_KINDS: Final = ("event", "case", "snapshot")
READER_KEYS: Final = ("format", "member", "encoding", "delimiter", "quote", "header", "columns", "unknown")
TIMES_KEYS: Final = ("format", "zone")
MEMORY_KEYS: Final = ("first", "next")
ENVELOPE_KEYS: Final[tuple[str, ...]] = (
    "occur_time",
    "precision",
    "channel",
    "department",
    "actor",
    "actor_kind",
    "source_record_time",
    "correlation_id",
)
RULE_KEYS: Final = ("rule", "when", "emit", *ENVELOPE_KEYS, "set")


@dataclass(slots=True)
class ReaderOptions:
    """How the file is read."""

    format: str = "csv"
    member: str = ""
    """File inside a zip; empty: the only one."""
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    quote: str = '"'
    """Empty: the file has no quotes."""
    header: bool = True
    columns: tuple[str, ...] = ()
    unknown: frozenset[str] = frozenset({""})


@dataclass(slots=True)
class Rule:
    """When which event is emitted, and with what."""

    entry: Entry
    name: str
    topic: Entry
    when: Entry | None
    envelope: dict[str, Entry]
    fields: dict[str, Entry]


@dataclass(slots=True)
class Mapping:
    """A mapping as it is written. `digest` is the SHA-256 of its bytes."""

    root: Entry
    digest: bytes
    source: str = ""
    answers_recorded: bool = False
    reader: ReaderOptions = field(default_factory=ReaderOptions)
    rows: str = "event"
    """One of ROW_KINDS."""
    case: Entry | None = None
    order: list[Entry] = field(default_factory=list)
    key: list[Entry] = field(default_factory=list)
    skip: Entry | None = None
    time_format: str = ISO
    time_zone: str = "UTC"
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    definitions: dict[str, Entry] = field(default_factory=dict)
    memory: dict[str, tuple[Entry, Entry]] = field(default_factory=dict)
    envelope: dict[str, Entry] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
