"""`tellonce copy`, as an operator runs it: from files to PostgreSQL and back, with the server after it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clients.python import Client, event, identifier
from ledger.api.v1.contact_pb2 import ContactReceived
from tests.postgres_server import as_url, new_schema
from tests.server_process import Server

CONTACTS = 20


def copy(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ledger", "copy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def digest_of(done: subprocess.CompletedProcess[str]) -> str:
    assert 0 == done.returncode, done.stderr
    found = re.search(r"end at ([\d,]+) with the digest ([0-9a-f]{64})", done.stdout)
    assert found is not None, done.stdout
    assert f"{CONTACTS + 2:,}" == found[1]
    return found[2]


@pytest.mark.slow
def test_a_ledger_is_moved_to_postgresql_and_back(server: Server, tmp_path: Path) -> None:
    log, vault, back = as_url(new_schema()), as_url(new_schema()), tmp_path / "back"
    customer = identifier("email:a@example.org")
    events = [event(ContactReceived(contact_id=f"c-{number}", customer=customer, reason="x")) for number in range(CONTACTS)]
    with Client(server.target, timeout_seconds=60) as client:
        appended = client.append(*events)
    server.stop()

    there = copy("--from", str(server.data_dir), "--to", log, "--to-vault", vault)
    again = copy("--from", f"sqlite://{server.data_dir}", "--to", log, "--to-vault", vault)
    home = copy("--from", log, "--from-vault", vault, "--to", f"sqlite://{back}")

    assert digest_of(there) == digest_of(again) == digest_of(home)
    assert f"{CONTACTS + 2} events copied" in there.stdout
    assert "0 events copied" in again.stdout
    (back / "keys").mkdir()
    shutil.copy(server.data_dir / "keys" / "master.key", back / "keys" / "master.key")
    moved = Server(back).start()
    try:
        with Client(moved.target, consistency="latest", timeout_seconds=60) as client:
            told = [entry.event.position for entry in client.history("email:a@example.org", oldest_first=True)]
            sent_again = client.append(*events)
        refused = copy("--from", log, "--from-vault", vault, "--to", str(back))
    finally:
        moved.stop()
    assert [one.position for one in appended] == told == [one.position for one in sent_again]
    assert "stop it first" in refused.stderr
    assert 2 == refused.returncode
