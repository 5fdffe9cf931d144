"""Word of commits by other processes: by NOTIFY where there is one, and by looking where there is none."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.application import Ledger
from ledger.store import postgres_wake
from ledger.store.postgres_wake import CommitListener
from ledger.wake import wait_for_any
from projections.views_file import ViewsReader
from tests.appending import append_one
from tests.postgres_server import new_schema

PATIENCE_SECONDS = 60.0


@pytest.fixture
def places() -> tuple[str, str]:
    return new_schema(), new_schema()


@pytest.fixture
def ledger(tmp_path: Path, places: tuple[str, str]) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "data", log=places[0], vault=places[1])) as opened:
        yield opened


def test_a_commit_wakes_who_listens(ledger: Ledger, places: tuple[str, str]) -> None:
    with closing(CommitListener(places[0])) as listener:
        append_one(ledger, ContactReceived(contact_id="c-1", reason="x"))

        assert wait_for_any([listener], PATIENCE_SECONDS)


def test_a_listener_that_lost_its_connection_gets_another_one(
    ledger: Ledger, places: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_wake, "RETRY_SECONDS", 0.0)
    with closing(CommitListener(places[0])) as listener:
        listener.close()
        assert listener.fileno() >= 0
        append_one(ledger, ContactReceived(contact_id="c-1", reason="x"))

        assert wait_for_any([listener], PATIENCE_SECONDS)


def test_where_there_is_no_notify_nothing_is_heard_and_the_views_follow_by_looking(
    ledger: Ledger, places: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_wake, "CHANNEL", "no, such, channel")
    command = [sys.executable, "-m", "tests.deaf_projector", str(tmp_path / "data"), *places]
    projector = subprocess.Popen(command)
    try:
        with closing(CommitListener(places[0])) as listener:
            for number in range(3):
                append_one(ledger, ContactReceived(contact_id=f"c-{number}", reason="x"))
                until_views_stand_at(tmp_path / "data" / "views", ledger.head().position)
            assert not wait_for_any([listener], 0)
    finally:
        projector.kill()
        projector.wait()


def until_views_stand_at(folder: Path, position: int) -> None:
    reader, end_time = ViewsReader(folder), time.monotonic() + PATIENCE_SECONDS
    while reader.position() < position:
        assert time.monotonic() < end_time, f"the views stand at {reader.position()}, not at {position}"
        time.sleep(0.02)
    reader.close()
