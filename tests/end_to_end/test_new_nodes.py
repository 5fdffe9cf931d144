"""A node that starts from nothing: it builds its views or takes them over, and says how far it is."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from clients.python import Client, event, identifier
from ledger.api.v1.contact_pb2 import ContactReceived
from tests.postgres_server import as_url, new_schema
from tests.server_process import Server

EVENTS = 1_100
LAG_LIMIT_SECONDS = 1

NewNode = Callable[..., Server]


@pytest.fixture
def new_node(tmp_path: Path) -> Iterator[NewNode]:
    """Starts nodes of one ledger."""
    log, vault = as_url(new_schema()), as_url(new_schema())
    servers: list[Server] = []

    def new(*options: str) -> Server:
        data = tmp_path / f"node{len(servers)}"
        if servers:
            (data / "keys").mkdir(parents=True)
            shutil.copy(servers[0].data_dir / "keys" / "master.key", data / "keys" / "master.key")
        servers.append(Server(data, "--store", log, "--vault", vault, "--lag-limit", str(LAG_LIMIT_SECONDS), *options))
        return servers[-1].start()

    yield new
    for server in servers:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def fill(client: Client) -> None:
    for start in range(0, EVENTS, 100):
        customer = identifier(f"account:{start}")
        numbers = range(start, start + 100)
        client.append(*(event(ContactReceived(contact_id=f"c-{number}", customer=customer, reason="x")) for number in numbers))


def digests_of(node: Server) -> object:
    with Client(node.target, consistency="latest", timeout_seconds=60) as client:
        assert 100 == len(list(client.history(f"account:{EVENTS - 100}")))
        return client.view_digest(position=1024).result


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_node_takes_over_the_views_of_another_one_or_builds_them_and_all_tell_the_same(new_node: NewNode) -> None:
    first = new_node()
    with Client(first.target, consistency="latest", timeout_seconds=60) as client:
        fill(client)
        head = client.head().position
        client.history("account:0")

    taken = new_node("--views-from", first.target)
    built = new_node("--views-from", "127.0.0.1:1")

    digests = [digests_of(node) for node in (first, taken, built)]
    assert digests[0] == digests[1] == digests[2]
    found = re.search(r"The views of \S+ are used, they stand at (\d+)", taken.err)
    assert found is not None, taken.err
    assert 1 < int(found[1]) <= head
    assert "127.0.0.1:1 does not answer: the views are built from the log" in built.err
    assert "are used" not in built.err


def health(node: Server, service: str = "") -> int:
    with node.channel() as channel:
        return int(HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=30).status)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_that_lags_behind_another_one_says_so_until_it_has_caught_up(new_node: NewNode) -> None:
    first, second = new_node(), new_node()
    serving, not_serving = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
    with Client(first.target) as writing, Client(second.target, consistency="any") as reading:
        second.wait_until(lambda: len(reading.status().nodes) == 2, "the nodes do not see one another")
        for node in (first, second):
            node.wait_until(lambda node=node: health(node) == serving, "a node does not get ready to serve")
        os.kill(second.pid("projector"), signal.SIGSTOP)
        try:
            writing.append(event(ContactReceived(contact_id="c-1", reason="x")))
            second.wait_until(lambda: health(second) == not_serving, "a node that lags says that it serves")

            status = reading.status()
            assert "behind" in status.lagging_reason
            (other,) = [node for node in status.nodes if not node.here]
            assert (status.head_position, 0) == (other.views_position, other.lag_seconds)
            assert status.views_position < status.head_position
            assert (not_serving, serving) == (
                health(second, "ledger.api.v1.HistoryService"),
                health(second, "ledger.api.v1.LedgerService"),
            )
            assert serving == health(first)
        finally:
            os.kill(second.pid("projector"), signal.SIGCONT)
        second.wait_until(lambda: health(second) == serving, "a node that has caught up says that it does not serve")
        assert "" == reading.status().lagging_reason
