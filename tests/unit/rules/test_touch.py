"""Which other entities an event concerns."""

from typing import Any

import pytest

from ledger.api.v1.answer_pb2 import StatementPublished
from ledger.api.v1.contact_pb2 import REACHED_YES, ContactMade, ContactReceived, MessageReceived
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.experience_pb2 import JourneyStepReached
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffReturned
from ledger.api.v1.promise_pb2 import PromiseBroken, PromiseMade
from ledger.api.v1.request_pb2 import ContactLinked, CustomerInformed
from ledger.rules import FAMILIES, family_of
from ledger.rules.touch import TOUCHING, concerns, linked_contacts, touches
from tests.build import event, event_id_text

SET_BY = event_id_text("made")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (ContactMade(contact_id="c-2", in_reply_to="c-1", reached=REACHED_YES), ("contact-c-1",)),
        (ContactMade(contact_id="c-2", reached=REACHED_YES), ()),
        (ContactMade(contact_id="c-2", in_reply_to="c-2", reached=REACHED_YES), ()),
        (ContactReceived(contact_id="c-2", reply_to="c-1"), ()),
        (PromiseBroken(promise_id="response-c-1", contact_id="c-1", set_by_event_id=SET_BY), ("contact-c-1",)),
        (PromiseBroken(promise_id="p-1", set_by_event_id=SET_BY), ()),
        (PromiseMade(promise_id="p-2", kind="x", replaces_promise_id="p-1"), ("promise-p-1",)),
        (PromiseMade(promise_id="p-2", kind="x", request_id="r-1", contact_id="c-1"), ()),
        (StatementPublished(statement_id="s-2", question_key="q", replaces_statement_id="s-1"), ("statement-s-1",)),
        (StatementPublished(statement_id="s-2", question_key="q", replaces_statement_id="s-2"), ()),
        (StatementPublished(statement_id="s-2", question_key="q"), ()),
        (HandoffAccepted(request_id="r-1", handoff_id="h-1", promise_ids=["a", "b", "a"]), ("promise-a", "promise-b")),
        (HandoffReturned(request_id="r-1", handoff_id="h-1", promise_ids=["a"]), ("promise-a",)),
        (HandoffOffered(request_id="r-1", handoff_id="h-1", promise_ids=["a"]), ()),
        (CustomerInformed(request_id="r-1", promise_id="a"), ("promise-a",)),
        (CustomerInformed(request_id="r-1"), ()),
        (RuleOverridden(rule="strands_open", reason="x", request_id="r-1"), ("request-r-1",)),
        (RuleOverridden(rule="strands_open", reason="x"), ()),
        (JourneyStepReached(step="paid", request_id="r-1", contact_id="c-1"), ("request-r-1",)),
        (JourneyStepReached(step="paid", contact_id="c-1"), ()),
    ],
    ids=lambda value: value.DESCRIPTOR.name if hasattr(value, "DESCRIPTOR") else str(value),
)
def test_an_event_touches_the_entities_whose_fold_it_enters(payload: Any, expected: tuple[str, ...]) -> None:
    one = event(payload)

    assert expected == touches(one)
    assert not expected or one.topic in TOUCHING


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("contact-c-1", FAMILIES["contact"]),
        ("request-r-1", FAMILIES["request"]),
        ("promise-p-1", FAMILIES["promise"]),
        ("promise-response-c-1", None),
        ("fact-f-1", None),
        ("ledger", None),
    ],
)
def test_a_stream_has_the_rules_of_its_prefix_and_a_response_target_is_part_of_its_contact(stream: str, expected: Any) -> None:
    assert expected is family_of(stream)


def test_a_message_concerns_the_requests_that_its_contact_was_linked_with_before() -> None:
    linked = event(ContactLinked(request_id="r-1", contact_id="c-1"), position=5)
    links = linked_contacts("request-r-1", [linked])
    before, after, of_another, named = (
        event(MessageReceived(contact_id=contact_id, request_ids=request_ids), position=position)
        for contact_id, request_ids, position in (("c-1", [], 4), ("c-1", [], 6), ("c-2", [], 7), ("c-2", ["r-1"], 8))
    )

    assert [False, True, False, True] == [concerns(one, "request-r-1", links) for one in (before, after, of_another, named)]
    assert {} == linked_contacts("request-r-2", [linked])


def test_a_broken_derived_target_concerns_what_it_is_about() -> None:
    said = {"promise_id": "x", "set_by_event_id": event_id_text("a")}

    assert ("contact-c-1",) == touches(event(PromiseBroken(**said, contact_id="c-1")))
    assert ("request-r-1",) == touches(event(PromiseBroken(**said, request_id="r-1")))
    assert ("complaint-k-1",) == touches(event(PromiseBroken(**said, complaint_id="k-1")))
    assert () == touches(event(PromiseBroken(**said)))
