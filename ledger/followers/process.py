"""The clock's process: looks at the views, and appends through the server's own door."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Final

import grpc

from ledger.api.v1.ledger_service_pb2 import AppendRequest, GroupResult
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.catalogue import read_event
from ledger.data_directory import DataDirectory
from ledger.event_id import to_bytes
from ledger.followers.clock import Clock
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from ledger.store.recorder import StoreError
from ledger.store.sqlite import open_reader
from projections.view import Read
from projections.views_file import ViewsReader

LOOK_SECONDS: Final = 0.5
"""How often the clock looks: a due is recorded at most so long, and the recording allowance, after it passed."""
CALL_SECONDS: Final = 30.0

log = logging.getLogger("tellonce.clock")


def run_clock(data: DataDirectory, ready: Callable[..., None]) -> None:
    """Run the clock until the process is ended. It holds nothing that could be lost."""
    reader = open_reader(data.log)
    ledger_id = to_bytes(read_event(1, reader.read(0, 1)[0].header).payload.ledger_id)
    content = ContentReader(Vault(data.vault, load(data.master_key), read_only=True), ledger_id)
    views = ViewsReader(data.views)
    with grpc.insecure_channel(f"unix:{data.grpc_socket}") as channel:
        stub = LedgerServiceStub(channel)

        def append(request: AppendRequest) -> Sequence[GroupResult]:
            return stub.Append(request, timeout=CALL_SECONDS).results

        clock = Clock(reader, append)
        ready()
        while True:
            now = time.time_ns() // 1000
            recorded = 0
            try:
                with views.snapshot() as snapshot:
                    if snapshot is not None:
                        at = snapshot.position
                        recorded = clock.look(Read(snapshot.db, at, at, None, now, reader, content), now)
            except (StoreError, sqlite3.Error) as error:
                log.warning("Nothing could be looked at, and is tried again: %s", error)
            except grpc.RpcError as error:
                log.warning("Nothing could be recorded, and is tried again: %s", error.code().name)
            if not recorded:
                time.sleep(LOOK_SECONDS)
