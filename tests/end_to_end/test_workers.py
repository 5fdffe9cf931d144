"""Several workers on one port: every one of them appends and answers, none is stale, and none can be lost with what it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import grpc
import pytest

from clients.python import Client
from ledger.api.v1.admin_service_pb2 import RUNNING, GetStatusRequest
from ledger.api.v1.admin_service_pb2_grpc import AdminServiceStub
from ledger.api.v1.consistency_pb2 import Consistency
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.ledger_service_pb2 import AppendRequest, GetHeadRequest, SubscribeRequest
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.api.v1.request_service_pb2 import CountRequestsRequest
from ledger.api.v1.request_service_pb2_grpc import RequestServiceStub
from tests.appending import group, to_append
from tests.end_to_end.test_latest import plant_a_stale_read, run
from tests.end_to_end.test_serve import Load, append, recorded_ids
from tests.history_checker import check
from tests.postgres_server import as_url, new_schema
from tests.server_process import Server

WORKERS = ("worker-1", "worker-2", "worker-3")
TIMEOUT = 60.0
CHANNELS_MAX = 300


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three workers, for tests that kill nothing."""
    yield from served(tmp_path_factory.mktemp("workers") / "data")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server with three workers for one test."""
    yield from served(tmp_path / "data")


def served(data: Path, *options: str) -> Iterator[Server]:
    server = Server(data, "--workers", "3", *options).start()
    try:
        server.wait_until(lambda: "projector is ready" in server.err, "the projector is not ready")
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[Server]:
    """A server with three workers whose log lies in PostgreSQL."""
    yield from served(tmp_path / "data", "--store", as_url(new_schema()), "--vault", as_url(new_schema()))


def taken_by(server: Server, worker: str) -> int:
    """Return how many connections a worker has taken on the port, as the kernel says."""
    port = f":{int(server.target.rpartition(':')[2]):04X}"
    established = {
        fields[9]
        for table in ("tcp", "tcp6")  # gRPC listens for IPv4 on sockets of IPv6
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[1].endswith(port) and fields[3] == "01"
    }
    links = (path.readlink() for path in Path(f"/proc/{server.pid(worker)}/fd").iterdir())
    return sum(str(link).removeprefix("socket:[").removesuffix("]") in established for link in links)


def channels_to_every_worker(server: Server, stack: ExitStack) -> list[grpc.Channel]:
    """Open connections until every worker has one: the kernel spreads them at random."""
    channels: list[grpc.Channel] = []
    while not all(taken_by(server, worker) for worker in WORKERS):
        assert len(channels) < CHANNELS_MAX
        channel = stack.enter_context(server.channel())
        grpc.channel_ready_future(channel).result(TIMEOUT)
        channels.append(channel)
    return channels


def request(contact_id: str) -> AppendRequest:
    return AppendRequest(groups=[group(to_append(ContactReceived(contact_id=contact_id, reason="delivery"), channel="phone"))])


def test_an_append_through_any_worker_is_seen_at_once_on_all(several: Server) -> None:
    with ExitStack() as stack:
        channels = channels_to_every_worker(several, stack)
        for number, channel in enumerate(channels):
            appended = LedgerServiceStub(channel).Append(request(f"any-{number}"), timeout=TIMEOUT)
            position = appended.results[0].appended[0].position
            for other in channels:
                assert position <= LedgerServiceStub(other).GetHead(GetHeadRequest(), timeout=TIMEOUT).position
                for level in (Consistency(latest=True), Consistency(at_least=appended.token)):
                    asked = CountRequestsRequest(consistency=level)
                    assert position <= RequestServiceStub(other).CountRequests(asked, timeout=TIMEOUT).read_at.position


def test_on_postgresql_every_worker_appends_itself_and_is_seen_on_all(on_postgres: Server) -> None:
    with ExitStack() as stack:
        channels = channels_to_every_worker(on_postgres, stack)
        for number, channel in enumerate(channels):
            appended = LedgerServiceStub(channel).Append(request(f"any-{number}"), timeout=TIMEOUT)
            position = appended.results[0].appended[0].position
            for other in channels:
                asked = CountRequestsRequest(consistency=Consistency(latest=True))
                assert position <= RequestServiceStub(other).CountRequests(asked, timeout=TIMEOUT).read_at.position

    assert "appender" not in on_postgres.err


def test_every_worker_streams_what_was_appended_through_any(several: Server) -> None:
    with ExitStack() as stack:
        channels = channels_to_every_worker(several, stack)
        head = LedgerServiceStub(channels[0]).GetHead(GetHeadRequest(), timeout=TIMEOUT).position
        streams = [
            LedgerServiceStub(channel).Subscribe(SubscribeRequest(after_position=head), timeout=TIMEOUT) for channel in channels
        ]
        for stream in streams:
            while not next(stream).HasField("caught_up"):
                pass
        for number, channel in enumerate(channels):
            LedgerServiceStub(channel).Append(request(f"streamed-{number}"), timeout=TIMEOUT)

        wanted = [f"contact-streamed-{number}" for number in range(len(channels))]
        for stream in streams:
            seen: list[str] = []
            while len(seen) < len(wanted):
                response = next(stream)
                if response.HasField("event"):
                    seen.append(response.event.stream)
            assert wanted == seen
            stream.cancel()


def test_a_client_spreads_over_the_workers_by_itself(several: Server) -> None:
    before = {worker: taken_by(several, worker) for worker in WORKERS}
    with Client(several.target, connections=40, timeout_seconds=TIMEOUT) as client:
        for _ in range(40):
            client.head()
        after = {worker: taken_by(several, worker) for worker in WORKERS}

    assert all(after[worker] > before[worker] for worker in WORKERS)


def test_the_status_of_any_worker_tells_how_all_processes_are(several: Server) -> None:
    def all_run(channel: grpc.Channel) -> bool:
        parts = AdminServiceStub(channel).GetStatus(GetStatusRequest(), timeout=TIMEOUT).parts
        assert ["appender", *WORKERS, "projector", "clock", "playbooks"] == [part.name for part in parts]
        return all(part.state == RUNNING and part.process_id == several.pid(part.name) for part in parts)

    with ExitStack() as stack:
        for channel in channels_to_every_worker(several, stack):
            several.wait_until(partial(all_run, channel), "not everything runs")


@pytest.mark.slow
def test_the_latest_is_never_stale_on_any_worker(own: Server, tmp_path: Path) -> None:
    folder = tmp_path / "histories"
    folder.mkdir()

    operations = run(own.target, folder, ("append", "read") * 3)

    of_the_ledger = [one["id"] for one in operations if one["kind"] == "log" and one["position"] <= 2]
    assert [] == check(operations, others=of_the_ledger)
    assert ["latest"] == [violation.rule for violation in check(plant_a_stale_read(operations), others=of_the_ledger)]


def test_a_graceful_stop_of_all_workers_loses_nothing_that_was_acknowledged(own: Server) -> None:
    with Load(own, caller_count=24) as load:
        code = own.stop()

    own.start()

    assert 0 == code
    assert load.acknowledged <= recorded_ids(own)


def test_a_killed_worker_is_started_again_alone_and_the_status_says_so(own: Server) -> None:
    others = {name: own.pid(name) for name in ("appender", "worker-1", "worker-3", "projector", "clock", "playbooks")}

    killed = own.kill("worker-2")
    own.wait_until_restarted("worker-2", killed)
    append(own, "after")

    assert others == {name: own.pid(name) for name in others}
    with Client(own.target, timeout_seconds=TIMEOUT) as client:
        part = next(part for part in client.status().parts if part.name == "worker-2")
    assert (1, "signal 9") == (part.failures, part.last_end)


def test_without_their_supervisor_all_processes_end_and_any_number_of_workers_can_follow(own: Server) -> None:
    append(own, "c-1")
    parts = [own.pid(part) for part in ("appender", *WORKERS, "projector", "clock", "playbooks")]
    assert own.process is not None

    own.process.kill()
    own.process.wait(TIMEOUT)
    own.with_options("--workers", "1").start()

    assert "c-1" in recorded_ids(own)
    own.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in parts), "a part outlived its supervisor")
