"""The processes of the clock and of the playbooks: they look at the views, and append through the server's own door."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, NoReturn

import grpc

from ledger.api.v1.ledger_service_pb2 import AppendRequest, GroupResult
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.catalogue import read_event
from ledger.data_directory import DataDirectory
from ledger.event_id import to_bytes
from ledger.followers.clock import Clock
from ledger.followers.playbook_record import PlaybookRecord
from ledger.followers.playbooks import Playbooks, TryAgainError
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from ledger.store.opening import open_reader
from ledger.store.recorder import LogReader, StoreError
from projections.view import Read
from projections.views_file import ViewsReader

LOOK_SECONDS: Final = 0.5
"""How often they look: a due is recorded at most so long, and the recording allowance, after it passed."""
REST_RATIO: Final = 4
REST_SECONDS_MAX: Final = 10.0
"""The clock rests longer where looking takes long: so many times as long, up to this. While a large import is open, each look
passes by all that the import has due, and at four million events that took an eighth of a core. Playbooks look at new events only:
what takes them long has to be done, so they do not wait with it."""
CALL_SECONDS: Final = 30.0

log = logging.getLogger("tellonce.clock")
playbooks_log = logging.getLogger("tellonce.playbooks")


def run_clock(data: DataDirectory, ready: Callable[..., None]) -> None:
    """Run the clock until the process is ended. It holds nothing that could be lost."""
    with tools_of(data) as tools:
        clock = Clock(tools.reader, tools.append)

        def look(read: Read) -> bool:
            return clock.look(read, read.evaluated) > 0

        ready()
        _look_for_ever(tools, look, log, rest_seconds)


def run_playbooks(data: DataDirectory, ready: Callable[..., None]) -> None:
    """Run the playbooks until the process is ended. What it has looked at stands in a file of its own."""
    with tools_of(data) as tools:
        follower = Playbooks(tools.reader, tools.append, PlaybookRecord(data.playbooks))

        def look(read: Read) -> bool:
            before = follower.position
            follower.look(read)
            return before < follower.position < read.position

        ready()
        _look_for_ever(tools, look, playbooks_log, lambda took: LOOK_SECONDS)


class Tools(NamedTuple):
    """What a follower works with."""

    reader: LogReader
    content: ContentReader
    views: ViewsReader
    append: Callable[[AppendRequest], Sequence[GroupResult]]


@contextmanager
def tools_of(data: DataDirectory) -> Iterator[Tools]:
    """Open what a follower of a data directory works with, and close the connection at the end."""
    reader = open_reader(data.log)
    ledger_id = to_bytes(read_event(1, reader.read(0, 1)[0].header).payload.ledger_id)
    content = ContentReader(Vault(data.vault, load(data.master_key), read_only=True), ledger_id)
    with grpc.insecure_channel(f"unix:{data.grpc_socket}") as channel:
        stub = LedgerServiceStub(channel)

        def append(request: AppendRequest) -> Sequence[GroupResult]:
            return stub.Append(request, timeout=CALL_SECONDS).results

        yield Tools(reader, content, ViewsReader(data.views), append)


def _look_for_ever(tools: Tools, look: Callable[[Read], bool], log: logging.Logger, rest: Callable[[float], float]) -> NoReturn:
    """Look again and again: at once while there is more, else after a rest. `rest`: its seconds, by those of the look."""
    while True:
        now, begin = time.time_ns() // 1000, time.monotonic()
        more = False
        try:
            with tools.views.snapshot() as snapshot:
                if snapshot is not None:
                    at = snapshot.position
                    more = look(Read(snapshot.db, at, at, None, now, tools.reader, tools.content))
        except (StoreError, sqlite3.Error) as error:
            log.warning("Nothing could be looked at, and is tried again: %s", error)
        except grpc.RpcError as error:
            log.warning("Nothing could be recorded, and is tried again: %s", error.code().name)
        except TryAgainError as error:
            log.warning("Nothing could be recorded, and is tried again: %s", error)
        if not more:
            # What is waited for is time: no event tells that something has fallen due.
            time.sleep(rest(time.monotonic() - begin))


def rest_seconds(took: float) -> float:
    """Return how long the clock rests after a look that took so many seconds."""
    return max(LOOK_SECONDS, min(REST_RATIO * took, REST_SECONDS_MAX))
