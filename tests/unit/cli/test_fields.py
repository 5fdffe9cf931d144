from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from clients.cli.fields import set_field
from ledger.api.v1.contact_pb2 import ContactAnswered, ContactEnded, ContactReceived
from ledger.api.v1.core_pb2 import Due, Fact, Identifier
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.promise_pb2 import PromiseMade, PromiseRenegotiated
from ledger.api.v1.request_pb2 import RequestOpened


@pytest.mark.parametrize(
    ("make", "assignments", "expected"),
    [
        (ContactReceived, ["contact_id=c-1", "reason=delivery"], ContactReceived(contact_id="c-1", reason="delivery")),
        (ContactReceived, ["summary=a = b"], ContactReceived(summary="a = b")),
        (
            ContactReceived,
            ["customer=email:a@example.org"],
            ContactReceived(customer=Identifier(type="email", value="a@example.org")),
        ),
        (ContactReceived, ["customer=+33142000000"], ContactReceived(customer=Identifier(type="phone", value="+33142000000"))),
        (ContactReceived, ["customer.type=crm", "customer.value=7"], ContactReceived(customer=Identifier(type="crm", value="7"))),
        (ContactAnswered, ["answered_by=human"], ContactAnswered(answered_by="ANSWERED_BY_HUMAN")),
        (ContactAnswered, ["answered_by=ANSWERED_BY_BOT"], ContactAnswered(answered_by="ANSWERED_BY_BOT")),
        (ContactEnded, ["talk=2m 5s"], ContactEnded(talk=Duration(seconds=125))),
        (ContactEnded, ["request_ids=r-1", "request_ids=r-2"], ContactEnded(request_ids=["r-1", "r-2"])),
        (
            PromiseMade,
            ["due.local=2026-03-28", "due.zone=Europe/Paris"],
            PromiseMade(due=Due(local="2026-03-28", zone="Europe/Paris")),
        ),
        (PromiseMade, ["due.instant=2026-03-28T10:00Z"], PromiseMade(due=Due(instant=Timestamp(seconds=1774692000)))),
        (PromiseRenegotiated, ["customer_told=yes"], PromiseRenegotiated(customer_told=True)),
        (RequestOpened, ["wanted_by=2026-03-28"], RequestOpened(wanted_by=Timestamp(seconds=1774656000))),
        (HandoffOffered, ['facts={"key": "order", "value": "7"}'], HandoffOffered(facts=[Fact(key="order", value="7")])),
    ],
)
def test_a_field_is_set_from_what_a_person_types(make: Callable[[], Any], assignments: list[str], expected: Any) -> None:
    message = make()

    for assignment in assignments:
        set_field(message, assignment, utc=True)

    assert expected == message


@pytest.mark.parametrize(
    ("make", "assignment", "complaint"),
    [
        (ContactReceived, "contact_id", "sets nothing: write field=value"),
        (ContactReceived, "contact=c-1", "no field contact: did you mean contact_id?"),
        (ContactReceived, "xyzzy=1", "there are contact_id, customer"),
        (ContactReceived, "reason.code=1", "reason has no fields inside"),
        (ContactReceived, "customer=somebody", "is nobody: write email:a@example.org"),
        (ContactAnswered, "answered_by=dog", "answered_by: 'dog' is not one of human, bot, automatic"),
        (ContactEnded, "talk=soon", "talk: 'soon' is not a duration"),
        (PromiseMade, "due=tomorrow", "due: it has fields inside: set due.local, due.instant"),
        (PromiseMade, 'due={"when": 1}', "due: .*no field named"),
        (PromiseRenegotiated, "customer_told=perhaps", "neither yes nor no"),
        (RequestOpened, "wanted_by=soon", "wanted_by: 'soon' is not a time"),
        (HandoffOffered, "facts={", "facts: .*"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_what_can_be_written(
    make: Callable[[], Any], assignment: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        set_field(make(), assignment)
