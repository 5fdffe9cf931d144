"""What an inbound message of a thread is: a contact of its own, or a message in one that is under way (domain rule 9.1).

Decided at append, at the message's own occur time, as far as known: of the thread's contacts, the one that was opened last by then
goes on unless it had ended, or was quiet for longer than the thread window of the policy. Quiet is a contact in which we answered
last: while the customer waits it never is. What only other streams say (a call-back made in reply) is not looked at.

The ids are a function of thread and period: `<thread_id>.<n>`, n counting the contacts of the thread from 1 without a gap. So two
writers that open one at once collide, and the one that comes second decides again.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from ledger.api.v1.contact_pb2 import ContactReceived, MessageReceived
from ledger.catalogue import BY_TOPIC, is_made
from ledger.commit.streams import Streams, StreamState
from ledger.event import order_time
from ledger.intake.receive import Incoming, is_threaded
from ledger.policy.book import PolicyBook
from ledger.policy.policy import THREAD_WINDOW_MICROS
from ledger.rules.contact_course import GOES_ON
from ledger.rules.contact_rules import ContactRules
from ledger.rules.contact_state import ContactState
from ledger.rules.fold import state_at

LOOK_AT_FIRST: Final = 2
"""So many contacts of a thread are looked for at once, then twice as many each time."""

_RULES: Final = ContactRules()
_MESSAGE: Final = BY_TOPIC["message-received"]


def _carried() -> tuple[FieldDescriptor, ...]:
    """Return the fields that a message takes over from what was sent as a contact; the id apart, that is all of them."""
    taken = {field.name: field for field in MessageReceived.DESCRIPTOR.fields}
    sent = [field for field in ContactReceived.DESCRIPTOR.fields if not is_made(field) and field.name != "contact_id"]
    lost = [field.name for field in sent if field.name not in taken]
    if lost:
        raise ValueError(f"message-received has no place for {', '.join(lost)} of contact-received")
    return tuple(sent)


_CARRIED: Final = _carried()


class Threads:
    """Decides what messages of threads are. Used by one thread; reads the streams of a batch, its own events included."""

    def __init__(self, streams: Streams, policies: PolicyBook) -> None:
        self._streams = streams
        self._policies = policies

    def placed(self, incoming: Incoming, record_time: int) -> Incoming:
        """Return the event as what it is: contact-received with an id, or message-received in the contact that goes on."""
        occur = record_time if incoming.occur is None else incoming.occur
        order = order_time(occur, incoming.envelope.precision)
        thread_id = incoming.payload.thread_id
        contacts = self._contacts(thread_id)
        begun = [(one.state.opened_time, number) for number, one in enumerate(contacts, 1) if one.state is not None]
        latest = max((place for place in begun if place[0] <= order), default=None)
        if latest is not None:
            contact_id = f"{thread_id}.{latest[1]}"
            if self._goes_on(f"contact-{contact_id}", contacts[latest[1] - 1], order, occur):
                return as_message(incoming, contact_id)
        return as_contact(incoming, f"{thread_id}.{len(contacts) + 1}")

    def _contacts(self, thread_id: str) -> list[StreamState]:
        """Return the thread's contacts in order of number. A stream that was never opened keeps its number too."""
        found: list[StreamState] = []
        size = LOOK_AT_FIRST
        while True:
            names = [f"contact-{thread_id}.{len(found) + number}" for number in range(1, size + 1)]
            self._streams.load(names)
            for name in names:
                state = self._streams.get(name)
                if state.revision == 0:
                    return found
                found.append(state)
            size *= 2

    def _goes_on(self, stream: str, known: StreamState, order: int, occur: int) -> bool:
        state: ContactState | None = known.state
        if known.tangled or (order, False) < known.last:
            # Late: what stands before it decides.
            state = state_at(_RULES, self._streams.events(stream), before=order + 1, stream=stream)
        if state is None or state.state not in GOES_ON:
            return False
        policy = self._policies.in_force(occur)
        window = THREAD_WINDOW_MICROS if policy is None else policy.thread_window
        return state.quiet_since is None or occur - state.quiet_since <= window


def as_contact(incoming: Incoming, contact_id: str) -> Incoming:
    """Return a message of a thread as the contact that it opens."""
    payload = ContactReceived()
    payload.CopyFrom(incoming.payload)
    payload.contact_id = contact_id
    return incoming._replace(payload=payload, plain=None, stream=f"contact-{contact_id}")


def as_message(incoming: Incoming, contact_id: str) -> Incoming:
    """Return a message of a thread as one in a contact that goes on, with all that was said."""
    payload = MessageReceived(contact_id=contact_id)
    sent = incoming.payload
    for field in _CARRIED:
        value: Any = getattr(sent, field.name)
        if field.is_repeated:
            getattr(payload, field.name).extend(value)
        elif sent.HasField(field.name):
            if field.message_type is not None:
                getattr(payload, field.name).CopyFrom(value)
            else:
                setattr(payload, field.name, value)
    return incoming._replace(kind=_MESSAGE, payload=payload, plain=None, stream=f"contact-{contact_id}")


def as_recorded(incoming: Incoming, topic: str, recorded: Any) -> Incoming:
    """Return a message of a thread as the event that its id is recorded as, whichever it became, to compare the two.

    `recorded`: clear payload of that event. Events of other kinds are returned as they are.
    """
    if not is_threaded(incoming):
        return incoming
    if topic == _MESSAGE.topic:
        return as_message(incoming, recorded.contact_id)
    return as_contact(incoming, recorded.contact_id) if topic == incoming.kind.topic else incoming
