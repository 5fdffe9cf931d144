"""The customer card: what a person needs to know before the first word. Composed of the views' own answers; has no tables."""

from __future__ import annotations

from typing import Final

from ledger.api.v1.answer_service_pb2 import AnswerFilter
from ledger.api.v1.complaint_service_pb2 import ComplaintFilter
from ledger.api.v1.handoff_service_pb2 import HandoffFilter
from ledger.api.v1.history_service_pb2 import ContactFilter, Customer, HistoryFilter
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN, PromiseFilter
from ledger.api.v1.request_service_pb2 import RequestFilter
from ledger.event_id import to_text
from projections import answers, complaints, contacts, experience, facts, handoffs, history, identities, promises, requests
from projections.view import Read

LISTED_MAX: Final = 50
"""Promises, handoffs and requests shown of each."""

CONTACTS_MAX: Final = 10

FIRST_MAX: Final = 5
"""So many contacts are looked at for the first that was not retracted."""
ANSWERS_MAX: Final = 10

_COMPLAINTS: Final = ComplaintFilter(open=True)
_OWED: Final = PromiseFilter(states=[PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN])


def customer(read: Read, subject: bytes) -> Customer:
    """Return the card of the customer a subject belongs to. One that nothing is known of gets a card with nothing on it."""
    subjects = identities.members(read, subject)
    tier, relation = identities.tier(read, subjects)
    card = Customer(
        customer_id=to_text(subjects[0]),
        identifiers=identities.identifiers_of(read, subjects),
        promises=promises.page(read, _OWED, LISTED_MAX, None, subjects)[0],
        pending_handoffs=handoffs.page(read, HandoffFilter(pending=True), LISTED_MAX, None, subjects)[0],
        open_requests=requests.page(read, RequestFilter(open=True), LISTED_MAX, None, subjects)[0],
        facts=facts.known_facts(read, subjects),
        contacts=contacts.page(read, ContactFilter(), CONTACTS_MAX, None, subjects)[0],
        contact_count=history.contact_count(read, subjects),
        open_complaints=complaints.page(read, _COMPLAINTS, LISTED_MAX, None, subjects)[0],
        last_answers=answers.page(read, AnswerFilter(), ANSWERS_MAX, None, subjects)[0],
        last_satisfaction=experience.last_satisfaction(read, subjects),
    )
    checks = [contact.authentication for contact in card.contacts if contact.authentication.valid]
    if checks:
        card.authentication.CopyFrom(max(checks, key=lambda check: check.checked_time.ToMicroseconds()))
    if tier:
        card.tier = tier
    if relation:
        card.relation = relation
    first, _ = history.page(read, subjects, HistoryFilter(topics=history.CONTACTS), True, FIRST_MAX, None)
    entry = next((one for one in first if not one.retracted), None)
    if entry is not None:
        stands = entry.corrected if entry.HasField("corrected") else entry.event
        card.first_contact_time.CopyFrom(stands.envelope.occur_time)
    return card
