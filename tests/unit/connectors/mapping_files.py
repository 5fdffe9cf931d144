"""Small mappings and files for tests."""

from __future__ import annotations

from pathlib import Path

from clients.connectors.mapping import Mapping
from clients.connectors.mapping_parser import read_mapping
from clients.connectors.row_mapper import RowMapper
from clients.connectors.time_text import TimeReader

EVENTS = """\
mapping: 1
source: crm
rows: event
key: row.id
times:
  format: "%d/%m/%Y %H:%M"
  zone: Europe/Paris
tables:
  channel: {Phone: phone, Web: web_form}
let:
  at: time(row.at)
envelope:
  occur_time: at
  channel: channel(row.channel)
rules:
  - rule: received
    when: row.what == "call"
    emit: contact-received
    set:
      contact_id: id("c", row.id)
      customer:
        when: known(row.who)
        type: '"account"'
        value: row.who
      reason: code(row.why)
  - rule: noted
    when: row.what == "note"
    emit: note-added
    set:
      contact_id: id("c", row.id)
      text: row.why
"""
"""A mapping of an event log. Its line numbers are part of the tests of mistakes."""

COLUMNS = ["id", "at", "channel", "what", "who", "why"]

SNAPSHOTS = """\
mapping: 1
source: desk
reader: {unknown: ["?"]}
rows: snapshot
case: row.number
order: [time(row.at), int(row.count)]
key: [row.number, row.count]
let:
  at: time(row.at)
  moved: "!first && known(row.team) && known(before.team) && row.team != before.team"
memory:
  waiting: {first: '""', next: 'known(row.person) ? "" : moved ? row.count : memory.waiting'}
envelope:
  occur_time: at
  department: code(row.team)
rules:
  - rule: opened
    when: first
    emit: request-opened
    set:
      request_id: id("r", row.number)
      owner_department: code(row.team)
  - rule: handed over
    when: moved
    emit: handoff-offered
    set:
      request_id: id("r", row.number)
      handoff_id: id("h", row.number + "." + row.count)
      from_department: code(before.team)
      to_department: code(row.team)
      ownership: MOVES
  - rule: accepted
    when: known(row.person) && (moved || known(memory.waiting))
    emit: handoff-accepted
    set:
      request_id: id("r", row.number)
      handoff_id: 'id("h", row.number + "." + (moved ? row.count : memory.waiting))'
      assignee: row.person
"""
SNAPSHOT_COLUMNS = ["number", "count", "at", "team", "person"]


def written(folder: Path, text: str, name: str = "mapping.yaml") -> Path:
    """Write a mapping and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def mapper_of(folder: Path, text: str, columns: list[str]) -> RowMapper:
    """Compile a mapping for columns. Raises MappingError."""
    return compiled(folder, text, columns)[2]


def compiled(folder: Path, text: str, columns: list[str]) -> tuple[Mapping, TimeReader, RowMapper]:
    """Compile a mapping for columns, and return the parts. Raises MappingError."""
    mapping, mistakes = read_mapping(written(folder, text))
    mistakes.end()
    times = TimeReader(mapping.time_format, mapping.time_zone)
    mapper = RowMapper(mapping, columns, times, mistakes)
    mapper.join_run("run-1")
    return mapping, times, mapper
