"""What escalations cost, and what it costs to tell the ledger, counted by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from clients.connectors.policy_text import read_policy
from ledger.api.v1.contact_pb2 import ContactEnded, ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import AUTOMATION, CLOCK, HUMAN, MOVES, PARTNER, PLAYBOOK, Fact, Identifier
from ledger.api.v1.handoff_pb2 import HandoffExpired, HandoffOffered
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.request_pb2 import (
    CLOSED_RESOLVED,
    FUNCTIONAL,
    HIERARCHICAL,
    ContactLinked,
    RequestClosed,
    RequestEscalated,
    RequestOpened,
)
from ledger.catalogue import BY_FIELD, is_mandatory
from ledger.event_id import to_text
from ledger.internal.v1.stored_pb2 import PartHeader
from projections.figures import entry_figures
from projections.figures.definition import PeriodTooLongError
from projections.figures.entry_figures import counted
from projections.figures.tally import Slice
from tests.build import HOUR, at, event_id_text
from tests.correcting import correction
from tests.figure_story import Story, some


@pytest.fixture
def story() -> Story:
    return Story()


def lasting(minutes: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(minutes=minutes))
    return duration


# Escalations


COSTS = """
departments: {desk: {layer: front}, experts: {layer: back}, outside: {partner: yes}}
costs:
  currency: EUR
  escalation_cents: 250
  layers: [{layer: front, hour_cents: 3000}, {layer: back, hour_cents: 6000}]
