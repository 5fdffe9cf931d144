"""The customer card: what a person needs to know before the first word. Composed of the views' own answers; has no tables."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.handoff_service_pb2 import HandoffFilter
from ledger.api.v1.history_service_pb2 import ContactFilter, Customer, HistoryFilter
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN, PromiseFilter
from ledger.api.v1.request_service_pb2 import RequestFilter
from projections import contacts, facts, handoffs, history, identities, promises, requests
from projections.view import Read

LISTED_MAX: Final = 50
"""Promises, handoffs and requests shown of each."""

CONTACTS_MAX: Final = 10

_CONTACTS: Final = ("contact-received", "contact-made")


def customer(read: Read, subject: bytes) -> Customer:
    """Return the card of the customer a subject belongs to. One that nothing is known of gets a card with nothing on it."""
    subjects = identities.members(read, subject)
    customer_id = str(UUID(bytes=subjects[0]))
    one = CustomerReference(customer_id=customer_id)
    tier, relation = identities.tier(read, subjects)
    card = Customer(
        customer_id=customer_id,
        identifiers=identities.identifiers_of(read, subjects),
        promises=promises.page(
            read, PromiseFilter(customer=one, states=[PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN]), LISTED_MAX, None
        )[0],
        pending_handoffs=handoffs.page(read, HandoffFilter(customer=one, pending=True), LISTED_MAX, None)[0],
        open_requests=requests.page(read, RequestFilter(customer=one, open=True), LISTED_MAX, None)[0],
        facts=facts.known_facts(read, subjects),
        contacts=contacts.page(read, ContactFilter(customer=one), CONTACTS_MAX, None)[0],
        contact_count=history.count(read, subjects, _CONTACTS),
    )
    if tier:
        card.tier = tier
    if relation:
        card.relation = relation
    first, _ = history.page(read, subjects, HistoryFilter(topics=_CONTACTS), True, 1, None)
    if first:
        card.first_contact_time.CopyFrom(first[0].event.envelope.occur_time)
    return card
