"""The benchmarks run: each on a ledger of a thousand events, or a few calls. How fast that is, is not looked at."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.load.fill import requests as year_requests
from benchmarks.process import measured_by
from benchmarks.servers import APPEND, Asking, server_alone
from benchmarks.workload import as_request, calls, write_requests
from ledger.application import MASTER_KEY_FILE
from tests.postgres_server import as_url, new_schema

EVENTS = 1_000


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, as sockets in it need."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """Ten calls of fifty events."""
    file = tmp_path / "requests"
    write_requests(file, map(as_request, calls(500, 50)))
    return file


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    """Two servers of one ledger in PostgreSQL, and the address of its log."""
    store, vault = as_url(new_schema()), as_url(new_schema())
    with ExitStack() as stack:
        first = stack.enter_context(server_alone(tmp_path / "node0", store, vault))
        (tmp_path / "node1" / "keys").mkdir(parents=True)
        shutil.copy(tmp_path / "node0" / MASTER_KEY_FILE, tmp_path / "node1" / MASTER_KEY_FILE)
        second = stack.enter_context(server_alone(tmp_path / "node1", store, vault))
        with Asking(first) as asking:
            asking.open_run()
        yield [first, second], store


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_large_run_builds_its_ledger_and_leaves_a_report(short: Path) -> None:
    size = ("--events", str(EVENTS), "--small", str(EVENTS))
    command = [sys.executable, "-m", "benchmarks", "--large", "--quick", "--only", "P11,P12", *size, "--build", str(short)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=850)

    assert 0 == done.returncode, done.stdout + done.stderr
    report = json.loads((short / "bench-large.json").read_text())
    sent = sum(count for _, count in year_requests(EVENTS, 0))
    assert (sent, 0) == (report["built"]["acknowledged"], report["built"]["irregular"])
    # Its opening, the policy, the import's start and end, and what the clock told.
    assert report["built"]["position"] > sent + 4
    lines = report["figures"]
    assert {"projector", "clock", "playbooks"} < {
        line["name"].split(": ")[1].split(",")[0] for line in lines if line["id"] == "P11"
    }
    assert all(line["ours"] > 0 and "skipped" not in line for line in lines)
    assert [1.0] == [line["growth"] for line in lines if line["id"] == "P12"]
    assert not list(short.glob("bench-*/"))


def test_a_fill_that_was_broken_off_goes_on_and_records_nothing_twice(tmp_path: Path) -> None:
    acknowledged = next(count for _, count in year_requests(EVENTS, 0))
    with server_alone(tmp_path / "data") as address, Asking(address) as asking:
        size = ("--target", address, "--events", EVENTS)

        whole = measured_by("fill", *size)
        head = asking.head()
        again = measured_by("fill", *size, "--skip", acknowledged)

        assert (True, 0) == (whole["done"], whole["irregular"])
        # The ledger's opening and its policy, the import's start.
        assert whole["acknowledged"] + 3 == head
        assert whole["acknowledged"] == again["acknowledged"] > acknowledged
        assert head == asking.head()


def test_the_load_sends_each_target_its_own_requests(nodes: tuple[list[str], str], requests: Path, tmp_path: Path) -> None:
    addresses, store = nodes

    measured = measured_by(
        "unary",
        *("--target", ",".join(addresses), "--method", APPEND, "--requests", requests, "--warm-seconds", 0),
        *("--first", 0, "--count", 4, "--in-flight", 2, "--seconds", 120),
    )

    assert (8, 0, True) == (measured["all_calls"], measured["refused"], measured["exhausted"])
    assert 400 <= measured["events"] <= 408
    target = as_url(new_schema())
    for _ in range(2):
        # Round after round into the same database.
        raw = measured_by("raw_postgres", "--log", store, "--target", target, "--rows", 50, "--seconds", 120)
        assert 400 == raw["events"]
        assert raw["bytes_an_event"] > 100


def test_the_stock_application_saves_what_the_calls_hold(requests: Path, tmp_path: Path) -> None:
    settings = ("PERSISTENCE_MODULE=eventsourcing.sqlite", f"SQLITE_DBNAME={tmp_path / 'stock.db'}")

    measured = measured_by(
        "stock",
        *("--requests", requests, "--count", 2, "--seconds", 0, "--warm-calls", 1),
        *(argument for setting in settings for argument in ("--setting", setting)),
    )

    assert 50 < measured["events"] <= 2 * 51
    assert measured["seconds"] > 0
