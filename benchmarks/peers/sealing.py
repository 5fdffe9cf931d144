"""What one would build on a ready-made event store: a Python gRPC servicer that validates and seals as the ledger does, and
appends to UmaDB.

`python -m benchmarks.peers.sealing FOLDER UMADB_ADDRESS`; prints "listening on PORT". It shares the ledger's intake, vault and
sealing, word for word; what it leaves out is to its advantage: duplicates, life cycles, expectations, policies, revisions.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import umadb

from benchmarks.peers.append_server import serve_append
from benchmarks.workload import event_count_of
from ledger.api.v1.core_pb2 import CLAIMED
from ledger.api.v1.ledger_service_pb2 import Appended, AppendRequest, AppendResponse, GroupResult
from ledger.application import warm_rules
from ledger.commit.streams import NEW_STREAM, StreamState
from ledger.commit.subjects import Sealable, Subjects
from ledger.event_id import to_text
from ledger.intake.receive import Incoming, receive
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.privacy.master_key import load_or_create
from ledger.privacy.vault import Vault

CALLS_IN_FLIGHT: Final = 8


class KnownSubjects:
    """Subjects of the streams that were opened, in memory: all that sealing asks of a log."""

    def __init__(self) -> None:
        self._states: dict[str, StreamState] = {}

    def get(self, stream: str) -> StreamState:
        """Return what is known of a stream."""
        return self._states.get(stream, NEW_STREAM)

    def opened(self, stream: str, subject: bytes) -> None:
        """Note whose stream it is."""
        self._states[stream] = NEW_STREAM._replace(subject=subject)


class Sealing:
    """Answers appends."""

    def __init__(self, folder: Path, umadb_address: str) -> None:
        self._ledger_id = uuid.uuid4().bytes
        self._subjects = Subjects(Vault(folder / "vault.db", load_or_create(folder / "master.key")), self._ledger_id)
        self._known: Any = KnownSubjects()
        self._lock = threading.Lock()
        self._store = umadb.Client(f"http://{umadb_address}")
        self._threads = ThreadPoolExecutor(CALLS_IN_FLIGHT)

    async def append(self, request: AppendRequest, context: Any) -> AppendResponse:
        """Validate, seal, append."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._append, request)

    def _append(self, request: AppendRequest) -> AppendResponse:
        received = [
            receive(event, "event", internal=False, home_zone="UTC", default_region="FR")
            for group in request.groups
            for event in group.events
        ]
        with self._lock:
            sealables = self._subjects.resolve(received, self._known)
            for event in received:
                if event.kind.opener:
                    self._known.opened(event.stream, sealables[id(event)].subject)
        last = self._store.append([self._stored(event, sealables[id(event)]) for event in received])
        return _answer(request, received, last)

    def _stored(self, event: Incoming, sealable: Sealable) -> umadb.Event:
        envelope = event.envelope
        header = EventHeader(
            event_id=event.event_id,
            ledger_id=self._ledger_id,
            stream=event.stream,
            topic=event.kind.topic,
            schema_version=1,
            subject=sealable.subject,
            occur_time_micros=event.occur or 0,
            channel=envelope.channel,
            department=envelope.department,
            actor=envelope.actor,
            actor_kind=envelope.actor_kind,
            actor_known=CLAIMED,
            source=envelope.source,
            import_run=envelope.import_run,
            correlation_id=envelope.correlation_id,
            payload=sealable.clear.SerializeToString(),
        )
        parts = self._subjects.seal(header, sealable) or b""
        return umadb.Event(
            event.kind.topic, header.SerializeToString() + parts, tags=[event.stream], uuid=uuid.UUID(bytes=event.event_id)
        )


def _answer(request: AppendRequest, received: list[Incoming], last: int) -> AppendResponse:
    places = iter(enumerate(received, start=last - event_count_of(request.groups) + 1))
    return AppendResponse(
        results=[
            GroupResult(
                appended=[
                    Appended(event_id=to_text(event.event_id), position=position, stream=event.stream)
                    for _ in group.events
                    for position, event in [next(places)]
                ]
            )
            for group in request.groups
        ]
    )


if __name__ == "__main__":
    warm_rules()
    asyncio.run(serve_append(Sealing(Path(sys.argv[1]), sys.argv[2]).append))
