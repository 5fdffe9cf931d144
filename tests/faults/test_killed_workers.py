"""Kill -9 of workers, and of the process that appends for them, under load: the client sends again with the same ids, every
acknowledged event is there once, and no answer is stale.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.python import Client
from tests.end_to_end.test_latest import done, start
from tests.history_checker import Recorder, check, read_histories
from tests.server_process import Server

ROLES = ("append", "append", "append", "read", "read")
KILLS = ("worker-1", "appender", "worker-2", "appender", "worker-3", "projector")
PATIENCE_SECONDS = 240.0


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Server]:
    """A server with three workers, which the test kills one by one."""
    server = Server(tmp_path / "data", "--workers", "3").start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def wait_for_more(folder: Path, workers: list[subprocess.Popen[bytes]], count: int) -> None:
    """Wait until appends and reads have gone on by so many."""
    begin = {role: done(folder, role) for role in set(ROLES)}
    end_time = time.monotonic() + PATIENCE_SECONDS
    while any(done(folder, role) < begin[role] + count for role in begin):
        assert time.monotonic() < end_time, "the load stands still"
        assert [] == [worker.args for worker in workers if worker.poll() is not None]
        time.sleep(0.05)


def without_an_acknowledged_event(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the history as if the log had lost what was acknowledged last."""
    acknowledged = [one for one in operations if one["kind"] == "append" and one["outcome"] == "acknowledged"]
    lost = max(event["id"] for one in acknowledged for event in one["events"])
    return [one for one in operations if not (one["kind"] == "log" and one["id"] == lost)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_workers_and_the_appender_took_with_them_is_sent_again_and_recorded_once(several: Server, tmp_path: Path) -> None:
    folder = tmp_path / "histories"
    folder.mkdir()
    chance = random.Random(2026)
    workers = [start(role, number, several.target, folder) for number, role in enumerate(ROLES)]
    try:
        for part in KILLS:
            wait_for_more(folder, workers, chance.randint(5, 25))
            killed = several.kill(part)
            several.wait_until_restarted(part, killed)
        wait_for_more(folder, workers, 20)
        (folder / "end").touch()
        assert [0] * len(workers) == [worker.wait(PATIENCE_SECONDS) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    with Client(several.target, timeout_seconds=PATIENCE_SECONDS) as client:
        recorder = Recorder(folder / "log.jsonl", "log")
        recorder.log(client.read_events())
        recorder.close()

    operations = read_histories(sorted(folder.glob("*.jsonl")))
    of_the_ledger = [one["id"] for one in operations if one["kind"] == "log" and one["position"] <= 2]
    assert [] == check(operations, others=of_the_ledger)
    assert "acknowledged" in {one.rule for one in check(without_an_acknowledged_event(operations), others=of_the_ledger)}
