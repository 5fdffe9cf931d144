"""Whose contacts are: sets, shared identifiers, and links that say from when an identifier was somebody's."""

from __future__ import annotations

from typing import Any

from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.identity_pb2 import IdentifierShared, IdentityLinked, IdentityUnlinked
from projections.identities import IdentitiesView
from projections.parties import Parties
from tests.build import at, event, event_id_text, timestamp
from tests.views import Views, identifier, subject

ANNA, OFFICE, MOBILE = subject("anna"), subject("office"), subject("mobile")


def linked(left: str, right: str, name: str = "", **bounds: int) -> Any:
    times = {field: timestamp(at(minutes)) for field, minutes in bounds.items()}
    payload = IdentityLinked(left=identifier(left), right=identifier(right), **times)  # type: ignore[arg-type]
    return event(payload, subject=subject(left), name=name or f"{left} {right}", position=next(_positions))


def shared(name: str) -> Any:
    payload = IdentifierShared(identifier=Identifier(type="phone", subject=identifier(name).subject), shared=True)
    return event(payload, subject=subject(name), position=next(_positions))


_positions = iter(range(1, 100_000))


def parties(*events: Any, known: int | None = None) -> Parties:
    for position, one in enumerate(events, 1):
        one.position = position
    views = Views(IdentitiesView()).apply(events)
    return Parties(views.read(known), [ANNA, OFFICE, MOBILE])


def test_linked_identifiers_are_one_customer() -> None:
    of = parties(linked("anna", "mobile"))

    assert of.of(ANNA, at(0)) == of.of(MOBILE, at(5)) == min(ANNA, MOBILE)
    assert of.of(OFFICE, at(0)) == OFFICE


def test_a_set_is_as_known() -> None:
    of = parties(linked("anna", "mobile", "link"), known=0)

    assert (ANNA, MOBILE) == (of.of(ANNA, at(0)), of.of(MOBILE, at(0)))


def test_a_shared_identifier_is_nobodys() -> None:
    of = parties(linked("anna", "office"), shared("office"))

    assert (ANNA, None) == (of.of(ANNA, at(0)), of.of(OFFICE, at(0)))


def test_bounds_on_a_link_say_which_contacts_are_the_customers() -> None:
    of = parties(linked("anna", "mobile", valid_from=10))

    assert of.of(MOBILE, at(9)) is None
    assert of.of(MOBILE, at(10)) == of.of(ANNA, at(0))


def test_what_a_link_gave_before_it_ended_stays_the_customers() -> None:
    link = linked("anna", "mobile", "taken", valid_until=10)
    unlinked = event(IdentityUnlinked(link_event_id=event_id_text("nothing")), position=next(_positions))

    of = parties(link, unlinked)

    assert of.of(MOBILE, at(5)) == of.of(ANNA, at(0))
    assert of.of(MOBILE, at(10)) != of.of(ANNA, at(0))
