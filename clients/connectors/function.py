"""The functions that mappings have beside those of CEL. Pure but for the times noted by the `TimeReader`.

An unknown value is the empty text. Functions that make codes and texts give the empty text for it, and an empty text leaves a
field unset; functions that need a value say so. What they raise is shown to people, beside the row it is about.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from cel_expr_python import cel

from clients.connectors.event_id import SEPARATOR, derived_id
from clients.connectors.time_text import TimeReader, micros

CODE_LENGTH_MAX: Final = 64
ID_LENGTH_MAX: Final = 96
_KEPT_MAX: Final = 10_000

NAMES: Final = ("code", "event_id", "find", "id", "json", "known", "local", "pad", "time")
"""Functions of our own. docs/import.md explains each; a test holds the two together."""

Type = cel.Type


@dataclass(frozen=True, slots=True)
class Sources:
    """What the functions of one mapping draw on."""

    times: TimeReader
    tables: Mapping[str, Mapping[str, str]]
    source: str = ""
    rules: frozenset[str] = frozenset()

    def event_id(self, rule: str, key: str | Sequence[str], at: datetime) -> str:
        """Return the id of the event that a rule makes of the row with this key, where it occurs at this time.

        Raises ValueError for a rule that the mapping does not have.
        """
        if rule not in self.rules:
            raise ValueError(f"the mapping has no rule {rule!r}")
        return derived_id(micros(at), self.source, SEPARATOR.join([key] if isinstance(key, str) else key), rule)


def declarations(sources: Sources, typed: Mapping[str, Any] | None = None) -> list[Any]:
    """Return the functions for an environment: our own, and one a table, whose values are texts or of the type in `typed`."""
    text, moment, texts = Type.STRING, Type.TIMESTAMP, Type.List(Type.STRING)
    instant, local, event_id = sources.times.instant, sources.times.local, sources.event_id
    found = [
        _function("known", (Type.BOOL, [text], known)),
        _function("code", (text, [text], code), (text, [text, text], prefixed_code)),
        _function("id", (text, [text, text], entity_id)),
        _function("event_id", (text, [text, text, moment], event_id), (text, [text, texts, moment], event_id)),
        _function("time", (moment, [text], instant), (moment, [text, text], instant), (moment, [text, text, text], instant)),
        _function("local", (text, [text], local), (text, [text, text], local)),
        _function("find", (text, [text, text], find)),
        _function("pad", (text, [text, Type.INT, text], pad)),
        _function("json", (text, [Type.MAP], json_text)),
    ]
    for name, table in sources.tables.items():
        value = (typed or {}).get(name, text)
        found.append(_function(name, (value, [text], looked_up(name, table)), (value, [text, value], looked_up(name, table))))
    return found


def _function(name: str, *overloads: tuple[Any, list[Any], Callable[..., Any]]) -> Any:
    return cel.FunctionDecl(
        name,
        [
            cel.Overload(f"{name}_{number}", return_type=gives, parameters=given, impl=does)
            for number, (gives, given, does) in enumerate(overloads)
        ],
    )


def known(text: str) -> bool:
    """True when there is a value: the markers of `unknown` read as the empty text."""
    return text != ""


@lru_cache(_KEPT_MAX)
def code(text: str) -> str:
    """Return a text as an organisation's code: `Self service` is `self_service`. Raises ValueError when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("œ", "oe").replace("Œ", "oe").replace("æ", "ae"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()
    found = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:CODE_LENGTH_MAX].strip("_")
    if text.strip() and not found:
        raise ValueError(f"{text!r} has no letter or digit to make a code of: put it into a table")
    return found


def prefixed_code(prefix: str, text: str) -> str:
    """Return `<prefix>_<code>`, as in `group_72`; the empty text for an unknown value."""
    found = code(text)
    return f"{prefix}_{found}"[:CODE_LENGTH_MAX] if found else ""


@lru_cache(_KEPT_MAX)
def entity_id(prefix: str, text: str) -> str:
    """Return an id of the ledger, `<prefix>-<text>`. What ids may not hold becomes `_`, and a digest keeps such ids apart.

    Raises ValueError for an unknown text: an id has to say which.
    """
    if not text:
        raise ValueError("an id cannot be made of an unknown value")
    given = f"{prefix}-{text}"
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]*", given) and len(given) <= ID_LENGTH_MAX:
        return given
    digest = sha256(given.encode()).hexdigest()[:12]
    plain = re.sub(r"[^A-Za-z0-9._:-]+", "_", given).lstrip("_.:-")[: ID_LENGTH_MAX - len(digest) - 1]
    return f"{plain}.{digest}" if plain else digest


def find(text: str, pattern: str) -> str:
    """Return what a regular expression finds first: its group 1, or all of it where it has none; the empty text for nothing."""
    try:
        found = re.search(pattern, text)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    if found is None:
        return ""
    return (found[1] or "") if found.re.groups else found[0]


def pad(text: str, width: int, fill: str) -> str:
    """Return a text filled up on the left: `pad("2121", 5, "0")` is `02121`. Unknown stays unknown."""
    if len(fill) != 1:
        raise ValueError("pad fills with one character")
    return text.rjust(min(width, 1000), fill) if text else ""


def json_text(value: Mapping[str, Any]) -> str:
    """Return a map as JSON text, its keys sorted, unknown values left out: the same map is always the same text."""
    return json.dumps({key: item for key, item in value.items() if item != ""}, sort_keys=True, ensure_ascii=False, default=str)


def looked_up(name: str, table: Mapping[str, str]) -> Callable[..., str]:
    """Return the function of a table: unknown stays unknown; a text that is not in it is an error, or the second argument."""

    def look_up(text: str, otherwise: str | None = None) -> str:
        found = table.get(text, otherwise)
        if found is None:
            if text == "":
                return ""
            raise ValueError(f"the table {name} has no line for {text!r}")
        return found

    return look_up
