"""One link: how it stands, whether others join the two all the same, and what was recorded across it while it stood."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from ledger.api.v1.complaint_pb2 import ComplaintReceived
from ledger.api.v1.contact_pb2 import ContactAttributed, ContactEnded, ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Due, Fact, Identifier
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.governance_pb2 import EventRetracted
from ledger.api.v1.identity_pb2 import WRONG_FROM_START, IdentifierShared, IdentityLinked, IdentityUnlinked
from ledger.api.v1.identity_service_pb2 import SHARED_IDENTIFIER, IdentityLink
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.request_pb2 import ContactLinked, RequestOpened
from projections import identity_links
from tests.build import at, event_id_text, timestamp
from tests.unit.projections.asked import Asked

ANNA = Identifier(type="email", value="anna@example.org")
HER_PHONE = Identifier(type="phone", value="+33600000001")
BOB = Identifier(type="email", value="bob@example.org")
DESK = Identifier(type="phone", value="+33142000000")


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    world = Asked(tmp_path)
    yield world
    world.close()


def received(name: str, who: Identifier | None) -> ContactReceived:
    return ContactReceived(contact_id=name, customer=who, reason="delivery")


def opened(name: str, who: Identifier) -> RequestOpened:
    return RequestOpened(request_id=name, customer=who, owner_department="desk")


def link(asked: Asked, name: str, left: Identifier, right: Identifier, minutes: float) -> int:
    return asked.append(IdentityLinked(left=left, right=right), minutes, event_id=event_id_text(name))


def unlink(asked: Asked, name: str, minutes: float) -> int:
    payload = IdentityUnlinked(link_event_id=event_id_text(name), unlink_reason=WRONG_FROM_START)
    return asked.append(payload, minutes, event_id=event_id_text(f"unlink {name}"))


def found(asked: Asked, name: str, known: int | None = None, before: float | None = None) -> IdentityLink:
    """Return a link with all that was recorded across it, asked two a page."""
    read = asked.read(known, before)
    whole: IdentityLink | None = None
    after = None
    while True:
        answer = identity_links.link(read, UUID(event_id_text(name)).bytes, 2, after)
        assert answer is not None
        page, after = answer
        if whole is None:
            whole = page
        else:
            whole.across.extend(page.across)
        if after is None:
            return whole


def across(asked: Asked, name: str, known: int | None = None, before: float | None = None) -> list[int]:
    return [event.position for event in found(asked, name, known, before).across]


def two_customers(asked: Asked) -> None:
    """Let Anna and Bob have a contact and a request each."""
    for name, who in (("anna", ANNA), ("bob", BOB)):
        asked.append(received(f"c-{name}", who), 1)
        asked.append(opened(f"r-{name}", who), 2)


def test_what_brings_the_two_together_while_it_stood_was_recorded_across_it(asked: Asked) -> None:
    two_customers(asked)
    asked.append(ContactLinked(request_id="r-anna", contact_id="c-anna"), 3)
    linked = link(asked, "wrong", ANNA, BOB, 4)
    brought = [
        asked.append(ContactLinked(request_id="r-anna", contact_id="c-bob"), 5),
        asked.append(PromiseMade(promise_id="p-1", kind="delivery", request_id="r-bob", contact_id="c-anna", due=due(900)), 6),
        asked.append(FactGiven(request_id="r-bob", customer=ANNA, fact=Fact(key="colour", value="red")), 7),
        asked.append(ComplaintReceived(complaint_id="k-1", customer=ANNA, request_id="r-bob", owner_department="desk"), 8),
        asked.append(ContactEnded(contact_id="c-anna", disposition="done", request_ids=["r-bob"]), 9),
    ]
    asked.append(NoteAdded(contact_id="c-bob", text="bob alone"), 10)
    asked.append(ContactLinked(request_id="r-bob", contact_id="c-bob"), 11)
    undone = unlink(asked, "wrong", 12)
    asked.append(FactGiven(request_id="r-anna", customer=BOB, fact=Fact(key="colour", value="blue")), 13)

    one = found(asked, "wrong")

    assert brought == [event.position for event in one.across]
    assert (linked, undone, event_id_text("unlink wrong"), WRONG_FROM_START) == (
        one.position,
        one.ended_position,
        one.ended_by_event_id,
        one.unlink_reason,
    )
    assert not one.joined_otherwise


def test_before_an_unlink_it_says_what_there_will_be_to_review(asked: Asked) -> None:
    two_customers(asked)
    link(asked, "wrong", ANNA, BOB, 4)
    first = asked.append(ContactLinked(request_id="r-anna", contact_id="c-bob"), 5)
    second = asked.append(ContactLinked(request_id="r-bob", contact_id="c-anna"), 6)

    assert [first, second] == across(asked, "wrong")
    assert [first] == across(asked, "wrong", known=first)
    assert [first] == across(asked, "wrong", before=6)
    assert 0 == found(asked, "wrong").ended_position


def test_another_chain_of_links_joins_the_two_all_the_same_and_nothing_is_across(asked: Asked) -> None:
    two_customers(asked)
    link(asked, "wrong", ANNA, BOB, 4)
    alone = asked.append(ContactLinked(request_id="r-anna", contact_id="c-bob"), 5)
    link(asked, "her phone", ANNA, HER_PHONE, 6)
    link(asked, "his phone too", BOB, HER_PHONE, 7)

    one = found(asked, "wrong")

    assert one.joined_otherwise
    assert [event_id_text("her phone"), event_id_text("his phone too")] == list(one.joined_by_event_ids)
    assert [] == list(one.across)
    assert [alone] == across(asked, "wrong", known=alone)


def test_what_belongs_to_an_identifier_joined_with_one_side_belongs_to_that_side(asked: Asked) -> None:
    two_customers(asked)
    link(asked, "her phone", ANNA, HER_PHONE, 3)
    link(asked, "wrong", ANNA, BOB, 4)
    asked.append(received("c-phone", HER_PHONE), 5)
    asked.append(ContactLinked(request_id="r-anna", contact_id="c-phone"), 6)
    to_bob = asked.append(ContactLinked(request_id="r-bob", contact_id="c-phone"), 7)

    assert [to_bob] == across(asked, "wrong")


def test_an_anonymous_contact_is_on_the_side_it_is_attributed_to(asked: Asked) -> None:
    two_customers(asked)
    link(asked, "wrong", ANNA, BOB, 4)
    asked.append(received("c-nobody", None), 5)
    asked.append(ContactAttributed(contact_id="c-nobody", customer=ANNA, evidence="said_so"), 6)
    asked.append(ContactLinked(request_id="r-anna", contact_id="c-nobody"), 7)
    to_bob = asked.append(ContactLinked(request_id="r-bob", contact_id="c-nobody"), 8)

    assert [to_bob] == across(asked, "wrong")


def test_a_link_without_effect_says_why_and_a_retracted_one_what_ended_it(asked: Asked) -> None:
    two_customers(asked)
    asked.append(IdentifierShared(identifier=DESK, shared=True), 3)
    link(asked, "shared", BOB, DESK, 4)
    link(asked, "mistaken", ANNA, BOB, 5)
    took = asked.append(ContactLinked(request_id="r-anna", contact_id="c-bob"), 6)
    mistake = event_id_text("mistaken")
    gone = asked.append(EventRetracted(stream=f"identity-{mistake}", retracted_event_id=mistake, reason="typing"), 7)

    shared, mistaken = found(asked, "shared"), found(asked, "mistaken")

    assert (SHARED_IDENTIFIER, 0) == (shared.why, shared.ended_position)
    assert (0, gone, 0) == (mistaken.why, mistaken.ended_position, mistaken.unlink_reason)
    assert [took] == [event.position for event in mistaken.across]


def test_a_link_that_is_not_known_is_none(asked: Asked) -> None:
    two_customers(asked)
    linked = link(asked, "later", ANNA, BOB, 4)

    for name, known in (("never", None), ("later", linked - 1)):
        assert identity_links.link(asked.read(known), UUID(event_id_text(name)).bytes, 50, None) is None


def due(minutes: float) -> Due:
    return Due(instant=timestamp(at(minutes)))
