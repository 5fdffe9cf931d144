"""Figures of promises, targets, handoffs and requests by hand, with the traps of each definition."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.api.v1.core_pb2 import STAYS
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffRejected, HandoffReturned, HandoffSupplied
from ledger.api.v1.promise_pb2 import (
    FROM_PLAYBOOK,
    PromiseBroken,
    PromiseKept,
    PromiseReleased,
    PromiseRenegotiated,
    PromiseWithdrawn,
)
from ledger.api.v1.request_pb2 import RESOLUTION_DONE, RequestOpened, RequestReopened, RequestResolved
from projections.figures.tally import Slice
from tests.build import DAY, at, due, event_id_text
from tests.figure_story import Story, some


@pytest.fixture
def story() -> Story:
    return Story()


def test_kept_rate_is_of_what_was_due_in_the_period(story: Story) -> None:
    late = at(0) + 10 * DAY
    story.promise("p-kept", 60)
    story.promise("p-late", 60)
    story.promise("p-broken", 60)
    story.promise("p-undecided", 60)
    story.promise("p-next-month", 60 * 24 * 40)
    story.promise("p-undated", None)
    story.tell(30, PromiseKept(promise_id="p-kept"))
    story.tell(90, PromiseKept(promise_id="p-late"))
    story.tell(60, PromiseBroken(promise_id="p-broken", set_by_event_id=event_id_text("event 3")))

    value, parts = story.one("promise_kept_rate", evaluated=late)

    assert 1 / 3 == value
    assert [1, 1, 1, 1, 0] == some(parts, "kept", "kept_late", "broken", "undecided", "not_yet_due")
    assert [0, 2] == some(story.one("promise_kept_rate", end=None, evaluated=at(30))[1], "undecided", "not_yet_due")


def test_open_ones_are_undecided_once_their_due_is_past(story: Story) -> None:
    story.promise("p-1", 60)
    story.promise("p-2", 120)

    parts = [story.one("promise_kept_rate", evaluated=at(minute))[1] for minute in (0, 90, 180)]

    assert [[0, 2], [1, 1], [2, 0]] == [some(one, "undecided", "not_yet_due") for one in parts]


def test_released_or_withdrawn_before_the_due_stands_beside_after_it_is_broken(story: Story) -> None:
    for name in ("p-released", "p-withdrawn", "p-released-late", "p-withdrawn-late"):
        story.promise(name, 60)
    story.tell(30, PromiseReleased(promise_id="p-released"))
    story.tell(30, PromiseWithdrawn(promise_id="p-withdrawn"))
    story.tell(90, PromiseReleased(promise_id="p-released-late"))
    story.tell(90, PromiseWithdrawn(promise_id="p-withdrawn-late"))

    value, parts = story.one("promise_kept_rate")

    assert 0 == value
    assert [2, 1, 1] == some(parts, "broken", "released", "withdrawn")


def test_a_playbook_s_promise_and_one_nobody_told_are_in_no_rate(story: Story) -> None:
    story.promise("p-playbook", 60, origin=FROM_PLAYBOOK)
    story.promise("p-aim", 60, contact_id="")

    assert [] == list(story.ask("promise_kept_rate").rows)


def test_a_renegotiated_promise_counts_by_its_last_due_and_shows_by_its_first(story: Story) -> None:
    story.promise("p-1", 60)
    story.tell(30, PromiseRenegotiated(promise_id="p-1", due=due(at(0) + 40 * DAY), customer_agreed=True, contact_id="c-1"))
    story.promise("p-2", 60)
    story.tell(30, PromiseRenegotiated(promise_id="p-2", due=due(at(120)), customer_told=True))
    story.tell(90, PromiseKept(promise_id="p-2"))

    value, parts = story.one("promise_kept_rate")

    assert 1 == value
    assert [1, 0, 1] == some(parts, "kept", "renegotiated", "moved_by_us")
    # Both were first said for the period, and neither was kept by then.
    assert [2, 0, 0] == some(parts, "first_dates", "kept_by_first_date", "rate_by_first_date")


def test_targets_open_and_breached_are_in_the_rate(story: Story) -> None:
    for number in range(4):
        story.contact(f"c-{number}", 0, within=5)
    story.answer("c-0", 1)
    story.answer("c-1", 6)
    story.tell(5, PromiseBroken(promise_id="response-c-2", contact_id="c-2", set_by_event_id=event_id_text("event 3")))
    story.contact("c-4", 0, within=5)
    story.end("c-4", 1, disposition="spam")

    value, parts = story.one("target_attainment")

    assert 0.25 == value
    assert [1, 1, 1, 1, 1] == some(parts, "met", "met_late", "breached", "open_past_due", "void")


def test_handoffs_are_measured_from_offer_to_first_acceptance(story: Story) -> None:
    offered: dict[str, Any] = {
        "request_id": "r-1",
        "from_department": "desk",
        "to_department": "shipping",
        "type": "quote",
        "ownership": STAYS,
    }
    story.tell(0, RequestOpened(request_id="r-1", owner_department="desk"))
    for name in ("h-1", "h-2", "h-3"):
        story.tell(0, HandoffOffered(handoff_id=name, **offered))
    story.tell(10, HandoffReturned(request_id="r-1", handoff_id="h-1", missing_keys=["size"]))
    story.tell(20, HandoffSupplied(request_id="r-1", handoff_id="h-1"))
    story.tell(30, HandoffAccepted(request_id="r-1", handoff_id="h-1"))
    story.tell(10, HandoffRejected(request_id="r-1", handoff_id="h-2"))

    value, parts = story.one("handoff_acceptance")
    (row,) = story.ask("handoff_return_rate", slices=(Slice.DEPARTMENT, Slice.RECEIVER, Slice.KIND)).rows

    assert 1800 == value
    assert [3, 1, 1] == some(parts, "offered", "pending", "rejected")
    assert (["desk", "shipping", "quote"], 1 / 3) == (list(row.values), row.value)
    assert 3 == story.one("handoffs_per_request")[0]


def test_reopening_and_time_to_the_first_resolution(story: Story) -> None:
    for name in ("r-1", "r-2"):
        story.tell(0, RequestOpened(request_id=name, owner_department="desk"))
        story.tell(60, RequestResolved(request_id=name, resolution=RESOLUTION_DONE))
    story.tell(70, RequestReopened(request_id="r-1"))
    story.tell(600, RequestResolved(request_id="r-1", resolution=RESOLUTION_DONE))

    assert 0.5 == story.one("reopen_rate")[0]
    assert 3600 == story.one("time_to_resolution")[0]
