"""Which processes a ledger runs, and the port they share. What each of them does stands in bootstrap.py and below.

The supervisor imports nothing of it: it names functions, and the processes find them. So it is up in no time, and small.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from random import sample
from typing import Final

from ledger.config import Config
from ledger.data_directory import APPENDER, ConfigError
from ledger.server.lock import OTHER_SERVER_SECONDS, FileLock
from ledger.server.part_status import PartsFile
from ledger.server.port import hold_port
from ledger.server.supervisor import Part, Supervisor

RUN_SERVER: Final = "ledger.bootstrap:run_server"
RUN_WORKER: Final = "ledger.bootstrap:run_worker"
RUN_APPENDER: Final = "ledger.bootstrap:run_appender"

FREE_PORTS: Final = range(15_000, 32_000)
FREE_PORT_TRIES: Final = 100


def supervisor(config: Config) -> Supervisor:
    """Return what runs the processes of a ledger."""
    data = config.data
    return Supervisor(
        _serving_stages(config),
        [
            Part("projector", "projections.process:run_projector", (data, config.views_from), stop_seconds=10.0),
            Part("clock", "ledger.followers.process:run_clock", (data,), stop_seconds=10.0),
            Part("playbooks", "ledger.followers.process:run_playbooks", (data,), stop_seconds=10.0),
        ],
        PartsFile(data.parts_file),
    )


def _serving_stages(config: Config) -> list[list[Part]]:
    """Return the processes that serve. To a log in a file one process appends, to one in PostgreSQL every worker does."""
    first, *others = config.data.servers
    run = RUN_WORKER if others and not config.store else RUN_SERVER
    workers = [Part(name, run, (config, name), stop_seconds=20.0) for name in (first, *others)]
    if not others:
        return [workers]
    if config.store:
        # The first one makes the ledger where there is none.
        return [workers[:1], workers[1:]]
    return [[Part(APPENDER, RUN_APPENDER, (config,), stop_seconds=20.0)], workers]


def wait_for_predecessors(config: Config) -> None:
    """Wait until processes whose supervisor was killed have ended: they hold the port, and append. Raises ConfigError."""
    for path in config.data.locks():
        lock = FileLock(path)
        if not lock.acquire(OTHER_SERVER_SECONDS):
            raise ConfigError(f"Process {lock.holder()} still serves {config.data_dir}: stop it first.")
        lock.release()


def with_port(config: Config) -> tuple[Config, socket.socket]:
    """Return the configuration with a port that can be had, for port 0 any free one; and what holds it. Raises ConfigError.

    It lies below the ports that the kernel gives to outgoing connections: one of those could take it while no supervisor runs.
    """
    ports = [config.port] if config.port else sample(FREE_PORTS, FREE_PORT_TRIES)
    for port in ports:
        try:
            return replace(config, port=port), hold_port(config.host, port)
        except OSError as error:
            refused = error
    raise ConfigError(f"Cannot listen on {config.address}: {refused.strerror}. Give another address with --listen.") from refused
