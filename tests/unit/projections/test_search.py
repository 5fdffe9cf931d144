from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.history_service_pb2 import HistoryFilter
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.privacy.vault import VaultUnavailableError
from projections import search
from projections.history import HistoryView
from projections.identities import IdentitiesView
from projections.search import SearchIndex, SearchReader
from projections.view import Read
from tests.appending import group, to_append
from tests.build import at
from tests.views import Views

ALL = HistoryFilter()


class Searched:
    """A ledger, its views and its index."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.open(folder, now=lambda: at(600))
        self.views = Views(HistoryView(), IdentitiesView())
        self.index = SearchIndex(folder / "search.db")
        self.reader = SearchReader(folder / "search.db")
        self.written = 0

    def write(self, text: str, minutes: float, who: str = "anna@example.org", channel: str = "email") -> int:
        """Append a contact; return its position."""
        self.written += 1
        payload = ContactReceived(
            contact_id=f"c-{self.written}", customer=Identifier(type="email", value=who), reason="unknown", summary=text
        )
        (result,) = self.ledger.append([group(to_append(payload, occur=at(minutes), channel=channel, record_late=True))])
        assert not result.HasField("error")
        return self.ledger.head().position

    def events(self) -> list[Event]:
        return [read_event(row.position, row.header, row.parts) for row in self.ledger.store.read(0, 10_000)]

    def follow(self) -> None:
        """Bring the index and the views up to the head."""
        events = self.events()
        self.index.apply(events, self.ledger.content)
        self.views.apply([event for event in events if event.position not in self.views.log.rows])

    def read(self, known: int | None = None, before: int | None = None) -> Read:
        position = self.ledger.head().position
        return Read(
            db=self.views.db,
            position=position,
            known=position if known is None else known,
            before=before,
            evaluated=0,
            log=self.ledger.store,
            content=self.ledger.content,
        )

    def find(
        self, words: str, who: str | None = None, filter: HistoryFilter = ALL, known: int | None = None, before: int | None = None
    ) -> list[int]:
        """Return all hits, asked page by page, two a page."""
        read = self.read(known, before)
        whose = None if who is None else self.ledger.vault.find("email", who)
        found: list[int] = []
        after = None
        while True:
            entries, after = self.reader.search(read, words, None if whose is None else [whose], filter, 2, after)
            found += [entry.event.position for entry in entries]
            if after is None:
                return found

    def close(self) -> None:
        self.reader.close()
        self.index.close()
        self.ledger.close()


@pytest.fixture
def searched(tmp_path: Path) -> Iterator[Searched]:
    world = Searched(tmp_path)
    yield world
    world.close()


def test_hits_hold_all_the_words_and_come_newest_first(searched: Searched) -> None:
    first = searched.write("Où est mon colis perdu ?", 5)
    searched.write("colis reçu", 9)
    third = searched.write("Colis, encore PERDU", 7)
    searched.follow()

    assert [third, first] == searched.find("colis perdu")
    assert [] == searched.find("colis brisé")


def test_accents_and_case_do_not_matter(searched: Searched) -> None:
    one = searched.write("Réclamation : cœur brisé, große Straße", 5)
    searched.follow()

    for words in ("reclamation", "RÉCLAMATION", "coeur", "cœur", "grosse strasse", "brise*"):
        assert [one] == searched.find(words)


def test_what_people_type_has_no_meaning_of_its_own_but_the_star_at_the_end(searched: Searched) -> None:
    one = searched.write("remboursement NOT demandé", 5)
    searched.follow()

    assert [one] == searched.find("rembours*")
    assert [] == searched.find("rembours")
    assert [one] == searched.find("not demande")
    assert [] == searched.find('demande" OR words : "x')
    assert [] == searched.find("(")


def test_identifiers_are_found(searched: Searched) -> None:
    one = searched.write("bonjour", 5, who="anna.b@example.org")
    searched.follow()

    assert [one] == searched.find("anna.b@example.org")


def test_an_event_without_content_has_no_hits_and_moves_the_checkpoint(searched: Searched) -> None:
    searched.follow()

    assert searched.ledger.head().position == searched.index.position == searched.reader.position()


def test_hits_are_only_of_the_customer_asked_for(searched: Searched) -> None:
    one = searched.write("colis", 5)
    searched.write("colis", 6, who="ben@example.org")
    searched.follow()

    assert [one] == searched.find("colis", who="anna@example.org")


@pytest.mark.parametrize("hits_sorted_max", [0, 5_000])
def test_as_of_filters_and_pages_hold_for_few_hits_and_for_many(
    searched: Searched, hits_sorted_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "HITS_SORTED_MAX", hits_sorted_max)
    times = [7, 3, 11, 5, 2, 9, 11]
    positions = [searched.write("colis", minutes, channel="chat" if minutes == 5 else "email") for minutes in times]
    searched.follow()
    newest_first = [position for _, position in sorted(zip(times, positions, strict=True), reverse=True)]

    assert newest_first == searched.find("colis")
    assert newest_first == searched.find("colis", who="anna@example.org")
    assert [positions[0], positions[1]] == searched.find("colis", known=positions[1])
    assert newest_first[3:] == searched.find("colis", before=at(9))
    assert [positions[3]] == searched.find("colis", filter=HistoryFilter(channels=["chat"]))
    assert [positions[3]] == searched.find("colis", filter=HistoryFilter(stream="contact-c-4"))
    assert [] == searched.find("colis", filter=HistoryFilter(channels=["pigeon"]))


def test_applying_events_again_changes_nothing(searched: Searched) -> None:
    one = searched.write("colis", 5)
    searched.follow()

    searched.follow()

    assert [one] == searched.find("colis")


def test_an_index_opened_again_goes_on_where_it_stood(searched: Searched, tmp_path: Path) -> None:
    one = searched.write("colis", 5)
    searched.follow()
    searched.index.close()

    searched.index = SearchIndex(tmp_path / "search.db")

    assert one == searched.index.position
    two = searched.write("colis", 6)
    searched.follow()
    assert [two, one] == searched.find("colis")


def test_an_index_that_is_ahead_of_the_views_shows_only_what_they_know(searched: Searched) -> None:
    one = searched.write("colis", 5)
    searched.follow()
    read = searched.read()
    searched.write("colis", 6)
    searched.index.apply(searched.events(), searched.ledger.content)

    entries, _ = searched.reader.search(read, "colis", None, ALL, 10, None)

    assert [one] == [entry.event.position for entry in entries]


def test_when_the_vault_fails_nothing_of_the_batch_is_in_the_index(searched: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    searched.write("colis", 5)
    before = searched.index.position

    def unavailable(*_: object) -> None:
        raise VaultUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(searched.ledger.vault, "keys", unavailable)
        with pytest.raises(VaultUnavailableError):
            searched.follow()

    assert before == searched.index.position == searched.reader.position()


def test_a_cleared_index_is_filled_anew(searched: Searched) -> None:
    one = searched.write("colis", 5)
    searched.follow()

    searched.index.clear()

    assert 0 == searched.reader.position()
    assert [] == searched.find("colis")
    searched.follow()
    assert [one] == searched.find("colis")


def test_a_word_that_is_deleted_by_its_position_is_found_no_more(searched: Searched, tmp_path: Path) -> None:
    one = searched.write("colis", 5)
    searched.follow()

    with sqlite3.connect(tmp_path / "search.db") as db:
        db.execute("DELETE FROM text WHERE rowid = ?", (one,))
    db.close()

    assert [] == searched.find("colis")


def test_a_link_is_a_hit_of_both_of_its_identifiers(searched: Searched) -> None:
    left, right = (Identifier(type="email", value=f"{name}@example.org") for name in ("anna", "ben"))
    link = to_append(IdentityLinked(left=left, right=right, note="same signature"), occur=at(600))
    assert not searched.ledger.append([group(link)])[0].HasField("error")
    searched.follow()

    for who in ("anna@example.org", "ben@example.org"):
        assert [searched.ledger.head().position] == searched.find("signature", who=who)


def test_notes_in_a_contact_are_hits_of_its_customer(searched: Searched) -> None:
    searched.write("bonjour", 5)
    note = to_append(NoteAdded(contact_id="c-1", text="promised a voucher"), occur=at(600))
    assert not searched.ledger.append([group(note)])[0].HasField("error")
    searched.follow()

    assert [searched.ledger.head().position] == searched.find("voucher", who="anna@example.org")
