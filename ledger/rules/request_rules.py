"""Which moves of requests and handoffs are refused, in words, and who may make them.

Pure. The life cycles themselves stand in request.py and handoff.py.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.api.v1.core_pb2 import MOVES
from ledger.api.v1.errors_pb2 import HANDOFFS_PENDING, MOVE_NOT_ALLOWED, OWNERSHIP_ALREADY_MOVING, STRANDS_OPEN
from ledger.api.v1.request_service_pb2 import (
    REQUEST_STATE_CLOSED,
    REQUEST_STATE_CONFIRMED,
    REQUEST_STATE_MERGED,
    REQUEST_STATE_OPEN,
    REQUEST_STATE_REFUSED,
    REQUEST_STATE_RESOLVED,
    REQUEST_STATE_WAITING,
    REQUEST_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules import handoff, request
from ledger.rules.handoff import HandoffState
from ledger.rules.request import RequestState
from ledger.rules.verdict import Refusal, not_allowed, not_opened, not_yours, passes_authority

STATE_WORDS: Final[dict[int, str]] = {
    REQUEST_STATE_OPEN: "open",
    REQUEST_STATE_WAITING: "waiting",
    REQUEST_STATE_RESOLVED: "resolved",
    REQUEST_STATE_CONFIRMED: "confirmed",
    REQUEST_STATE_WITHDRAWN: "withdrawn",
    REQUEST_STATE_REFUSED: "refused",
    REQUEST_STATE_MERGED: "merged",
    REQUEST_STATE_CLOSED: "closed",
}

_CURES: Final[dict[int, str]] = {
    REQUEST_STATE_OPEN: "Make one of those moves first.",
    REQUEST_STATE_WAITING: "End the wait first (request-resumed).",
    REQUEST_STATE_RESOLVED: "Reopen it first, or open a request that follows it (follows_request_id).",
    REQUEST_STATE_CONFIRMED: "Reopen it first, or open a request that follows it (follows_request_id).",
    REQUEST_STATE_WITHDRAWN: "Reopen it first, or open a request that follows it (follows_request_id).",
    REQUEST_STATE_REFUSED: "Reopen it first, or open a request that follows it (follows_request_id).",
    REQUEST_STATE_MERGED: "Go on in the request that it was merged into.",
    REQUEST_STATE_CLOSED: "Reopen it first, or open a request that follows it (follows_request_id).",
}


def allowed_moves(state: RequestState) -> tuple[str, ...]:
    """Return the moves that apply now, as topics; those of a handoff once offered are not among them."""
    pending = any(one.state in handoff.PENDING for one in state.handoffs.values())
    return tuple(
        topic for topic, states in request.FROM.items() if state.state in states and not (pending and topic in request.ENDING)
    )


STRANDS_RULE: Final = "strands_open"
"""The rule that a rule-overridden names to have a request resolved all the same."""


def strands_refusal(state: RequestState, event: Event, override: Event | None) -> Refusal | None:
    """Return why a request is not resolved over open strands (domain rule 9.3); None when it may be. Asked at append only.

    `override`: the event that it names as its override, if there is one.
    """
    ids = state.open_strand_ids
    if not ids or event.exempt or overrides_strands(state, override):
        return None
    listed = ", ".join(ids)
    return Refusal(
        STRANDS_OPEN,
        f"Request {state.request_id} has open parallel strands: {event.topic} does not apply. Open: {listed}. Complete "
        f"or withdraw them first, or record rule-overridden of the rule {STRANDS_RULE} and name it in override_event_id.",
        {"request_id": state.request_id, "state": STATE_WORDS[state.state], "topic": event.topic, "handoff_ids": listed},
    )


def overrides_strands(state: RequestState, override: Event | None) -> bool:
    """True when an event says that this request is resolved although strands are open."""
    if override is None or override.topic != "rule-overridden":
        return False
    payload = override.payload
    return bool(payload.rule == STRANDS_RULE and payload.request_id == state.request_id)


class RequestRules:
    """The life cycle of requests and of the handoffs in them. See `Rules`."""

    def step(self, state: RequestState | None, event: Event) -> tuple[RequestState | None, bool]:
        """See `Rules.step`."""
        return request.step(state, event)

    def evolve(self, state: RequestState | None, event: Event) -> RequestState | None:
        """See `Rules.evolve`."""
        return request.step(state, event)[0]

    def complete(self, state: RequestState | None, payload: Any) -> None:
        """See `Rules.complete`: what an acceptance and a return say of the ownership."""
        request.complete(state, payload)

    def refusal(self, state: RequestState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, HANDOFFS_PENDING, OWNERSHIP_ALREADY_MOVING, REFERENCE_UNKNOWN."""
        if request.step(state, event)[1]:
            return None
        topic = event.topic
        if state is None:
            return not_opened("request", event.stream, topic, "request-opened")
        states = request.FROM.get(topic)
        if topic in request.ENDING and states is not None and state.state in states:
            return _pending(state, topic)
        if topic == "handoff-offered" and states is not None and state.state in states:
            return _offer_refused(state, event)
        if topic in handoff.MOVES:
            return _handoff_refused(state, event)
        cure = _CURES[state.state]
        if topic == "request-opened":
            cure = "Use another request id for another request."
        elif topic == "promise-broken":
            cure = "The clock's event has nothing to break: the target was met, is void or paused, or has another due."
        elif topic == "request-assigned" and state.state in request.FROM[topic]:
            cure = f"Its owner is {state.owner_department}: leave the department out, or hand the request over (handoff-offered)."
        return not_allowed("request", state.request_id, STATE_WORDS[state.state], topic, allowed_moves(state), cure)

    def authority(self, state: RequestState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`. The owner offers; the receiver takes, returns, completes and rates; the sender supplies."""
        topic = event.topic
        if state is None or passes_authority(event):
            return None
        department = event.header.department
        if topic == "handoff-offered":
            return _offer_not_yours(state, event)
        if topic not in handoff.BY_RECEIVER and topic not in handoff.BY_SENDER:
            return None
        one = state.handoffs.get(event.payload.handoff_id)
        if one is None:
            return None
        receiver = topic in handoff.BY_RECEIVER
        allowed = one.to_department if receiver else one.from_department
        if department == allowed:
            return None
        role = "the receiving department" if receiver else "the sending department"
        return not_yours(_name(state, one), topic, department, allowed, role)


def _name(state: RequestState, one: HandoffState) -> str:
    return f"Handoff {one.handoff_id} of request {state.request_id}"


def _pending(state: RequestState, topic: str) -> Refusal:
    ids = ", ".join(state.pending_handoff_ids)
    word = STATE_WORDS[state.state]
    allowed = ", ".join(allowed_moves(state))
    return Refusal(
        HANDOFFS_PENDING,
        f"Request {state.request_id} is {word} with pending handoffs: {topic} does not apply. Pending: {ids}. "
        "End them in the same append, before it (handoff-withdrawn), or wait for them.",
        {"request_id": state.request_id, "state": word, "topic": topic, "handoff_ids": ids, "allowed": allowed},
    )


def _moving(state: RequestState, other: str, handoff_id: str, topic: str) -> Refusal:
    return Refusal(
        OWNERSHIP_ALREADY_MOVING,
        f"Handoff {other} of request {state.request_id} already moves the ownership: {topic} of {handoff_id} does not apply. "
        f"Withdraw {other} first, or offer a handoff that stays.",
        {
            "request_id": state.request_id,
            "handoff_id": handoff_id,
            "moving_handoff_id": other,
            "state": STATE_WORDS[state.state],
            "topic": topic,
        },
    )


def _offer_refused(state: RequestState, event: Event) -> Refusal:
    handoff_id = event.payload.handoff_id
    one = state.handoffs.get(handoff_id)
    if one is None:
        return _moving(state, request.moving_handoff(state), handoff_id, event.topic)
    return _handoff_not_allowed(state, one, event.topic, "Use another handoff id for another handoff.")


def _handoff_refused(state: RequestState, event: Event) -> Refusal:
    topic, handoff_id = event.topic, event.payload.handoff_id
    one = state.handoffs.get(handoff_id)
    if one is None:
        return Refusal(
            MOVE_NOT_ALLOWED,
            f"Request {state.request_id} has no handoff {handoff_id}: {topic} does not apply. Allowed now: handoff-offered. "
            "Check the id, or offer it first.",
            {"request_id": state.request_id, "handoff_id": handoff_id, "topic": topic, "allowed": "handoff-offered"},
        )
    if topic == "handoff-returned" and topic in handoff.ALLOWED[one.state]:
        return _return_refused(state, one)
    cure = "Make one of those moves, or offer a new handoff."
    if topic in ("handoff-expired", "handoff-overdue"):
        cure = "The clock's mark has nothing to mark: the term was met, or another event set it."
    return _handoff_not_allowed(state, one, topic, cure)


def _return_refused(state: RequestState, one: HandoffState) -> Refusal:
    topic = "handoff-returned"
    if request.ownership_goes_back(state, one):
        other = request.moving_handoff(state)
        if other:
            return _moving(state, other, one.handoff_id, topic)
    elif one.ownership == MOVES and state.owner_by_handoff_id != one.handoff_id:
        return _handoff_not_allowed(
            state,
            one,
            topic,
            f"The ownership it moved has moved on since: the owner is {state.owner_department}, who may offer the request back.",
        )
    return _handoff_not_allowed(state, one, topic, f"Its request is {STATE_WORDS[state.state]}: reopen it first.")


def _handoff_not_allowed(state: RequestState, one: HandoffState, topic: str, cure: str) -> Refusal:
    allowed = tuple(move for move in handoff.ALLOWED[one.state] if move != topic)
    refusal = not_allowed("handoff", one.handoff_id, handoff.STATE_WORDS[one.state], topic, allowed, cure)
    refusal.metadata["request_id"] = state.request_id
    return refusal


def _offer_not_yours(state: RequestState, event: Event) -> Refusal | None:
    owner, payload = state.owner_department, event.payload
    if payload.ownership != MOVES or owner is None:
        return None
    department = event.header.department
    what = f"Request {state.request_id}"
    if department != owner:
        return not_yours(what, event.topic, department, owner, "the owner department")
    if payload.from_department != owner:
        return not_yours(what, f"{event.topic} from {payload.from_department}", department, owner, "from the owner department")
    return None
