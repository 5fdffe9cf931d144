"""Whose a contact is once it was attributed (domain rule 9.6): seen by the customer's history, lists, facts and card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from ledger.api.v1.contact_pb2 import ContactAnswered, ContactAttributed, ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Fact, Identifier
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.history_service_pb2 import Contact, HistoryFilter
from ledger.api.v1.identity_pb2 import IdentifierShared, IdentityLinked
from ledger.api.v1.request_pb2 import RequestOpened
from projections import attribution, history
from projections.parties import Parties
from tests.build import at
from tests.unit.projections.asked import Asked

ANNA = Identifier(type="email", value="anna@example.org")
MOBILE = Identifier(type="phone", value="+33600000001")
BOB = Identifier(type="email", value="bob@example.org")
STORE = Identifier(type="phone", value="+33142000000")


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    world = Asked(tmp_path)
    yield world
    world.close()


def received(name: str, who: Identifier | None = None) -> ContactReceived:
    return ContactReceived(contact_id=name, customer=who, reason="delivery", summary=f"parcel of {name}")


def attributed(name: str, who: Identifier) -> ContactAttributed:
    return ContactAttributed(contact_id=name, customer=who, evidence="said_so")


def names(contacts: Iterable[Contact]) -> list[str]:
    return [contact.contact_id for contact in contacts]


def test_an_anonymous_contact_becomes_the_customers_with_all_that_came_of_it(asked: Asked) -> None:
    opened = asked.append(received("c-1"), 1)
    request = asked.append(RequestOpened(request_id="r-1", contact_id="c-1", owner_department="desk"), 2)
    fact = asked.append(FactGiven(request_id="r-1", fact=Fact(key="colour", value="red")), 3)
    to_anna = asked.append(attributed("c-1", ANNA), 4)
    answer = asked.append(ContactAnswered(contact_id="c-1", answered_by=1), 5)

    card = asked.card(ANNA)

    assert [opened, request, fact, to_anna, answer] == asked.history(ANNA)
    assert (["c-1"], ["r-1"], ["colour"]) == (
        names(card.contacts),
        [one.request_id for one in card.open_requests],
        [one.fact.key for one in card.facts],
    )
    assert ("parcel of c-1", 1) == (card.contacts[0].summary, card.contact_count)


def test_it_is_the_customers_from_its_beginning_whatever_had_happened(asked: Asked) -> None:
    opened = asked.append(received("c-1"), 1)
    asked.append(attributed("c-1", ANNA), 500)

    assert [opened] == asked.history(ANNA, asked.read(before=2))
    assert ["c-1"] == names(asked.contacts(ANNA, asked.read(before=2)))


def test_before_it_was_recorded_nobody_knew(asked: Asked) -> None:
    opened = asked.append(received("c-1"), 1)
    asked.append(received("c-2", ANNA), 2)
    asked.append(attributed("c-1", ANNA), 3)

    before = asked.read(known=opened + 1)

    assert (["c-2"], ["c-2", "c-1"]) == (names(asked.contacts(ANNA, before)), names(asked.contacts(ANNA)))
    assert (1, 2) == (asked.card(ANNA, before).contact_count, asked.card(ANNA).contact_count)
    assert opened not in asked.history(ANNA, before)


def test_a_contact_from_a_shared_identifier_is_whose_it_is_attributed_to(asked: Asked) -> None:
    asked.append(received("c-0", STORE), 0)
    asked.append(IdentifierShared(identifier=STORE, shared=True), 1)
    opened = asked.append(received("c-1", STORE), 2)
    asked.append(received("c-2", STORE), 3)
    asked.append(attributed("c-1", ANNA), 4)

    assert opened in asked.history(ANNA)
    assert ["c-1"] == names(asked.contacts(ANNA))
    assert ["c-0"] == names(asked.contacts(STORE))


def test_a_contact_under_somebody_elses_identifier_moves_alone(asked: Asked) -> None:
    opened = asked.append(received("c-1", BOB), 1)
    note = asked.append(NoteAdded(contact_id="c-1", text="his sister called"), 2)
    request = asked.append(RequestOpened(request_id="r-1", contact_id="c-1", owner_department="desk"), 3)
    other = asked.append(received("c-2", BOB), 4)
    to_anna = asked.append(attributed("c-1", ANNA), 5)

    assert [opened, note, to_anna] == asked.history(ANNA)
    assert [request, other] == asked.history(BOB)
    assert (["c-1"], ["c-2"]) == (names(asked.contacts(ANNA)), names(asked.contacts(BOB)))
    assert (1, 1) == (asked.card(ANNA).contact_count, asked.card(BOB).contact_count)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("oldest_first", [True, False])
def test_pages_hold_what_came_and_leave_out_what_went(asked: Asked, size: int, oldest_first: bool) -> None:
    own = [asked.append(received(f"a-{number}", ANNA), 10 * number) for number in range(4)]
    come = [asked.append(received(f"b-{number}", BOB), 10 * number + 5) for number in range(3)]
    gone = asked.append(attributed("a-1", BOB), 100)
    to_anna = [asked.append(attributed(f"b-{number}", ANNA), 101 + number) for number in range(3)]

    found = asked.history(ANNA, oldest_first=oldest_first, size=size)

    expected = [own[0], come[0], come[1], own[2], come[2], own[3], *to_anna]
    assert (expected if oldest_first else expected[::-1]) == found
    assert gone not in found


def test_the_last_attribution_counts(asked: Asked) -> None:
    opened = asked.append(received("c-1"), 1)
    to_bob = asked.append(attributed("c-1", BOB), 3)
    to_anna = asked.append(attributed("c-1", ANNA), 2)

    assert ([], ["c-1"]) == (names(asked.contacts(BOB)), names(asked.contacts(ANNA)))
    assert ([], [opened, to_anna]) == (asked.history(BOB), asked.history(ANNA))
    assert ["c-1"] == names(asked.contacts(BOB, asked.read(known=to_bob)))


def test_it_follows_links_of_the_customer(asked: Asked) -> None:
    asked.append(received("c-1"), 1)
    asked.append(attributed("c-1", MOBILE), 2)
    asked.append(IdentityLinked(left=ANNA, right=MOBILE), 3)

    assert ["c-1"] == names(asked.contacts(ANNA))
    assert asked.card(ANNA) == asked.card(MOBILE)


def test_the_contact_says_whose_it_is(asked: Asked) -> None:
    asked.append(received("c-1"), 1)
    asked.append(received("c-2", ANNA), 2)
    asked.append(attributed("c-1", ANNA), 3)

    second, first = asked.contacts(ANNA)

    assert (True, False) == (first.attributed, second.attributed)
    assert first.party == second.party != first.subject
    read = asked.read()
    assert asked.ledger.vault.find(ANNA.type, ANNA.value) == attribution.party_of(read, "c-1")
    assert attribution.party_of(read, "c-9") is None


def test_for_many_at_once_it_is_the_same_customer(asked: Asked) -> None:
    asked.append(received("c-1"), 1)
    asked.append(received("c-2", BOB), 2)
    before = asked.ledger.head().position
    asked.append(attributed("c-1", ANNA), 3)
    asked.append(attributed("c-2", ANNA), 4)
    anna, bob = (asked.ledger.vault.find(who.type, who.value) for who in (ANNA, BOB))
    second, first = asked.contacts(ANNA)
    own = UUID(first.subject).bytes

    now, then = (Parties(read, [own, bob or b""]) for read in (asked.read(), asked.read(known=before)))

    assert (anna, bob) == (now.of(own, at(1)), now.of(bob or b"", at(2)))
    assert own == then.of(own, at(1))
    assert first.party == second.party


def test_a_search_finds_what_came_and_not_what_went(asked: Asked) -> None:
    come = asked.append(received("c-1", BOB), 1)
    anonymous = asked.append(received("c-2"), 2)
    stays = asked.append(received("c-3", BOB), 3)
    asked.append(attributed("c-1", ANNA), 4)
    asked.append(attributed("c-2", ANNA), 5)

    assert [come, anonymous] == asked.search("parcel", ANNA)
    assert [stays] == asked.search("parcel", BOB)


def test_a_watcher_learns_of_it(asked: Asked) -> None:
    asked.append(received("c-1", BOB), 1)
    asked.append(received("c-2", ANNA), 2)
    before = asked.ledger.head().position
    asked.append(NoteAdded(contact_id="c-1", text="x"), 3)
    between = asked.ledger.head().position
    asked.append(attributed("c-1", ANNA), 4)

    read = asked.read()

    for who in (ANNA, BOB):
        subjects = asked.subjects(who, read)
        assert history.attributed_since(read, before, subjects)
        assert not history.attributed_since(asked.read(known=between), before, subjects)


def test_events_after_it_show_as_they_are_recorded(asked: Asked) -> None:
    asked.append(received("c-1", BOB), 1)
    asked.append(attributed("c-1", ANNA), 2)
    last = asked.append(NoteAdded(contact_id="c-1", text="x"), 3)

    read = asked.read()

    for who, expected in ((ANNA, [last]), (BOB, [])):
        found = history.changed(read, last - 1, asked.subjects(who, read), HistoryFilter())
        assert expected == [position for position, _ in found]
