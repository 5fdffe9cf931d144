"""A mapping with a mistake is refused before the first row, with the line and the key, and with a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.connectors.mapping_text import MappingError
from tests.unit.connectors.mapping_files import COLUMNS, EVENTS, SNAPSHOT_COLUMNS, SNAPSHOTS, mapper_of

# A part of the mapping, what stands there instead, and where the mistake has to be found: line, key, words of the message.
MISTAKES = [
    ("a misspelt column", "key: row.id", "key: row.idd", 4, "key", "no column 'idd'; did you mean id?"),
    (
        "a column that is not there",
        "known(row.who)",
        "known(row.phone)",
        22,
        "rules[0].set.customer.when",
        "the columns are at, channel",
    ),
    ("a misspelt key", "source: crm", "sorce: crm", 2, "sorce", "did you mean source?"),
    ("a missing key", "source: crm\n", "", 1, "", "needs the key `source`"),
    ("a key that stands twice", "source: crm", "source: crm\nsource: crm", 3, "source", "stands twice; the first time on line 2"),
    ("a source that is no code", "source: crm", "source: Our CRM", 2, "source", "has to be a code"),
    ("another kind of rows", "rows: event", "rows: events", 3, "rows", "has to be event, case or snapshot"),
    ("another language", "mapping: 1", "mapping: 2", 1, "mapping", "reads the mapping language 1"),
    (
        "an unknown function",
        "code(row.why)",
        "coed(row.why)",
        25,
        "rules[0].set.reason",
        "nothing is called 'coed'; did you mean code?",
    ),
    ("a text without quotes", "'\"account\"'", "account", 23, "rules[0].set.customer.type", 'write "account" in quotes'),
    ("an unknown topic", "emit: note-added", "emit: note-aded", 28, "rules[1].emit", "did you mean note-added?"),
    (
        "a topic of the clock",
        "emit: note-added",
        "emit: promise-broken",
        28,
        "rules[1].emit",
        "written by the ledger or the importer itself",
    ),
    (
        "a topic of the importer",
        "emit: note-added",
        "emit: import-started",
        28,
        "rules[1].emit",
        "written by the ledger or the importer itself",
    ),
    (
        "an unknown field",
        "text: row.why",
        "txt: row.why",
        31,
        "rules[1].set.txt",
        "NoteAdded has no field 'txt'; did you mean text?",
    ),
    ("an unknown inner field", "value: row.who", "vale: row.who", 24, "rules[0].set.customer.vale", "did you mean value?"),
    ("a missing field", "      text: row.why\n", "", 26, "rules[1]", "NoteAdded needs the field `text`"),
    ("a missing inner field", "        value: row.who\n", "", 21, "rules[0].set.customer", "Identifier needs the field `value`"),
    (
        "a field of the ledger's",
        "reason: code(row.why)",
        "reason: code(row.why)\n      bot_answers: 'true'",
        26,
        "rules[0].set.bot_answers",
        "set by the ledger",
    ),
    ("a wrong type", "text: row.why", "text: line", 31, "rules[1].set.text", "is whole number, and has to be text"),
    (
        "a condition that is none",
        'when: row.what == "note"',
        "when: row.what",
        27,
        "rules[1].when",
        "is text, and has to be true or false",
    ),
    ("types that do not go together", 'row.what == "note"', "row.what == 3", 27, "rules[1].when", "'(string, int)'"),
    ("no expression at all", "text: row.why", "text: row.why +", 31, "rules[1].set.text", "Syntax error"),
    ("an empty expression", "text: row.why", "text:", 31, "rules[1].set.text", "is empty"),
    (
        "a constant that breaks a rule",
        "channel: channel(row.channel)",
        "channel: '\"By Phone\"'",
        14,
        "envelope.channel",
        "channel cannot be this",
    ),
    ("a time that is none", "occur_time: at", "occur_time: row.at", 13, "envelope.occur_time", "is text, and has to be time"),
    ("a time format of another kind", '"%d/%m/%Y %H:%M"', '"dd/mm/yyyy"', 6, "times.format", "has no directive"),
    ("a format in an expression", "at: time(row.at)", 'at: time(row.at, "%d.%Q")', 11, "let.at", "the directive %Q"),
    ("an unknown zone", "zone: Europe/Paris", "zone: CEST2", 7, "times.zone", "is no IANA time zone"),
    ("a definition named like a function", "  at: time(row.at)", "  code: row.at", 11, "let.code", "the name code is taken"),
    ("a rule without an event", "    emit: note-added\n", "", 26, "rules[1]", "needs the key `emit`"),
    ("two rules of one name", "rule: noted", "rule: received", 26, "rules[1].rule", "the rule on line 16 is called so too"),
    (
        "a map where an expression belongs",
        "text: row.why",
        "text: {a: row.why}",
        31,
        "rules[1].set.text",
        "text is text: write an expression, or `when` and `value`",
    ),
    (
        "an expression where a map belongs",
        "      customer:\n        when: known(row.who)\n        type: '\"account\"'\n        value: row.who\n",
        "      customer: row.who\n",
        21,
        "rules[0].set.customer",
        "write a map of them",
    ),
    (
        "a condition on what is always needed",
        'contact_id: id("c", row.id)\n      text',
        "contact_id: {when: known(row.who), value: row.id}\n      text",
        30,
        "rules[1].set.contact_id.when",
        "needed always",
    ),
    ("no rule", EVENTS[EVENTS.index("rules:") :], "rules: []\n", 15, "rules", "without a rule nothing is imported"),
    (
        "an unknown format of the file",
        "rows: event",
        "rows: event\nreader: {format: xlsx}",
        4,
        "reader.format",
        "has to be csv, jsonl or xes",
    ),
    (
        "an unknown encoding",
        "rows: event",
        "rows: event\nreader: {encoding: latin1x}",
        4,
        "reader.encoding",
        "unknown encoding: latin1x",
    ),
    ("json lines without columns", "rows: event", "rows: event\nreader: {format: jsonl}", 4, "reader", "needs the key `columns`"),
    (
        "memory without an order",
        "rows: event",
        "rows: event\nmemory: {x: {first: '1', next: '2'}}",
        4,
        "memory",
        "belongs to rows: snapshot",
    ),
    (
        "a marker as a line of a table",
        "Web: web_form",
        '"": web_form, "?": web_form}\nreader: {unknown: ["?"]',
        9,
        "tables.channel.?",
        "is a marker of `unknown`",
    ),
]


@pytest.mark.parametrize(("was", "is_now", "line", "key", "words"), [one[1:] for one in MISTAKES], ids=[one[0] for one in MISTAKES])
def test_a_mistake_is_found_before_the_first_row(tmp_path: Path, was: str, is_now: str, line: int, key: str, words: str) -> None:
    assert 1 == EVENTS.count(was)

    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, EVENTS.replace(was, is_now), COLUMNS)

    found = raised.value.mistakes
    assert [(line, key)] == [(one.line, one.key) for one in found]
    assert words in found[0].message
    assert str(raised.value).startswith(f"mapping.yaml:{line}: ")


SNAPSHOT_MISTAKES = [
    ("no case", "case: row.number\n", "", 1, "", "rows: snapshot needs the key `case`"),
    ("no order", "order: [time(row.at), int(row.count)]\n", "", 1, "", "rows: snapshot needs the key `order`"),
    (
        "a column of the row before that is not there",
        "known(before.team)",
        "known(before.tem)",
        10,
        "let.moved",
        "no column 'tem'; did you mean team?",
    ),
    (
        "an enum value that is none",
        "ownership: MOVES",
        "ownership: MOVED",
        31,
        "rules[1].set.ownership",
        "nothing is called 'MOVED'; did you mean MOVES?",
    ),
    ("an enum value in quotes", "ownership: MOVES", "ownership: '\"MOVES\"'", 31, "rules[1].set.ownership", "without quotes"),
    (
        "a value of another enum",
        "ownership: MOVES",
        "ownership: MINUTE",
        31,
        "rules[1].set.ownership",
        "nothing is called 'MINUTE'",
    ),
    (
        "memory that changes its type",
        "moved ? row.count : memory.waiting'",
        "moved ? row.count : memory.waiting'}\n  times: {first: '0', next: '\"one\"'",
        13,
        "memory.times.next",
        "is text, and has to be whole number",
    ),
    ("memory that begins with a row", "first: '\"\"'", "first: row.team", 12, "memory.waiting.first", "may not depend on a row"),
]


@pytest.mark.parametrize(
    ("was", "is_now", "line", "key", "words"),
    [one[1:] for one in SNAPSHOT_MISTAKES],
    ids=[one[0] for one in SNAPSHOT_MISTAKES],
)
def test_a_mistake_in_a_mapping_of_snapshots_is_found(
    tmp_path: Path, was: str, is_now: str, line: int, key: str, words: str
) -> None:
    assert 1 == SNAPSHOTS.count(was)

    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, SNAPSHOTS.replace(was, is_now), SNAPSHOT_COLUMNS)

    found = raised.value.mistakes
    assert [(line, key)] == [(one.line, one.key) for one in found]
    assert words in found[0].message


def test_all_mistakes_are_shown_in_order_of_their_lines(tmp_path: Path) -> None:
    text = EVENTS.replace("text: row.why", "txt: row.why").replace("key: row.id", "key: row.idd")

    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, text, COLUMNS)

    assert [4, 31] == [one.line for one in raised.value.mistakes]


def test_an_event_without_a_time_is_found_in_every_rule(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, EVENTS.replace("  occur_time: at\n", ""), COLUMNS)

    assert [(15, "rules[0]"), (25, "rules[1]")] == [(one.line, one.key) for one in raised.value.mistakes]
    assert "once for all rules in `envelope`" in str(raised.value)


def test_whoever_names_a_mistaken_definition_is_not_blamed(tmp_path: Path) -> None:
    text = EVENTS.replace("at: time(row.at)", "at: time(row.att)")

    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, text, COLUMNS)

    assert ["let.at"] == [one.key for one in raised.value.mistakes]


def test_a_mistake_in_a_text_of_several_lines_is_on_its_own_line(tmp_path: Path) -> None:
    text = EVENTS.replace('when: row.what == "note"', 'when: |\n      row.what == "note" &&\n      row.wat == ""')

    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, text, COLUMNS)

    assert [(29, "rules[1].when")] == [(one.line, one.key) for one in raised.value.mistakes]


@pytest.mark.parametrize("name", ["split", "contains", "import", "map", "first", "time", "string"])
def test_names_that_mean_something_already_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, EVENTS.replace("  channel: {Phone", f"  {name}: {{a: b}}\n  channel: {{Phone"), COLUMNS)

    assert [(9, f"tables.{name}")] == [(one.line, one.key) for one in raised.value.mistakes]


def test_an_alias_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="aliases are not read"):
        mapper_of(tmp_path, EVENTS.replace("key: row.id", "key: &k row.id\ncorder: *k"), COLUMNS)


@pytest.mark.parametrize(("text", "line"), [("mapping: 1\nrows: [", 2), ("", 1), ("a: 'x\n", 2), ("- a\n- b\n", 1)])
def test_what_is_no_mapping_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(MappingError) as raised:
        mapper_of(tmp_path, text, COLUMNS)

    assert line == raised.value.mistakes[0].line
