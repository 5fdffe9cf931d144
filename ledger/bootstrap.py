"""The composition root: the only file that names store, views and servicers together."""

from __future__ import annotations

import asyncio
import platform
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import sample
from typing import Any, Final

from ledger.api.v1 import (
    admin_service_pb2,
    answer_service_pb2,
    audit_service_pb2,
    complaint_service_pb2,
    exception_service_pb2,
    experience_service_pb2,
    handoff_service_pb2,
    history_service_pb2,
    identity_service_pb2,
    improvement_service_pb2,
    insight_service_pb2,
    ledger_service_pb2,
    notice_service_pb2,
    opportunity_service_pb2,
    playbook_service_pb2,
    policy_service_pb2,
    promise_service_pb2,
    request_service_pb2,
)
from ledger.application import Ledger, OpenedElsewhereError, warm_rules
from ledger.commit.record_clock import wall_clock
from ledger.config import Config
from ledger.data_directory import ConfigError
from ledger.durable_file import ServerSettingError
from ledger.followers.process import run_clock, run_playbooks
from ledger.internal.v1 import node_service_pb2
from ledger.privacy.master_key import MasterKeyError
from ledger.privacy.vault import VaultUnavailableError, WrongMasterKeyError
from ledger.server.customers import Customers
from ledger.server.head import Head
from ledger.server.lane import BulkLane
from ledger.server.lock import FileLock
from ledger.server.mailbox import Mailbox
from ledger.server.nodes import NodeWatch
from ledger.server.pieces import Pieces
from ledger.server.reading import Reading
from ledger.server.registration import warm_up
from ledger.server.services.admin import AdminServicer
from ledger.server.services.answer import AnswerServicer
from ledger.server.services.audit import AuditServicer
from ledger.server.services.complaint import ComplaintServicer
from ledger.server.services.exception import ExceptionServicer
from ledger.server.services.experience import ExperienceServicer
from ledger.server.services.handoff import HandoffServicer
from ledger.server.services.history import HistoryServicer
from ledger.server.services.identity import IdentityServicer
from ledger.server.services.improvement import ImprovementServicer
from ledger.server.services.insight import InsightServicer
from ledger.server.services.log import LogServicer
from ledger.server.services.node import NodeServicer
from ledger.server.services.notice import NoticeServicer
from ledger.server.services.opportunity import OpportunityServicer
from ledger.server.services.playbook import PlaybookServicer
from ledger.server.services.policy import PolicyServicer
from ledger.server.services.promise import PromiseServicer
from ledger.server.services.request import RequestServicer
from ledger.server.serving import AppendsEndedError, Service, serve
from ledger.server.snapshots import Snapshots
from ledger.server.supervisor import Part
from ledger.server.waiting import Waiting
from ledger.sqlite_file import SchemaTooNewError, SqliteSettingError
from ledger.store.opening import commit_listeners, nodes_of
from ledger.store.recorder import StoreError
from ledger.tokens import Branch
from ledger.wake import Listener, WakeListener, WakeSender, wait_for_any
from projections.process import run_projector
from projections.views_file import VIEW_VERSION, ViewsFolder

LOG_THREADS: Final = 2
QUERY_THREADS: Final = 4

SWITCH_SECONDS: Final = 0.0005
"""A thread waits so long for another one to let go of the interpreter; Python's own 5 ms would cost a third of the appends."""

CANNOT_OPEN: Final = (
    MasterKeyError,
    WrongMasterKeyError,
    VaultUnavailableError,
    SchemaTooNewError,
    SqliteSettingError,
    StoreError,
    OpenedElsewhereError,
    ServerSettingError,
)
"""What keeps a ledger from being opened and says itself what to do."""

FREE_PORTS: Final = range(15_000, 32_000)
FREE_PORT_TRIES: Final = 100

HEARD_SECONDS_MAX: Final = 1.0
"""A connection that hears of commits elsewhere is looked after so often."""

OTHER_SERVER_SECONDS: Final = 20.0
"""A server whose supervisor died may need so long to finish what it has begun."""


def run_server(config: Config, ready: Callable[[Any], None]) -> None:
    """Run the server: open the ledger for appending, and serve until SIGTERM."""
    sys.setswitchinterval(SWITCH_SECONDS)
    lock = FileLock(config.data.server_lock)
    if not lock.acquire(OTHER_SERVER_SECONDS):
        sys.exit(f"Process {lock.holder()} still appends to {config.data_dir}: stop it first.")
    ledger = _open_ledger(config)
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


def _open_ledger(config: Config) -> Ledger:
    """Open the ledger, or end the process with what the operator has to do."""
    try:
        return Ledger.open(
            config.data_dir,
            log=config.data.log,
            vault=config.data.vault,
            home_zone=config.home_zone,
            default_region=config.default_region,
            recording_allowance=timedelta(seconds=config.recording_allowance_seconds),
        )
    except CANNOT_OPEN as error:
        sys.exit(str(error))


async def _serve(config: Config, ledger: Ledger, ready: Callable[[Any], None]) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    nodes = NodeWatch(
        nodes_of(config.data.log),
        f"{platform.node()} {config.data_dir}",
        Snapshots(config.data.views).position,
        config.lag_limit_seconds,
        ledger.store,
        ledger.failed.set,
    )
    services = _services(config, ledger, loop, nodes)
    warm_up(service.descriptor for service in services)
    nodes.start()

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
        lagging=lambda: nodes.lagging,
        ready=tell,
    )
    nodes.stop()


