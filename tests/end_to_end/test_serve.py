"""`python -m ledger serve`: what it prints, what it refuses, how it stops, and how it goes on when a part is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.ledger_service_pb2 import (
    AppendRequest,
    EventFilter,
    GetHeadRequest,
    ReadEventsRequest,
    SubscribeRequest,
)
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from tests.appending import group, to_append
from tests.refusals import refusal_of
from tests.server_process import Server

TIMEOUT = 60.0


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ledger", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"} | environment,
        check=False,
    )


def request(contact_id: str) -> AppendRequest:
    return AppendRequest(groups=[group(to_append(ContactReceived(contact_id=contact_id, reason="delivery"), channel="phone"))])


def append(server: Server, *contact_ids: str) -> None:
    with server.channel() as channel:
        for contact_id in contact_ids:
            (result,) = LedgerServiceStub(channel).Append(request(contact_id), timeout=TIMEOUT, wait_for_ready=True).results
            assert not result.HasField("error")


def recorded_ids(server: Server) -> set[str]:
    with server.channel() as channel:
        pieces = LedgerServiceStub(channel).ReadEvents(
            ReadEventsRequest(filter=EventFilter(topics=["contact-received"])), timeout=TIMEOUT, wait_for_ready=True
        )
        return {event.payload.contact_received.contact_id for piece in pieces for event in piece.events}


class Load:
    """Callers that append one event after the other until the server is gone, and remember what was acknowledged."""

    def __init__(self, server: Server, caller_count: int = 8) -> None:
        self._server = server
        self.acknowledged: set[str] = set()
        self.ends: list[grpc.RpcError] = []
        self._threads = [threading.Thread(target=self._append, args=(caller,)) for caller in range(caller_count)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self._server.wait_until(lambda: len(self.acknowledged) > 50, "nothing was acknowledged")
        return self

    def __exit__(self, *exc_info: object) -> None:
        for thread in self._threads:
            thread.join()

    def _append(self, caller: int) -> None:
        with self._server.channel() as channel:
            ledger = LedgerServiceStub(channel)
            number = 0
            while True:
                contact_id = f"load-{caller}-{number}"
                try:
                    (result,) = ledger.Append(request(contact_id), timeout=TIMEOUT).results
                except grpc.RpcError as error:
                    self.ends.append(error)
                    return
                assert not result.HasField("error")
                self.acknowledged.add(contact_id)
                number += 1


def test_help_says_what_there_is_with_examples() -> None:
    overview, serve = run("--help"), run("serve", "--help")

    assert (0, 0) == (overview.returncode, serve.returncode)
    assert "serve" in overview.stdout
    for word in ("--data", "--listen", "--reflection", "--home-zone", "--default-region", "tellonce serve"):
        assert word in serve.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listen", "0.0.0.0:50051"), "no access control yet"),
        (("--listen", "nonsense"), "is not an address"),
        (("--home-zone", "Mars/Olympus"), "is not a time zone"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_cure(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    answer = run("serve", "--data", str(tmp_path / "data"), *arguments)

    assert answer.returncode == 2
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        answer = run("serve", "--data", str(tmp_path / "data"), "--listen", listen)

    assert answer.returncode == 2
    assert f"Cannot listen on {listen}" in answer.stderr


def test_a_second_supervisor_on_the_same_data_is_refused(server: Server) -> None:
    answer = run("serve", "--data", str(server.data_dir), "--listen", "127.0.0.1:0")

    assert server.process is not None
    assert answer.returncode == 2
    assert f"{server.data_dir} is served already, by process {server.process.pid}" in answer.stderr


def test_the_recovery_copy_is_printed_at_the_first_start_only(server: Server) -> None:
    first = server.out
    server.restart()

    assert "recovery copy" in first
    assert "Keep it" in first
    assert "recovery copy" not in server.out
    assert str(server.data_dir) in server.out


def test_the_recovery_copy_never_stands_in_the_log_lines(server: Server) -> None:
    copy = next(line.strip() for line in server.out.splitlines() if line.count("-") == 13)

    assert copy not in server.err


def test_without_its_master_key_nothing_starts_and_the_recovery_copy_brings_it_back(server: Server) -> None:
    copy = next(line.strip() for line in server.out.splitlines() if line.count("-") == 13)
    key_file = server.data_dir / "keys" / "master.key"
    append(server, "c-1")
    server.stop()
    key_file.unlink()

    answer = run("serve", "--data", str(server.data_dir), "--listen", "127.0.0.1:0")
    key_file.write_text(copy)
    key_file.chmod(0o600)
    server.start()

    assert answer.returncode == 1
    assert "write its recovery copy there" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "c-1" in recorded_ids(server)


def test_only_the_owner_may_reach_the_inner_door(server: Server) -> None:
    run_dir = server.data_dir / "run"

    assert (0o700, 0o600) == (run_dir.stat().st_mode & 0o777, (run_dir / "ledger.sock").stat().st_mode & 0o777)


def test_a_graceful_stop_under_load_loses_nothing_and_nothing_has_to_be_killed(server: Server) -> None:
    with Load(server) as load:
        code = server.stop()
    said = server.err

    server.start()

    assert code == 0
    assert "did not end within" not in said
    assert [f"{part} ended" for part in ("server", "projector", "clock", "playbooks") if f"{part} ended" not in said] == []
    assert load.acknowledged <= recorded_ids(server)


def test_ctrl_c_stops_gracefully_too(server: Server) -> None:
    append(server, "c-1")
    assert server.process is not None

    os.killpg(server.process.pid, signal.SIGINT)

    assert server.process.wait(TIMEOUT) == 0
    assert "Traceback" not in server.err


def test_an_open_stream_ends_at_once_when_the_server_stops_saying_so(server: Server) -> None:
    with server.channel() as channel:
        ledger = LedgerServiceStub(channel)
        # Without an end of its own: only the server ends it, with its reason.
        calls = ledger.Subscribe(SubscribeRequest())
        while not next(calls).HasField("caught_up"):
            pass
        server.stop()

        with pytest.raises(grpc.RpcError) as raised:
            next(calls)

    refusal = refusal_of(raised.value)
    assert ("SHUTTING_DOWN", grpc.StatusCode.UNAVAILABLE) == (refusal.reason, refusal.code)
    assert "did not end within" not in server.err


def test_a_killed_server_is_started_again_alone_and_has_all_it_acknowledged(server: Server) -> None:
    projector = server.pid("projector")
    with Load(server) as load:
        killed = server.kill("server")
    server.wait_until_restarted("server", killed)
    append(server, "after")

    assert load.acknowledged | {"after"} <= recorded_ids(server)
    assert projector == server.pid("projector")


@pytest.mark.parametrize("part", ["projector", "clock", "playbooks"])
def test_another_killed_part_is_started_again_alone_while_the_server_serves(part: str, server: Server) -> None:
    serving = server.pid("server")

    killed = server.kill(part)
    append(server, "meanwhile")
    server.wait_until_restarted(part, killed)

    assert serving == server.pid("server")
    assert "meanwhile" in recorded_ids(server)


def test_without_their_supervisor_all_parts_end_and_another_one_can_start_at_once(server: Server) -> None:
    append(server, "c-1")
    assert server.process is not None
    parts = [server.pid(part) for part in ("server", "projector", "clock", "playbooks")]

    server.process.kill()
    server.process.wait(TIMEOUT)
    server.start()

    assert "c-1" in recorded_ids(server)
    server.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in parts), "a part outlived its supervisor")


def test_after_everything_is_killed_the_ledger_goes_on(server: Server) -> None:
    with Load(server) as load:
        server.kill_all()
    server.start()
    append(server, "after")

    assert load.acknowledged | {"after"} <= recorded_ids(server)


def test_a_new_ledger_takes_zone_and_region_and_reflection_when_asked(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--home-zone", "Europe/Paris", "--default-region", "DE", "--reflection").start()
    try:
        with server.channel() as channel:
            ledger = LedgerServiceStub(channel)
            head = ledger.GetHead(GetHeadRequest(), timeout=TIMEOUT)
            (piece,) = ledger.ReadEvents(ReadEventsRequest(limit=1), timeout=TIMEOUT)
            call = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
            listed = next(call(iter([b":\x00"]), timeout=TIMEOUT))
    finally:
        server.stop()

    opened = piece.events[0].payload.ledger_opened
    assert (2, "Europe/Paris", "DE") == (head.position, opened.home_zone, opened.default_region)
    assert b"ledger.api.v1.LedgerService" in listed
