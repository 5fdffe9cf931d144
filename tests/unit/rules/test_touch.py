"""Which other entities an event concerns."""

from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import REACHED_YES, ContactMade, ContactReceived
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffReturned
from ledger.api.v1.promise_pb2 import PromiseBroken, PromiseMade
from ledger.api.v1.request_pb2 import CustomerInformed
from ledger.rules import FAMILIES, family_of
from ledger.rules.touch import TOUCHING, touches
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
        (HandoffAccepted(request_id="r-1", handoff_id="h-1", promise_ids=["a", "b", "a"]), ("promise-a", "promise-b")),
        (HandoffReturned(request_id="r-1", handoff_id="h-1", promise_ids=["a"]), ("promise-a",)),
        (HandoffOffered(request_id="r-1", handoff_id="h-1", promise_ids=["a"]), ()),
        (CustomerInformed(request_id="r-1", promise_id="a"), ("promise-a",)),
        (CustomerInformed(request_id="r-1"), ()),
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
