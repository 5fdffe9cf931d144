"""The composition root: the only file that names store, views and servicers together."""

from __future__ import annotations

import asyncio
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
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
from ledger.data_directory import APPENDER
from ledger.durable_file import ServerSettingError
from ledger.internal.v1 import node_service_pb2
from ledger.passing_ledger import PassingLedger, ReadableLedger
from ledger.privacy.master_key import MasterKeyError
from ledger.privacy.vault import VaultUnavailableError, WrongMasterKeyError
from ledger.server.append_door import AppendDoor, AppendsEndedError
from ledger.server.append_line import AppendLine
from ledger.server.appends import Appends, OwnAppends, PassedAppends
from ledger.server.customers import Customers
from ledger.server.head import Head
from ledger.server.lane import BulkLane
from ledger.server.lock import OTHER_SERVER_SECONDS, FileLock
from ledger.server.mailbox import Mailbox
from ledger.server.nodes import NodeWatch
from ledger.server.part_status import PartsFile
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
from ledger.server.serving import Service, serve
from ledger.server.snapshots import Snapshots
from ledger.server.waiting import Waiting
from ledger.sqlite_file import SchemaTooNewError, SqliteSettingError
from ledger.store.opening import commit_listeners, nodes_of
from ledger.store.recorder import StoreError
from ledger.tokens import Branch
from ledger.wake import Listener, WakeListener, WakeSender, wait_for_any
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

HEARD_SECONDS_MAX: Final = 1.0
"""A connection that hears of commits elsewhere is looked after so often."""


def run_server(config: Config, name: str, ready: Callable[[Any], None]) -> None:
    """Run a process that answers calls and appends: open the ledger, and serve until SIGTERM."""
    with _running(config, name):
        ledger = _open_ledger(config)
        try:
            asyncio.run(_serve(config, name, ledger, ready))
        finally:
            ledger.close()


def run_worker(config: Config, name: str, ready: Callable[[Any], None]) -> None:
    """Run a process that answers calls, and passes appends to the one that appends, until SIGTERM."""
    with _running(config, name):
        ledger = PassingLedger(config.data)
        try:
            asyncio.run(_serve_passing(config, name, ledger, ready))
        finally:
            ledger.close()


def run_appender(config: Config, ready: Callable[[Any], None]) -> None:
    """Run the process that appends for several workers, until SIGTERM."""
    with _running(config, APPENDER):
        ledger = _open_ledger(config)
        try:
            asyncio.run(_append(config, ledger, ready))
        finally:
            ledger.close()


@contextmanager
def _running(config: Config, name: str) -> Iterator[None]:
    """Hold the lock of a process that serves or appends, and end it with a message where it cannot go on."""
    sys.setswitchinterval(SWITCH_SECONDS)
    lock = FileLock(config.data.lock_of(name))
    if not lock.acquire(OTHER_SERVER_SECONDS):
        sys.exit(f"Process {lock.holder()} still serves {config.data_dir}: stop it first.")
    try:
        yield
    except AppendsEndedError:
        sys.exit("The writer of the ledger ended: this process ends too, and another one starts.")
    except OSError as error:
        sys.exit(str(error))
    finally:
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


async def _append(config: Config, ledger: Ledger, ready: Callable[[Any], None]) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    projector = WakeSender(config.data.projector_socket)
    ledger.on_commit.append(lambda position: projector.wake())
    door = AppendDoor(ledger, Mailbox(loop))
    await door.keep_open(config.data.append_socket, stopping, lambda: ready(_recovery_copy(ledger)))


