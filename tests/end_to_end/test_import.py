"""Imports into the real server: again, broken off, grown, mended, refused. The figures of real data: test_import_data.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

import pytest

from clients.connectors.checkpoint import checkpoint_path
from clients.connectors.importer import run_import
from clients.connectors.tally import Summary
from clients.python import Client
from tests import held_import
from tests.server_process import Server
from tests.unit.connectors.offline import outcomes

FRAME: Final = {"import-started", "import-finished"}
ROWS: Final = 6_000
CASES: Final = 1_200

MAPPING = """\
mapping: 1
source: {source}
reader: {{unknown: ["?"]}}
rows: snapshot
case: row.number
order: [time(row.at), int(row.count)]
key: [row.number, row.count]
let:
  at: time(row.at)
  name: id("{source}", row.number)
  moved: "!first && row.team != before.team"
envelope:
  occur_time: at
  department: code(row.team)
rules:
  - rule: received
    when: first
    emit: contact-received
    set:
      contact_id: name
      customer: {{type: row.kind, value: row.who}}
      reason: '"unknown"'
  - rule: opened
    when: first
    emit: request-opened
    set: {{request_id: name, contact_id: name, owner_department: code(row.team)}}
  - rule: promised
    when: first
    emit: promise-made
    set:
      promise_id: name
      kind: '"answer"'
      request_id: name
      due: {{local: local(row.at), zone: '"Europe/Paris"'}}
  - rule: handed over
    when: moved
    emit: handoff-offered
    set:
      request_id: name
      handoff_id: name + "." + row.count
      from_department: code(before.team)
      to_department: code(row.team)
      ownership: MOVES
  - rule: accepted
    when: moved
    emit: handoff-accepted
    set: {{request_id: name, handoff_id: name + "." + row.count}}
"""


class Desk:
    """A ticket system of its own source, with a file and a mapping, so that tests may share a server."""

    def __init__(self, folder: Path, source: str, target: str) -> None:
        self.folder = folder
        self.source = source
        self.target = target
        self.file = folder / "tickets.csv"
        self.mapping = folder / "tickets.yaml"
        self.rejects = folder / "rejects.jsonl"
        self.mapping.write_text(MAPPING.format(source=source), encoding="utf-8")

    def write(self, rows: int = 60, cases: int = 12) -> list[str]:
        random = Random(7)
        lines = []
        for number in range(rows):
            case = number % cases
            count = number // cases
            who = f"{self.source}-{case}@example.org"
            lines.append(
                f"{case},{count},2016-03-01T{count % 24:02}:{random.randrange(60):02}:00,team {random.randrange(4)},email,{who}"
            )
        self.write_rows(lines)
        return lines

    def write_rows(self, lines: list[str]) -> None:
        self.file.write_text("\n".join(["number,count,at,team,kind,who", *lines]) + "\n", encoding="utf-8")

    def run(self, **options: bool) -> Summary:
        return run_import(self.file, self.mapping, target=self.target, reject_path=self.rejects, **options)  # type: ignore[arg-type]

    @contextmanager
    def held(self, rows_taken: int, rows_settled: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the import by the command line in a process of its own: it stands still in its middle."""
        command = [str(self.file), "--mapping", str(self.mapping), "--rejects", str(self.rejects), "--target", self.target]
        with held_import.started({rows_taken: rows_settled}, *command, *options) as process:
            held_import.wait_until_held(process)
            yield process

    def expected_ids(self) -> list[str]:
        return sorted(one.envelope.event_id for row in outcomes(self.file, self.mapping) for one in row.events)

    def recorded_ids(self, frame: bool = False) -> list[str]:
        with Client(self.target) as client:
            return sorted(
                event.envelope.event_id
                for event in client.read_events()
                if event.envelope.source == self.source and (event.topic in FRAME) == frame
            )

    def rejected(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.rejects.read_text(encoding="utf-8").splitlines()]


DeskOf = Callable[[str, str], Desk]


@pytest.fixture
def desk_of(tmp_path: Path) -> DeskOf:
    return lambda source, target: Desk(tmp_path, source, target)


def test_a_file_is_imported_once_and_framed(shared_server: Server, desk_of: DeskOf) -> None:
    desk = desk_of("framed", shared_server.target)
    desk.write()

    summary = desk.run()

    assert desk.expected_ids() == desk.recorded_ids()
    assert (60, 0, len(desk.expected_ids()), False) == (
        summary.tally.rows_read,
        summary.tally.rows_rejected,
        summary.tally.events_appended,
        summary.imported_before,
    )
    assert 2 == len(desk.recorded_ids(frame=True))
    assert not checkpoint_path(desk.rejects).exists()
    with Client(shared_server.target) as client:
        # The status is what the views say, and they may be a moment behind.
        shared_server.wait_until(lambda: summary.run_id not in client.status().open_import_runs, "the run is still open")