def _services(config: Config, ledger: Ledger, loop: asyncio.AbstractEventLoop, nodes: NodeWatch) -> list[Service]:
    branch = Branch(ledger.ledger_id, ledger.incarnation)
    snapshots = Snapshots(config.data.views)
    log_threads = ThreadPoolExecutor(LOG_THREADS, "log")
    of_log = Head(lambda: ledger.head().position, log_threads, shared=ledger.store.shared)
    head = of_log.waiting
    views = Waiting(snapshots.position)
    mailbox = Mailbox(loop)
    lane = BulkLane(views, head.look(), loop.time)
    query_threads = ThreadPoolExecutor(QUERY_THREADS, "query")
    reading = Reading(
        branch=branch,
        log=ledger.store,
        content=ledger.content,
        snapshots=snapshots,
        views=views,
        search=Waiting(snapshots.search_position),
        head=of_log,
        now=wall_clock,
        threads=query_threads,
        view_version=VIEW_VERSION,
        node=platform.node(),
    )
    customers = Customers(ledger.vault, ledger.default_region)
    log_servicer = LogServicer(
        ledger=ledger,
        branch=branch,
        head=head,
        lane=lane,
        mailbox=mailbox,
        pieces=Pieces(ledger.store, ledger.content),
        threads=log_threads,
    )
    _wake_on_commit(config, ledger, mailbox, head, lane)
    _look_when_woken(config, loop, views, of_log)
    return [
        _service(ledger_service_pb2, log_servicer),
        _service(history_service_pb2, HistoryServicer(reading, customers, snapshots)),
        _service(handoff_service_pb2, HandoffServicer(reading, customers)),
        _service(promise_service_pb2, PromiseServicer(reading, customers)),
        _service(request_service_pb2, RequestServicer(reading, customers)),
        _service(complaint_service_pb2, ComplaintServicer(reading, customers)),
        _service(exception_service_pb2, ExceptionServicer(reading)),
        _service(experience_service_pb2, ExperienceServicer(reading, customers)),
        _service(answer_service_pb2, AnswerServicer(reading, customers)),
        _service(opportunity_service_pb2, OpportunityServicer(reading, customers)),
        _service(improvement_service_pb2, ImprovementServicer(reading)),
        _service(notice_service_pb2, NoticeServicer(reading)),
        _service(playbook_service_pb2, PlaybookServicer(reading, config.data.playbooks, query_threads)),
        _service(identity_service_pb2, IdentityServicer(reading, customers)),
        _service(insight_service_pb2, InsightServicer(reading, customers, ledger.home_zone)),
        _service(policy_service_pb2, PolicyServicer(reading, query_threads)),
        _service(audit_service_pb2, AuditServicer(reading)),
        _service(admin_service_pb2, AdminServicer(ledger, snapshots, query_threads, nodes)),
        _service(node_service_pb2, NodeServicer(branch, ViewsFolder(config.data.views), query_threads)),
    ]


def _service(module: Any, servicer: Any) -> Service:
    """Return the one service of a proto file with who answers it."""
    (descriptor,) = module.DESCRIPTOR.services_by_name.values()
    return Service(descriptor, servicer)


def _wake_on_commit(config: Config, ledger: Ledger, mailbox: Mailbox, head: Waiting, lane: BulkLane) -> None:
    projector = WakeSender(config.data.projector_socket)

    def in_loop(position: int) -> None:
        head.stands_at(position)
        lane.committed(position)

    def in_writer(position: int) -> None:
        projector.wake()
        mailbox.post(partial(in_loop, position))

    ledger.on_commit.append(in_writer)


def _look_when_woken(config: Config, loop: asyncio.AbstractEventLoop, views: Waiting, head: Head) -> None:
    wakes = WakeListener(config.data.server_socket)

    def look() -> None:
        # Drained first: what comes after the look wakes again.
        wakes.drain()
        views.look()

    loop.add_reader(wakes.fileno(), look)
    for commits in commit_listeners(config.data.log):
        threading.Thread(target=_hear, args=(commits, loop, head.look_soon), name="commits", daemon=True).start()


def _hear(commits: Listener, loop: asyncio.AbstractEventLoop, heard: Callable[[], None]) -> None:
    """Tell the event loop of commits elsewhere. In a thread, because connecting anew may take seconds."""
    with suppress(RuntimeError):  # the loop was closed
        while True:
            if wait_for_any([commits], HEARD_SECONDS_MAX):
                loop.call_soon_threadsafe(heard)


def parts(config: Config) -> list[Part]:
    """Return the processes of a ledger: the server first, the others need it."""
    return [
        Part("server", run_server, (config,), stop_seconds=20.0),
        Part("projector", run_projector, (config.data, config.views_from), stop_seconds=10.0),
        Part("clock", run_clock, (config.data,), stop_seconds=10.0),
        Part("playbooks", run_playbooks, (config.data,), stop_seconds=10.0),
    ]


def wait_for_predecessor(config: Config) -> None:
    """Wait until a server whose supervisor was killed has ended: it holds the port, and appends. Raises ConfigError."""
    lock = FileLock(config.data.server_lock)
    if not lock.acquire(OTHER_SERVER_SECONDS):
        raise ConfigError(f"Process {lock.holder()} still appends to {config.data_dir}: stop it first.")
    lock.release()


def with_free_port(config: Config) -> Config:
    """Return the configuration with a port that can be had; for port 0 any free one. Raises ConfigError.

    The one chosen is kept for as long as the supervisor runs, so that a server that is started again is found. It lies below the
    ports that the kernel gives to outgoing connections: one of those could take it before the server does.
    """
    ports = [config.port] if config.port else sample(FREE_PORTS, FREE_PORT_TRIES)
    for port in ports:
        chosen = replace(config, port=port)
        try:
            _try_to_bind(chosen)
        except OSError as error:
            refused = error
        else:
            return chosen
    raise ConfigError(f"Cannot listen on {config.address}: {refused.strerror}. Give another address with --listen.") from refused


def _try_to_bind(config: Config) -> None:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((config.host, config.port))
