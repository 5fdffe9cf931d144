from __future__ import annotations

import pytest

from ledger.api.v1.contact_pb2 import CUSTOMER, ContactReceived
from ledger.api.v1.core_pb2 import HUMAN
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.catalogue import BY_TOPIC, is_clear, is_made
from ledger.event import Event
from ledger.policy.conditions import Card, Condition, ConditionError, declared
from tests.build import event

RECEIVED = event(
    ContactReceived(contact_id="c-1", reason="stolen_phone", party_role=CUSTOMER),
    channel="phone",
    department="desk",
    actor_kind=HUMAN,
)
CARD = Card(tier="gold", open_promises=2, contacts_30d=3)


def holds(text: str, triggered: Event = RECEIVED, card: Card = CARD, topics: tuple[str, ...] = ("contact-received",)) -> bool:
    return Condition(text, topics).holds(triggered, card)


@pytest.mark.parametrize(
    "text",
    [
        "event.reason == 'stolen_phone' && reason == event.reason",
        "topic == 'contact-received' && channel == 'phone' && department == 'desk' && actor_kind == 'HUMAN'",
        "tier == 'gold' && card.tier == tier && card.relation == ''",
        "card.open_promises + card.contacts_30d == 5 && card.broken_promises == 0",
        "event.party_role == 'CUSTOMER'",
        "priority == '' && kind == ''",
        "event.response_due_time < timestamp('1971-01-01T00:00:00Z')",
        "channel in ['phone', 'chat']",
        "event.reason.startsWith('stolen')",
    ],
)
def test_a_condition_reads_the_event_and_the_card(text: str) -> None:
    assert holds(text)


def test_lists_of_codes_can_be_looked_into() -> None:
    offered = event(HandoffOffered(request_id="r", handoff_id="h", promise_ids=["p-1"]))

    assert holds("'p-1' in event.promise_ids", offered, topics=("handoff-offered",))


def test_a_field_that_only_another_trigger_has_is_empty() -> None:
    topics = ("contact-received", "request-opened")

    assert holds("event.owner_department == ''", topics=topics)
    assert holds("event.owner_department == 'sales'", event(RequestOpened(request_id="r", owner_department="sales")), topics=topics)


@pytest.mark.parametrize("name", ["event.body", "event.customer", "event.summary", "customer", "event.nothing", "card.name"])
def test_what_is_sealed_or_unknown_cannot_be_named(name: str) -> None:
    with pytest.raises(ConditionError, match=f"nothing is called {name}"):
        Condition(f"{name} == ''", ["contact-received"])


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_no_condition_can_read_a_sealed_field(topic: str) -> None:
    kind = BY_TOPIC[topic]
    clear = {f"event.{field.name}" for field in kind.message.DESCRIPTOR.fields if field.name in _clear(topic)}

    assert {name for name in declared([topic]) if name.startswith("event.")} <= clear


def _clear(topic: str) -> set[str]:
    return {field.name for field in BY_TOPIC[topic].message.DESCRIPTOR.fields if is_clear(field) or is_made(field)}


@pytest.mark.parametrize("text", ["1 / card.broken_promises > 1", "[1][card.open_promises] > 1"])
def test_a_condition_without_a_value_says_so_and_nothing_of_the_event(text: str) -> None:
    with pytest.raises(ConditionError, match="it has no value for this event"):
        holds(text)


def test_a_mistake_says_its_line() -> None:
    with pytest.raises(ConditionError) as raised:
        Condition("event.reason == 'x'\n  && event.raison == 'y'", ["contact-received"])

    assert 2 == raised.value.line
