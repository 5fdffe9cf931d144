"""What happens in the course of a contact, as events for tests."""

from typing import Any

from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_HUMAN,
    WARM,
    AuthenticationChecked,
    ColleagueConsulted,
    ContactAttributed,
    ContactTransferred,
    MessageReceived,
    MessageSent,
)
from ledger.api.v1.core_pb2 import Identifier
from ledger.event import Event
from tests.build import at, event, event_id_text, timestamp


def wrote(minutes: float = 3, due: float | None = None, **header: Any) -> Event:
    """The customer wrote again, to be answered by `due` (minutes)."""
    payload = MessageReceived(contact_id="c-1")
    if due is not None:
        payload.response_due_time.CopyFrom(timestamp(at(due)))
    return event(payload, occur=at(minutes), **header)


def sent(minutes: float = 3, by: Any = ANSWERED_BY_HUMAN, **header: Any) -> Event:
    """We wrote."""
    return event(MessageSent(contact_id="c-1", sent_by=by), occur=at(minutes), **header)


def transferred(minutes: float = 3, kind: Any = WARM, to: str = "repair", seconds: tuple[int, int] | None = None) -> Event:
    """The contact was passed on; `seconds`: talk and hold of the leg."""
    payload = ContactTransferred(contact_id="c-1", to_department=to, to_queue="bench", kind=kind)
    if seconds is not None:
        payload.talk.CopyFrom(Duration(seconds=seconds[0]))
        payload.hold.CopyFrom(Duration(seconds=seconds[1]))
    return event(payload, occur=at(minutes))


def consulted(minutes: float = 3) -> Event:
    """A colleague was asked."""
    return event(ColleagueConsulted(contact_id="c-1", of_department="lab"), occur=at(minutes))


def checked(minutes: float = 3, passed: bool = True, valid_until: float | None = None, **header: Any) -> Event:
    """It was checked who the customer is."""
    payload = AuthenticationChecked(contact_id="c-1", method="one_time_code", level="strong", passed=passed)
    if valid_until is not None:
        payload.valid_until.CopyFrom(timestamp(at(valid_until)))
    return event(payload, occur=at(minutes), **header)


def attributed(minutes: float = 3, party: str = "ann", **header: Any) -> Event:
    """It became known whose contact it is."""
    customer = Identifier(type="email", subject=event_id_text(party))
    return event(ContactAttributed(contact_id="c-1", customer=customer), occur=at(minutes), **header)
