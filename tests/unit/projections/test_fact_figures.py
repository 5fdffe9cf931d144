"""Figures of information, counted by hand: what the first contact took, what was asked inside, and how long it was waited for."""

from __future__ import annotations

from typing import Any

import pytest

from clients.connectors.policy_text import read_policy
from ledger.api.v1.core_pb2 import STAYS, Fact
from ledger.api.v1.fact_pb2 import ASKED_OF_CUSTOMER, ASKED_OF_DEPARTMENT, ASKED_OF_PARTNER, FactAsked, FactGiven
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.handoff_pb2 import HandoffOffered, HandoffRated, HandoffReturned, HandoffSupplied, HandoffWithdrawn
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.api.v1.request_pb2 import CLOSED_NO_REPLY, RequestClassified, RequestClosed, RequestOpened
from ledger.event_id import to_text
from projections.figures.tally import Slice
from tests.build import HOUR, MINUTE, at
from tests.figure_story import Story, some

ANNA, BRUNO = b"a" * 16, b"b" * 16


def ruled(text: str, since: int = 0, version: int = 1) -> PolicyPublished:
    said = read_policy(text, "policy.yaml")
    said.end()
    published = said.published
    published.policy_id, published.policy_version = "service", version
    published.in_force_from.FromMicroseconds(since)
    return published


@pytest.fixture
def story() -> Story:
    told = Story()
    asked = "{intake_facts: [order_number, address], stable_facts: [address]}"
    told.tell(-60, ruled(f"reasons: {{delivery: {asked}, newsletter: {{}}}}"))
    return told


def opened(story: Story, name: str, minute: float, *keys: str, reason: str = "delivery", **said: Any) -> Any:
    header = {name: said.pop(name) for name in ("subject", "import_run") if name in said}
    facts = [Fact(key=key) for key in keys]
    payload = RequestOpened(request_id=name, reason=reason, owner_department="desk", intake_facts=facts, **said)
    return story.tell(minute, payload, **header)


def given(story: Story, minute: float, key: str, subject: bytes = ANNA, **said: str) -> Any:
    return story.tell(minute, FactGiven(fact=Fact(key=key), **said), subject=subject)


INTAKE = ("complete", "requests", "required", "known", "unmeasured")


# What the first contact took


def test_facts_count_until_the_first_contact_is_over(story: Story) -> None:
    story.contact("c-1", 0)
    whole = opened(story, "r-whole", 2, "order_number", contact_id="c-1")
    given(story, 5, "address", request_id="r-whole")
    story.end("c-1", 9)
    story.contact("c-2", 20, subject=BRUNO)
    half = opened(story, "r-half", 22, "order_number", contact_id="c-2", subject=BRUNO)
    story.end("c-2", 29)
    # When the customer had to be asked again.
    given(story, 40, "address", BRUNO, request_id="r-half")
    opened(story, "r-asks-nothing", 50, reason="newsletter")

    value, parts = story.one("intake_completeness")

    assert 3 / 4 == value
    assert [1, 2, 4, 3, 0] == some(parts, *INTAKE)
    named = {one.event_id: one.outcome for one in story.ask("intake_completeness", evidence=9).evidence}
    assert {to_text(whole.event_id): "complete", to_text(half.event_id): "incomplete"} == named


def test_without_a_contact_the_opening_is_the_end_and_in_one_that_goes_on_counts_what_was_said_in_it(story: Story) -> None:
    opened(story, "r-form", 0, "order_number", subject=ANNA)
    given(story, 1, "address", request_id="r-form")
    story.contact("c-mail", 10, subject=BRUNO)
    opened(story, "r-mail", 12, contact_id="c-mail", subject=BRUNO)
    given(story, 600, "order_number", BRUNO, request_id="r-mail", contact_id="c-mail")
    given(story, 700, "address", BRUNO, request_id="r-mail", contact_id="c-later")

    assert [0, 2, 4, 2, 0] == some(story.one("intake_completeness")[1], *INTAKE)


def test_what_is_known_of_the_customer_counts_where_it_holds_for_this_request(story: Story) -> None:
    # Before: the address, which is stable; a number of another order, which is not; and another customer's.
    given(story, -30, "address", request_id="r-before")
    given(story, -30, "order_number", request_id="r-before")
    given(story, -30, "order_number", BRUNO)
    opened(story, "r-1", 0)

    assert [0, 1, 2, 1, 0] == some(story.one("intake_completeness")[1], *INTAKE)


