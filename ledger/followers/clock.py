"""The clock: writes what follows when time passes. promise-broken, handoff-expired, handoff-overdue; each exactly once.

It looks in the views for dues that have passed and appends through the server, like any other caller, with the stream's revision
that its judgement rests on: on a conflict it looks again. What it writes is a function of the stream alone, and its id is derived
from topic, entity and the event that set the due: any number of clocks, on any number of nodes, write the same event once.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import grpc

from ledger.api.v1.core_pb2 import CLOCK
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.handoff_pb2 import HandoffExpired, HandoffOverdue
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup, GroupResult, StreamExpectation
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.catalogue import read_event
from ledger.config import DataDirectory
from ledger.policy.book import Policy
from ledger.store.recorder import LogReader, StoreError
from ledger.store.sqlite import open_reader
from projections import due, imports
from projections.due import DueItem, DueKind
from projections.view import Read
from projections.views_file import ViewsReader

LOOK_SECONDS: Final = 0.5
"""How often the clock looks. A due is recorded at most this much, and the recording allowance, after it passed."""
BATCH_ITEMS: Final = 200
SILENT_MICROS: Final = 3_600_000_000
"""An import that recorded nothing for so long counts as over (domain rule 8.5)."""
CALL_SECONDS: Final = 30.0
REST_SECONDS: Final = 60.0
"""An item that was refused is left alone for so long: asking again at once would change nothing."""

log = logging.getLogger("tellonce.clock")


class Firing(NamedTuple):
    """An event of the clock, and what it judged it on."""

    item: DueItem
    group: EventGroup


def run_clock(data_dir: Path, ready: Callable[..., None]) -> None:
    """Run the clock until the process is ended. It holds nothing that could be lost."""
    data = DataDirectory(data_dir)
    reader = open_reader(data.log)
    views = ViewsReader(data.views)
    with grpc.insecure_channel(f"unix:{data.grpc_socket}") as channel:
        clock = Clock(reader, views, LedgerServiceStub(channel).Append)
        ready()
        while True:
            try:
                busy = clock.look(time.time_ns() // 1000)
            except (StoreError, grpc.RpcError) as error:
                log.warning("Nothing could be recorded, and is tried again: %s", describe(error))
                busy = False
            if not busy:
                time.sleep(LOOK_SECONDS)


class Clock:
    """Finds dues that have passed and records them."""

    def __init__(self, reader: LogReader, views: ViewsReader, append: Callable[..., object]) -> None:
        self._reader = reader
        self._views = views
        self._append = append
        self._allowance: int | None = None
        self._resting: dict[bytes, float] = {}

    def look(self, now: int) -> bool:
        """Record what is due at `now` (microseconds UTC); True when there may be more at once."""
        with self._views.snapshot() as snapshot:
            read = snapshot.read(self._reader, evaluated=now)
            if read.position == 0:
                return False
            candidates = due.due_items(read, now - self._recording_allowance(), BATCH_ITEMS, skip=self._at_rest())
            items = [item for item in candidates if self._import_is_over(read, item, now)]
            firings = list(self._judged(read, items))
        if firings:
            self._record(firings)
        return len(candidates) == BATCH_ITEMS and bool(firings)
