"""Expressions of a mapping: compiled once, with types checked, and evaluated for each row.

CEL in its C++ implementation: 3-5 µs an evaluation. An expression depends on the values it names and on nothing else, so its
results are kept by those values, which a row of a real file finds nearly always (0.4 µs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from google.protobuf.descriptor import EnumDescriptor

from clients.connectors.function import NAMES, Sources, declarations
from clients.connectors.mapping_text import Entry, Mistakes, did_you_mean
from clients.connectors.time_text import directives, parser

Type = cel.Type
Scope = dict[str, Any]
"""The values of a row, by name; definitions are added when first asked for."""

WORDS: Final = {
    "STRING": "text",
    "BOOL": "true or false",
    "INT": "whole number",
    "DOUBLE": "number",
    "TIMESTAMP": "time",
    "DURATION": "duration",
    "BYTES": "bytes",
    "LIST<STRING>": "list of texts",
}
"""CEL types as mappings call them."""

_PLAIN: Final = frozenset(("STRING", "BOOL", "INT", "DOUBLE", "TIMESTAMP", "DURATION"))
_KEPT_MAX: Final = 20_000
_TRIED: Final = 3_000
"""After so many misses it is decided whether keeping results pays."""
_LITERAL: Final = re.compile(r"""[rRbB]{0,2}("{3}.*?"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""", re.DOTALL)
_NAME: Final = re.compile(r"(?<![\w.])(?:(row|before|memory)\s*\.\s*([A-Za-z_]\w*)|([A-Za-z_]\w*))")
_FAULT: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
_STATUS: Final = re.compile(r"^[A-Z_]+: ")
_TIME_CALL: Final = re.compile(r"\b(?:time|local)\s*\(")


class ExpressionError(Exception):
    """An expression has no value for a row. The text says why; it may hold values of the row."""

    def __init__(self, entry: Entry, message: str) -> None:
        super().__init__(message)
        self.entry = entry


class Expression:
    """A compiled expression. Call it with the scope of a row. Raises ExpressionError."""

    __slots__ = (
        "_compiled",
        "_constants",
        "_definitions",
        "_hits",
        "_kept",
        "_key",
        "_misses",
        "entry",
        "just",
        "names",
        "type_name",
    )

    def __init__(
        self,
        entry: Entry,
        compiled: Any,
        type_name: str,
        names: tuple[str, ...],
        definitions: tuple[Definition, ...],
        constants: Scope,
        keep: bool,
    ) -> None:
        self.entry = entry
        self.type_name = type_name
        self.names = names
        self.just = names[0] if names and entry.text.strip() == names[0] else ""
        """The name it consists of: then there is nothing to evaluate."""
        self._compiled = compiled
        self._definitions = definitions
        self._constants = constants
        self._key: Callable[[Scope], Any] = itemgetter(*names) if names else lambda scope: None
        self._kept: dict[Any, Any] | None = {} if keep else None
        self._hits = 0
        self._misses = 0

    @property
    def constant(self) -> bool:
        """True when its value is the same for every row."""
        return not self.names

    def __call__(self, scope: Scope) -> Any:
        """Return its value for a row."""
        for name, expression in self._definitions:
            if name not in scope:
                scope[name] = expression(scope)
        if self.just:
            return scope[self.just]
        kept = self._kept
        if kept is None:
            return self._value(scope)
        key = self._key(scope)
        try:
            value = kept[key]
        except KeyError:
            return self._keep(key, self._value(scope))
        self._hits += 1
        return value

    def _keep(self, key: Any, value: Any) -> Any:
        kept = self._kept
        assert kept is not None
        self._misses += 1
        if len(kept) >= _KEPT_MAX:
            kept.clear()
        kept[key] = value
        if self._misses == _TRIED and self._hits < _TRIED:
            self._kept = None
        return value

    def _value(self, scope: Scope) -> Any:
        given = {name: scope[name] for name in self.names}
        given.update(self._constants)
        value = self._compiled.eval(data=given)
        # Errors are values: their plain value is the error's text, as a str like any other.
        if value.type() in _NO_VALUE:
            raise ExpressionError(self.entry, _STATUS.sub("", str(value.plain_value())))
        return value.plain_value()


Definition = tuple[str, Expression]
"""A named expression of `let`: evaluated at most once a row, when first needed."""

_NO_VALUE: Final = (Type.ERROR, Type.UNKNOWN)


class Language:
    """What the expressions of one mapping may name: columns, definitions, memory, functions and tables."""

    def __init__(self, sources: Sources, mistakes: Mistakes) -> None:
        self._sources = sources
        self._mistakes = mistakes
        self._variables: dict[str, Any] = {}
        self._definitions: dict[str, Definition] = {}
        self.mistaken: set[str] = set()
        """Names whose own mistakes are noted: whatever names them is not to blame."""
        self.named: set[str] = set()
        """Everything that compiled expressions name."""
        self._env: Any = None
        self._enum_envs: dict[str, Any] = {}

    def declare(self, names: Iterable[str], kind: Any) -> None:
        """Add variables of a type."""
        self._variables.update(dict.fromkeys(names, kind))
        self._env = None
        self._enum_envs.clear()

    def define(self, name: str, expression: Expression, kind: Any) -> None:
        """Add a definition that later expressions may name."""
        self._definitions[name] = (name, expression)
        self.declare([name], kind)

    def compile(self, entry: Entry, wanted: Iterable[str] = ()) -> tuple[Expression, Any] | None:
        """Return the expression and its type; None when it is mistaken, which is noted. `wanted`: names of the types accepted."""
        compiled = self._compile(self._environment(), entry)
        if compiled is None:
            return None
        kind = compiled.return_type()
        wanted = list(wanted)
        if wanted and kind.name() not in wanted:
            self._mistakes.add(entry, f"is {word(kind.name())}, and has to be {' or '.join(word(one) for one in wanted)}")
            return None
        return self._expression(entry, compiled, kind.name(), {}), kind

    def compile_enum(self, entry: Entry, enum: EnumDescriptor) -> Expression | None:
        """Return an expression whose values are names of an enum, written without quotes; None when it is mistaken."""
        names = [value.name for value in enum.values if value.number]
        # Typed by an abstract type the names are checked; those values cannot be evaluated, so it is compiled once more as text.
        compiled = self._compile(self._enum_environment(enum, names), entry, names)
        if compiled is None:
            return None
        if compiled.return_type().name() != enum.name:
            self._mistakes.add(
                entry, f"has to be one of {', '.join(names)}, without quotes, or choose between them by `? :` or a table"
            )
            return None
        env = cel.NewEnv(
            variables={**self._variables, **dict.fromkeys(names, Type.STRING)},
            functions=declarations(self._sources),
            extensions=[ext_strings.ExtStrings()],
        )
        constants = {name: name for name in names if re.search(rf"\b{name}\b", entry.text)}
        return self._expression(entry, env.compile(entry.text), "STRING", constants)

    def _expression(self, entry: Entry, compiled: Any, type_name: str, constants: Scope) -> Expression:
        names = [name for name in _names(entry.text) if name in self._variables]
        self.named.update(names)
        definitions = tuple(self._definitions[name] for name in names if name in self._definitions)
        # Lists and maps cannot be looked up by.
        keep = all(self._variables[name].name() in _PLAIN for name in names)
        return Expression(entry, compiled, type_name, tuple(names), definitions, constants, keep)

    def _environment(self) -> Any:
        if self._env is None:
            self._env = cel.NewEnv(
                variables=self._variables, functions=declarations(self._sources), extensions=[ext_strings.ExtStrings()]
            )
        return self._env

    def _enum_environment(self, enum: EnumDescriptor, names: list[str]) -> Any:
        found = self._enum_envs.get(enum.full_name)
        if found is None:
            kind = Type.AbstractType(enum.name)
            typed = {name: kind for name, table in self._sources.tables.items() if table and set(table.values()) <= {*names, ""}}
            found = self._enum_envs[enum.full_name] = cel.NewEnv(
                variables={**self._variables, **dict.fromkeys(names, kind)},
                functions=declarations(self._sources, typed),
                extensions=[ext_strings.ExtStrings()],
            )
        return found

    def _compile(self, env: Any, entry: Entry, more_names: Iterable[str] = ()) -> Any:
        if entry.kind != "text":
            self._mistakes.add(entry, "has to be an expression")
            return None
        if not entry.text.strip():
            self._mistakes.add(entry, "is empty: write an expression, or leave the key out")
            return None
        try:
            compiled = env.compile(entry.text)
        except RuntimeError as error:
            faults = _FAULT.findall(str(error)) or [("1", "0", _STATUS.sub("", str(error)))]
            if any(f"undeclared reference to '{name}'" in str(error) for name in self.mistaken):
                return None
            for line, column, message in faults[:3]:
                self._mistakes.add(entry, self._explained(message, int(column), more_names), entry.text_line + int(line) - 1)
            return None
        if _TIME_CALL.search(entry.text):
            self._check_formats(entry)
        return compiled

    def _check_formats(self, entry: Entry) -> None:
        for literal in _LITERAL.findall(entry.text):
            format = literal.strip("\"'")
            if directives(format):
                try:
                    parser(format)
                except ValueError as error:
                    self._mistakes.add(entry, str(error))

    def _explained(self, message: str, column: int, more_names: Iterable[str]) -> str:
        message = message.split(" (in container")[0]
        missing = re.match(r"undeclared reference to '([^']*)'", message)
        if missing is None:
            return f"{message} (at character {column})"
        name = missing[1]
        what, _, column_name = name.partition(".")
        if column_name and what in ("row", "before"):
            columns = [one.partition(".")[2] for one in self._variables if one.startswith(f"{what}.")]
            if not columns:
                return f"there is no `{what}` here (at character {column})"
            near = did_you_mean(column_name, columns) or f"; the columns are {', '.join(sorted(columns))}"
            return f"the file has no column {column_name!r}{near}"
        known = [*self._variables, *NAMES, *self._sources.tables, *more_names]
        hint = did_you_mean(name, known) or f'; to say the text itself, write "{name}" in quotes'
        return f"nothing is called {name!r}{hint}"


def _names(text: str) -> list[str]:
    found: dict[str, None] = {}
    for member_of, member, plain in _NAME.findall(_LITERAL.sub('""', text)):
        found[f"{member_of}.{member}" if member_of else plain] = None
    return list(found)


def word(type_name: str) -> str:
    """Return a CEL type's name as mappings call it."""
    return WORDS.get(type_name, type_name.lower())
