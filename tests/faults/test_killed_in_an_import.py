"""Kill -9 in the middle of an import: nothing acknowledged is lost, nothing is recorded twice, and it carries on by itself."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clients.python import Client
from ledger.catalogue import read_event
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from ledger.store.opening import open_reader
from projections import digest
from projections.projector import rebuild
from projections.view import Read
from projections.views_file import ViewsFolder, ViewsReader
from tests.server_process import Server

SIZE = 8_000


def tellonce(*arguments: str) -> subprocess.Popen[str]:
    """Start the command as a user would."""
    command = [sys.executable, "-c", "from clients.cli.main import main; main()", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of invented interactions."""
    file = tmp_path_factory.mktemp("sample") / "sample.jsonl"
    made = tellonce("sample", str(file), "--size", str(SIZE), "--until", "2026-03-01")
    out, err = made.communicate(timeout=60)
    assert 0 == made.returncode, out + err
    return file


def wait_for_events(target: str, at_least: int, importing: subprocess.Popen[str]) -> int:
    """Wait until the log has so many events, or the import is over; return its head."""
    with Client(target) as client:
        for _ in range(3_000):
            head = client.head().position
            if head >= at_least or importing.poll() is not None:
                return head
            time.sleep(0.01)
    raise AssertionError("the import stands still")


def acknowledged(server: Server) -> dict[int, bytes]:
    """Return what the log holds now: position → event id."""
    reader = open_reader(server.data_dir / "log.db")
    try:
        return {row.position: row.event_id for row in reader.read(0, 1_000_000)}
    finally:
        reader.close()


@pytest.mark.parametrize("parts", [("server",), ("projector",), ("clock",), ("server", "projector", "clock")], ids="+".join)
def test_a_part_killed_in_an_import_loses_nothing_and_is_started_again(
    server: Server, sample: Path, parts: tuple[str, ...]
) -> None:
    chosen = random.Random(len(parts[0]))
    importing = tellonce("import", str(sample), "--mapping", "sample", "--target", server.target, "--json")
    seen: dict[int, bytes] = {}

    for _ in range(3):
        wait_for_events(server.target, len(seen) + chosen.randint(400, 1_600), importing)
        before = {part: server.pid(part) for part in parts}
        for part in parts:
            server.kill(part)
        for part in parts:
            server.wait_until_restarted(part, before[part])
        now = acknowledged(server)
        assert seen.items() <= now.items()
        seen = now
    out, err = importing.communicate(timeout=200)

    assert 0 == importing.returncode, out + err
    check_all_there(server, sample, seen)


def test_everything_killed_in_an_import_goes_on_after_a_start(server: Server, sample: Path) -> None:
    seen: dict[int, bytes] = {}
    for number in range(3):
        importing = tellonce("import", str(sample), "--mapping", "sample", "--target", server.target, "--json", "--resume")
        wait_for_events(server.target, 1_000 + 1_500 * number, importing)
        server.kill_all()
        importing.kill()
        importing.communicate()
        now = acknowledged(server)
        assert seen.items() <= now.items()
        seen = now
        server.start()

    importing = tellonce("import", str(sample), "--mapping", "sample", "--target", server.target, "--json", "--resume")
    out, err = importing.communicate(timeout=200)

    assert 0 == importing.returncode, out + err
    check_all_there(server, sample, seen)


def check_all_there(server: Server, sample: Path, seen: dict[int, bytes]) -> None:
    """The whole sample is recorded once, what was seen is where it was, and rebuilt views are those that went through the kills."""
    again = tellonce("import", str(sample), "--mapping", "sample", "--target", server.target, "--json")
    out, err = again.communicate(timeout=200)
    assert 0 == again.returncode, out + err
    summary = json.loads(out)
    assert 0 == int(summary["events_appended"])
    with Client(server.target) as client:
        client.count_contacts()
    server.stop()
    rows = acknowledged(server)
    assert seen.items() <= rows.items()
    assert list(range(1, len(rows) + 1)) == sorted(rows)
    assert len(rows) == len(set(rows.values()))
    assert len(sample.read_text().splitlines()) <= len(rows)
    assert digests_in_use(server) == digests_rebuilt(server)


def digests_in_use(server: Server) -> tuple[int, dict[str, bytes]]:
    """Return the last digests of the views as they were written."""
    views = ViewsReader(server.data_dir / "views")
    with views.snapshot() as snapshot:
        assert snapshot is not None
        found = digest.at(Read(snapshot.db, snapshot.position, snapshot.position, None, 0, None, None), None)  # type: ignore[arg-type]
    views.close()
    return found


def digests_rebuilt(server: Server) -> tuple[int, dict[str, bytes]]:
    """Rebuild all views from the log alone, and return their last digests."""
    reader = open_reader(server.data_dir / "log.db")
    ledger_id = bytes.fromhex(read_event(1, reader.read(0, 1)[0].header).payload.ledger_id.replace("-", ""))
    vault = Vault(server.data_dir / "vault.db", load(server.data_dir / "keys" / "master.key"), read_only=True)
    folder = ViewsFolder(server.data_dir / "views")
    rebuild(folder, reader, ledger_id, ContentReader(vault, ledger_id), lambda position, head: None).close()
    vault.close()
    reader.close()
    return digests_in_use(server)
