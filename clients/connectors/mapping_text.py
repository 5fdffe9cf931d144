"""The text of a mapping as a tree that remembers its lines, and the mistakes found in it.

Knows YAML, and nothing of what a mapping means. Values are kept as they are written: `3`, `true`, `row.a == "x"` are all texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple

import yaml

MISTAKES_SHOWN_MAX: Final = 20


class Mistake(NamedTuple):
    """One mistake in a mapping."""

    line: int
    """1-based."""
    key: str
    """Path of keys to it, such as `rules[2].set.reason`; empty for the file as a whole."""
    message: str


class MappingError(Exception):
    """The mapping has mistakes: nothing was imported.

    `mistakes` are in order of their lines; the text of the exception shows them one a line, as `file:line: key: what is wrong`.
    """

    def __init__(self, name: str, mistakes: Iterable[Mistake]) -> None:
        self.name = name
        self.mistakes = sorted(mistakes)
        shown = [f"{name}:{m.line}: {m.key + ': ' if m.key else ''}{m.message}" for m in self.mistakes[:MISTAKES_SHOWN_MAX]]
        rest = len(self.mistakes) - len(shown)
        super().__init__("\n".join([*shown, f"... and {rest} more"] if rest else shown))


@dataclass(slots=True)
class Entry:
    """A value of the mapping: a text, a list or a map, with its line and the keys that lead to it."""

    kind: Literal["text", "list", "map"]
    line: int
    key: str
    text: str = ""
    text_line: int = 0
    """Line on which the text itself begins: after `|` or `>` it is the next one."""
    items: list[Entry] = field(default_factory=list)
    fields: dict[str, Entry] = field(default_factory=dict)


class Mistakes:
    """Collects mistakes, so that one run shows all of them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[Mistake] = []

    def add(self, entry: Entry, message: str, line: int | None = None) -> None:
        """Note a mistake at an entry, once: what holds for every rule is read for each of them."""
        mistake = Mistake(line or entry.line, entry.key, message)
        if mistake not in self.found:
            self.found.append(mistake)

    def end(self) -> None:
        """Raise MappingError when there are any."""
        if self.found:
            raise MappingError(self.name, self.found)


def parse_mapping(text: str, mistakes: Mistakes) -> Entry:
    """Return the tree of a mapping. Raises MappingError at once where the text is no YAML: nothing else can be said then."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MappingError(
            mistakes.name, [Mistake(mark.line + 1 if mark else 1, "", f"this is no YAML: {error.problem}")]
        ) from None
    except yaml.YAMLError as error:
        raise MappingError(mistakes.name, [Mistake(1, "", f"this is no YAML: {error}")]) from None
    if node is None:
        raise MappingError(mistakes.name, [Mistake(1, "", "the mapping is empty")])
    return _entry(node, "", mistakes, set())


def _entry(node: yaml.Node, key: str, mistakes: Mistakes, seen: set[int]) -> Entry:
    line = node.start_mark.line + 1
    if id(node) in seen:
        # An alias of an alias of an alias is a file that never ends; and a definition says it better.
        entry = Entry("text", line, key)
        mistakes.add(entry, "aliases are not read: give it a name in `let`, and use that")
        return entry
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        block = node.style in ("|", ">")
        missing = node.tag == "tag:yaml.org,2002:null" and node.style is None
        return Entry("text", line, key, text="" if missing else node.value, text_line=line + block)
    if isinstance(node, yaml.SequenceNode):
        items = [_entry(item, f"{key}[{number}]", mistakes, seen) for number, item in enumerate(node.value)]
        return Entry("list", line, key, items=items)
    assert isinstance(node, yaml.MappingNode)
    fields: dict[str, Entry] = {}
    for key_node, value_node in node.value:
        name = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        value = _entry(value_node, f"{key}.{name}" if key else name, mistakes, seen)
        if not isinstance(key_node, yaml.ScalarNode):
            mistakes.add(value, "a key has to be a text", key_node.start_mark.line + 1)
        elif name in fields:
            mistakes.add(value, f"stands twice; the first time on line {fields[name].line}", key_node.start_mark.line + 1)
        else:
            value.line = key_node.start_mark.line + 1
            fields[name] = value
    return Entry("map", line, key, fields=fields)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is meant by a misspelt one; empty when none is near."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message that names the nearest known word; empty when none is near."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""
