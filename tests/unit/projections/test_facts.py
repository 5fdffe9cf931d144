from __future__ import annotations

from typing import Any

import pytest

from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.fact_pb2 import FactConfirmed, FactGiven
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.history_service_pb2 import KnownFact
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.event import Event
from projections import facts
from projections.facts import FactsView
from projections.identities import IdentitiesView
from tests.build import at, event, event_id_text, timestamp
from tests.views import Views, identifier, subject


def given(position: int, minutes: float, key: str, value: str, whose: str = "anna", **fields: Any) -> Event:
    payload = FactGiven(fact=Fact(key=key, value=value, value_mark=value.encode()), **fields)
    return event(payload, position=position, occur=at(minutes), subject=subject(whose), name=f"given {position}")


def confirmed(position: int, minutes: float, key: str, given_position: int) -> Event:
    payload = FactConfirmed(key=key, fact_event_id=event_id_text(f"given {given_position}"))
    return event(payload, position=position, occur=at(minutes), subject=subject("anna"))


def opened(position: int, minutes: float, *intake: Fact) -> Event:
    payload = RequestOpened(request_id="r-1", intake_facts=intake)
    return event(payload, position=position, occur=at(minutes), subject=subject("anna"), name=f"given {position}")


def views_of(*events: Event, batch_size: int = 1000) -> Views:
    return Views(IdentitiesView(), FactsView()).apply(events, batch_size)


def known(views: Views, *names: str, **as_of: Any) -> list[KnownFact]:
    return facts.known_facts(views.read(**as_of), [subject(name) for name in names or ("anna",)])


def shown(found: list[KnownFact]) -> list[tuple[str, str, int]]:
    return [(one.fact.key, one.fact.value, one.given_count) for one in found]


def test_the_last_giving_of_each_key_is_shown_in_order_of_key() -> None:
    views = views_of(given(1, 5, "size", "L"), given(2, 9, "colour", "red"), given(3, 7, "size", "M"), given(4, 3, "size", "S"))

    assert [("colour", "red", 1), ("size", "M", 3)] == shown(known(views))


def test_of_two_givings_at_the_same_time_the_one_recorded_later_is_shown() -> None:
    views = views_of(given(1, 5, "size", "L"), given(2, 5, "size", "M"))

    assert [("size", "M", 2)] == shown(known(views))


def test_facts_taken_at_intake_are_given() -> None:
    views = views_of(opened(1, 5, Fact(key="size", value="S"), Fact(key="colour", value="red"), Fact(key="size", value="L")))

    colour, size = known(views)

    assert [("colour", "red", 1), ("size", "L", 2)] == shown([colour, size])
    assert ("r-1", event_id_text("given 1")) == (size.request_id, size.fact.fact_event_id)


def test_facts_passed_in_a_handoff_are_not_given_anew() -> None:
    payload = HandoffOffered(request_id="r-1", handoff_id="h-1", facts=[Fact(key="size", value="L")])
    views = views_of(event(payload, position=1, subject=subject("anna")))

    assert [] == known(views)


def test_a_fact_of_a_request_names_it_and_one_of_the_customer_names_none() -> None:
    size, colour = known(views_of(given(1, 5, "a", "L", request_id="r-9"), given(2, 5, "b", "red")))

    assert "r-9" == size.request_id
    assert not colour.HasField("request_id")
    assert timestamp(at(5)) == size.given_time


def test_facts_are_those_known_at_the_position_and_given_before_the_time() -> None:
    views = views_of(given(1, 5, "size", "L"), given(2, 9, "size", "M"), given(3, 7, "size", "S"))

    assert [("size", "S", 2)] == shown(known(views, before=at(9)))
    assert [("size", "M", 2)] == shown(known(views, known=2))
    assert [("size", "L", 1)] == shown(known(views, known=2, before=at(9)))
    assert [] == known(views, known=0)


def test_facts_of_all_of_a_customers_identifiers_are_one_list() -> None:
    views = views_of(given(1, 5, "size", "L"), given(2, 9, "size", "M", "phone"), given(3, 1, "colour", "red", "phone"))

    assert [("colour", "red", 1), ("size", "M", 2)] == shown(known(views, "anna", "phone"))


def test_a_fact_given_by_who_had_the_number_before_is_not_the_customers() -> None:
    link = IdentityLinked(left=identifier("anna"), right=identifier("phone"), valid_from=timestamp(at(10)))
    views = views_of(
        given(1, 5, "address", "old holder's", "phone"),
        event(link, position=2, subject=subject("anna")),
        given(3, 20, "size", "M", "phone"),
    )

    assert [("size", "M", 1)] == shown(known(views, "anna", "phone"))


def test_a_confirmation_counts_for_the_giving_that_it_names() -> None:
    views = views_of(given(1, 1, "size", "L"), confirmed(2, 3, "size", 1), confirmed(3, 2, "size", 1))
    (first,) = known(views)
    assert timestamp(at(3)) == first.confirmed_time

    views.apply([given(4, 5, "size", "M")])

    (second,) = known(views)
    assert not second.HasField("confirmed_time")
    assert timestamp(at(3)) == known(views, known=3)[0].confirmed_time
    assert timestamp(at(2)) == known(views, before=at(3))[0].confirmed_time


def test_at_most_the_limit_of_facts_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "FACTS_MAX", 2)

    assert ["a", "b"] == [one.fact.key for one in known(views_of(*(given(n + 1, n, key, "x") for n, key in enumerate("cab"))))]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_changes_do_not_depend_on_how_events_fall_into_batches(batch_size: int) -> None:
    events = [given(1, 1, "size", "L"), opened(2, 5, Fact(key="a"), Fact(key="b")), confirmed(3, 3, "size", 1)]

    assert views_of(*events).changes["facts"].entries == views_of(*events, batch_size=batch_size).changes["facts"].entries
