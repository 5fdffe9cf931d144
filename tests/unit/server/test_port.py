"""The port of a ledger: shared by its own processes, and by nobody else."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from ledger.server.port import hold_port

HOST = "127.0.0.1"


def listener(port: int, *, shares: bool) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shares))
    try:
        made.bind((HOST, port))
        made.listen()
    except BaseException:
        made.close()
        raise
    return made


def port_of(held: socket.socket) -> int:
    return int(held.getsockname()[1])


def test_workers_listen_beside_what_holds_the_port_and_get_every_connection() -> None:
    with hold_port(HOST, 0) as held, listener(port_of(held), shares=True) as first, listener(port_of(held), shares=True) as second:
        for _ in range(20):
            with closing(socket.create_connection((HOST, port_of(held)), timeout=5)):
                pass
        accepted = 0
        for one in (first, second):
            one.setblocking(False)
            try:
                while True:
                    one.accept()[0].close()
                    accepted += 1
            except BlockingIOError:
                continue

    assert 20 == accepted


def test_another_program_cannot_have_it() -> None:
    with hold_port(HOST, 0) as held, pytest.raises(OSError, match="in use"):
        listener(port_of(held), shares=False)


@pytest.mark.parametrize("serving", [False, True])
def test_another_supervisor_cannot_hold_it(serving: bool) -> None:
    with hold_port(HOST, 0) as held:
        if serving:
            with listener(port_of(held), shares=True), pytest.raises(OSError, match="in use"):
                hold_port(HOST, port_of(held))
        else:
            with pytest.raises(OSError, match="in use"):
                hold_port(HOST, port_of(held))


def test_a_port_with_connections_of_before_can_be_held_again() -> None:
    with hold_port(HOST, 0) as held, listener(port_of(held), shares=True) as before:
        port = port_of(held)
        caller = socket.create_connection((HOST, port), timeout=5)
        answered, _ = before.accept()
        # Who closes first keeps the connection in mind for a minute.
        answered.close()
        caller.close()

    with hold_port(HOST, port) as again:
        assert port == port_of(again)