def test_importing_again_records_nothing(shared_server: Server, desk_of: DeskOf) -> None:
    desk = desk_of("again", shared_server.target)
    desk.write()
    first = desk.run()
    before = desk.recorded_ids()

    again = desk.run()

    assert (True, 0, first.tally.events_appended, 0) == (
        again.imported_before,
        again.tally.events_appended,
        again.tally.events_duplicate,
        again.tally.rows_rejected,
    )
    assert before == desk.recorded_ids()
    assert 2 == len(desk.recorded_ids(frame=True))


def test_a_file_that_grew_brings_in_what_is_new(shared_server: Server, desk_of: DeskOf) -> None:
    desk = desk_of("grown", shared_server.target)
    lines = desk.write()
    desk.write_rows(lines[:36])
    first = desk.run()

    desk.write_rows(lines)
    second = desk.run()

    assert desk.expected_ids() == desk.recorded_ids()
    assert (first.tally.events_appended, 0) == (second.tally.events_duplicate, second.tally.rows_rejected)
    assert first.run_id != second.run_id


def test_a_row_that_the_source_changed_since_is_rejected_and_what_is_recorded_stands(
    shared_server: Server, desk_of: DeskOf
) -> None:
    desk = desk_of("changed", shared_server.target)
    lines = desk.write()
    desk.run()
    before = desk.recorded_ids()

    desk.write_rows([lines[0].replace("@example.org", "@example.com"), *lines[1:]])
    summary = desk.run()

    assert before == desk.recorded_ids()
    (found,) = desk.rejected()
    assert (1, 2, "EVENT_ID_REUSED") == (summary.tally.rows_rejected, found["line"], found["code"])
    assert "imported before with other content" in found["reason"]


def test_what_the_ledger_refuses_is_rejected_with_its_reason_and_nothing_else_is(shared_server: Server, desk_of: DeskOf) -> None:
    desk = desk_of("refused", shared_server.target)
    lines = desk.write(24, 24)
    desk.write_rows([lines[0].replace(",email,", ",phone,"), *lines[1:]])

    summary = desk.run()

    (found,) = desk.rejected()
    assert (1, 23) == (summary.tally.rows_rejected, summary.tally.topics["request-opened"])
    assert (2, "IDENTIFIER_INVALID") == (found["line"], found["code"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_import_killed_in_the_middle_goes_on_where_it_was(server: Server, desk_of: DeskOf) -> None:
    desk = desk_of("killed", server.target)
    desk.write(ROWS, CASES)
    with desk.held(ROWS // 2, ROWS // 10) as process:
        process.kill()
    begun = len(desk.recorded_ids())
    summary = desk.run(resume=True)

    expected = desk.expected_ids()
    assert 0 < begun < len(expected)
    assert expected == desk.recorded_ids()
    assert (ROWS, 0, len(expected)) == (
        summary.tally.rows_read,
        summary.tally.rows_rejected,
        summary.tally.events_appended + summary.tally.events_duplicate,
    )
    assert 0 < summary.resumed_rows < ROWS
    assert 2 == len(desk.recorded_ids(frame=True))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_import_needs_no_checkpoint(server: Server, desk_of: DeskOf) -> None:
    desk = desk_of("lost", server.target)
    desk.write(ROWS // 2, CASES // 2)
    with desk.held(ROWS // 4, ROWS // 20) as process:
        process.kill()

    checkpoint_path(desk.rejects).unlink()
    summary = desk.run(resume=True)

    assert desk.expected_ids() == desk.recorded_ids()
    assert (0, True) == (summary.resumed_rows, summary.tally.events_duplicate > 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_import_carries_on_when_the_server_is_killed(server: Server, desk_of: DeskOf) -> None:
    desk = desk_of("carries", server.target)
    desk.write(ROWS, CASES)

    with desk.held(ROWS // 2, ROWS // 10, "--json") as process:
        before = server.kill("server")
        held_import.go_on(process)
        server.wait_until_restarted("server", before)
        out, err = process.communicate()

    assert (0, b"") == (process.returncode, err)
    assert desk.expected_ids() == desk.recorded_ids()
    assert 0 == json.loads(out)["rows_rejected"]
