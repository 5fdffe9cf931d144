"""`latest` is never stale: appenders and readers in processes of their own, alone and while a large batch is appended."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from clients.python import Client
from tests.history_checker import Recorder, check, read_histories
from tests.server_process import Server

ENOUGH = {"append": 100, "read": 150, "bulk": 1_500}
"""How many operations of each kind of worker are needed for the test to mean something; it goes on until they are there."""

PATIENCE_SECONDS = 120.0


def start(role: str, number: int, target: str, folder: Path) -> subprocess.Popen[bytes]:
    process = f"{role}-{number}"
    arguments = [role, target, str(folder / f"{process}.jsonl"), process, str(folder / "end")]
    return subprocess.Popen([sys.executable, "-m", "tests.latest_workers", *arguments])


def done(folder: Path, role: str) -> int:
    """Return how many operations the workers of a role have written down."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob(f"{role}-*.jsonl"))


def run(target: str, folder: Path, roles: tuple[str, ...]) -> list[dict[str, Any]]:
    """Let workers of these roles work at once, and return what all of them saw, and the whole log."""
    workers = [start(role, number, target, folder) for number, role in enumerate(roles)]
    end_time = time.monotonic() + PATIENCE_SECONDS
    try:
        while any(done(folder, role) < ENOUGH[role] for role in roles):
            assert time.monotonic() < end_time, {role: done(folder, role) for role in roles}
            assert [] == [worker.args for worker in workers if worker.poll() is not None]
            time.sleep(0.1)
        (folder / "end").touch()
        assert [0] * len(workers) == [worker.wait(60) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    with Client(target) as client:
        recorder = Recorder(folder / "log.jsonl", "log")
        recorder.log(client.read_events())
        recorder.close()
    return read_histories(sorted(folder.glob("*.jsonl")))


def plant_a_stale_read(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the history with one read of the latest that stood just before what had been acknowledged."""
    read = max((one for one in operations if one["kind"] == "read" and one["latest"]), key=lambda one: one["start"])
    acknowledged = [one for one in operations if one["kind"] == "append" and one["end"] < read["start"]]
    newest = max(where["position"] for one in acknowledged for where in one["appended"])
    stale = read | {"position": newest - 1, "ids": None}
    return [stale if one is read else one for one in operations]


@pytest.mark.slow
@pytest.mark.parametrize("bulk", [False, True], ids=["alone", "during a large batch"])
def test_the_latest_is_never_stale(server: Server, tmp_path: Path, bulk: bool) -> None:
    folder = tmp_path / "histories"
    folder.mkdir()

    operations = run(server.target, folder, ("append", "read") * 3 + (("bulk",) if bulk else ()))

    of_the_ledger = [one["id"] for one in operations if one["kind"] == "log" and one["position"] <= 2]
    assert [] == check(operations, others=of_the_ledger)
    assert ["latest"] == [violation.rule for violation in check(plant_a_stale_read(operations), others=of_the_ledger)]
