"""Reads mappings: which keys are needed, and what the plain ones may hold. Knows nothing of columns and of event types."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from clients.connectors.function import NAMES
from clients.connectors.mapping import (
    ENVELOPE_KEYS,
    KEYS,
    LANGUAGE,
    MEMORY_KEYS,
    READER_KEYS,
    ROW_KINDS,
    RULE_KEYS,
    TIMES_KEYS,
    Mapping,
    Rule,
)
from clients.connectors.mapping_text import Entry, Mistakes, did_you_mean, nearest, parse_mapping
from clients.connectors.time_text import parser, zone_rules

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TAKEN: Final = frozenset(
    [
        *NAMES,
        *("row", "before", "memory", "first", "line"),
        # What CEL reserves, and the functions, types and macros it has.
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace"),
        *("null", "package", "return", "true", "var", "void", "while"),
        *(
            "all",
            "bool",
            "bytes",
            "contains",
            "double",
            "duration",
            "dyn",
            "exists",
            "exists_one",
            "filter",
            "format",
            "has",
            "int",
        ),
        *(
            "join",
            "list",
            "map",
            "matches",
            "replace",
            "reverse",
            "size",
            "split",
            "string",
            "substring",
            "timestamp",
            "trim",
            "type",
        ),
        "uint",
    ]
)
"""Names that mean something already."""


def read_mapping(path: Path) -> tuple[Mapping, Mistakes]:
    """Return a mapping and the mistakes found in it so far. Raises OSError, and MappingError where it is no YAML map at all."""
    content = path.read_bytes()
    mistakes = Mistakes(path.name)
    root = parse_mapping(content.decode("utf-8", errors="replace"), mistakes)
    mapping = Mapping(root, sha256(content).digest())
    _Parser(mapping, mistakes).parse()
    return mapping, mistakes


class _Parser:
    def __init__(self, mapping: Mapping, mistakes: Mistakes) -> None:
        self._mapping = mapping
        self._mistakes = mistakes

    def parse(self) -> None:
        mapping = self._mapping
        top = self._fields(mapping.root, KEYS, needed=("mapping", "source", "rows", "key", "rules"))
        if "mapping" in top and self._text(top["mapping"]) != LANGUAGE:
            self._mistakes.add(top["mapping"], f"this version reads the mapping language {LANGUAGE}")
        mapping.source = self._checked(top.get("source"), mapping.source, _CODE.fullmatch, "has to be a code such as crm_export")
        mapping.answers_recorded = self._flag(top.get("answers_recorded"), False)
        self._rows(top)
        self._reader(top)
        times = self._fields(top.get("times"), TIMES_KEYS)
        mapping.time_format = self._readable(times.get("format"), mapping.time_format, parser)
        mapping.time_zone = self._readable(times.get("zone"), mapping.time_zone, zone_rules)
        for name, table in self._named(top.get("tables"), "table"):
            mapping.tables[name] = {key: self._text(value) for key, value in self._map(table).items()}
            for marker in mapping.reader.unknown & mapping.tables[name].keys() - {""}:
                self._mistakes.add(table.fields[marker], 'is a marker of `unknown`, and reads as the empty text: write "" for it')
        mapping.definitions = dict(self._named(top.get("let"), "definition"))
        for name, memory in self._named(top.get("memory"), "memory"):
            found = self._fields(memory, MEMORY_KEYS, needed=MEMORY_KEYS)
            if len(found) == len(MEMORY_KEYS):
                mapping.memory[name] = (found["first"], found["next"])
        mapping.envelope = self._fields(top.get("envelope"), ENVELOPE_KEYS)
        self._rules(top.get("rules"))

    def _rows(self, top: dict[str, Entry]) -> None:
        mapping = self._mapping
        if "rows" in top:
            kind = self._text(top["rows"])
            if kind in ROW_KINDS:
                mapping.rows = kind
            else:
                self._mistakes.add(top["rows"], "has to be event, case or snapshot")
        mapping.key = self._list(top.get("key"))
        mapping.order = self._list(top.get("order"))
        mapping.case = top.get("case")
        mapping.skip = top.get("skip")
        for name in ("case", "order"):
            if mapping.rows == "snapshot" and name not in top:
                self._mistakes.add(mapping.root, f"rows: snapshot needs the key `{name}`")
            elif mapping.rows != "snapshot" and name in top:
                self._mistakes.add(top[name], "belongs to rows: snapshot")
        if mapping.rows != "snapshot" and "memory" in top:
            self._mistakes.add(top["memory"], "belongs to rows: snapshot")

    def _reader(self, top: dict[str, Entry]) -> None:
        found = self._fields(top.get("reader"), READER_KEYS)
        reader = self._mapping.reader
        reader.format = self._checked(
            found.get("format"), "csv", ("csv", "jsonl", "xes").__contains__, "has to be csv, jsonl or xes"
        )
        reader.member = self._checked(found.get("member"), "", bool, "has to be the name of a file inside the archive")
        reader.encoding = self._readable(found.get("encoding"), reader.encoding, codecs.lookup)
        tab = {"\\t": "\t", "tab": "\t"}
        reader.delimiter = tab.get(
            delimiter := self._checked(found.get("delimiter"), ",", bool, "has to be one character"), delimiter
        )
        if len(reader.delimiter) != 1:
            self._mistakes.add(found["delimiter"], "has to be one character, or tab")
        reader.quote = self._checked(found.get("quote"), '"', lambda text: len(text) < 2, 'has to be one character, or "" for none')
        reader.header = self._flag(found.get("header"), True)
        reader.columns = tuple(self._text(item) for item in self._list(found.get("columns")))
        if "unknown" in found:
            reader.unknown = frozenset({"", *(self._text(item) for item in self._list(found["unknown"]))})
        for name in ("delimiter", "quote", "header"):
            if reader.format != "csv" and name in found:
                self._mistakes.add(found[name], "belongs to format: csv")
        if not reader.columns and (reader.format != "csv" or not reader.header):
            self._mistakes.add(
                top.get("reader", self._mapping.root), "needs the key `columns`: without a header only it says what a row may hold"
            )

    def _rules(self, entry: Entry | None) -> None:
        names: dict[str, int] = {}
        for item in self._list(entry):
            found = self._fields(item, RULE_KEYS, needed=("rule", "emit"))
            if "rule" not in found or "emit" not in found:
                continue
            name = self._text(found["rule"])
            if name in names:
                self._mistakes.add(found["rule"], f"the rule on line {names[name]} is called so too: ids are made of these names")
            names[name] = item.line
            envelope = {key: found[key] for key in ENVELOPE_KEYS if key in found}
            fields = self._nested(self._map(found["set"])) if "set" in found else {}
            self._mapping.rules.append(Rule(item, name, found["emit"], found.get("when"), envelope, fields))
        if entry is not None and entry.kind == "list" and not entry.items:
            self._mistakes.add(entry, "is empty: without a rule nothing is imported")

    def _nested(self, fields: dict[str, Entry]) -> dict[str, Entry]:
        """Return the fields with dotted paths taken apart: `due.zone: …` is `due: {zone: …}`."""
        nested: dict[str, Entry] = {}
        for path, value in fields.items():
            first, _, rest = path.partition(".")
            if rest:
                value = Entry("map", value.line, value.key, fields={rest: value})
            known = nested.get(first)
            if known is None:
                nested[first] = value
            elif known.kind == "map" and value.kind == "map" and not known.fields.keys() & value.fields.keys():
                nested[first] = Entry("map", known.line, known.key, fields={**known.fields, **value.fields})
            else:
                self._mistakes.add(value, f"{first} is set twice")
        return nested

    # Plain values

    def _fields(self, entry: Entry | None, known: Sequence[str], needed: Sequence[str] = ()) -> dict[str, Entry]:
        if entry is None:
            return {}
        fields = self._map(entry)
        for name, value in fields.items():
            if name not in known:
                near = did_you_mean(name, known) or f"; known are {', '.join(known)}"
                self._mistakes.add(value, f"there is no key {name!r} here{near}")
        meant = {nearest(name, known) for name in fields if name not in known}
        for name in needed:
            if name not in fields and name not in meant:
                self._mistakes.add(entry, f"needs the key `{name}`")
        return {name: value for name, value in fields.items() if name in known}

    def _named(self, entry: Entry | None, what: str) -> list[tuple[str, Entry]]:
        found = []
        for name, value in (self._map(entry) if entry is not None else {}).items():
            if _NAME.fullmatch(name) is None:
                self._mistakes.add(
                    value, f"the name of a {what} begins with a small letter and has small letters, digits and _ only"
                )
            elif what != "memory" and (name in _TAKEN or name in self._mapping.tables):
                self._mistakes.add(value, f"the name {name} is taken: choose another one")
            else:
                found.append((name, value))
        return found

    def _map(self, entry: Entry) -> dict[str, Entry]:
        if entry.kind != "map":
            self._mistakes.add(entry, "has to be a map of keys and values")
            return {}
        return entry.fields

    def _list(self, entry: Entry | None) -> list[Entry]:
        if entry is None:
            return []
        return entry.items if entry.kind == "list" else [entry]

    def _text(self, entry: Entry) -> str:
        if entry.kind != "text":
            self._mistakes.add(entry, "has to be a text")
            return ""
        return entry.text

    def _flag(self, entry: Entry | None, default: bool) -> bool:
        return self._checked(entry, str(default).lower(), ("true", "false").__contains__, "has to be true or false") == "true"

    def _checked(self, entry: Entry | None, default: str, accepts: Callable[[str], object], otherwise: str) -> str:
        if entry is None:
            return default
        text = self._text(entry)
        if accepts(text):
            return text
        self._mistakes.add(entry, otherwise)
        return default

    def _readable(self, entry: Entry | None, default: str, read: Callable[[str], object]) -> str:
        if entry is None:
            return default
        text = self._text(entry)
        try:
            read(text)
        except (ValueError, LookupError) as error:
            self._mistakes.add(entry, str(error))
            return default
        return text
