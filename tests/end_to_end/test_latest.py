"""`latest` is never stale: appenders and readers in processes of their own, alone and while a large batch is appended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clients.python import Client
from tests.history_checker import Recorder, check, read_histories
from tests.server_process import Server

SECONDS = 8.0
ENOUGH_APPENDS = 100
ENOUGH_READS = 50
ENOUGH_BULK_GROUPS = 500


def start(role: str, number: int, target: str, folder: Path) -> subprocess.Popen[bytes]:
    process = f"{role}-{number}"
    arguments = [role, target, str(folder / f"{process}.jsonl"), process, str(folder / "end")]
    return subprocess.Popen([sys.executable, "-m", "tests.latest_workers", *arguments])


def run(target: str, folder: Path, *, bulk: bool) -> list[dict[str, Any]]:
    """Let three appenders and three readers work at once, and return what all of them saw, and the whole log."""
    roles = ("append", "read") * 3 + (("bulk",) if bulk else ())
    workers = [start(role, number, target, folder) for number, role in enumerate(roles)]
    try:
        time.sleep(SECONDS)
        (folder / "end").touch()
        assert [0] * len(workers) == [worker.wait(60) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    with Client(target) as client:
        recorder = Recorder(folder / "log.jsonl", "log")
        recorder.log(client.read_events())
        recorder.close()
    return read_histories(sorted(folder.glob("*.jsonl")))


@pytest.mark.slow
@pytest.mark.parametrize("bulk", [False, True], ids=["alone", "during a large batch"])
def test_the_latest_is_never_stale(server: Server, tmp_path: Path, bulk: bool) -> None:
    folder = tmp_path / "histories"
    folder.mkdir()

    operations = run(server.target, folder, bulk=bulk)

    sent = {event["id"] for one in operations if one["kind"] == "append" for event in one["events"]}
    of_the_ledger = [one["id"] for one in operations if one["kind"] == "log" and one["id"] not in sent and one["position"] <= 2]
    assert [] == check(operations, others=of_the_ledger)
    seen = Counter((one["kind"], one["process"].split("-")[0]) for one in operations)
    assert seen["append", "append"] > ENOUGH_APPENDS
    assert seen["read", "read"] > ENOUGH_READS
    if bulk:
        assert seen["append", "bulk"] > ENOUGH_BULK_GROUPS
        # Reads that did not wait, taken for reads of the latest, are what the checker has to catch.
        planted = [one | {"latest": True} if one["kind"] == "read" else one for one in operations]
        assert {"latest"} == {violation.rule for violation in check(planted, others=of_the_ledger)}
