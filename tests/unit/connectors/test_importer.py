"""The import without a ledger: dry runs, rejects, progress, checkpoints. With one: tests/end_to_end/test_import.py."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from clients.connectors.checkpoint import Checkpoint, checkpoint_path, read_checkpoint, write_checkpoint
from clients.connectors.importer import run_import, shipped_mappings
from clients.connectors.mapping_text import MappingError
from clients.connectors.reject_file import RejectFile
from clients.connectors.rows import ReadError
from clients.connectors.tally import Progress, Tally
from tests.unit.connectors.mapping_files import COLUMNS, EVENTS, SNAPSHOT_COLUMNS, SNAPSHOTS, written

GOOD = "1,29/02/2016 10:00,Phone,call,A-1,delivery"


def csv_file(folder: Path, *rows: str, columns: list[str] = COLUMNS) -> Path:
    path = folder / "contacts.csv"
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")
    return path


def rejected(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_dry_run_counts_what_would_be_recorded_and_needs_no_ledger(tmp_path: Path) -> None:
    file = csv_file(tmp_path, GOOD, "1,29/02/2016 10:05,Phone,note,,called back")

    summary = run_import(file, written(tmp_path, EVENTS), dry_run=True, reject_path=tmp_path / "rejects")

    assert {"contact-received": 1, "note-added": 1} == summary.tally.topics
    assert (2, 2, 0, None) == (summary.tally.rows_read, summary.events, summary.tally.events_appended, summary.reject_path)
    assert not (tmp_path / "rejects").exists()


def test_rows_that_cannot_be_imported_go_to_the_reject_file_with_line_reason_and_row(tmp_path: Path) -> None:
    file = csv_file(
        tmp_path,
        GOOD,
        "2,30/02/2016 10:00,Phone,call,A-1,delivery",
        "3,29/02/2016 10:00,Phone,call",
        "4,29/02/2016 10:00,Phone,call," + "x" * 400 + ",delivery",
        "5,29/02/2016 10:00,Phone,call,A-1,delivery",
    )
    rejects = tmp_path / "rejects"

    summary = run_import(file, written(tmp_path, EVENTS), dry_run=True, reject_path=rejects)

    found = rejected(rejects)
    assert (5, 3, 2) == (summary.tally.rows_read, summary.tally.rows_rejected, summary.events)
    assert [3, 4, 5] == [one["line"] for one in found]
    assert "'30/02/2016 10:00' is no time of the form %d/%m/%Y %H:%M" == found[0]["reason"]
    assert ("let.at", "received", "30/02/2016 10:00") == (found[0]["place"], found[0]["rule"], found[0]["row"]["at"])  # type: ignore[index]
    assert "has 4 cells, and the header 6" == found[1]["reason"]
    assert str(found[2]["reason"]).startswith("contact-received: customer.value: ")
    assert "4" == found[2]["key"]


def test_the_reject_file_is_for_its_owner_only(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects"

    run_import(csv_file(tmp_path, "2,soon,Phone,call,A-1,x"), written(tmp_path, EVENTS), dry_run=True, reject_path=rejects)

    assert 0o600 == stat.S_IMODE(rejects.stat().st_mode)


def test_snapshots_need_not_be_sorted(tmp_path: Path) -> None:
    rows = [
        "I-1,2,2016-03-01T10:05,B,p-1",
        "I-2,0,2016-03-01T09:00,C,?",
        "I-1,0,2016-03-01T10:00,A,?",
        "I-1,1,2016-03-01T10:05,A,?",
    ]
    file = csv_file(tmp_path, *rows, columns=SNAPSHOT_COLUMNS)

    summary = run_import(file, written(tmp_path, SNAPSHOTS), dry_run=True, reject_path=tmp_path / "rejects")

    assert {"request-opened": 2, "handoff-offered": 1, "handoff-accepted": 1} == summary.tally.topics


def test_times_of_the_two_odd_nights_are_counted(tmp_path: Path) -> None:
    rows = [f"{number},{at},Phone,call,,x" for number, at in enumerate(("27/3/2016 02:30", "30/10/2016 02:30", "30/10/2016 04:30"))]

    summary = run_import(csv_file(tmp_path, *rows), written(tmp_path, EVENTS), dry_run=True, reject_path=tmp_path / "rejects")

    assert (1, 1) == (summary.tally.moved_times, summary.tally.ambiguous_times)


def test_the_run_is_named_by_file_and_mapping_and_not_by_their_places(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    runs = [
        run_import(csv_file(folder, GOOD), written(folder, text), dry_run=True, reject_path=tmp_path / "rejects").run_id
        for folder, text in ((tmp_path, EVENTS), (elsewhere, EVENTS), (tmp_path, EVENTS + "# mended\n"))
    ]

    assert runs[0] == runs[1] != runs[2]


def test_progress_ends_at_the_end_of_the_file(tmp_path: Path) -> None:
    seen: list[Progress] = []
    file = csv_file(tmp_path, GOOD)

    run_import(file, written(tmp_path, EVENTS), dry_run=True, reject_path=tmp_path / "rejects", progress=seen.append)

    last = seen[-1]
    assert ("importing", file.stat().st_size, "bytes", 1) == (last.stage, last.done, last.unit, last.tally.rows_read)


def test_a_mistaken_mapping_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"mapping\.yaml:4: key: the file has no column 'idd'"):
        run_import(
            csv_file(tmp_path, "1,soon,Phone,call,A-1,x"),
            written(tmp_path, EVENTS.replace("key: row.id", "key: row.idd")),
            target="127.0.0.1:1",
            reject_path=tmp_path / "rejects",
        )

    assert not (tmp_path / "rejects").exists()


def test_columns_that_a_mapping_asks_for_have_to_be_there(tmp_path: Path) -> None:
    text = EVENTS.replace("rows: event", "rows: event\nreader: {columns: [id, phone]}")

    with pytest.raises(MappingError, match=r"reader\.columns: the file has no column 'phone'"):
        run_import(csv_file(tmp_path, GOOD), written(tmp_path, text), dry_run=True, reject_path=tmp_path / "rejects")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()

    with pytest.raises(ReadError, match="empty"):
        run_import(empty, written(tmp_path, EVENTS), dry_run=True, reject_path=tmp_path / "rejects")


def test_a_checkpoint_counts_for_its_own_run_only(tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path / "rejects")
    checkpoint = Checkpoint("run-1", 40, 7, Tally(rows_read=40, topics={"note-added": 3}))

    write_checkpoint(path, checkpoint)

    assert checkpoint == read_checkpoint(path, "run-1")
    assert None is read_checkpoint(path, "run-2")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run_id": "run-1"}', '{"run_id": "run-1", "rows_done": "x"}'])
def test_a_damaged_checkpoint_is_no_checkpoint(tmp_path: Path, content: str) -> None:
    path = checkpoint_path(tmp_path / "rejects")
    path.write_text(content, encoding="utf-8")

    assert None is read_checkpoint(path, "run-1")


def test_rejects_after_the_checkpoint_are_written_again_and_not_twice(tmp_path: Path) -> None:
    path = tmp_path / "rejects"
    first = RejectFile(path)
    first.add(2, "k", "a reason", {"id": "1"})
    kept = first.size_bytes
    first.add(3, "k", "after the checkpoint", {"id": "2"})
    first.close()

    again = RejectFile(path, kept)
    again.add(3, "k", "after the checkpoint", {"id": "2"})
    again.close()

    assert [2, 3] == [one["line"] for one in rejected(path)]


def test_an_import_that_begins_anew_forgets_old_rejects(tmp_path: Path) -> None:
    path = tmp_path / "rejects"
    path.write_text("old\n", encoding="utf-8")

    RejectFile(path).close()

    assert not path.exists()


def test_the_shipped_mappings_are_part_of_the_package() -> None:
    assert {"boston311", "incidents", "sample"} <= shipped_mappings().keys()
