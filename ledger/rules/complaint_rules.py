"""Which moves of complaints are refused, in words.

Pure. The life cycle itself stands in complaint.py.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.api.v1.complaint_pb2 import COMPLAINT_NOT_ACCEPTED
from ledger.api.v1.complaint_service_pb2 import (
    COMPLAINT_STATE_ACKNOWLEDGED,
    COMPLAINT_STATE_ASSESSED,
    COMPLAINT_STATE_CLOSED,
    COMPLAINT_STATE_CONTESTED,
    COMPLAINT_STATE_INVESTIGATED,
    COMPLAINT_STATE_RECEIVED,
    COMPLAINT_STATE_REOPENED,
    COMPLAINT_STATE_RESPONDED,
    COMPLAINT_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules import complaint
from ledger.rules.complaint import ComplaintState
from ledger.rules.verdict import Refusal, not_allowed, not_opened

STATE_WORDS: Final[dict[int, str]] = {
    COMPLAINT_STATE_RECEIVED: "received",
    COMPLAINT_STATE_ACKNOWLEDGED: "acknowledged",
    COMPLAINT_STATE_ASSESSED: "assessed",
    COMPLAINT_STATE_INVESTIGATED: "investigated",
    COMPLAINT_STATE_RESPONDED: "responded",
    COMPLAINT_STATE_CONTESTED: "contested",
    COMPLAINT_STATE_REOPENED: "reopened",
    COMPLAINT_STATE_CLOSED: "closed",
    COMPLAINT_STATE_WITHDRAWN: "withdrawn",
}


def allowed_moves(state: ComplaintState) -> tuple[str, ...]:
    """Return the moves that apply now, as topics."""
    return tuple(topic for topic, states in complaint.FROM.items() if state.state in states)


class ComplaintRules:
    """The life cycle of complaints. See `Rules`."""

    def step(self, state: ComplaintState | None, event: Event) -> tuple[ComplaintState | None, bool]:
        """See `Rules.step`."""
        return complaint.step(state, event)

    def evolve(self, state: ComplaintState | None, event: Event) -> ComplaintState | None:
        """See `Rules.evolve`."""
        return complaint.step(state, event)[0]

    def refusal(self, state: ComplaintState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN."""
        if complaint.step(state, event)[1]:
            return None
        if state is None:
            return not_opened("complaint", event.stream, event.topic, "complaint-received")
        moves = tuple(move for move in allowed_moves(state) if move != event.topic)
        return not_allowed("complaint", state.complaint_id, STATE_WORDS[state.state], event.topic, moves, _cure(state, event))

    def authority(self, state: ComplaintState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: ComplaintState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""


def _cure(state: ComplaintState, event: Event) -> str:
    topic = event.topic
    if topic == "complaint-received":
        return "Use another complaint id for another complaint."
    if topic == "promise-broken":
        return "The clock's event has nothing to break: the target was met, is void, or has another due."
    if topic == "complaint-reopened":
        return "It is open: go on with it."
    if state.state not in complaint.OPEN:
        return "Reopen it first (complaint-reopened)."
    if topic == "complaint-closed" and state.state in complaint.FROM[topic] and event.payload.closing == COMPLAINT_NOT_ACCEPTED:
        return "Tell the customer the ways of appeal first: complaint-responded with appeal_told."
    return "Respond to the customer first (complaint-responded)."
