from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.identity_pb2 import (
    ENDED,
    EXISTING,
    PROSPECT,
    WRONG_FROM_START,
    CustomerClassified,
    IdentifierShared,
    IdentityLinked,
    IdentityUnlinked,
)
from ledger.api.v1.identity_service_pb2 import SET_TOO_LARGE, SHARED_IDENTIFIER, UNIQUE_TYPE_VETO
from ledger.event import Event
from projections import identities, identity_sets
from projections.identities import IdentitiesView
from tests.build import at, event, event_id_text, timestamp
from tests.views import Views, identifier, subject


def contact(position: int, who: Identifier, minutes: float = 0) -> Event:
    payload = ContactReceived(contact_id=f"c-{position}", customer=who, reason="unknown")
    return event(payload, position=position, occur=at(minutes), subject=UUID(who.subject).bytes)


def link(position: int, left: Identifier, right: Identifier) -> Event:
    payload = IdentityLinked(left=left, right=right)
    return event(payload, position=position, occur=at(position), name=f"link {position}", subject=UUID(left.subject).bytes)


def unlink(position: int, link_position: int, reason: Any = WRONG_FROM_START) -> Event:
    payload = IdentityUnlinked(link_event_id=event_id_text(f"link {link_position}"), unlink_reason=reason)
    return event(payload, position=position, occur=at(position))


def share(position: int, who: Identifier, shared: bool = True) -> Event:
    return event(IdentifierShared(identifier=who, shared=shared), position=position, occur=at(position))


def classify(position: int, minutes: float, who: str = "anna", **fields: Any) -> Event:
    payload = CustomerClassified(customer=identifier(who), **fields)
    return event(payload, position=position, occur=at(minutes), subject=subject(who))


def views_of(*events: Event, batch_size: int = 1000) -> Views:
    return Views(IdentitiesView()).apply(events, batch_size)


def members(views: Views, name: str, known: int | None = None) -> set[bytes]:
    return set(identities.members(views.read(known), subject(name)))


def reasons(views: Views, known: int | None = None) -> list[tuple[int, int]]:
    candidates, _ = identities.duplicate_candidates(views.read(known), 50, None)
    return [(candidate.position, candidate.why) for candidate in candidates]


def subjects(*names: str) -> set[bytes]:
    return {subject(name) for name in names}


ANNA, MAIL, PHONE = identifier("anna", "account"), identifier("mail", "email"), identifier("phone")


def test_an_identifier_that_nothing_joins_is_a_customer_alone() -> None:
    views = views_of(contact(1, PHONE))

    assert [subject("phone")] == identities.members(views.read(), subject("phone"))
    assert [subject("never seen")] == identities.members(views.read(), subject("never seen"))


def test_links_join_and_the_public_id_is_the_pseudonym_seen_first() -> None:
    views = views_of(contact(1, PHONE), contact(2, MAIL), link(3, MAIL, ANNA), link(4, ANNA, PHONE))

    assert [subject("phone"), subject("mail"), subject("anna")] == identities.members(views.read(), subject("anna"))
    assert str(UUID(bytes=subject("phone"))) == identities.customer_id(views.read(), subject("mail"))


def test_of_two_seen_first_by_one_event_the_smaller_bytes_are_the_id() -> None:
    views = views_of(link(1, MAIL, ANNA))

    assert sorted(subjects("mail", "anna")) == identities.members(views.read(), subject("anna"))


def test_sets_are_those_of_the_position_known() -> None:
    views = views_of(link(1, MAIL, ANNA), link(2, ANNA, PHONE), unlink(3, 1))

    assert subjects("mail") == members(views, "mail", known=0)
    assert subjects("mail", "anna") == members(views, "anna", known=1)
    assert subjects("mail", "anna", "phone") == members(views, "anna", known=2)
    assert subjects("anna", "phone") == members(views, "anna", known=3)


def test_an_unlink_leaves_joined_what_another_link_still_joins() -> None:
    views = views_of(link(1, MAIL, ANNA), link(2, ANNA, PHONE), link(3, PHONE, MAIL), unlink(4, 1))

    assert subjects("mail", "anna", "phone") == members(views, "anna")


def test_unlinking_twice_or_what_was_never_linked_changes_nothing() -> None:
    views = views_of(link(1, MAIL, ANNA), unlink(2, 1), unlink(3, 1), unlink(4, 77), link(5, MAIL, ANNA))

    assert subjects("mail", "anna") == members(views, "anna")


def test_a_link_that_ended_joins_no_more() -> None:
    views = views_of(link(1, MAIL, ANNA), unlink(2, 1, ENDED))

    assert subjects("anna") == members(views, "anna")
    assert [] == reasons(views)


def test_a_shared_identifier_joins_nobody() -> None:
    views = views_of(link(1, MAIL, PHONE), link(2, ANNA, PHONE), share(3, PHONE), link(4, identifier("ben"), PHONE))

    assert subjects("mail", "anna", "phone") == members(views, "phone", known=2)
    for name in ("mail", "anna", "phone", "ben"):
        assert subjects(name) == members(views, name)
    assert [(4, SHARED_IDENTIFIER), (2, SHARED_IDENTIFIER), (1, SHARED_IDENTIFIER)] == reasons(views)


def test_links_join_again_when_the_mark_is_taken_away_and_nothing_else_stands_against_it() -> None:
    other = identifier("other", "account")
    views = views_of(share(1, PHONE), link(2, ANNA, PHONE), link(3, other, PHONE), share(4, PHONE, False))

    assert subjects("anna", "phone") == members(views, "phone")
    assert [(3, UNIQUE_TYPE_VETO)] == reasons(views)
    assert [(3, SHARED_IDENTIFIER), (2, SHARED_IDENTIFIER)] == reasons(views, known=3)


