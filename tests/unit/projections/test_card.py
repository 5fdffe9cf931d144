from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from google.protobuf.message import Message

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import STAYS, Due, Fact, Identifier
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.handoff_pb2 import HandoffOffered, HandoffWithdrawn
from ledger.api.v1.handoff_service_pb2 import HandoffFilter
from ledger.api.v1.history_service_pb2 import Customer
from ledger.api.v1.identity_pb2 import EXISTING, CustomerClassified, IdentityLinked
from ledger.api.v1.promise_pb2 import PromiseMade, PromiseWithdrawn
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN, PromiseFilter
from ledger.api.v1.request_pb2 import CLOSED_INVALID, RequestClosed, RequestOpened
from ledger.api.v1.request_service_pb2 import RequestFilter
from ledger.application import Ledger
from projections import card, handoffs, promises, requests
from projections.projector import Projector
from projections.view import Read
from tests.appending import append_one
from tests.build import at, timestamp

ANNA = Identifier(type="email", value="anna@example.org")
PHONE = Identifier(type="phone", value="+33142000000")


class Asked:
    """A ledger with its views, and the card of Anna."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.open(folder, now=lambda: at(600))
        self.projector = Projector(folder / "views.db", self.ledger.store, self.ledger.ledger_id)
        self.db = sqlite3.connect(folder / "views.db", isolation_level=None)

    def append(self, payload: Message, minutes: float) -> int:
        """Append an event; return its position."""
        assert "" == append_one(self.ledger, payload, occur=at(minutes), channel="phone", department="desk", record_late=True)
        return self.ledger.head().position

    def read(self, known: int | None = None, before: int | None = None) -> Read:
        while self.projector.step(None, self.ledger.content):
            pass
        position = self.projector.position
        return Read(
            db=self.db,
            position=position,
            known=position if known is None else known,
            before=before,
            evaluated=at(600),
            log=self.ledger.store,
            content=self.ledger.content,
        )

    def card(self, who: Identifier = ANNA, known: int | None = None, before: int | None = None) -> Customer:
        subject = self.ledger.vault.find(who.type, who.value)
        return card.customer(self.read(known, before), subject or b"\0" * 16)

    def close(self) -> None:
        self.db.close()
        self.projector.close()
        self.ledger.close()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    world = Asked(tmp_path)
    yield world
    world.close()


def contact(name: str, who: Identifier = ANNA) -> ContactReceived:
    return ContactReceived(contact_id=name, customer=who, reason="delivery", summary="Where is my parcel?")


def test_a_card_shows_what_is_owed_pending_and_said(asked: Asked) -> None:
    asked.append(contact("c-1"), 1)
    asked.append(RequestOpened(request_id="r-1", contact_id="c-1", owner_department="desk", wish="my parcel"), 2)
    asked.append(
        HandoffOffered(request_id="r-1", handoff_id="h-1", from_department="desk", to_department="depot", ownership=STAYS), 3
    )
    asked.append(
        PromiseMade(promise_id="p-1", kind="call_back", contact_id="c-1", request_id="r-1", due=Due(instant=timestamp(at(900)))), 4
    )
    asked.append(FactGiven(fact=Fact(key="delivery_address", value="12 rue X"), contact_id="c-1"), 5)
    asked.append(CustomerClassified(customer=ANNA, tier="gold", relation=EXISTING), 6)
    asked.append(contact("c-2"), 7)

    shown = asked.card()

    subject = asked.ledger.vault.find("email", "anna@example.org")
    assert subject is not None
    assert str(UUID(bytes=subject)) == shown.customer_id
    assert ["anna@example.org"] == [one.identifier.value for one in shown.identifiers]
    assert ("gold", "EXISTING") == (shown.tier, shown.relation)
    assert ["p-1"] == [promise.promise_id for promise in shown.promises]
    assert ["h-1"] == [handoff.handoff_id for handoff in shown.pending_handoffs]
    assert [("r-1", "my parcel")] == [(request.request_id, request.wish) for request in shown.open_requests]
    assert [("delivery_address", "12 rue X")] == [(known.fact.key, known.fact.value) for known in shown.facts]
    assert ["c-2", "c-1"] == [one.contact_id for one in shown.contacts]
    assert (2, timestamp(at(1))) == (shown.contact_count, shown.first_contact_time)


def test_a_card_is_that_of_all_identifiers_of_the_customer(asked: Asked) -> None:
    asked.append(contact("c-1"), 1)
    asked.append(contact("c-2", PHONE), 2)
    asked.append(IdentityLinked(left=ANNA, right=PHONE), 3)

    assert asked.card(ANNA) == asked.card(PHONE)
    assert ["c-2", "c-1"] == [one.contact_id for one in asked.card().contacts]
    assert ["email", "phone"] == [one.identifier.type for one in asked.card().identifiers]


def test_a_card_stands_at_the_position_and_time_asked_for(asked: Asked) -> None:
    first = asked.append(contact("c-1"), 5)
    asked.append(contact("c-2"), 3)

    known = asked.card(known=first)
    before = asked.card(before=at(4))

    assert ["c-1"] == [one.contact_id for one in known.contacts]
    assert (1, timestamp(at(5))) == (known.contact_count, known.first_contact_time)
    assert ["c-2"] == [one.contact_id for one in before.contacts]
    assert 0 == asked.card(known=0).contact_count


def test_a_customer_that_nothing_is_known_of_has_a_card_with_nothing_on_it(asked: Asked) -> None:
    shown = asked.card(Identifier(type="email", value="nobody@example.org"))

    assert Customer(customer_id=str(UUID(int=0)), contact_count=0) == shown


def test_lists_on_a_card_are_bounded(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "CONTACTS_MAX", 2)
    monkeypatch.setattr(card, "LISTED_MAX", 1)
    for number in range(3):
        asked.append(contact(f"c-{number}"), number)
        asked.append(RequestOpened(request_id=f"r-{number}", contact_id=f"c-{number}"), number)

    shown = asked.card()

    assert ["c-2", "c-1"] == [one.contact_id for one in shown.contacts]
    assert ["r-0"] == [request.request_id for request in shown.open_requests]
    assert 3 == shown.contact_count


def test_what_a_customer_has_open_is_found_without_looking_at_what_has_ended(asked: Asked) -> None:
    def steps() -> int:
        """Return about how many steps SQLite takes to find the open requests, promises and pending handoffs."""
        taken = 0

        def step() -> None:
            nonlocal taken
            taken += 1

        def find(read: Read) -> None:
            requests.page(read, RequestFilter(open=True), 50, None, [subject])
            promises.page(read, PromiseFilter(states=[PROMISE_STATE_OPEN]), 50, None, [subject])
            handoffs.page(read, HandoffFilter(pending=True), 50, None, [subject])

        asked.db.set_progress_handler(step, 1)
        find(asked.read())
        asked.db.set_progress_handler(None, 0)
        return taken

    def story(number: int, *, ends: bool) -> None:
        request_id = f"r-{number}"
        asked.append(RequestOpened(request_id=request_id, contact_id="c-1", owner_department="desk"), number)
        asked.append(
            HandoffOffered(request_id=request_id, handoff_id="h", from_department="desk", to_department="depot", ownership=STAYS),
            number,
        )
        asked.append(PromiseMade(promise_id=f"p-{number}", kind="call_back", contact_id="c-1", request_id=request_id), number)
        if ends:
            asked.append(HandoffWithdrawn(request_id=request_id, handoff_id="h"), number)
            asked.append(PromiseWithdrawn(promise_id=f"p-{number}"), number)
            asked.append(RequestClosed(request_id=request_id, outcome=CLOSED_INVALID), number)

    asked.append(contact("c-1"), 0)
    subject = asked.ledger.vault.find("email", "anna@example.org")
    assert subject is not None
    story(1, ends=False)
    # The first time, statements are prepared.
    steps()
    few = steps()
    for number in range(2, 40):
        story(number, ends=True)

    assert steps() < few * 1.2
