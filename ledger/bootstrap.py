"""The composition root: the only file that names store, views and servicers together."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ledger.api.v1 import ledger_service_pb2
from ledger.application import Ledger, warm_rules
from ledger.config import Config, ConfigError
from ledger.server.lane import BulkLane
from ledger.server.lock import FileLock
from ledger.server.mailbox import Mailbox
from ledger.server.pieces import Pieces
from ledger.server.registration import warm_up
from ledger.server.services.log import LogServicer
from ledger.server.serving import AppendsEndedError, Service, serve
from ledger.server.supervisor import Part
from ledger.server.waiting import Waiting
from ledger.tokens import Branch
from ledger.wake import WakeSender

LOG_THREADS: Final = 2
QUERY_THREADS: Final = 4

SWITCH_SECONDS: Final = 0.0005
"""A thread waits so long for another one to let go of the interpreter; Python's own 5 ms would cost a third of the appends."""

HEAD_LOOK_SECONDS: Final = 1.0
"""Followers of the log are woken by the commits of their own process; a look so often is the backstop."""

OTHER_SERVER_SECONDS: Final = 20.0
"""A server whose supervisor died may need so long to finish what it has begun."""

log = logging.getLogger("tellonce.server")


def run_server(config: Config, ready: Callable[[Any], None]) -> None:
    """Run the server: open the ledger for appending, and serve until SIGTERM."""
    sys.setswitchinterval(SWITCH_SECONDS)
    lock = FileLock(config.data.server_lock)
    if not lock.acquire(OTHER_SERVER_SECONDS):
        sys.exit(f"Process {lock.holder()} still appends to {config.data_dir}: stop it first.")
    ledger = Ledger.open(config.data_dir, home_zone=config.home_zone, default_region=config.default_region)
    warm_rules()
    try:
        asyncio.run(_serve(config, ledger, ready))
    except AppendsEndedError:
        sys.exit("The writer of the ledger ended: this process ends too, and another one starts.")
    except OSError as error:
        sys.exit(str(error))
    finally:
        ledger.close()
        lock.release()


async def _serve(config: Config, ledger: Ledger, ready: Callable[[Any], None]) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    services = _services(config, ledger, loop)
    warm_up(service.descriptor for service in services)

    def tell(port: int) -> None:
        ready(ledger.master_key.recovery_copy() if ledger.master_key.created else None)

    await serve(
        services,
        address=config.address,
        socket=config.data.grpc_socket,
        reflected=config.reflection,
        stopping=stopping,
        failed=ledger.failed,
        read_only=lambda: ledger.read_only_reason,
        ready=tell,
    )


def _services(config: Config, ledger: Ledger, loop: asyncio.AbstractEventLoop) -> list[Service]:
    branch = Branch(ledger.ledger_id, ledger.incarnation)
    mailbox = Mailbox(loop)
    head = Waiting(lambda: ledger.head().position, HEAD_LOOK_SECONDS)
    views = Waiting(lambda: ledger.head().position)
    lane = BulkLane(views, head.look(), loop.time)
    _on_commit(config, ledger, mailbox, head, lane)
    log_servicer = LogServicer(
        ledger=ledger,
        branch=branch,
        head=head,
        lane=lane,
        mailbox=mailbox,
        pieces=Pieces(ledger.store, ledger.content),
        threads=ThreadPoolExecutor(LOG_THREADS, "log"),
    )
    return [
        Service(ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"], log_servicer),
    ]


def _on_commit(config: Config, ledger: Ledger, mailbox: Mailbox, head: Waiting, lane: BulkLane) -> None:
    projector = WakeSender(config.data.projector_socket)

    def in_loop(position: int) -> None:
        head.stands_at(position)
        lane.committed(position)

    def in_writer(position: int) -> None:
        projector.wake()
        mailbox.post(partial(in_loop, position))

    ledger.on_commit.append(in_writer)


def parts(config: Config) -> list[Part]:
    """Return the processes of a ledger: the server first, the others need it."""
    return [Part("server", run_server, (config,), stop_seconds=20.0)]


def with_free_port(config: Config) -> Config:
    """Return the configuration with a port that can be had; any free one for port 0. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            raise ConfigError(
                f"Cannot listen on {config.address}: {error.strerror}. Give another address with --listen."
            ) from error
        return replace(config, port=probe.getsockname()[1])
