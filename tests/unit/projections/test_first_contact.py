"""First-contact resolution and repeats by hand, with the traps of their definitions."""

from __future__ import annotations

import pytest

from ledger.api.v1.contact_pb2 import (
    FULL,
    PARTIAL,
    ContactAbandoned,
    ContactTransferred,
)
from ledger.api.v1.core_pb2 import STAYS
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.request_pb2 import RESOLUTION_DONE, RequestOpened, RequestReopened, RequestResolved
from tests.build import DAY, at
from tests.figure_story import Story, some


@pytest.fixture
def story() -> Story:
    return Story()


def _resolved_at_once(story: Story, name: str, minute: float = 0, subject: bytes = b"b" * 16) -> None:
    story.contact(name, minute, subject=subject)
    story.answer(name, minute + 1)
    story.tell(minute + 2, RequestOpened(request_id=f"r-{name}", contact_id=name, owner_department="desk", reason="billing"))
    story.tell(minute + 3, RequestResolved(request_id=f"r-{name}", contact_id=name, resolution=RESOLUTION_DONE))
    story.end(name, minute + 4, completeness=FULL)


def test_a_contact_that_resolves_its_request_and_is_not_followed_is_resolved_at_first_contact(story: Story) -> None:
    _resolved_at_once(story, "c-1")

    value, parts = story.one("first_contact_resolution")

    assert 1 == value
    assert [1, 1, 0] == some(parts, "resolved", "mature", "immature")


def test_without_a_request_a_full_answer_resolves(story: Story) -> None:
    for number, completeness in enumerate((FULL, PARTIAL)):
        story.contact(f"c-{number}", 0, subject=bytes([number + 1]) * 16)
        story.answer(f"c-{number}", 1)
        story.end(f"c-{number}", 2, completeness=completeness)

    assert 0.5 == story.one("first_contact_resolution")[0]


def test_immature_contacts_are_in_neither_part(story: Story) -> None:
    _resolved_at_once(story, "c-1")
    story.contact("c-2", 0, subject=b"c" * 16)

    value, parts = story.one("first_contact_resolution", evaluated=at(0) + 3 * DAY)

    assert value is None
    assert [0, 2] == some(parts, "mature", "immature")


@pytest.mark.parametrize("what", ["repeat", "reopening", "handoff", "transfer", "call back", "given up"])
def test_what_follows_a_contact_unmakes_its_resolution(story: Story, what: str) -> None:
    if what == "given up":
        story.contact("c-1", 0)
        story.tell(1, ContactAbandoned(contact_id="c-1"))
    elif what == "transfer":
        story.contact("c-1", 0)
        story.answer("c-1", 1)
        story.tell(2, ContactTransferred(contact_id="c-1", to_department="shipping"))
        story.answer("c-1", 3)
        story.end("c-1", 4, completeness=FULL)
    else:
        _resolved_at_once(story, "c-1")
    if what == "repeat":
        story.contact("c-2", 60 * 24 * 6, subject=b"b" * 16)
    elif what == "reopening":
        story.tell(60 * 24 * 6, RequestReopened(request_id="r-c-1"))
    elif what == "handoff":
        story.tell(
            2.5,
            HandoffOffered(request_id="r-c-1", handoff_id="h-1", from_department="desk", to_department="shipping", ownership=STAYS),
        )
    elif what == "call back":
        story.promise("p-1", 600, kind="call_back", contact_id="c-1")

    figure_ = story.ask("first_contact_resolution", end=at(0) + DAY)

    assert [(0.0, 1)] == [(row.value, row.member_count) for row in figure_.rows]


def test_what_comes_after_the_window_unmakes_nothing(story: Story) -> None:
    _resolved_at_once(story, "c-1")
    story.contact("c-2", 60 * 24 * 8, subject=b"b" * 16)
    story.tell(60 * 24 * 9, RequestReopened(request_id="r-c-1"))

    assert 1 == story.one("first_contact_resolution", end=at(0) + DAY)[0]
    assert 0 == story.one("first_contact_resolution", end=at(0) + DAY, window=10 * DAY)[0]


def test_a_repeat_has_the_same_party_and_reason_within_the_window(story: Story) -> None:
    _resolved_at_once(story, "c-1")
    story.contact("c-2", 60 * 24 * 6, subject=b"b" * 16)
    story.contact("c-3", 60 * 24 * 6, subject=b"d" * 16)

    assert 1 / 3 == story.one("repeat_rate")[0]
    assert 0 == story.one("repeat_rate", window=DAY)[0]
