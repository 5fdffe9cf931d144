"""A ledger is copied from any store to any other, whole, and goes on there."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger import copying
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Identifier
from ledger.application import LOG_FILE, MASTER_KEY_FILE, VAULT_FILE, Ledger
from ledger.catalogue import read_event
from ledger.copying import CopyError, Places, copy
from tests.appending import append_one
from tests.postgres_server import new_schema

NewPlaces = Callable[[Path], Places]


def in_files(folder: Path) -> Places:
    folder.mkdir(parents=True, exist_ok=True)
    return Places(folder / LOG_FILE, folder / VAULT_FILE)


def in_postgres(folder: Path) -> Places:
    return Places(new_schema(), new_schema())


STORES: dict[str, NewPlaces] = {"sqlite": in_files, "postgres": in_postgres}


@pytest.fixture(params=itertools.permutations(STORES), ids=" to ".join)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Places, Places]:
    source, target = request.param
    return STORES[source](tmp_path / "from"), STORES[target](tmp_path / "to")


def opened(folder: Path, places: Places) -> Any:
    return closing(Ledger.open(folder, log=places.log, vault=places.vault))


def fill(ledger: Ledger, numbers: range) -> None:
    for number in numbers:
        customer = Identifier(type="email", value=f"{number}@example.org")
        append_one(ledger, ContactReceived(contact_id=f"c-{number}", customer=customer, reason="x", body=f"words {number}"))


def quiet(what: str, done: int, total: int) -> None:
    """Show nothing."""


def test_a_copy_is_the_same_ledger_and_goes_on(places: tuple[Places, Places], tmp_path: Path) -> None:
    source, target = places
    with opened(tmp_path / "from", source) as ledger:
        fill(ledger, range(5))
        rows, ledger_id = ledger.store.read(0, 100), ledger.ledger_id

    copied = copy(source, target, quiet)

    (tmp_path / "to" / "keys").mkdir(parents=True)
    shutil.copy(tmp_path / "from" / MASTER_KEY_FILE, tmp_path / "to" / MASTER_KEY_FILE)
    with opened(tmp_path / "to", target) as again:
        assert (7, 7, 5) == (copied.events, copied.position, copied.subjects)
        assert rows == again.store.read(0, 100)
        assert ledger_id == again.ledger_id
        append_one(again, NoteAdded(contact_id="c-3", text="More words."))
        payloads = [
            again.content.open_payload(read_event(row.position, row.header, row.parts))[0] for row in again.store.read(5, 9)
        ]
    assert ["words 3", "words 4", "More words."] == [getattr(one, "body", "") or one.text for one in payloads]


def test_a_copy_that_was_broken_off_goes_on(places: tuple[Places, Places], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = places
    monkeypatch.setattr(copying, "BATCH_EVENTS", 4)
    with opened(tmp_path / "from", source) as ledger:
        fill(ledger, range(10))

    def broken_off(what: str, done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, target, broken_off)
    rest, nothing = copy(source, target, quiet), copy(source, target, quiet)

    assert (4, 0) == (rest.events, nothing.events)
    assert rest.digest == nothing.digest
    assert 12 == nothing.position


def test_what_is_no_beginning_of_the_source_is_not_copied_over(places: tuple[Places, Places], tmp_path: Path) -> None:
    source, target = places
    for name, place in (("from", source), ("to", target)):
        with opened(tmp_path / name, place) as ledger:
            fill(ledger, range(2))

    with pytest.raises(CopyError, match="another"):
        copy(source, target, quiet)


def test_a_copy_that_has_gone_on_is_left_alone(places: tuple[Places, Places], tmp_path: Path) -> None:
    source, target = places
    with opened(tmp_path / "from", source) as ledger:
        fill(ledger, range(2))
    copy(source, target, quiet)
    (tmp_path / "to" / "keys").mkdir(parents=True)
    shutil.copy(tmp_path / "from" / MASTER_KEY_FILE, tmp_path / "to" / MASTER_KEY_FILE)
    with opened(tmp_path / "to", target) as ledger:
        fill(ledger, range(2, 3))

    with pytest.raises(CopyError, match="gone on"):
        copy(source, target, quiet)
