"""No figure and no view reads a sealed value: with every key destroyed, views are rebuilt alike and every figure says the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.connectors.sample import sample
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.ledger_service_pb2 import EventGroup
from ledger.application import MASTER_KEY_FILE, VAULT_FILE, Ledger
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from projections import digest
from projections.figures.answer import figure
from projections.figures.definition import Question
from projections.figures.definitions import ALL
from projections.figures.tally import Asked, Slice
from projections.projector import rebuild
from projections.view import Read
from projections.views_file import ViewsFolder, ViewsReader

DAY = 86_400_000_000
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = 4_300
"""Enough for one full window of the cells, and some more."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path_factory.mktemp("ledger"))
    started = Payload(import_started=ImportStarted(run_id="sample", from_source="sample", answers_recorded=True))
    envelope = EventEnvelope(event_id="01941f29-7c00-7000-8000-000000000001", import_run="sample")
    opened.append([EventGroup(events=[EventToAppend(envelope=envelope, payload=started)])])
    groups = [EventGroup(events=events) for events in sample(EVENTS, 7, UNTIL, "sample")]
    for start in range(0, len(groups), 500):
        opened.append(groups[start : start + 500])
    yield opened
    opened.close()


@pytest.fixture
def keyless(ledger: Ledger, tmp_path: Path) -> ContentReader:
    """A reader of content whose vault has lost every key."""
    source = ledger.data_dir
    with closing(sqlite3.connect(source / VAULT_FILE)) as whole, closing(sqlite3.connect(tmp_path / VAULT_FILE)) as emptied:
        whole.backup(emptied)
        assert emptied.execute("DELETE FROM subject").rowcount > 100
        emptied.commit()
    return ContentReader(Vault(tmp_path / VAULT_FILE, load(source / MASTER_KEY_FILE), read_only=True), ledger.ledger_id)


def _digests_and_figures(folder: ViewsFolder, ledger: Ledger, content: ContentReader) -> tuple[object, list[bytes]]:
    rebuild(folder, ledger.store, ledger.ledger_id, content, lambda position, head: None).close()
    with ViewsReader(folder.path).snapshot() as snapshot:
        assert snapshot is not None
        evaluated = int(UNTIL.timestamp()) * 1_000_000
        places = [(snapshot.position, None), (snapshot.position // 2, None), (snapshot.position, evaluated - 20 * DAY)]
        reads = [Read(snapshot.db, snapshot.position, known, before, evaluated, ledger.store, content) for known, before in places]
        return digest.at(reads[0], None), [_figure(read, number) for read in reads for number in range(len(ALL))]


def _figure(read: Read, number: int) -> bytes:
    definition = ALL[number]
    slices = tuple(one for one in definition.slices if one in (Slice.CHANNEL, Slice.DEPARTMENT, Slice.TIER))
    question = Question(
        read=read,
        asked=Asked(None, None, slices),
        exact=False,
        first_contact_window=7 * DAY,
        repeat_window=7 * DAY,
        answered_within=None,
    )
    answer = figure(definition, question, bundled=False, evidence_limit=3)
    return answer.SerializeToString(deterministic=True)


def test_with_every_key_destroyed_all_views_and_figures_are_the_same(
    ledger: Ledger, keyless: ContentReader, tmp_path: Path
) -> None:
    digests, figures = _digests_and_figures(ViewsFolder(tmp_path / "with"), ledger, ledger.content)

    digests_without, figures_without = _digests_and_figures(ViewsFolder(tmp_path / "without"), ledger, keyless)

    assert digests == digests_without
    assert figures == figures_without
    assert len([one for one in figures[: len(ALL)] if len(one) > 100]) > 10