def test_what_the_caller_named_as_missing_is_missing_unless_it_is_given_since(story: Story) -> None:
    # Somebody moved: the address on record is none.
    given(story, -30, "address")
    story.contact("c-1", 0)
    opened(story, "r-1", 1, contact_id="c-1", missing_intake_keys=["address"])
    story.end("c-1", 5)
    story.contact("c-2", 0, subject=BRUNO)
    opened(story, "r-2", 2, contact_id="c-2", missing_intake_keys=["address", "shoe_size"], subject=BRUNO)
    given(story, 3, "address", BRUNO, request_id="r-2")
    story.end("c-2", 5)

    # Nobody said that the numbers of the orders were missing.
    assert [1, 2, 4, 3, 0] == some(story.one("intake_completeness")[1], *INTAKE)


def test_the_policy_that_ruled_the_opening_says_what_is_required(story: Story) -> None:
    opened(story, "r-old", 0, "order_number", "address", subject=BRUNO)
    story.tell(5, ruled("reasons: {delivery: {intake_facts: [order_number, address, floor]}}", at(8), version=2))
    opened(story, "r-between", 6, "order_number")
    opened(story, "r-new", 9, "order_number")
    opened(story, "r-none", 9, "order_number", reason="unknown")
    story.tell(10, RequestClassified(request_id="r-none", reason="delivery"))

    value, parts = story.one("intake_completeness")

    # 2 of 2, 1 of 2, 1 of 3, and 1 of 3 of the one whose reason was understood later.
    assert (5 / 10, [1, 4, 10, 5, 0]) == (value, some(parts, *INTAKE))
    by_reason = story.ask("intake_completeness", slices=(Slice.REASON,))
    assert {"delivery": 10} == {row.values[0]: row.member_count for row in by_reason.rows}


def test_an_import_that_does_not_say_when_things_were_answered_is_not_measured(story: Story) -> None:
    for run, recorded in (("mute", False), ("telling", True)):
        story.tell(0, ImportStarted(run_id=run, from_source="old", answers_recorded=recorded))
        opened(story, f"r-{run}", 1, "order_number", import_run=run)

    assert [0, 1, 2, 1, 1] == some(story.one("intake_completeness")[1], *INTAKE)


def test_as_known_then_a_fact_that_was_recorded_later_was_missing(story: Story) -> None:
    story.contact("c-1", 0)
    opened(story, "r-1", 1, "order_number", contact_id="c-1")
    story.end("c-1", 9)
    position = len(story.events)
    given(story, 5, "address", request_id="r-1")

    assert 1 == story.one("intake_completeness")[0]
    assert 1 / 2 == story.one("intake_completeness", known=position)[0]
    assert 1 / 2 == story.one("intake_completeness", before=at(5))[0]


# Asked inside


def ask(story: Story, minute: float, key: str, of: int, request_id: str = "", department: str = "desk") -> Any:
    named = {"request_id": request_id} if request_id else {}
    return story.tell(minute, FactAsked(key=key, asked_of=of, **named), department=department)  # type: ignore[arg-type]


def test_what_departments_and_partners_were_asked_about_requests_is_counted(story: Story) -> None:
    for name in ("r-1", "r-2", "r-3", "r-4"):
        opened(story, name, 0)
    asked = [ask(story, 1, "size", ASKED_OF_DEPARTMENT, "r-1"), ask(story, 2, "size", ASKED_OF_DEPARTMENT, "r-1")]
    asked.append(ask(story, 3, "stock", ASKED_OF_PARTNER, "r-2"))
    ask(story, 3, "colour", ASKED_OF_CUSTOMER, "r-3")
    ask(story, 3, "stock", ASKED_OF_DEPARTMENT)
    offer(story, "h-1", 4)
    story.tell(5, HandoffReturned(request_id="r-1", handoff_id="h-1", missing_keys=["size"]))

    value, parts = story.one("information_requests")

    assert 3 / 4 == value
    names = ("asked", "asked_departments", "asked_partners", "requests", "requests_asked_about", "handoffs_returned")
    assert [3, 2, 1, 4, 2, 1] == some(parts, *names)
    figure = story.ask("information_requests", evidence=9)
    assert [to_text(one.event_id) for one in asked] == [one.event_id for one in figure.evidence]
    assert ["asked_of_department", "asked_of_department", "asked_of_partner"] == [one.outcome for one in figure.evidence]


