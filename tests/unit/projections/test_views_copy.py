"""Views taken over from another node: the same as built here, and never used when they are not of this log."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.application import Ledger
from ledger.internal.v1.node_service_pb2 import CopiedViews, CopyViewsResponse
from projections import digest
from projections.process import Follower
from projections.projector import open_views
from projections.search import SearchIndex
from projections.view import Read
from projections.views_copy import CopyRefusedError, ViewsCopy, copy_of, take_over
from projections.views_file import VIEW_VERSION, ViewsFolder, ViewsReader
from tests.appending import group, to_append

EVENTS = digest.WINDOW + 300


def filled(folder: Path) -> Ledger:
    ledger = Ledger.open(folder)
    for start in range(0, EVENTS, 200):
        customer = Identifier(type="account", value=f"{start}")
        contacts = [
            ContactReceived(contact_id=f"c-{number}", reason="x", customer=customer) for number in range(start, start + 200)
        ]
        ledger.append([group(*(to_append(contact) for contact in contacts))])
    return ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with closing(filled(tmp_path_factory.mktemp("ledger"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> ViewsFolder:
    """The views of the other node. They stand before the end of the log."""
    folder = ViewsFolder(tmp_path_factory.mktemp("source"))
    with closing(open_views(folder, ledger.store, ledger.ledger_id)) as views:
        views.step(None, ledger.content)
    return folder


@pytest.fixture
def target(tmp_path: Path) -> ViewsFolder:
    return ViewsFolder(tmp_path / "views")


def sent(copy: ViewsCopy, ledger: Ledger, **changed: object) -> Iterator[CopyViewsResponse]:
    """What a node sends of a copy, with some of its description changed."""
    described = CopiedViews(
        ledger_id=ledger.ledger_id,
        incarnation=ledger.incarnation,
        view_version=VIEW_VERSION,
        position=copy.position,
        size_bytes=copy.size_bytes,
        digest=copy.digest,
    )
    for name, value in changed.items():
        setattr(described, name, value)
    with copy.file:
        yield CopyViewsResponse(described=described)
        while content := copy.file.read(100_000):
            yield CopyViewsResponse(content=content)


def copied(folder: ViewsFolder) -> ViewsCopy:
    copy = copy_of(folder)
    assert copy is not None
    return copy


def quiet(what: str, done: int, total: int) -> None:
    """Show nothing."""


def taken(target: ViewsFolder, pieces: Iterator[CopyViewsResponse], ledger: Ledger) -> int:
    return take_over(target, pieces, ledger.store, ledger.ledger_id, ledger.incarnation, quiet)


def digests(folder: ViewsFolder, ledger: Ledger) -> tuple[int, dict[str, bytes]]:
    with ViewsReader(folder.path).snapshot() as snapshot:
        assert snapshot is not None
        position = snapshot.position
        return digest.at(Read(snapshot.db, position, position, None, 0, ledger.store, ledger.content), None)


def test_views_taken_over_stand_where_they_stood_and_go_on_as_those_built_here(
    ledger: Ledger, source: ViewsFolder, target: ViewsFolder, tmp_path: Path
) -> None:
    reached = taken(target, sent(copied(source), ledger), ledger)

    assert 0 < reached <= ledger.head().position
    assert reached == ViewsReader(target.path).position()
    assert digests(source, ledger) == digests(target, ledger)
    built = ViewsFolder(tmp_path / "built")
    for folder in (target, built):
        with closing(Follower(folder, ledger.store, ledger.ledger_id, ledger.content)) as follower:
            while follower.step():
                pass
    assert ledger.head().position == ViewsReader(target.path).position()
    assert digest.WINDOW == digests(target, ledger)[0]
    assert digests(built, ledger) == digests(target, ledger)
    assert ledger.head().position == SearchIndex(target.search).position


def test_a_copy_is_of_one_position_while_the_views_go_on(ledger: Ledger, tmp_path: Path, target: ViewsFolder) -> None:
    folder = ViewsFolder(tmp_path / "going on")
    with closing(open_views(folder, ledger.store, ledger.ledger_id)) as views:
        copy = copied(folder)
        views.step(None, ledger.content)

        assert 0 == taken(target, sent(copy, ledger), ledger)
        assert 0 == ViewsReader(target.path).position()
        assert views.position == taken(target, sent(copied(folder), ledger), ledger)


def test_nothing_of_a_copy_stays_on_the_disk_of_who_sends_it(source: ViewsFolder) -> None:
    before = {path.name for path in source.path.iterdir()}

    with copied(source).file:
        assert before == {path.name for path in source.path.iterdir()}


def test_before_there_are_views_there_is_no_copy(target: ViewsFolder) -> None:
    assert None is copy_of(target)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ledger_id": bytes(16)}, "another ledger"),
        ({"incarnation": 7}, "incarnation 7"),
        ({"view_version": VIEW_VERSION + 1}, f"views of version {VIEW_VERSION + 1}"),
        ({"position": 5}, "does not stand at event 5"),
        ({"position": 10**6}, "the log ends at"),
        ({"digest": bytes(32)}, "others than were sent"),
        ({"size_bytes": 5}, "bytes came of 5"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_a_copy_that_is_not_ours_is_refused_and_nothing_is_kept(
    ledger: Ledger, source: ViewsFolder, target: ViewsFolder, changed: dict[str, object], words: str
) -> None:
    with pytest.raises(CopyRefusedError, match=words):
        taken(target, sent(copied(source), ledger, **changed), ledger)

    assert None is target.usable()
    assert [] == list(target.path.iterdir())


Spoil = Callable[[sqlite3.Connection], object]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda db: db.execute("UPDATE digest SET digest = x'00' WHERE view = 'log'"), "another log"),
        (lambda db: db.execute("DELETE FROM digest WHERE view = 'log'"), "another log"),
        (lambda db: db.execute("INSERT INTO digest VALUES (99999, 'log', x'00')"), "does not stand"),
        (lambda db: db.execute("UPDATE checkpoint SET leaf = x'00'"), "does not stand"),
        (lambda db: db.execute("DROP TABLE digest"), "cannot be read"),
    ],
    ids=["digest", "no digest", "digest beyond", "leaf", "no table"],
)
def test_a_copy_made_of_another_log_is_refused(
    ledger: Ledger, source: ViewsFolder, target: ViewsFolder, tmp_path: Path, spoil: Spoil, words: str
) -> None:
    spoilt = tmp_path / "spoilt.db"
    with copied(source).file as file:
        spoilt.write_bytes(file.read())
    with closing(sqlite3.connect(spoilt, isolation_level=None)) as db:
        spoil(db)
    content = spoilt.read_bytes()
    with closing(sqlite3.connect(spoilt)) as db:
        (position,) = db.execute("SELECT position FROM checkpoint").fetchone()

    copy = ViewsCopy(spoilt.open("rb"), position, len(content), hashlib.sha256(content).digest())
    with pytest.raises(CopyRefusedError, match=words):
        taken(target, sent(copy, ledger), ledger)

    assert None is target.usable()


def test_a_copy_of_which_not_all_came_is_refused(ledger: Ledger, source: ViewsFolder, target: ViewsFolder) -> None:
    pieces = list(sent(copied(source), ledger))

    for some in ([], pieces[1:], pieces[:-1]):
        with pytest.raises(CopyRefusedError):
            taken(target, iter(some), ledger)
    assert None is target.usable()


def test_the_views_of_a_ledger_with_the_same_id_and_another_past_are_refused(
    ledger: Ledger, target: ViewsFolder, tmp_path: Path
) -> None:
    """As after a failover that lost commits: the other node stands on a branch that is no more."""
    with closing(filled(tmp_path / "other")) as other:
        folder = ViewsFolder(tmp_path / "other views")
        with closing(open_views(folder, other.store, ledger.ledger_id)) as views:
            views.step(None, other.content)

        with pytest.raises(CopyRefusedError, match="another log"):
            taken(target, sent(copied(folder), ledger), ledger)
