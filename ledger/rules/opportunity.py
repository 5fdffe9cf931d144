"""The life cycle of an opportunity: suggested → noted → taken | dismissed.

Pure. A suggestion has nobody's consent: it is taken only after a person noted that the customer consents. Whoever notes it anew
says anew whether he does. What is suggested may be dismissed without being noted. Noting opens an opportunity that nobody
suggested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ledger.api.v1.opportunity_service_pb2 import (
    OPPORTUNITY_STATE_DISMISSED,
    OPPORTUNITY_STATE_NOTED,
    OPPORTUNITY_STATE_SUGGESTED,
    OPPORTUNITY_STATE_TAKEN,
)
from ledger.event import Event
from ledger.rules.verdict import Refusal, not_allowed, not_opened

OPEN: Final = frozenset({OPPORTUNITY_STATE_SUGGESTED, OPPORTUNITY_STATE_NOTED})

STATE_WORDS: Final[dict[int, str]] = {
    OPPORTUNITY_STATE_SUGGESTED: "suggested",
    OPPORTUNITY_STATE_NOTED: "noted",
    OPPORTUNITY_STATE_TAKEN: "taken",
    OPPORTUNITY_STATE_DISMISSED: "dismissed",
}


class OpportunityState(NamedTuple):
    """An opportunity. Times are microseconds UTC, unset strings empty."""

    opportunity_id: str
    state: int
    """An OpportunityState of the API."""
    kind: int
    product: str
    consent: bool
    """Whether the customer consents to be approached, as noted last."""
    department: str
    """Who suggested or noted it first."""
    actor_kind: int
    """What kind of actor did."""
    contact_id: str
    request_id: str
    opened_time: int
    since_time: int
    subject: bytes
    position: int
    """Position of the opener."""
    noted_time: int | None = None
    """When it was first noted."""
    noted_position: int = 0
    """Position of the last noting, which holds the words; 0: none."""
    ended_time: int | None = None
    taken_contact_id: str = ""
    dismissed_reason: str = ""


def _opened(event: Event) -> OpportunityState | None:
    suggested = event.topic == "opportunity-suggested"
    if not suggested and event.topic != "opportunity-noted":
        return None
    payload, header = event.payload, event.header
    return OpportunityState(
        opportunity_id=payload.opportunity_id,
        state=OPPORTUNITY_STATE_SUGGESTED if suggested else OPPORTUNITY_STATE_NOTED,
        kind=payload.kind,
        product=payload.product,
        consent=not suggested and payload.consent,
        department=header.department,
        actor_kind=header.actor_kind,
        contact_id=payload.contact_id,
        request_id=payload.request_id,
        opened_time=event.occur,
        since_time=event.occur,
        subject=event.subject,
        position=event.position,
        noted_time=None if suggested else event.occur,
        noted_position=0 if suggested else event.position,
    )


def _noted(state: OpportunityState, event: Event) -> OpportunityState | None:
    if state.state not in OPEN:
        return None
    payload = event.payload
    first = state.state == OPPORTUNITY_STATE_SUGGESTED
    return state._replace(
        state=OPPORTUNITY_STATE_NOTED,
        kind=payload.kind or state.kind,
        product=payload.product or state.product,
        consent=payload.consent,
        contact_id=payload.contact_id or state.contact_id,
        request_id=payload.request_id or state.request_id,
        since_time=event.occur if first else state.since_time,
        noted_time=event.occur if first else state.noted_time,
        noted_position=event.position,
    )


def _taken(state: OpportunityState, event: Event) -> OpportunityState | None:
    if state.state != OPPORTUNITY_STATE_NOTED or not state.consent:
        return None
    return state._replace(
        state=OPPORTUNITY_STATE_TAKEN,
        since_time=event.occur,
        ended_time=event.occur,
        taken_contact_id=event.payload.contact_id,
    )


def _dismissed(state: OpportunityState, event: Event) -> OpportunityState | None:
    if state.state not in OPEN:
        return None
    return state._replace(
        state=OPPORTUNITY_STATE_DISMISSED,
        since_time=event.occur,
        ended_time=event.occur,
        dismissed_reason=event.payload.reason,
    )


_MOVES: Final[dict[str, Callable[[OpportunityState, Event], OpportunityState | None]]] = {
    "opportunity-noted": _noted,
    "opportunity-taken": _taken,
    "opportunity-dismissed": _dismissed,
    "event-confirmed": lambda state, event: state,
}


def allowed_moves(state: OpportunityState) -> tuple[str, ...]:
    """Return the moves that apply now, as topics."""
    if state.state not in OPEN:
        return ()
    taken = ("opportunity-taken",) if state.consent else ()
    return ("opportunity-noted", *taken, "opportunity-dismissed")


class OpportunityRules:
    """The life cycle of opportunities. See `Rules`."""

    def step(self, state: OpportunityState | None, event: Event) -> tuple[OpportunityState | None, bool]:
        """See `Rules.step`."""
        if state is None:
            opened = _opened(event)
            return opened, opened is not None
        move = _MOVES.get(event.topic)
        after = None if move is None else move(state, event)
        return (state, False) if after is None else (after, True)

    def evolve(self, state: OpportunityState | None, event: Event) -> OpportunityState | None:
        """See `Rules.evolve`."""
        return self.step(state, event)[0]

    def refusal(self, state: OpportunityState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN."""
        if self.step(state, event)[1]:
            return None
        if state is None:
            return not_opened("opportunity", event.stream, event.topic, "opportunity-suggested or opportunity-noted")
        return not_allowed(
            "opportunity", state.opportunity_id, STATE_WORDS[state.state], event.topic, allowed_moves(state), _cure(state, event)
        )

    def authority(self, state: OpportunityState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: OpportunityState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""


def _cure(state: OpportunityState, event: Event) -> str:
    if event.topic == "opportunity-taken" and state.state in OPEN:
        return "Note first that the customer consents (opportunity-noted with consent)."
    if event.topic == "opportunity-suggested" and state.state in OPEN:
        return "Use another opportunity id for another opportunity."
    return "It has ended: note a new opportunity."
