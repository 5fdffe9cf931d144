"""The life cycle of a complaint, and the two targets it implies.

Pure. received → acknowledged, assessed, investigated in any order, each optional → responded → closed | contested → responded …;
withdrawn from any open state; closed as not accepted only after the ways of appeal were told; reopened once closed or withdrawn.
Every step is kept with its time and department, so that front office, back office and support each have their clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ledger.api.v1.complaint_pb2 import COMPLAINT_NOT_ACCEPTED, ESCALATED_INSIDE
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
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN
from ledger.event import Event
from ledger.rules import derived
from ledger.rules.derived import DerivedTarget
from ledger.rules.instant import micros_or_none
from ledger.rules.state import state_class

STEPS_MAX: Final = 100
"""So many steps of a complaint are kept; a longer one keeps its first."""

IN_HAND: Final = frozenset(
    {COMPLAINT_STATE_RECEIVED, COMPLAINT_STATE_ACKNOWLEDGED, COMPLAINT_STATE_ASSESSED, COMPLAINT_STATE_INVESTIGATED}
)
"""States of the first round, before any response."""

OPEN: Final = frozenset({*IN_HAND, COMPLAINT_STATE_RESPONDED, COMPLAINT_STATE_CONTESTED, COMPLAINT_STATE_REOPENED})
"""States in which a complaint is open."""

_ENDED: Final = frozenset({COMPLAINT_STATE_CLOSED, COMPLAINT_STATE_WITHDRAWN})

FROM: Final[dict[str, frozenset[int]]] = {
    "complaint-acknowledged": OPEN,
    "complaint-assessed": OPEN,
    "complaint-investigated": OPEN,
    "complaint-responded": OPEN,
    "complaint-contested": frozenset({COMPLAINT_STATE_RESPONDED}),
    "complaint-escalated": OPEN,
    "complaint-withdrawn": OPEN,
    "complaint-closed": frozenset({COMPLAINT_STATE_RESPONDED, COMPLAINT_STATE_CONTESTED}),
    "complaint-reopened": _ENDED,
}
"""The states that each move applies in."""


class Step(NamedTuple):
    """One step of a complaint: what was done, when, and by which department."""

    topic: str
    time: int
    department: str


@state_class
class ComplaintState(NamedTuple):
    """A complaint. Times are microseconds UTC, unset strings empty."""

    complaint_id: str
    state: int
    """A ComplaintState of the API. In the first round the furthest stage reached; after a contest or a reopening that, until
    somebody responds again."""
    owner_department: str
    hands: str
    """Department that has to act: the owner, or whom it was escalated to inside."""
    about_department: str
    contact_id: str
    request_id: str
    reason: str
    channel: str
    received_time: int
    started_time: int
    """Its first expression on any channel: its clock starts there (domain rule 9.11)."""
    since_time: int
    """Since when it is in this state."""
    subject: bytes
    position: int
    """Position of the opener, which holds the words."""
    steps: tuple[Step, ...] = ()
    """In the order in which they occurred."""
    severity: str = ""
    complexity: str = ""
    impact: str = ""
    safety: bool = False
    immediate_action: bool = False
    root_cause: str = ""
    cause_department: str = ""
    decision: int = 0
    """A ComplaintDecision, of the last response."""
    appeal_told: bool = False
    response_position: int = 0
    """Position of the last response, which holds the redress; 0: none."""
    response_count: int = 0
    contested_count: int = 0
    reopened_count: int = 0
    escalation: int = 0
    """The last ComplaintEscalation."""
    closing: int = 0
    """A ComplaintClosing, while closed."""
    ended_time: int | None = None
    """When it was closed or withdrawn; None while open."""
    acknowledge: DerivedTarget | None = None
    respond: DerivedTarget | None = None

    @property
    def targets(self) -> dict[str, DerivedTarget]:
        """The targets it implies, by kind."""
        return {one.kind: one for one in (self.acknowledge, self.respond) if one is not None}


def _received(event: Event) -> ComplaintState:
    payload, header = event.payload, event.header
    owner = payload.owner_department or header.department
    expressed = micros_or_none(payload, "first_expressed_time")
    state = ComplaintState(
        complaint_id=payload.complaint_id,
        state=COMPLAINT_STATE_RECEIVED,
        owner_department=owner,
        hands=owner,
        about_department=payload.about_department,
        contact_id=payload.contact_id,
        request_id=payload.request_id,
        reason=payload.reason,
        channel=header.channel,
        received_time=event.occur,
        started_time=event.occur if expressed is None else min(expressed, event.occur),
        since_time=event.occur,
        subject=event.subject,
        position=event.position,
        steps=(Step(event.topic, event.occur, header.department),),
    )
    return state._replace(
        acknowledge=_target(
            state, event, derived.COMPLAINT_ACKNOWLEDGE, derived.ACKNOWLEDGE_PREFIX, micros_or_none(payload, "acknowledge_due_time")
        ),
        respond=_target(
            state, event, derived.COMPLAINT_RESPOND, derived.RESPOND_PREFIX, micros_or_none(payload, "respond_due_time")
        ),
    )


def _target(state: ComplaintState, event: Event, kind: str, prefix: str, due: int | None) -> DerivedTarget | None:
    if due is None:
        return None
    return DerivedTarget(
        target_id=prefix + state.complaint_id,
        kind=kind,
        state=PROMISE_STATE_OPEN,
        due_time=due,
        due_set_by_event_id=event.due_setter.event_id,
        due_record_time=event.due_setter.record,
        due_import_run=event.due_setter.header.import_run,
        made_time=state.started_time,
        channel=state.channel,
        department=state.owner_department,
        subject=state.subject,
        first_due_time=due,
    )


def _reached(state: ComplaintState, stage: int, event: Event) -> ComplaintState:
    """Return the complaint at a stage of the first round, unless it is further already."""
    if state.state in IN_HAND and stage > state.state:
        return state._replace(state=stage, since_time=event.occur)
    return state


def _acknowledged(state: ComplaintState, event: Event) -> ComplaintState | None:
    return _reached(state, COMPLAINT_STATE_ACKNOWLEDGED, event)._replace(acknowledge=derived.met(state.acknowledge, event))


def _assessed(state: ComplaintState, event: Event) -> ComplaintState | None:
    payload = event.payload
    return _reached(state, COMPLAINT_STATE_ASSESSED, event)._replace(
        severity=payload.severity or state.severity,
        complexity=payload.complexity or state.complexity,
        impact=payload.impact or state.impact,
        safety=payload.safety if payload.HasField("safety") else state.safety,
        immediate_action=payload.immediate_action if payload.HasField("immediate_action") else state.immediate_action,
    )


def _investigated(state: ComplaintState, event: Event) -> ComplaintState | None:
    payload = event.payload
    return _reached(state, COMPLAINT_STATE_INVESTIGATED, event)._replace(
        root_cause=payload.root_cause or state.root_cause,
        cause_department=payload.cause_department or state.cause_department,
    )


def _responded(state: ComplaintState, event: Event) -> ComplaintState | None:
    # Who responds has acknowledged by that.
    return state._replace(
        state=COMPLAINT_STATE_RESPONDED,
        since_time=event.occur,
        decision=event.payload.decision,
        appeal_told=state.appeal_told or event.payload.appeal_told,
        response_position=event.position,
        response_count=state.response_count + 1,
        acknowledge=derived.met(state.acknowledge, event),
        respond=derived.met(state.respond, event),
    )


def _contested(state: ComplaintState, event: Event) -> ComplaintState | None:
    return state._replace(state=COMPLAINT_STATE_CONTESTED, since_time=event.occur, contested_count=state.contested_count + 1)


def _escalated(state: ComplaintState, event: Event) -> ComplaintState | None:
    payload = event.payload
    inside = payload.escalation == ESCALATED_INSIDE and payload.to_department
    return state._replace(escalation=payload.escalation, hands=payload.to_department if inside else state.hands)


def _withdrawn(state: ComplaintState, event: Event) -> ComplaintState | None:
    return state._replace(
        state=COMPLAINT_STATE_WITHDRAWN,
        since_time=event.occur,
        ended_time=event.occur,
        acknowledge=derived.void(state.acknowledge, event),
        respond=derived.void(state.respond, event),
    )


def _closed(state: ComplaintState, event: Event) -> ComplaintState | None:
    closing = event.payload.closing
    if closing == COMPLAINT_NOT_ACCEPTED and not state.appeal_told:
        return None
    return state._replace(state=COMPLAINT_STATE_CLOSED, since_time=event.occur, ended_time=event.occur, closing=closing)


def _reopened(state: ComplaintState, event: Event) -> ComplaintState | None:
    return state._replace(
        state=COMPLAINT_STATE_REOPENED,
        since_time=event.occur,
        ended_time=None,
        closing=0,
        hands=state.owner_department,
        reopened_count=state.reopened_count + 1,
    )


_MOVES: Final[dict[str, Callable[[ComplaintState, Event], ComplaintState | None]]] = {
    "complaint-acknowledged": _acknowledged,
    "complaint-assessed": _assessed,
    "complaint-investigated": _investigated,
    "complaint-responded": _responded,
    "complaint-contested": _contested,
    "complaint-escalated": _escalated,
    "complaint-withdrawn": _withdrawn,
    "complaint-closed": _closed,
    "complaint-reopened": _reopened,
}


def _target_broken(state: ComplaintState, event: Event) -> ComplaintState | None:
    acknowledge = derived.broken(state.acknowledge, event)
    if acknowledge is not None:
        return state._replace(acknowledge=acknowledge)
    respond = derived.broken(state.respond, event)
    return None if respond is None else state._replace(respond=respond)


def step(state: ComplaintState | None, event: Event) -> tuple[ComplaintState | None, bool]:
    """Return the complaint after the event, and whether it applied."""
    topic = event.topic
    if state is None:
        return (_received(event), True) if topic == "complaint-received" else (None, False)
    if topic == "event-confirmed":
        return state, True
    if topic == "promise-broken":
        broken = _target_broken(state, event)
        return (state, False) if broken is None else (broken, True)
    states = FROM.get(topic)
    if states is None or state.state not in states:
        return state, False
    new = _MOVES[topic](state, event)
    if new is None:
        return state, False
    if len(state.steps) < STEPS_MAX:
        new = new._replace(steps=(*state.steps, Step(topic, event.occur, event.header.department)))
    return new, True
