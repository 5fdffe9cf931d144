"""pyeventsourcing's own tests of its recorders, run on ours. Our streams are texts, so their originator ids are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import UUID, uuid4

from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    RecorderTestCase,
)
from eventsourcing.utils import Environment

from ledger.store import postgres, sqlite
from ledger.store.recorders import LogAggregateRecorder, LogApplicationRecorder
from tests.postgres_server import new_schema


class OnSqlite(RecorderTestCase):
    """Makes recorders on files of their own, and closes them."""

    def new_originator_id(self) -> UUID | str:
        return str(uuid4())

    def open(self) -> LogApplicationRecorder:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        recorder = sqlite.open_recorder(Path(folder.name) / "log.db")
        self.addCleanup(recorder.close)
        return recorder


class OnPostgres(OnSqlite):
    """Makes recorders on schemas of their own."""

    def open(self) -> LogApplicationRecorder:
        recorder = postgres.open_recorder(new_schema())
        self.addCleanup(recorder.close)
        return recorder


class TestAggregateRecorder(OnSqlite, AggregateRecorderTestCase):
    def create_recorder(self) -> LogAggregateRecorder:
        return LogAggregateRecorder(self.open())


class TestAggregateRecorderOnPostgres(OnPostgres, TestAggregateRecorder):
    pass


class TestApplicationRecorder(OnSqlite, ApplicationRecorderTestCase[LogApplicationRecorder]):
    def create_recorder(self) -> LogApplicationRecorder:
        return self.open()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderOnPostgres(OnPostgres, TestApplicationRecorder):
    pass


class TestNonInterleavingNotificationIds(OnSqlite, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> LogApplicationRecorder:
        return self.open()


class TestNonInterleavingNotificationIdsOnPostgres(OnPostgres, TestNonInterleavingNotificationIds):
    pass


def test_the_library_finds_the_factory_by_its_module(tmp_path: Path) -> None:
    env = Environment("Ledger", {"PERSISTENCE_MODULE": "ledger.store.sqlite", "LOG_PATH": str(tmp_path / "log.db")})

    with InfrastructureFactory.construct(env) as factory:
        positions = factory.application_recorder().insert_events([StoredEvent("contact-1", 1, "contact-received", b"header")])
        found = factory.aggregate_recorder().select_events("contact-1")
        factory.close()

    assert [1] == positions
    assert [StoredEvent("contact-1", 1, "contact-received", b"header")] == found
