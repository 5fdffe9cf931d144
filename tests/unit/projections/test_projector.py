"""The projector: batches, digests, rebuilds, other branches of the log, and what happens when something fails."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from ledger.api.v1.contact_pb2 import ContactAnswered, ContactEnded, ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.application import Ledger
from ledger.catalogue import BY_TOPIC, UnknownTopicError
from ledger.store.recorder import Head, LogReader, StoredEventRow, StoreUnavailableError
from projections import digest, fold_engine, process, projector, quality, request_rows, requests
from projections.process import Follower
from projections.projector import LogBranchedError, Projector, new_views, open_views, rebuild
from projections.search import SearchIndex
from projections.view import Read
from projections.views_file import ViewsFolder, ViewsReader
from tests.appending import group, to_append

EVENTS_MAX = 2 * digest.WINDOW + 300


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path_factory.mktemp("ledger"))
    events = []
    for number in range(EVENTS_MAX // 3):
        contact_id = f"c-{number}"
        customer = Identifier(type="account", value=f"customer {number % 50}")
        events += [
            ContactReceived(contact_id=contact_id, reason="billing", customer=customer, summary="The bill is wrong"),
            ContactAnswered(contact_id=contact_id, answered_by=1),
            ContactEnded(contact_id=contact_id),
        ]
    for start in range(0, len(events), 300):
        opened.append([group(*(to_append(event, channel="email") for event in events[start : start + 300]))])
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> ViewsFolder:
    return ViewsFolder(tmp_path / "views")


class Log:
    """A log that can fail, end early, or hold other events than the real one."""

    def __init__(self, ledger: Ledger) -> None:
        self.store = ledger.store
        self.end = 10**9
        self.fails = False
        self.other: dict[int, StoredEventRow] = {}

    def read(self, after_position: int, limit: int, until_position: int | None = None) -> list[StoredEventRow]:
        if self.fails:
            raise StoreUnavailableError("The log cannot be read.")
        rows = self.store.read(after_position, limit, min(self.end, until_position or self.end))
        return [self.other.get(row.position, row) for row in rows]

    def read_positions(self, positions: Sequence[int]) -> dict[int, StoredEventRow]:
        rows = self.store.read_positions(positions)
        return {position: self.other.get(position, row) for position, row in rows.items() if position <= self.end}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.fixture
def log(ledger: Ledger) -> Log:
    return Log(ledger)


def _open(folder: ViewsFolder, log: Log, ledger: Ledger) -> Projector:
    return open_views(folder, cast(LogReader, log), ledger.ledger_id)


def _catch_up(views: Projector, ledger: Ledger, search: SearchIndex | None = None) -> Projector:
    while views.step(search, ledger.content):
        pass
    return views


def _digests(folder: ViewsFolder, ledger: Ledger) -> tuple[int, dict[str, bytes]]:
    with ViewsReader(folder.path).snapshot() as snapshot:
        assert snapshot is not None
        return digest.at(_read(snapshot.db, snapshot.position, ledger), None)


def _read(db: sqlite3.Connection, position: int, ledger: Ledger) -> Read:
    return Read(db, position, position, None, 0, ledger.store, ledger.content)


def test_digests_do_not_depend_on_batches_and_restarts(
    ledger: Ledger, log: Log, folder: ViewsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _catch_up(_open(folder, log, ledger), ledger).close()
    other = ViewsFolder(tmp_path / "other")

    for end in (1, 2, 700, 1023, 1024, 1025, 2000, 10**9):
        log.end = end
        monkeypatch.setattr(projector, "BATCH_EVENTS", 1024 + end % 7)
        _catch_up(_open(other, log, ledger), ledger).close()

    position, digests = _digests(folder, ledger)
    assert 2 * digest.WINDOW == position
    assert {"log", "contacts", "targets", "requests", "handoffs", "promises", "quality", "history"} <= digests.keys()
    assert (position, digests) == _digests(other, ledger)


def test_rebuilt_views_have_the_same_digests_and_take_the_place_of_the_old(ledger: Ledger, log: Log, folder: ViewsFolder) -> None:
    _catch_up(_open(folder, log, ledger), ledger).close()
    before, file = _digests(folder, ledger), folder.current()
    reached: list[int] = []

    rebuild(folder, ledger.store, ledger.ledger_id, ledger.content, lambda position, head: reached.append(position)).close()

    assert file != folder.current()
    assert before == _digests(folder, ledger)
    assert reached == sorted(reached)
    assert [ledger.head().position] == reached[-1:]


def test_a_reader_keeps_its_snapshot_over_a_switch_and_then_opens_the_new_file(
    ledger: Ledger, log: Log, folder: ViewsFolder
) -> None:
    _catch_up(_open(folder, log, ledger), ledger).close()
    reader = ViewsReader(folder.path)

    with reader.snapshot() as snapshot:
        assert snapshot is not None
        new_views(folder, cast(LogReader, log), ledger.ledger_id).close()
        (count,) = snapshot.db.execute("SELECT count(*) FROM contact_now").fetchone()

    assert EVENTS_MAX // 3 == count
    assert 0 == reader.position()


def test_a_batch_that_fails_leaves_nothing_and_is_applied_when_tried_again(
    ledger: Ledger, log: Log, folder: ViewsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.end = 100
    views = _catch_up(_open(folder, log, ledger), ledger)
    log.end = 200

    def fail(self: object, *arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(digest.Digests, "apply", fail)
        with pytest.raises(sqlite3.OperationalError):
            views.step(None, ledger.content)

    assert 100 == views.position
    with ViewsReader(folder.path).snapshot() as snapshot:
        assert snapshot is not None
        assert 100 == snapshot.position
        assert snapshot.db.execute("SELECT max(from_position) <= 100 FROM contact_now").fetchone()[0]
    assert 100 == views.step(None, ledger.content)
    views.close()


def test_what_a_full_batch_leaves_is_old_for_the_collector_which_goes_on(
    ledger: Ledger, log: Log, folder: ViewsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "BATCH_EVENTS", digest.WINDOW)
    views = _open(folder, log, ledger)

    assert views.step(None, ledger.content) == digest.WINDOW

    made = set(map(id, views._folds._entities.values()))
    young = {id(one) for generation in (0, 1) for one in gc.get_objects(generation)}
    assert made
    assert not made & young
    assert gc.isenabled()
    views.close()


def test_a_log_that_cannot_be_read_stalls_the_views(ledger: Ledger, log: Log, folder: ViewsFolder) -> None:
    views = _open(folder, log, ledger)
    log.fails = True

    with pytest.raises(StoreUnavailableError):
        views.step(None, ledger.content)

    log.fails = False
    assert views.step(None, ledger.content) > 0
    views.close()


def test_an_event_type_that_is_not_known_stops_the_views(
    ledger: Ledger, log: Log, folder: ViewsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = _open(folder, log, ledger)
    monkeypatch.delitem(BY_TOPIC, "contact-received")

    with pytest.raises(UnknownTopicError, match="contact-received"):
        views.step(None, ledger.content)

    assert 0 == views.position
    views.close()


def test_another_event_at_the_checkpoint_is_another_branch(ledger: Ledger, log: Log, folder: ViewsFolder) -> None:
    log.end = 50
    views = _catch_up(_open(folder, log, ledger), ledger)
    log.end = 60
    log.other[50] = log.store.read_positions([51])[51]._replace(position=50)

    with pytest.raises(LogBranchedError, match="50"):
        views.step(None, ledger.content)

    views.close()


def test_views_and_search_of_another_branch_are_made_anew(ledger: Ledger, log: Log, folder: ViewsFolder) -> None:
    log.end = 50
    follower = Follower(folder, cast(LogReader, log), ledger.ledger_id, ledger.content)
    while follower.step():
        pass
    file = folder.current()
    log.other[50] = log.store.read_positions([51])[51]._replace(position=50)

    assert 0 == follower.step()
    assert 0 == follower.position
    log.other.clear()
    log.end = 70
    while follower.step():
        pass

    assert 70 == follower.position
    assert file != folder.current()
    assert 70 == SearchIndex(folder.search).position
    follower.close()


def test_catching_up_is_told(
    ledger: Ledger, log: Log, folder: ViewsFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(log, "head", lambda: Head(2_000, 0), raising=False)
    log.end = 100
    with closing(Follower(folder, cast(LogReader, log), ledger.ledger_id, ledger.content)) as follower:
        with caplog.at_level("INFO"):
            follower.step()
        assert ["The views stand at 100 of 2000, 5 %."] == caplog.messages

        caplog.clear()
        monkeypatch.setattr(log, "head", lambda: Head(120, 0))
        log.end = 120
        with caplog.at_level("INFO"):
            follower.step()
        assert ["The views have caught up, at 120."] == caplog.messages


def test_damaged_views_are_made_anew(ledger: Ledger, log: Log, folder: ViewsFolder) -> None:
    log.end = 50
    _catch_up(_open(folder, log, ledger), ledger).close()
    file = folder.current()
    assert file is not None
    file.write_bytes(b"not a database" * 1000)

    views = _catch_up(_open(folder, log, ledger), ledger)

    assert 50 == views.position
    assert file != folder.current()
    views.close()


def test_a_follower_goes_on_with_views_that_were_rebuilt_beside_it(ledger: Ledger, log: Log, folder: ViewsFolder) -> None:
    log.end = 50
    follower = Follower(folder, cast(LogReader, log), ledger.ledger_id, ledger.content)
    while follower.step():
        pass
    rebuild(folder, cast(LogReader, log), ledger.ledger_id, ledger.content, lambda position, head: None).close()
    log.end = 60

    while follower.step():
        pass

    assert 60 == ViewsReader(folder.path).position()
    follower.close()


def test_a_search_index_that_was_lost_alone_is_caught_up(ledger: Ledger, log: Log, folder: ViewsFolder) -> None:
    log.end = 50
    _catch_up(_open(folder, log, ledger), ledger).close()

    follower = Follower(folder, cast(LogReader, log), ledger.ledger_id, ledger.content)

    assert 50 == SearchIndex(folder.search).position
    follower.close()


def test_views_of_another_version_are_made_anew(
    ledger: Ledger, log: Log, folder: ViewsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.end = 50
    _catch_up(_open(folder, log, ledger), ledger).close()
    monkeypatch.setattr("projections.views_file.VIEW_VERSION", 99)

    views = _open(folder, log, ledger)

    assert 0 == views.position
    assert views.file.name.startswith("views-99-")
    views.close()


def test_an_event_that_a_rule_cannot_take_is_set_aside_with_the_later_ones_of_its_entity(
    ledger: Ledger, log: Log, folder: ViewsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = fold_engine.FAMILIES["contact"]
    step = rules.step

    def fail_once(state: Any, event: Any) -> Any:
        if event.topic == "contact-answered" and event.payload.contact_id == "c-3":
            raise ZeroDivisionError("a mistake in a rule")
        return step(state, event)

    monkeypatch.setattr(rules, "step", fail_once)
    log.end = 100
    views = _catch_up(_open(folder, log, ledger), ledger)

    with ViewsReader(folder.path).snapshot() as snapshot:
        assert snapshot is not None
        read = _read(snapshot.db, snapshot.position, ledger)
        found, _ = quality.page(read, quality.SET_ASIDE, 10, None)
        states = dict(snapshot.db.execute("SELECT stream, state FROM contact_now JOIN entity ON id = entity").fetchall())
        count = quality.set_aside_count(read)
    assert ["contact-ended", "contact-answered"] == [finding.topic for finding in found.findings]
    assert {"contact-c-3"} == {finding.entity for finding in found.findings}
    assert 2 == count
    assert (1, 4) == (states["contact-c-3"], states["contact-c-4"])
    views.close()


def test_an_entity_that_waits_still_waits_after_a_restart(
    ledger: Ledger, log: Log, folder: ViewsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(state: Any) -> Any:
        raise ZeroDivisionError("a mistake in a view")

    broken = [*projector.FOLD_VIEWS[:0], *(view for view in projector.FOLD_VIEWS if view.name != "requests")]
    broken.append(
        type(request_rows.VIEW)(name="requests", family="contact", table=request_rows.VIEW.table, values=fail),
    )
    monkeypatch.setattr(projector, "FOLD_VIEWS", tuple(broken))
    log.end = 20
    _catch_up(_open(folder, log, ledger), ledger).close()
    log.end = 40

    views = _catch_up(_open(folder, log, ledger), ledger)

    with ViewsReader(folder.path).snapshot() as snapshot:
        assert snapshot is not None
        found, _ = quality.page(_read(snapshot.db, snapshot.position, ledger), quality.SET_ASIDE, 100, None)
        assert (0,) == snapshot.db.execute("SELECT count(*) FROM contact_now").fetchone()
    assert 38 == len(found.findings)
    views.close()


def test_a_request_without_content_is_shown_without_it(tmp_path: Path) -> None:
    with_request = Ledger.open(tmp_path / "ledger")
    with_request.append([group(to_append(RequestOpened(request_id="r-1", reason="move")))])
    folder = ViewsFolder(tmp_path / "views")
    _catch_up(open_views(folder, with_request.store, with_request.ledger_id), with_request).close()

    with ViewsReader(folder.path).snapshot() as snapshot:
        assert snapshot is not None
        found = requests.get(_read(snapshot.db, snapshot.position, with_request), "r-1")

    assert found is not None
    assert ("r-1", "move", "", False) == (found.request_id, found.reason, found.wish, found.HasField("wish"))
    with_request.close()
