"""Nodes of several versions on one log: who does not know what was recorded records nothing; where all changed, it never starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from uuid_utils import uuid7

from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.errors_pb2 import NEEDS_UPGRADE
from ledger.application import Ledger
from ledger.durable_file import ServerSettingError
from ledger.errors import LedgerError
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.privacy.master_key import MasterKey
from ledger.privacy.vault import Vault
from ledger.store import postgres
from ledger.store.opening import nodes_of
from ledger.store.postgres_schema import SCHEMA_VERSION
from ledger.store.recorder import StoredEventRow
from tests.appending import append_one, group, to_append
from tests.postgres_server import new_schema

PATIENCE_SECONDS = 60.0


@pytest.fixture
def log() -> str:
    return new_schema()


@pytest.fixture
def ledger(log: str, tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "data", log=log, vault=new_schema())) as opened:
        yield opened


def set_version(log: str, version: int) -> None:
    with psycopg.connect(log, autocommit=True) as connection:
        connection.execute("UPDATE head SET schema_version = %s", (version,))


def version_of(log: str) -> object:
    with psycopg.connect(log) as connection:
        return connection.execute("SELECT schema_version FROM head").fetchone()


def refused(ledger: Ledger, payload: object) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        ledger.append([group(to_append(payload))])
    return caught.value


def test_a_log_of_a_newer_version_is_neither_read_nor_written(log: str) -> None:
    postgres.open_recorder(log).close()
    set_version(log, SCHEMA_VERSION + 1)

    for opened in (postgres.open_recorder, postgres.open_reader):
        with pytest.raises(ServerSettingError, match="update this program"):
            opened(log)
    assert (SCHEMA_VERSION + 1,) == version_of(log)


def test_a_vault_of_a_newer_version_is_not_opened() -> None:
    place, master = new_schema(), MasterKey(bytes(range(32)))
    Vault(place, master).close()
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("UPDATE vault SET schema_version = 99")

    for read_only in (False, True):
        with pytest.raises(ServerSettingError, match="update this program"):
            Vault(place, master, read_only=read_only)


def test_tables_of_an_older_version_are_brought_up_to_date_once_by_nodes_that_start_together(log: str) -> None:
    with closing(postgres.open_recorder(log)) as recorder:
        row = StoredEventRow(1, uuid7().bytes, "a", 1, "topic", 1, b"header", None)
        with recorder.transaction() as transaction:
            transaction.insert([row])
    with psycopg.connect(log, autocommit=True) as connection:
        connection.execute("DROP TABLE node")
    set_version(log, 1)

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: postgres.open_recorder(log), range(4)))

    assert (SCHEMA_VERSION,) == version_of(log)
    assert [[row]] * 4 == [recorder.read(0, 9) for recorder in opened]
    for recorder in opened:
        recorder.close()
    nodes = nodes_of(log)
    assert nodes is not None
    assert ["here"] == [place.name for place in nodes.stand_at("here", 1)]
    nodes.close()


def test_a_node_that_runs_records_nothing_once_a_newer_one_changed_the_tables(ledger: Ledger, log: str) -> None:
    append_one(ledger, ContactReceived(contact_id="c-1", reason="x"))
    set_version(log, SCHEMA_VERSION + 1)

    refusal = refused(ledger, ContactReceived(contact_id="c-2", reason="x"))

    assert (NEEDS_UPGRADE, "needs upgrade") == (refusal.reason, ledger.read_only_reason)
    assert "update this program" in refusal.message
    assert not ledger.failed.is_set()
    assert 3 == len(ledger.store.read(0, 9))
    set_version(log, SCHEMA_VERSION)
    end_time = time.monotonic() + PATIENCE_SECONDS
    while ledger.read_only_reason is not None:
        assert time.monotonic() < end_time
        time.sleep(0.05)
    assert "" == append_one(ledger, ContactReceived(contact_id="c-2", reason="x"))


@pytest.mark.parametrize("stream", ["contact-c-1", "wish-w-1"], ids=["in a stream it knows", "in one of its own"])
def test_a_node_that_meets_an_event_type_it_does_not_know_records_nothing(ledger: Ledger, log: str, stream: str) -> None:
    append_one(ledger, ContactReceived(contact_id="c-1", reason="x"))
    record_something_newer(ledger, log, stream)

    refusals = [refused(ledger, NoteAdded(contact_id="c-1", text="x")), refused(ledger, ContactReceived(contact_id="c-2"))]

    assert [NEEDS_UPGRADE] * 2 == [refusal.reason for refusal in refusals]
    assert all("wish-uttered" in refusal.message for refusal in refusals)
    assert "needs upgrade" == ledger.read_only_reason
    assert not ledger.failed.is_set()
    assert 4 == ledger.head().position


def record_something_newer(ledger: Ledger, log: str, stream: str) -> None:
    """Record what a newer version of this program would."""
    with closing(postgres.open_recorder(log)) as newer, newer.transaction() as transaction:
        place, now = transaction.head
        header = EventHeader(
            event_id=uuid7().bytes,
            ledger_id=ledger.ledger_id,
            stream=stream,
            topic="wish-uttered",
            revision=2,
            record_time_micros=now,
        )
        row = StoredEventRow(place + 1, header.event_id, stream, 2, header.topic, now, header.SerializeToString(), None)
        transaction.insert([row])