async def _serve(config: Config, name: str, ledger: Ledger, ready: Callable[[Any], None]) -> None:
    mailbox = Mailbox(asyncio.get_running_loop())
    log_threads = ThreadPoolExecutor(LOG_THREADS, "log")
    head = Head(lambda: ledger.head().position, log_threads, alone=not ledger.store.shared)
    nodes = _node_watch(config, ledger, ledger.failed)
    services, lane = _services(config, name, ledger, OwnAppends(ledger, mailbox, log_threads), head, nodes, log_threads)
    _wake_on_commit(config, ledger, mailbox, head.waiting, lane)
    tell = partial(ready, _recovery_copy(ledger))
    await _serve_services(config, name, services, lambda: ledger.read_only_reason, ledger.failed, nodes, tell)


async def _serve_passing(config: Config, name: str, ledger: PassingLedger, ready: Callable[[Any], None]) -> None:
    log_threads = ThreadPoolExecutor(LOG_THREADS, "log")
    # The head of a file is read in microseconds: a thread would cost more than it does.
    head = Head(lambda: ledger.head().position, None, alone=False)
    line = AppendLine(config.data.append_socket)
    appends = PassedAppends(line, log_threads, home_zone=ledger.home_zone, default_region=ledger.default_region)
    failed = threading.Event()
    nodes = _node_watch(config, ledger, failed)
    services, lane = _services(config, name, ledger, appends, head, nodes, log_threads)
    line.heard += (head.heard, lane.committed)
    keeping = asyncio.create_task(line.keep())
    await line.connected()
    try:
        await _serve_services(config, name, services, lambda: line.read_only_reason, failed, nodes, partial(ready, None))
    finally:
        keeping.cancel()
        line.close()


def _node_watch(config: Config, ledger: ReadableLedger, failed: threading.Event) -> NodeWatch:
    name = f"{platform.node()} {config.data_dir}"
    position = Snapshots(config.data.views).position
    return NodeWatch(nodes_of(config.data.log), name, position, config.lag_limit_seconds, ledger.store, failed.set)


def _recovery_copy(ledger: Ledger) -> str | None:
    return ledger.master_key.recovery_copy() if ledger.master_key.created else None


async def _serve_services(
    config: Config,
    name: str,
    services: Sequence[Service],
    read_only: Callable[[], str | None],
    failed: threading.Event,
    nodes: NodeWatch,
    ready: Callable[[], None],
) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    warm_rules()
    warm_up(service.descriptor for service in services)
    nodes.start()
    await serve(
        services,
        address=config.address,
        socket=config.data.grpc_socket if name == config.data.servers[0] else None,
        reflected=config.reflection,
        stopping=stopping,
        failed=failed,
        read_only=read_only,
        lagging=lambda: nodes.lagging,
        ready=lambda port: ready(),
    )
    nodes.stop()


def _services(
    config: Config,
    name: str,
    ledger: ReadableLedger,
    appends: Appends,
    of_log: Head,
    nodes: NodeWatch,
    log_threads: ThreadPoolExecutor,
) -> tuple[list[Service], BulkLane]:
    """Return the services of a serving process, and its bulk lane, which wants to hear of commits."""
    loop = asyncio.get_running_loop()
    branch = Branch(ledger.ledger_id, ledger.incarnation)
    snapshots = Snapshots(config.data.views)
    head = of_log.waiting
    views = Waiting(snapshots.position)
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
    parts_file = PartsFile(config.data.parts_file)
    log_servicer = LogServicer(
        ledger=ledger,
        appends=appends,
        branch=branch,
        head=head,
        lane=lane,
        pieces=Pieces(ledger.store, ledger.content),
        threads=log_threads,
    )
    _look_when_woken(config, name, loop, views, of_log)
    services = [
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
        _service(admin_service_pb2, AdminServicer(ledger, appends, snapshots, nodes, parts_file.read, query_threads)),
        _service(node_service_pb2, NodeServicer(branch, ViewsFolder(config.data.views), query_threads)),
    ]
    return services, lane


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


def _look_when_woken(config: Config, name: str, loop: asyncio.AbstractEventLoop, views: Waiting, head: Head) -> None:
    wakes = WakeListener(config.data.wake_socket(name))

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
