"""The ledger: append, read, follow. Servers, followers and tests talk to this class; what stands below it is its own business."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import uuid_utils
from eventsourcing.application import Application

from ledger.api.v1.errors_pb2 import APPEND_TOO_LARGE
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.governance_pb2 import LedgerOpened
from ledger.api.v1.ledger_service_pb2 import EventGroup, GroupResult
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.catalogue import BY_FIELD, read_event
from ledger.commit.decision import Decider, IncomingGroup
from ledger.commit.governing import Governing
from ledger.commit.reception import receive_groups
from ledger.commit.record_clock import wall_clock
from ledger.commit.streams import Streams
from ledger.commit.subjects import Subjects
from ledger.commit.writer import Answer, Writer
from ledger.durable_file import make_folder
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.event_id import to_bytes, to_text
from ledger.intake.validate import warm
from ledger.mapper import LedgerMapper
from ledger.policy.book import PolicyBook
from ledger.policy.default import POLICY_ID, RECORDING_ALLOWANCE, default_policy
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import MasterKey, load, load_or_create
from ledger.privacy.vault import Vault
from ledger.privacy.vault_opening import vault_exists
from ledger.store.opening import persistence_of
from ledger.store.recorder import Head, LogRecorder

LOG_FILE: Final = "log.db"
VAULT_FILE: Final = "vault.db"
MASTER_KEY_FILE: Final = "keys/master.key"
APPEND_EVENTS_MAX: Final = 1_000
HASH_SUITE: Final = "sha256_v1"


class OpenedElsewhereError(Exception):
    """Another process made the ledger while this one was about to: open that one."""


class Ledger(Application[str]):
    """One ledger, opened for appending. Of a log in a file only one process may have it open so.

    `on_commit` are called in the writer's thread with the new head after each commit, and must be quick.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        log: Path | str | None = None,
        vault: Path | str | None = None,
        now: Callable[[], int] = wall_clock,
        home_zone: str = "UTC",
        default_region: str = "FR",
        recording_allowance: timedelta = RECORDING_ALLOWANCE,
    ) -> None:
        self.data_dir = data_dir
        make_folder(data_dir)
        super().__init__(persistence_of(log or data_dir / LOG_FILE))
        self.store = cast("LogRecorder", self.recorder)
        key_file, vault_place = data_dir / MASTER_KEY_FILE, vault or data_dir / VAULT_FILE
        # A vault whose key file is gone waits for the recovery copy: a new key could not open it, and would stand in its place.
        self.master_key: MasterKey = load(key_file) if vault_exists(vault_place) else load_or_create(key_file)
        self.vault = Vault(vault_place, self.master_key)
        self.on_commit: list[Callable[[int], None]] = []
        opened = self._opened()
        if opened is None:
            self.ledger_id, self.incarnation = uuid.uuid4().bytes, 1
            self.home_zone, self.default_region = home_zone, default_region
        else:
            said = opened.payload
            self.ledger_id, self.incarnation = to_bytes(said.ledger_id), said.incarnation
            self.home_zone, self.default_region = said.home_zone, said.default_region
        self.content = ContentReader(self.vault, self.ledger_id)
        governing = [read_event(row.position, row.header) for row in self.store.read_governing()]
        self._governing = Governing(PolicyBook.of(governing), self._classifications)
        self._subjects = Subjects(self.vault, self.ledger_id)
        self._subjects.committed(governing)
        streams = Streams(self.store)
        decider = Decider(
            ledger_id=self.ledger_id,
            reader=self.store,
            streams=streams,
            subjects=self._subjects,
            governing=self._governing,
            content=self.content,
        )
        self.writer = Writer(
            recorder=self.store,
            decider=decider,
            streams=streams,
            now=now,
            committed=self._committed,
            learned=self._learned,
            try_vault=self.vault.touch,
        )
        if opened is None:
            self._open_first(now(), recording_allowance)

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        log: Path | str | None = None,
        vault: Path | str | None = None,
        now: Callable[[], int] = wall_clock,
        home_zone: str = "UTC",
        default_region: str = "FR",
        recording_allowance: timedelta = RECORDING_ALLOWANCE,
    ) -> Ledger:
        """Open the ledger in a data directory, or make one there: its first two events are its opening and the default policy.

        `log`, `vault`: addresses of PostgreSQL databases, which any number of processes share; by default files of this process.
        `home_zone`, `default_region` and `recording_allowance` count only when it is made; they are recorded then.
        """
        how: dict[str, Any] = {
            "log": log,
            "vault": vault,
            "now": now,
            "home_zone": home_zone,
            "default_region": default_region,
            "recording_allowance": recording_allowance,
        }
        try:
            return cls(data_dir, **how)
        except OpenedElsewhereError:
            return cls(data_dir, **how)

    @classmethod
    def construct_env(cls, name: str, env: Any = None) -> Any:
        """Return the settings given, and nothing of the process's environment: that is read in config.py alone."""
        from eventsourcing.utils import Environment

        return Environment(name, env or {})

    def construct_mapper(self) -> Any:
        """Return the mapper that stores headers as they are."""
        return LedgerMapper()

    @property
    def failed(self) -> Any:
        """Set when the writer ended unasked: the process has to end."""
        return self.writer.failed

    @property
    def queue_events(self) -> int:
        """Events waiting to be recorded."""
        return self.writer.queue_events

    @property
    def read_only_reason(self) -> str | None:
        """Why nothing is recorded now; None when it is."""
        return self.writer.read_only_reason

    def head(self) -> Head:
        """Return the last position and its record time, as committed."""
        return self.store.head()

    def append(self, groups: Sequence[EventGroup], *, internal: bool = False) -> list[GroupResult]:
        """Append groups and wait until they are durable. One result each, in order; see `submit`."""
        return self.submit(groups, internal=internal).result()

    def submit(self, groups: Sequence[EventGroup], *, internal: bool = False) -> Future[list[GroupResult]]:
        """Append groups as `send` does, with a future for the answer."""
        future: Future[list[GroupResult]] = Future()
        future.set_running_or_notify_cancel()
        self.send(groups, partial(_settle, future), internal=internal)
        return future

    def send(self, groups: Sequence[EventGroup], answer: Answer, *, internal: bool = False) -> None:
        """Append groups: each is atomic and fails alone, with its refusal in its result.

        `answer` is called once, in the writer's thread, with the results, or with the LedgerError that concerns the store. What
        concerns the whole call is raised at once (APPEND_TOO_LARGE, QUEUE_FULL, SHUTTING_DOWN). `internal` callers are the
        ledger's own parts: they may write reserved topics.
        """
        event_count = sum(len(group.events) for group in groups)
        if event_count > APPEND_EVENTS_MAX:
            raise LedgerError(
                APPEND_TOO_LARGE,
                f"{event_count} events in one call are more than {APPEND_EVENTS_MAX}: split it.",
                event_count=event_count,
                event_count_max=APPEND_EVENTS_MAX,
            )
        received = receive_groups(groups, internal=internal, home_zone=self.home_zone, default_region=self.default_region)
        self.send_received(received, event_count, answer)

    def send_received(self, groups: Sequence[IncomingGroup | LedgerError], event_count: int, answer: Answer) -> None:
        """Append groups that went through intake already; see `send`."""
        self.writer.submit(groups, event_count, answer)

    def close(self) -> None:
        """Record what waits, and close the files."""
        self.writer.close()
        self.vault.close()
        super().close()

    def _committed(self, events: Sequence[Event], head: Head) -> None:
        self._subjects.committed(events)
        self._governing.committed()
        for call in self.on_commit:
            call(head.position)

    def _learned(self, events: Sequence[Event], head: Head) -> None:
        """Take in what other processes recorded."""
        self._subjects.committed(events)
        self._governing.learned(events)
        for call in self.on_commit:
            call(head.position)

    def _classifications(self) -> Iterator[Event]:
        for row in self.store.read_classifications():
            yield read_event(row.position, row.header)

    def _opened(self) -> Event | None:
        rows = self.store.read(0, 1)
        return read_event(rows[0].position, rows[0].header) if rows else None

    def _open_first(self, now: int, recording_allowance: timedelta) -> None:
        opened = LedgerOpened(
            ledger_id=to_text(self.ledger_id),
            incarnation=self.incarnation,
            hash_suite=HASH_SUITE,
            home_zone=self.home_zone,
            default_region=self.default_region,
        )
        published = PolicyPublished(policy_id=POLICY_ID, policy_version=1, policy=default_policy(recording_allowance))
        published.in_force_from.FromMicroseconds(now)
        events = [
            EventToAppend(envelope=EventEnvelope(event_id=str(uuid_utils.uuid7())), payload=payload)
            for payload in (Payload(ledger_opened=opened), Payload(policy_published=published))
        ]
        (result,) = self.append([EventGroup(events=events)], internal=True)
        if result.HasField("error"):
            self.close()
            raise OpenedElsewhereError(result.error.message)


def _settle(future: Future[list[GroupResult]], answer: list[GroupResult] | Exception) -> None:
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def warm_rules() -> None:
    """Compile the rules of every event type, so that nobody's first call waits for them."""
    warm(EventEnvelope())
    for kind in BY_FIELD.values():
        warm(kind.message())