"""


def priced(text: str = COSTS, version: int = 1, since: int = 0) -> PolicyPublished:
    said = read_policy(text, "policy.yaml")
    said.end()
    published = said.published
    published.policy_id, published.policy_version = "service", version
    published.in_force_from.FromMicroseconds(since)
    return published


def talked(story: Story, name: str, minute: float, until: float, talk: float, department: str = "desk") -> None:
    story.contact(name, minute, subject=name.encode().ljust(16), department=department)
    story.answer(name, minute, department=department)
    story.tell(until, ContactEnded(contact_id=name, talk=lasting(talk)), department=department)


def escalated_story(story: Story) -> None:
    """Two of four requests are escalated: one twice, one without any work recorded."""
    talked(story, "c-first", 0, 10, talk=10)
    for name, contact_id in (("r-1", "c-first"), ("r-2", ""), ("r-3", ""), ("r-4", "")):
        reason = "billing" if name == "r-4" else "delivery"
        story.tell(5, RequestOpened(request_id=name, contact_id=contact_id, reason=reason, owner_department="desk"))
    # The first contact was over by then: its work was no consequence.
    story.tell(20, RequestEscalated(request_id="r-1", kind=FUNCTIONAL))
    for name, minute, talk, department in (
        ("c-again", 30, 6, "desk"),
        ("c-expert", 50, 12, "experts"),
        ("c-out", 70, 5, "outside"),
    ):
        talked(story, name, minute, minute + 15, talk, department)
        story.tell(minute + 1, ContactLinked(request_id="r-1", contact_id=name), department=department)
    story.tell(60, RequestEscalated(request_id="r-1", kind=HIERARCHICAL))
    story.tell(140, RequestClosed(request_id="r-1", outcome=CLOSED_RESOLVED))
    story.tell(40, RequestEscalated(request_id="r-2", kind=HIERARCHICAL))


PARTS = (
    *("requests", "escalated", "escalations", "functional", "hierarchical", "contacts_after", "handled_seconds", "open_seconds"),
    "still_open",
)


def test_escalations_are_counted_with_the_work_and_the_time_that_came_after(story: Story) -> None:
    escalated_story(story)

    value, parts = story.one("escalation", evaluated=at(200))

    # Open: 20 to 140, and from 40 on.
    assert 2 / 4 == value
    assert [4, 2, 3, 1, 2, 3, (6 + 12 + 5) * 60, (120 + 160) * 60, 1] == some(parts, *PARTS)
    assert not {"cost_amount", "each_amount", "unpriced"} & set(parts)
    figure = story.ask("escalation", slices=(Slice.REASON,), evaluated=at(100), evidence=9)
    assert {"delivery": 2 / 3, "billing": 0} == {row.values[0]: row.value for row in figure.rows}
    assert (2, "", 0) == (len(figure.evidence), figure.currency, len(figure.policies))


def test_an_amount_is_reckoned_by_the_policy_that_ruled_the_escalation(story: Story) -> None:
    story.tell(-60, priced())
    escalated_story(story)
    story.tell(200, priced(COSTS.replace("250", "99900"), version=2, since=at(-100)))

    figure = story.ask("escalation", evaluated=at(100))

    # r-1: 2 x 2.50, 6 min at 30.00, 12 min at 60.00; nobody knows what an hour outside costs. r-2: 2.50.
    parts = {part.name: part.value for part in figure.rows[0].parts}
    assert [pytest.approx(5 + 3 + 12 + 2.5), pytest.approx(22.5 / 2), 0, 5 * 60] == some(
        parts, "cost_amount", "each_amount", "unpriced", "unpriced_seconds"
    )
    assert "EUR" == figure.currency
    assert [("service", 1)] == [(one.policy_id, one.policy_version) for one in figure.policies]


def test_amounts_of_two_currencies_are_not_added(story: Story) -> None:
    story.tell(-60, priced())
    story.tell(-50, priced(COSTS.replace("EUR", "CHF"), version=2, since=at(30)))
    escalated_story(story)

    figure = story.ask("escalation")

    assert "" == figure.currency
    assert "cost_amount" not in {part.name for part in figure.rows[0].parts}


def test_as_of_before_an_escalation_there_was_none(story: Story) -> None:
    escalated_story(story)

    assert [4, 1, 1, 1, 0, 0, 0, 10 * 60, 1] == some(story.one("escalation", before=at(30), evaluated=at(30))[1], *PARTS)


# What it takes to tell


def test_fields_that_people_gave_are_counted_apart_from_those_of_machines(story: Story) -> None:
    given = story.tell(
        0,
        ContactReceived(contact_id="c-1", reason="billing", queue="orders", customer=Identifier(subject="x")),
        actor_kind=HUMAN,
        source="crm",
    )
    # A list counts by its elements; what the ledger filled in is nobody's.
    offer = HandoffOffered(
        request_id="r-1",
        handoff_id="h-1",
        from_department="desk",
        to_department="shipping",
        ownership=MOVES,
        facts=[Fact(key="order_number"), Fact(key="address")],
        required_fact_count=2,
    )
    story.tell(1, offer, actor_kind=HUMAN, source="crm", channel="", department="desk")
    story.tell(2, ContactReceived(contact_id="c-2", reason="billing"), actor_kind=AUTOMATION, source="web")
    story.tell(3, ContactReceived(contact_id="c-3", reason="billing"), actor_kind=PARTNER)
    story.tell(4, ContactReceived(contact_id="c-4", reason="billing"), actor_kind=HUMAN, import_run="old")
    # Nobody gave these.
    story.tell(5, PromiseMade(promise_id="p-1", kind="call_back"), actor_kind=PLAYBOOK)
    expired = HandoffExpired(request_id="r-1", handoff_id="h-1", set_by_event_id=event_id_text(given.event_id))
    story.tell(6, expired, actor_kind=CLOCK)

    value, parts = story.one("data_entry_effort")

    assert 10 / 2 == value
    assert [2, 10, 1, 10] == some(parts, "events", "fields", "contacts", "fields_each_contact")
    # The contact needs its reason; the offer its ids, both departments, and who owns it.
    assert 1 + 5 == parts["mandatory"]
    others = ("machines_events", "machines_fields", "partners_events", "partners_fields", "imported_events", "imported_fields")
    assert [1, 2, 1, 2, 1, 2] == some(parts, *others)
    by_source = story.ask("data_entry_effort", slices=(Slice.SOURCE, Slice.CHANNEL))
    assert {("crm", ""): 1, ("crm", "phone"): 1, ("web", "phone"): 0, ("", "phone"): 0} == {
        tuple(row.values): row.member_count for row in by_source.rows
    }
    by_kind = story.ask("data_entry_effort", slices=(Slice.KIND,), evidence=9)
    assert {"contact-received": 3, "handoff-offered": 7} == {row.values[0]: row.value for row in by_kind.rows}
    assert ["people", "people", "machines", "partners", "imported"] == [one.outcome for one in by_kind.evidence]
    assert to_text(given.event_id) == by_kind.evidence[0].event_id


def test_only_events_of_the_period_that_were_known_and_had_happened_count(story: Story) -> None:
    for number, hour in enumerate((0, 1, 5, 2)):
        story.tell(60 * hour, ContactReceived(contact_id=f"c-{number}", reason="billing"), actor_kind=HUMAN)

    def events(**how: Any) -> float:
        return story.one("data_entry_effort", **how)[1]["events"]

    assert [4, 2, 3, 2] == [
        events(),
        events(start=at(0) + HOUR, end=at(0) + 3 * HOUR),
        events(known=3),
        events(before=at(0) + 2 * HOUR),
    ]


def test_a_period_with_too_many_events_is_refused(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.tell(0, ContactReceived(contact_id="c-1", reason="billing"), actor_kind=HUMAN)
    monkeypatch.setattr(entry_figures, "EVENTS_MAX", 1_023)

    with pytest.raises(PeriodTooLongError, match="1,024 events, and figures made of rows take 1,023 at most"):
        story.ask("data_entry_effort")
    assert [] == list(story.ask("data_entry_effort", end=at(0) - HOUR).rows)


def test_a_correction_is_work_and_sealed_content_is_counted_as_such(story: Story) -> None:
    received = story.tell(0, ContactReceived(contact_id="c-1", reason="billing"), actor_kind=HUMAN)
    story.tell(1, NoteAdded(contact_id="c-1"), actor_kind=HUMAN, parts=[PartHeader(subject=b"a" * 16)])
    story.tell(2, correction(received, ContactReceived(contact_id="c-1", reason="delivery")), actor_kind=HUMAN)

    _, parts = story.one("data_entry_effort")

    # The contact has two fields, the note one; the correction names stream, event and reason, and says two anew.
    assert [3, 2 + 1 + 5, 1] == some(parts, "events", "fields", "with_content")


def test_every_type_says_which_of_its_fields_it_needs() -> None:
    def needed(name: str) -> list[str]:
        return [field.name for field in BY_FIELD[name].message.DESCRIPTOR.fields if is_mandatory(field)]

    assert (["reason"], ["request_id"]) == (needed("contact_received"), needed("request_opened"))
    assert (0, 0) == counted(RequestOpened(keys_not_taken=["size"]))
