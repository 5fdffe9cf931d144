"""Kill -9 in the middle of an import: nothing acknowledged is lost, nothing is recorded twice, and it carries on by itself."""

from __future__ import annotations

import json
import subprocess
import sys
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
from tests import held_import
from tests.server_process import Server

pytestmark = pytest.mark.timeout(1200)

SIZE = 8_000
STOPS = (2_000, 4_000, 6_000)
"""Rows at which something is killed: the import stops itself there, so a kill is in its middle on a machine of any speed."""
LAST_STOP = 7_900
"""And once more before the end: however late the last kill comes, it is not over by then."""
SETTLED_BEFORE = 1_500
"""So many rows before a stop all is acknowledged; what came after may be under way."""


def tellonce(*arguments: str) -> subprocess.Popen[str]:
    """Start the command as a user would."""
    command = [sys.executable, "-c", "from clients.cli.main import main; main()", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of invented interactions."""
    file = tmp_path_factory.mktemp("sample") / "sample.jsonl"
    made = tellonce("sample", str(file), "--size", str(SIZE), "--until", "2026-03-01")
    out, err = made.communicate()
    assert 0 == made.returncode, out + err
    return file


def acknowledged(server: Server) -> dict[int, bytes]:
    """Return what the log holds now: position → event id."""
    reader = open_reader(server.data_dir / "log.db")
    try:
        return {row.position: row.event_id for row in reader.read(0, 1_000_000)}
    finally:
        reader.close()


def options(server: Server, sample: Path, folder: Path) -> tuple[str, ...]:
    """Return how the sample is imported: what is rejected, and the checkpoint, go into a folder of the test."""
    rejects = folder / "rejects.jsonl"
    return (str(sample), "--mapping", "sample", "--target", server.target, "--rejects", str(rejects), "--json")


@pytest.mark.parametrize("parts", [("server",), ("projector",), ("clock",), ("server", "projector", "clock")], ids="+".join)
def test_a_part_killed_in_an_import_loses_nothing_and_is_started_again(
    server: Server, sample: Path, tmp_path: Path, parts: tuple[str, ...]
) -> None:
    stops = {taken: taken - SETTLED_BEFORE for taken in (*STOPS, LAST_STOP)}
    seen: dict[int, bytes] = {}
    with held_import.started(stops, *options(server, sample, tmp_path)) as importing:
        for taken in STOPS:
            held_import.wait_until_held(importing)
            before = {part: server.pid(part) for part in parts}
            # Killed while it goes on: rows under way are being recorded, and more come.
            held_import.go_on(importing)
            for part in parts:
                server.kill(part)
            for part in parts:
                server.wait_until_restarted(part, before[part])
            now = acknowledged(server)
            assert taken - SETTLED_BEFORE <= len(now)
            assert seen.items() <= now.items()
            seen = now
        held_import.wait_until_held(importing)
        held_import.go_on(importing)
        out, err = importing.communicate()

    assert (0, b"") == (importing.returncode, err), out
    check_all_there(server, sample, tmp_path, seen)


def test_everything_killed_in_an_import_goes_on_after_a_start(server: Server, sample: Path, tmp_path: Path) -> None:
    seen: dict[int, bytes] = {}
    command = (*options(server, sample, tmp_path), "--resume")
    for _ in STOPS:
        # It goes on where the one before stopped: counted are the rows that it takes itself.
        with held_import.started({STOPS[0]: STOPS[0] - SETTLED_BEFORE}, *command) as importing:
            held_import.wait_until_held(importing)
            server.kill_all()
        now = acknowledged(server)
        assert seen.items() <= now.items()
        seen = now
        server.start()

    finishing = tellonce("import", *command)
    out, err = finishing.communicate()

    assert 0 == finishing.returncode, out + err
    check_all_there(server, sample, tmp_path, seen)


def check_all_there(server: Server, sample: Path, folder: Path, seen: dict[int, bytes]) -> None:
    """The whole sample is recorded once, what was seen is where it was, and rebuilt views are those that went through the kills."""
    again = tellonce("import", *options(server, sample, folder))
    out, err = again.communicate()
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
