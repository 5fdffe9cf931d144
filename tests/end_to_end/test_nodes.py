"""Three nodes of one ledger on one PostgreSQL: whoever asks whichever, the answer is the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.python import Client, event, identifier
from clients.python.errors import NotRecordedError
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Due
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN
from tests.history_checker import Recorder, check, read_histories
from tests.postgres_server import as_url, new_schema
from tests.server_process import Server

NODES = 3
PROCESSES_EACH = 2
APPENDS_ENOUGH = 600
DIGESTS_EVERY = 1024
PATIENCE_SECONDS = 120.0


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Server]]:
    log, vault = as_url(new_schema()), as_url(new_schema())
    servers: list[Server] = []
    try:
        for number in range(NODES):
            data = tmp_path / f"node{number}"
            if servers:
                (data / "keys").mkdir(parents=True)
                shutil.copy(servers[0].data_dir / "keys" / "master.key", data / "keys" / "master.key")
            servers.append(Server(data, "--store", log, "--vault", vault, "--recording-allowance", "5").start())
        yield servers
    finally:
        for server in servers:
            if server.process is not None and server.process.poll() is None:
                server.stop()


def test_what_one_node_acknowledged_every_node_tells_at_once(nodes: list[Server]) -> None:
    address = identifier("email:a@example.org")
    clients = [Client(node.target, consistency="latest", timeout_seconds=PATIENCE_SECONDS) for node in nodes]
    try:
        for number in range(12):
            contact = ContactReceived(contact_id=f"c-{number}", customer=address, reason="x", body="Bonjour")
            clients[number % NODES].append(event(contact, channel="letter"))

            told = [list(client.history("email:a@example.org")) for client in clients]

            assert [number + 1] * NODES == [len(entries) for entries in told]
            assert told[0] == told[1] == told[2]
    finally:
        for client in clients:
            client.close()


def test_a_token_of_one_node_is_honoured_on_the_others(nodes: list[Server]) -> None:
    with (
        Client(nodes[0].target, timeout_seconds=PATIENCE_SECONDS) as first,
        Client(nodes[1].target, timeout_seconds=PATIENCE_SECONDS) as second,
    ):
        first.append(event(ContactReceived(contact_id="c-1", customer=identifier("email:a@example.org"), reason="x")))

        told = second.history("email:a@example.org", consistency=first.token)

        assert ["c-1"] == [entry.event.payload.contact_received.contact_id for entry in told]


def test_what_follows_from_time_is_recorded_once_by_all_clocks_together(nodes: list[Server]) -> None:
    with Client(nodes[0].target, consistency="latest", timeout_seconds=PATIENCE_SECONDS) as client:
        passes = Due(instant=datetime.now(UTC) + timedelta(seconds=1))
        client.append(event(PromiseMade(promise_id="p-1", kind="call_back_soon", due=passes)))

        for node in nodes:
            # Once its own views say so, its clock has nothing left to record.
            with Client(node.target, consistency="any") as own:
                node.wait_until(lambda own=own: is_broken(own), "it was never broken")

        assert ["promise-made", "promise-broken"] == [one.topic for one in client.read_events(stream="promise-p-1")]


def is_broken(client: Client) -> bool:
    try:
        return bool(client.promise("p-1").result.state == PROMISE_STATE_BROKEN)
    except NotRecordedError:
        return False


@pytest.mark.slow
def test_nothing_is_lost_or_told_differently_while_24_append_and_nodes_are_killed(
    nodes: list[Server], tmp_path: Path, rounds: int
) -> None:
    folder = tmp_path / "histories"
    folder.mkdir()
    targets = [node.target for node in nodes]
    with Client(targets[0]) as client:
        recorder = Recorder(folder / "begin.jsonl", "begin")
        for number in range(6):
            opener = event(ContactReceived(contact_id=f"shared-{number}", reason="x"))
            start = time.monotonic()
            recorder.append(start, time.monotonic(), "acknowledged", [opener], client.append(opener))
        recorder.close()
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.node_worker",
                ",".join(targets[number % NODES :] + targets[: number % NODES]),
                str(folder / f"worker-{number}.jsonl"),
                f"worker-{number}",
                str(folder / "end"),
            ]
        )
        for number in range(NODES * PROCESSES_EACH)
    ]
    end_time = time.monotonic() + PATIENCE_SECONDS * rounds
    try:
        kills = [("server", nodes[0]), ("projector", nodes[1]), ("server", nodes[2])] * rounds
        for number, (part, node) in enumerate(kills):
            until_appended(folder, APPENDS_ENOUGH * rounds * number // len(kills), workers, end_time)
            node.wait_until_restarted(part, node.kill(part))
        until_appended(folder, APPENDS_ENOUGH * rounds, workers, end_time)
        with Client(targets[0], timeout_seconds=PATIENCE_SECONDS) as client:
            # Digests are there to be compared from the first multiple of this on.
            nodes[0].wait_until(lambda: client.head().position >= DIGESTS_EVERY, "too little was appended to be compared")
        (folder / "end").touch()
        ended = [worker.wait(90) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert [0] * len(workers) == ended
    with Client(targets[0], consistency="latest", timeout_seconds=PATIENCE_SECONDS) as client:
        recorder = Recorder(folder / "log.jsonl", "log")
        recorder.log(client.read_events())
        recorder.close()
    operations = read_histories(sorted(folder.glob("*.jsonl")))
    of_the_ledger = [one["id"] for one in operations if one["kind"] == "log" and one["position"] <= 2]

    assert [] == check(operations, others=of_the_ledger)

    head = max(one["position"] for one in operations if one["kind"] == "log")
    digests = []
    for target in targets:
        with Client(target, consistency="latest", timeout_seconds=PATIENCE_SECONDS) as client:
            digests.append(client.view_digest(position=head // DIGESTS_EVERY * DIGESTS_EVERY).result)
    assert DIGESTS_EVERY <= digests[0].position
    assert 10 < len(digests[0].digests)
    assert digests[0] == digests[1] == digests[2]


def until_appended(folder: Path, count: int, workers: Sequence[subprocess.Popen[bytes]], end_time: float) -> None:
    """Wait until the workers have noted so many operations together."""
    while sum(path.read_bytes().count(b"\n") for path in folder.glob("worker-*.jsonl")) < count:
        assert time.monotonic() < end_time, "the workers do not get on"
        assert [] == [worker.args for worker in workers if worker.poll() is not None]
        time.sleep(0.1)