def offer(story: Story, name: str, minute: float, *keys: str) -> None:
    parties = {"from_department": "desk", "to_department": "shipping", "ownership": STAYS}
    facts = [Fact(key=key) for key in keys]
    story.tell(minute, HandoffOffered(request_id="r-1", handoff_id=name, facts=facts, **parties))  # type: ignore[arg-type]


WAIT = ("given", "open", "given_up")


def test_a_fact_asked_for_is_awaited_until_it_is_given_or_passed(story: Story) -> None:
    opened(story, "r-1", 0)
    opened(story, "r-2", 0, subject=BRUNO)
    # Given before it was asked for, about another request, under another key: none of these is the answer.
    given(story, 5, "size", request_id="r-1")
    ask(story, 10, "size", ASKED_OF_CUSTOMER, "r-1")
    given(story, 12, "size", BRUNO, request_id="r-2")
    given(story, 13, "colour", request_id="r-1")
    given(story, 40, "size", request_id="r-1")
    given(story, 50, "size", request_id="r-1")
    # Passed in a handoff.
    ask(story, 20, "stock", ASKED_OF_DEPARTMENT, "r-1")
    offer(story, "h-1", 80, "stock")
    # About no request: whenever the customer says it.
    ask(story, 30, "birthday", ASKED_OF_CUSTOMER)
    given(story, 45, "birthday")
    # Not yet.
    ask(story, 100, "weight", ASKED_OF_PARTNER, "r-1")

    value, parts = story.one("information_wait", evaluated=at(400))

    # 30, 60 and 15 minutes.
    assert (30 * 60, 35 * 60, 60 * 60) == (value, parts["mean_seconds"], parts["p90_seconds"])
    assert [3, 1, 0] == some(parts, *WAIT)
    assert 300 * 60 == parts["open_mean_seconds"]
    by_kind = story.ask("information_wait", slices=(Slice.KIND,), evaluated=at(400))
    assert {"customer": 2, "department": 1, "partner": 0} == {row.values[0]: row.member_count for row in by_kind.rows}


def test_a_handoff_returned_for_facts_is_awaited_until_it_is_offered_again(story: Story) -> None:
    opened(story, "r-1", 0)
    for name in ("h-mended", "h-withdrawn", "h-open", "h-refused"):
        offer(story, name, 1)
        keys = [] if name == "h-refused" else ["size"]
        story.tell(10, HandoffReturned(request_id="r-1", handoff_id=name, missing_keys=keys), department="shipping")
    story.tell(20, HandoffRated(request_id="r-1", handoff_id="h-mended", complete=False))
    story.tell(55, HandoffSupplied(request_id="r-1", handoff_id="h-mended", facts=[Fact(key="size")]))
    story.tell(60, HandoffWithdrawn(request_id="r-1", handoff_id="h-withdrawn"))

    figure = story.ask("information_wait", slices=(Slice.DEPARTMENT, Slice.KIND, Slice.REASON), evaluated=at(70), evidence=9)

    (row,) = figure.rows
    assert ["shipping", "handoff_returned", "delivery"] == list(row.values)
    assert (45 * 60, 1) == (row.value, row.member_count)
    assert [1, 1, 1] == some({part.name: part.value for part in row.parts}, *WAIT)
    assert ["given", "given_up", "open"] == [one.outcome for one in figure.evidence]


def test_nobody_waits_for_a_fact_when_the_request_has_ended(story: Story) -> None:
    opened(story, "r-1", 0)
    ask(story, 10, "size", ASKED_OF_CUSTOMER, "r-1")
    story.tell(500, RequestClosed(request_id="r-1", outcome=CLOSED_NO_REPLY))

    value, parts = story.one("information_wait", evaluated=at(0) + 100 * HOUR)

    assert value is None
    assert [0, 0, 1] == some(parts, *WAIT)
    # As of before, it was awaited.
    _, before = story.one("information_wait", before=at(400), evaluated=at(400))
    assert [0, 1, 0] == some(before, *WAIT)
    assert (400 - 10) * MINUTE / 1_000_000 == before["open_mean_seconds"]
