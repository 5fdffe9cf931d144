"""Which moves of contacts are refused, in words.

Pure. The life cycle itself stands in contact.py.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.api.v1.history_service_pb2 import (
    CONTACT_STATE_ABANDONED,
    CONTACT_STATE_ANSWERED,
    CONTACT_STATE_ENDED,
    CONTACT_STATE_MADE,
    CONTACT_STATE_RECEIVED,
)
from ledger.event import Event
from ledger.rules import contact
from ledger.rules.contact_course import GOES_ON, talks
from ledger.rules.contact_state import ContactState
from ledger.rules.verdict import Refusal, not_allowed, not_opened

STATE_WORDS: Final[dict[int, str]] = {
    CONTACT_STATE_RECEIVED: "received",
    CONTACT_STATE_ANSWERED: "answered",
    CONTACT_STATE_ABANDONED: "abandoned",
    CONTACT_STATE_ENDED: "ended",
    CONTACT_STATE_MADE: "made",
}


_ALWAYS: Final = ("contact-attributed", "note-added")
_COURSE: Final = ("message-received", "message-sent", "authentication-checked", *_ALWAYS)
_LEGS: Final = ("contact-transferred", "colleague-consulted")


def allowed_moves(state: ContactState) -> tuple[str, ...]:
    """Return the moves that apply now, as topics."""
    if state.state == CONTACT_STATE_ENDED and not state.wrapped_up:
        return ("contact-wrapped-up", *_ALWAYS)
    if state.state not in GOES_ON:
        return _ALWAYS
    moves: tuple[str, ...] = ()
    if contact.waits(state):
        moves = ("contact-queued", "contact-answered", "contact-abandoned")
    elif state.course.passed_on and state.state == CONTACT_STATE_ANSWERED:
        moves = ("contact-queued", "contact-answered")
    return (*moves, "contact-ended", *(_LEGS if talks(state) else ()), *_COURSE)


class ContactRules:
    """The life cycle of contacts. See `Rules`."""

    def step(self, state: ContactState | None, event: Event) -> tuple[ContactState | None, bool]:
        """See `Rules.step`."""
        return contact.step(state, event)

    def evolve(self, state: ContactState | None, event: Event) -> ContactState | None:
        """See `Rules.evolve`."""
        return contact.step(state, event)[0]

    def refusal(self, state: ContactState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`."""
        if contact.step(state, event)[1]:
            return None
        if state is None:
            return not_opened("contact", event.stream, event.topic, "contact-received or contact-made")
        return not_allowed(
            "contact", state.contact_id, STATE_WORDS[state.state], event.topic, allowed_moves(state), _cure(state, event)
        )

    def authority(self, state: ContactState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: ContactState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""


def _cure(state: ContactState, event: Event) -> str:
    if event.topic in ("contact-received", "contact-made"):
        return "Use another contact id for another contact."
    if event.topic == "promise-broken":
        return "The clock's event has nothing to break: the target was met, is void, or has another due."
    if state.state == CONTACT_STATE_ABANDONED:
        return "A call-back is a contact of its own: contact-made with in_reply_to."
    if state.state == CONTACT_STATE_ENDED:
        return "What follows is another contact: contact-received, or contact-made with in_reply_to."
    if event.topic == "contact-wrapped-up":
        return "Record contact-ended first."
    if event.topic in _LEGS:
        return "Record contact-answered first: nobody of ours is in it yet."
    return "Record what happened as one of those, or as a note."
