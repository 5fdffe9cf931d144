"""docs/import.md says all that a mapping may say, and its examples are mappings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clients.connectors.function import NAMES
from clients.connectors.mapping import ENVELOPE_KEYS, KEYS, MEMORY_KEYS, READER_KEYS, ROW_KINDS, RULE_KEYS, TIMES_KEYS
from clients.connectors.reader import READERS
from tests.unit.connectors.mapping_files import compiled

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "import.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(mapping: 1\n.*?)```", TEXT, re.DOTALL)
COLUMNS = {
    "shop_calls": ["id", "when", "channel", "account", "reason"],
    "desk": ["number", "version", "changed", "team", "person"],
}


@pytest.mark.parametrize("key", sorted({*KEYS, *READER_KEYS, *TIMES_KEYS, *MEMORY_KEYS, *ENVELOPE_KEYS, *RULE_KEYS}))
def test_every_key_has_a_line_in_the_reference(key: str) -> None:
    assert re.search(rf"^\| `{key}` \| \S", TEXT, re.MULTILINE)


@pytest.mark.parametrize("function", NAMES)
def test_every_function_has_a_line_in_the_reference(function: str) -> None:
    assert re.search(rf"^\| `{function}\(.*\)` \| \S", TEXT, re.MULTILINE)


@pytest.mark.parametrize("word", [*ROW_KINDS, *READERS])
def test_every_kind_of_rows_and_every_format_is_explained(word: str) -> None:
    assert f"`{word}` (" in TEXT


@pytest.mark.parametrize("text", EXAMPLES, ids=[example.split("source: ")[1].split()[0] for example in EXAMPLES])
def test_the_examples_are_mappings(tmp_path: Path, text: str) -> None:
    source = text.split("source: ")[1].split()[0]

    mapping, _, _ = compiled(tmp_path, text, COLUMNS[source])

    assert source == mapping.source


def test_there_are_examples() -> None:
    assert COLUMNS.keys() == {example.split("source: ")[1].split()[0] for example in EXAMPLES}
