"""What the log on SQLite does beyond the contract: settings, immutability, locks, failed commits."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from uuid_utils import uuid7

from ledger import sqlite_file
from ledger.sqlite_file import SchemaTooNewError, SqliteSettingError, open_durable
from ledger.store.recorder import Head, StoredEventRow, StoreFullError, StoreUnavailableError
from ledger.store.sqlite import SqliteApplicationRecorder, open_reader, open_recorder
from ledger.store.sqlite_schema import SCHEMA_VERSION, store_errors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def recorder(path: Path) -> Iterator[SqliteApplicationRecorder]:
    opened = open_recorder(path)
    yield opened
    opened.close()


def row(position: int) -> StoredEventRow:
    return StoredEventRow(position, uuid7().bytes, f"contact-{position}", 1, "contact-received", 1_000, b"header", b"parts")


def append(recorder: SqliteApplicationRecorder, *rows: StoredEventRow) -> None:
    with recorder.transaction() as transaction:
        transaction.insert(rows)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event WHERE position = 1",
        "DELETE FROM event",
        "UPDATE event SET position = 9 WHERE position = 1",
        "UPDATE event SET event_id = zeroblob(16) WHERE position = 1",
        "UPDATE event SET stream = 'other' WHERE position = 1",
        "UPDATE event SET revision = 2 WHERE position = 1",
        "UPDATE event SET topic = 'other' WHERE position = 1",
        "UPDATE event SET record_time = 999 WHERE position = 1",
        "UPDATE event SET header = x'00' WHERE position = 1",
        "UPDATE event SET header = header, parts = NULL WHERE position = 1",
        "DELETE FROM head",
        "UPDATE head SET position = 0",
        "UPDATE head SET record_time = 999",
    ],
)
def test_the_tables_themselves_refuse_to_change_what_was_recorded(
    recorder: SqliteApplicationRecorder, path: Path, statement: str
) -> None:
    kept = row(1)
    append(recorder, kept)

    with closing(sqlite3.connect(path)) as anybody, pytest.raises(sqlite3.IntegrityError, match="never"):
        anybody.execute(statement)

    assert [kept] == recorder.read(0, 10)
    assert Head(1, 1_000) == recorder.head()


@pytest.mark.parametrize("parts", [None, b"sealed again"])
def test_sealed_parts_may_be_dropped_or_sealed_again(recorder: SqliteApplicationRecorder, path: Path, parts: bytes | None) -> None:
    kept = row(1)
    append(recorder, kept)

    with closing(open_durable(path)) as keeper:
        keeper.execute("UPDATE event SET parts = ? WHERE position = 1", (parts,))

    assert [kept._replace(parts=parts)] == recorder.read(0, 10)


def test_bytes_are_stored_as_blobs_and_no_parts_as_null(recorder: SqliteApplicationRecorder, path: Path) -> None:
    sealed, clear, empty = row(1), row(2)._replace(parts=None), row(3)._replace(header=b"", parts=b"")
    append(recorder, sealed, clear, empty)

    with closing(sqlite3.connect(path)) as anybody:
        types = anybody.execute("SELECT typeof(event_id), typeof(header), typeof(parts) FROM event ORDER BY position").fetchall()

    assert [("blob", "blob", "blob"), ("blob", "blob", "null"), ("blob", "blob", "blob")] == types
    assert [sealed, clear, empty] == recorder.read(0, 10)


def test_our_connections_refuse_to_replace_an_event(recorder: SqliteApplicationRecorder, path: Path) -> None:
    kept = row(1)
    append(recorder, kept)

    for replacement in (kept._replace(header=b"other"), kept._replace(position=2), row(2)._replace(stream=kept.stream)):
        with closing(open_durable(path)) as ours, pytest.raises(sqlite3.IntegrityError, match="never deleted"):
            ours.execute("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", replacement)

    assert [kept] == recorder.read(0, 10)


def test_a_file_opened_for_writing_syncs_every_commit(path: Path) -> None:
    with closing(open_durable(path)) as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "recursive_triggers")
        }

    assert {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 20_000, "recursive_triggers": 1} == settings


def test_a_file_that_does_not_take_the_settings_is_refused() -> None:
    # A database in memory has no write-ahead log.
    with pytest.raises(SqliteSettingError, match="journal_mode=memory instead of wal"):
        open_durable(Path(":memory:"))


def test_a_log_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    open_recorder(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute("UPDATE head SET schema_version = ?", (SCHEMA_VERSION + 1,))
    before = path.read_bytes()

    with pytest.raises(SchemaTooNewError, match="update this program"):
        open_recorder(path)
    with pytest.raises(SchemaTooNewError, match="update this program"):
        open_reader(path)

    assert before == path.read_bytes()


def test_readers_cannot_write(recorder: SqliteApplicationRecorder, path: Path) -> None:
    with closing(sqlite_file.open_read_only(path)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("UPDATE head SET position = 1")


def test_a_process_that_appends_shuts_others_out_until_it_commits(
    recorder: SqliteApplicationRecorder, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_SECONDS", 0.05)
    other = open_recorder(path)

    with recorder.transaction() as transaction:
        with pytest.raises(StoreUnavailableError, match="locked by another process"), other.transaction():
            pass
        transaction.insert([row(1)])
    append(other, row(2))

    assert Head(2, 1_000) == recorder.head()
    other.close()


def test_the_log_is_checkpointed_beside_the_appends(recorder: SqliteApplicationRecorder, path: Path) -> None:
    append(recorder, *(row(position) for position in range(1, 501)))

    for _ in range(1_000):
        # The file without its write-ahead log.
        if b"contact-500" in path.read_bytes():
            return
        time.sleep(0.05)

    pytest.fail("nothing was checkpointed in 50 seconds")


def test_a_full_disk_is_told_apart(path: Path) -> None:
    with closing(open_durable(path)) as connection:
        connection.execute("CREATE TABLE filler (content BLOB)")
        connection.execute("PRAGMA max_page_count = 10")

        with pytest.raises(StoreFullError, match="make room"), store_errors(path):
            connection.execute("INSERT INTO filler VALUES (zeroblob(100000))")


FAILING_COMMIT = """
import resource, sys
from pathlib import Path
from ledger.store.recorder import OutcomeUnknownError, StoredEventRow
from ledger.store.sqlite import open_recorder

def append(position):
    with recorder.transaction() as transaction:
        transaction.insert([StoredEventRow(position, bytes([position]) * 16, "a", position, "topic", 1, b"header" * 10_000, None)])

recorder = open_recorder(Path(sys.argv[1]))
append(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    append(2)
except OutcomeUnknownError as error:
    print("unknown", "look the event ids up" in str(error))
try:
    with recorder.transaction() as transaction:
        transaction.touch()
except OutcomeUnknownError:
    print("still full")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(sorted(recorder.find_event_ids([bytes([position]) * 16 for position in (1, 2)])) == [bytes([1]) * 16])
append(2)
print(recorder.head().position)
recorder.close()
"""


def test_a_commit_that_fails_is_unknown_until_looked_up_and_the_store_goes_on(path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", FAILING_COMMIT, str(path)], capture_output=True, text=True, check=True)

    assert ["unknown True", "still full", "True", "2"] == child.stdout.splitlines()