def test_a_link_that_would_join_two_values_of_a_unique_type_does_not_join() -> None:
    views = views_of(link(1, ANNA, PHONE), link(2, PHONE, identifier("other", "account")))

    assert subjects("anna", "phone") == members(views, "phone")
    assert [(2, UNIQUE_TYPE_VETO)] == reasons(views)


def test_a_vetoed_link_joins_once_the_link_in_its_way_is_taken_back() -> None:
    views = views_of(link(1, ANNA, PHONE), link(2, PHONE, identifier("other", "account")), unlink(3, 1))

    assert subjects("other", "phone") == members(views, "phone")
    assert [] == reasons(views)


def test_a_set_does_not_grow_beyond_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_sets, "SET_SIZE_MAX", 3)
    names = [identifier(name) for name in "abcd"]

    views = views_of(link(1, names[0], names[1]), link(2, names[1], names[2]), link(3, names[2], names[3]))

    assert subjects("a", "b", "c") == members(views, "a")
    assert [(3, SET_TOO_LARGE)] == reasons(views)


def test_a_link_of_an_identifier_with_itself_joins_nothing() -> None:
    views = views_of(link(1, ANNA, ANNA), unlink(2, 1))

    assert subjects("anna") == members(views, "anna")


def test_links_that_do_not_join_are_listed_newest_first_page_by_page() -> None:
    views = views_of(share(1, PHONE), *(link(position, identifier(str(position)), PHONE) for position in range(2, 7)))

    first, after = identities.duplicate_candidates(views.read(), 3, None)
    second, end = identities.duplicate_candidates(views.read(), 3, after)

    assert [6, 5, 4] == [candidate.position for candidate in first]
    assert [3, 2] == [candidate.position for candidate in second]
    assert end is None
    assert (event_id_text("link 6"), str(UUID(bytes=subject("6"))), PHONE.subject) == (
        first[0].link_event_id,
        first[0].left_subject,
        first[0].right_subject,
    )


def test_identifiers_are_listed_oldest_first_with_their_values_where_they_are_not_withheld() -> None:
    views = views_of(contact(1, PHONE, minutes=7), link(2, PHONE, MAIL), share(3, MAIL), link(4, PHONE, ANNA))
    views.named = {subject("phone"): ("phone", "+33142000000")}

    before = identities.identifiers(views.read(known=2), subject("mail")).identifiers
    now = identities.identifiers(views.read(), subject("phone")).identifiers

    assert [("phone", "+33142000000", False), ("email", "", False)] == [
        (one.identifier.type, one.identifier.value, one.shared) for one in before
    ]
    assert ["phone", "account"] == [one.identifier.type for one in now]
    assert timestamp(at(7)) == now[0].first_seen_time
    assert [True] == [one.shared for one in identities.identifiers(views.read(), subject("mail")).identifiers]


def test_an_identifier_is_not_listed_before_an_event_named_it() -> None:
    views = views_of(contact(1, PHONE))

    assert 0 == len(identities.identifiers(views.read(known=0), subject("phone")).identifiers)


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (link(3, MAIL, identifier("new")), True),
        (link(3, identifier("new"), identifier("newer")), False),
        (unlink(3, 2), True),
        (contact(3, MAIL), False),
        (share(3, MAIL), True),
    ],
)
def test_a_watcher_learns_that_the_set_changed(move: Event, expected: bool) -> None:
    views = views_of(contact(1, identifier("new")), link(2, MAIL, ANNA), move)
    known = [subject("mail"), subject("anna")]

    assert expected == identities.membership_changed(views.read(), 2, known)
    assert not identities.membership_changed(views.read(), 3, known)
    assert identities.membership_changed(views.read(), 1, known)


def test_a_watcher_of_one_alone_learns_that_it_was_joined() -> None:
    views = views_of(contact(1, PHONE), contact(2, MAIL), link(3, PHONE, MAIL))

    assert identities.membership_changed(views.read(), 2, [subject("phone")])
    assert not identities.membership_changed(views.read(known=2), 1, [subject("phone")])


def test_tier_and_relation_are_those_set_last_in_time_each_on_its_own() -> None:
    views = views_of(
        classify(1, 10, tier="gold", relation=EXISTING),
        classify(2, 5, tier="silver", relation=PROSPECT),
        classify(3, 20, "phone", tier="platinum"),
    )
    both = [subject("anna"), subject("phone")]

    assert ("platinum", "EXISTING") == identities.tier(views.read(), both)
    assert ("gold", "EXISTING") == identities.tier(views.read(), both[:1])
    assert ("silver", "PROSPECT") == identities.tier(views.read(before=at(10)), both)
    assert ("gold", "EXISTING") == identities.tier(views.read(known=1), both)
    assert ("", "") == identities.tier(views.read(known=0), both)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_changes_do_not_depend_on_how_events_fall_into_batches(batch_size: int) -> None:
    events = [
        contact(1, PHONE),
        link(2, MAIL, ANNA),
        contact(3, identifier("ben")),
        link(4, ANNA, PHONE),
        classify(5, 5, tier="gold"),
        share(6, PHONE),
        unlink(7, 2),
        share(8, PHONE, False),
    ]

    assert views_of(*events).changes["identities"].entries == views_of(*events, batch_size=batch_size).changes["identities"].entries
