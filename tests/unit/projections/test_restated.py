"""Which events stand corrected or retracted, and what views over single events show of them."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Fact
from ledger.api.v1.event_pb2 import CorrectedEnvelope, EventCorrected, Payload
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.governance_pb2 import EventRetracted
from ledger.api.v1.history_service_pb2 import HistoryFilter
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.insight_service_pb2 import UNKNOWN_REASON
from ledger.event import Event
from projections import facts, history, identities, restated
from projections.facts import FactsView
from projections.history import HistoryView
from projections.identities import IdentitiesView
from tests.appending import FIELD_OF
from tests.build import at, event, event_id_text, timestamp
from tests.folded import FoldedViews
from tests.views import Views, identifier, subject


def corrects(of: Event, said: Any, *, position: int, whose: str = "a", occur: int | None = None, **envelope: str) -> Event:
    made = EventCorrected(
        stream=of.stream,
        corrected_event_id=event_id_text(of.event_id),
        envelope=CorrectedEnvelope(occur_time=None if occur is None else timestamp(occur), **envelope),
        payload=Payload(**{FIELD_OF[type(said)]: said}),  # type: ignore[arg-type]
    )
    return event(made, position=position, occur=at(position), subject=subject(whose), revision=position)


def retracts(of: Event, *, position: int) -> Event:
    gone = EventRetracted(stream=of.stream, retracted_event_id=event_id_text(of.event_id))
    return event(gone, position=position, occur=at(position), subject=of.subject, revision=position)


def note(position: int, minute: int, whose: str = "a") -> Event:
    return event(NoteAdded(contact_id="c"), position=position, occur=at(minute), subject=subject(whose), revision=position)


def received(whose: str = "a", reason: str = "x") -> ContactReceived:
    return ContactReceived(contact_id="c", customer=identifier(whose), reason=reason)


@pytest.mark.parametrize("batch_size", [1, 2, 10])
def test_what_stands_is_told_for_every_position(batch_size: int) -> None:
    first = note(1, 0)
    second = corrects(first, NoteAdded(contact_id="c"), position=2)
    third = corrects(first, NoteAdded(contact_id="c"), position=3)
    gone = retracts(third, position=4)
    out = retracts(first, position=5)
    views = Views().apply([first, second, third, gone, out], batch_size)

    found = [restated.restated(views.read(known), [1]).get(1) for known in range(1, 6)]

    assert [None, (2, False), (3, False), (2, False), (5, True)] == found


def test_words_are_said_by_what_stands() -> None:
    first = note(1, 0)
    second = corrects(first, NoteAdded(contact_id="c"), position=2)
    third = corrects(first, NoteAdded(contact_id="c"), position=3)
    views = Views().apply([first, second, third, note(4, 1)])

    assert {1: 1, 4: 4} == restated.where_said(views.read(1), [1, 4])
    assert {2: 1} == restated.where_said(views.read(2), [1, 2])
    assert {3: 1, 4: 4} == restated.where_said(views.read(), [1, 2, 3, 4])


def test_a_corrected_event_has_its_place_in_the_history_by_what_it_should_have_said() -> None:
    early, late = note(1, 5), note(2, 10)
    views = Views(HistoryView(), IdentitiesView()).apply(
        [early, late, corrects(early, NoteAdded(contact_id="c"), position=3, occur=at(20))]
    )

    def order(known: int | None = None) -> list[int]:
        entries, _ = history.page(views.read(known), [subject("a")], HistoryFilter(topics=["note-added"]), True, 10, None)
        return [entry.event.position for entry in entries]

    assert ([2, 1], [1, 2]) == (order(), order(2))


def test_a_contact_retracted_is_shown_and_not_counted() -> None:
    opened = event(received(), position=1, occur=at(0), subject=subject("a"))
    views = Views(HistoryView(), IdentitiesView()).apply([opened, retracts(opened, position=2)])

    counts = [history.contact_count(views.read(known), [subject("a")]) for known in (None, 2, 1)]
    entries, _ = history.page(views.read(), [subject("a")], HistoryFilter(topics=["contact-received"]), True, 10, None)

    assert [0, 0, 1] == counts
    assert [(1, True)] == [(entry.event.position, entry.retracted) for entry in entries]


def test_a_contact_of_the_wrong_customer_is_counted_for_the_right_one() -> None:
    opened = event(received("a"), position=1, occur=at(0), subject=subject("a"))
    views = Views(HistoryView(), IdentitiesView()).apply([opened, corrects(opened, received("b"), position=2, whose="b")])

    assert [0, 1] == [history.contact_count(views.read(), [subject(name)]) for name in "ab"]
    assert [1, 0] == [history.contact_count(views.read(1), [subject(name)]) for name in "ab"]


def test_a_fact_is_known_as_corrected_and_given_once() -> None:
    given = event(FactGiven(fact=Fact(key="size", value="40")), position=1, occur=at(0), subject=subject("a"))
    other = FactGiven(fact=Fact(key="colour", value="red"))
    events = [given, corrects(given, other, position=2), retracts(given, position=3)]
    views = Views(FactsView(), IdentitiesView()).apply(events)

    found = [facts.known_facts(views.read(known), [subject("a")]) for known in (1, 2, 3)]

    assert [["size"], ["colour"], []] == [[one.fact.key for one in known] for known in found]
    assert event_id_text(given.event_id) == found[1][0].fact.fact_event_id


def test_a_tier_is_that_of_the_classification_as_corrected() -> None:
    classified = event(CustomerClassified(customer=identifier("a"), tier="gold"), position=1, occur=at(0), subject=subject("a"))
    mended = CustomerClassified(customer=identifier("a"), tier="silver")
    views = Views(IdentitiesView()).apply([classified, corrects(classified, mended, position=2), retracts(classified, position=3)])

    assert ["gold", "silver", ""] == [identities.tier(views.read(known), [subject("a")])[0] for known in (1, 2, 3)]


def test_an_unknown_reason_that_was_corrected_is_no_finding_any_more() -> None:
    opened = event(received(reason="unknown"), position=1, occur=at(0), subject=subject("a"))
    mended = corrects(opened, received(reason="billing"), position=2)
    views = FoldedViews([opened, mended, retracts(mended, position=3)])

    found = [{kind for _, kind in views.findings(known, None)} for known in (1, 2, 3)]

    assert [{UNKNOWN_REASON}, set(), {UNKNOWN_REASON}] == found
