"""The life cycle of a request, with the handoffs that stand in its stream.

Pure. A request has an owner department at every instant, or is an orphan. The owner changes only when a handoff that moves the
ownership is accepted, and back when it is returned (domain rule 9.3). Nothing ends over a pending handoff, and at most one handoff
that moves the ownership is pending.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from ledger.api.v1.core_pb2 import MOVES, STAYS
from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_ACCEPTED, HANDOFF_STATE_OFFERED
from ledger.api.v1.request_pb2 import RESOLUTION_DONE
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
from ledger.rules import handoff, journey, resolution
from ledger.rules.derived import RESOLUTION, DerivedTarget
from ledger.rules.handoff import HandoffState
from ledger.rules.resolution import UNTARGETED, Resolution

ACTIVE: Final = frozenset({REQUEST_STATE_OPEN, REQUEST_STATE_WAITING})
"""States in which somebody has to act."""

_UNENDED: Final = frozenset({*ACTIVE, REQUEST_STATE_RESOLVED, REQUEST_STATE_CONFIRMED})
"""States in which handoffs are offered and returned."""

_UNCLOSED: Final = frozenset({*_UNENDED, REQUEST_STATE_WITHDRAWN, REQUEST_STATE_REFUSED})
"""States before closed: what is known of the request may still change."""

FROM: Final[dict[str, frozenset[int]]] = {
    "request-classified": _UNCLOSED,
    "request-assigned": _UNCLOSED,
    "request-escalated": _UNCLOSED,
    "contact-linked": _UNCLOSED,
    "customer-informed": _UNCLOSED,
    "request-waiting": ACTIVE,
    "request-resumed": frozenset({REQUEST_STATE_WAITING}),
    "request-resolved": ACTIVE,
    "request-confirmed": frozenset({REQUEST_STATE_RESOLVED}),
    "request-reopened": frozenset(
        {
            REQUEST_STATE_RESOLVED,
            REQUEST_STATE_CONFIRMED,
            REQUEST_STATE_CLOSED,
            REQUEST_STATE_REFUSED,
            REQUEST_STATE_WITHDRAWN,
        }
    ),
    "request-withdrawn": ACTIVE,
    "request-refused": frozenset({REQUEST_STATE_OPEN}),
    "request-merged": frozenset({REQUEST_STATE_OPEN}),
    "request-closed": _UNENDED,
    "handoff-offered": _UNENDED,
}
"""The states that each move applies in; handoffs once offered follow their own life cycle."""

_UNTARGETED: Final[dict[str, DerivedTarget]] = {}

ENDING: Final = frozenset({"request-withdrawn", "request-refused", "request-merged", "request-closed"})
"""Moves that do not apply over a pending handoff."""


class RequestState(NamedTuple):
    """A request with its handoffs. Times are microseconds UTC, unset strings empty."""

    request_id: str
    state: int
    """A RequestState of the API."""
    owner_department: str | None
    """None: an orphan."""
    reason: str
    priority: str
    opened_time: int
    since_time: int
    """Since when it is in this state."""
    subject: bytes
    position: int
    """Position of the opener, which holds the wish."""
    channel: str
    origin: int
    follows_request_id: str
    contact_ids: tuple[str, ...]
    """The contact it was first said in, then those linked, each once."""
    object_marks: tuple[str, ...] = ()
    """What it is about outside the ledger: type and mark of each (`order:1f…`). Equal for equal things of one subject."""
    assignee: str = ""
    complexity: str = ""
    waiting_for: int = 0
    """A WaitingFor, while waiting."""
    waiting_department: str = ""
    first_resolved_time: int | None = None
    last_resolved_time: int | None = None
    closed_time: int | None = None
    ended_time: int | None = None
    """When it left open and waiting; None while in one of them."""
    resolved_in: str = ""
    """Contact in which it was first resolved, and done; empty where that was in none, or in part."""
    first_reopened_time: int | None = None
    reopened_count: int = 0
    resolution: int = 0
    """A Resolution, while resolved or after."""
    outcome: int = 0
    """A CloseOutcome, while closed."""
    informed_time: int | None = None
    next_step: str = ""
    merged_into_request_id: str = ""
    channels: str = ""
    """Those it went over, each once, in this order, with a space in between (requirement S2-13)."""
    path: str = ""
    """Who answered for it, in turn: see journey.py."""
    steps: str = ""
    """What happened, in turn: see journey.py."""
    owner_by_handoff_id: str = ""
    """The handoff by which the owner became it; empty when opened or assigned so, or after a return."""
    refused_rule: str = ""
    """By which rule it was refused last: where the customer's wish gave way to a process. It stays when it is reopened."""
    escalated_count: int = 0
    root_cause: str = ""
    """Said at the last resolution."""
    resolving: Resolution = UNTARGETED
    """Its target, and its waits for the customer: see resolution.py."""
    handoffs: dict[str, HandoffState] = {}  # noqa: RUF012 - copied on change, never written to
    """By id, in the order offered."""

    @property
    def strands(self) -> list[HandoffState]:
        """Parallel strands: handoffs that stay. One rejected or found impossible counts no more once it was offered anew."""
        return [one for one in self.handoffs.values() if one.ownership == STAYS and not _offered_anew(self, one)]

    @property
    def open_strand_ids(self) -> list[str]:
        """Ids of the strands that are neither completed (done) nor withdrawn: the request is not done (domain rule 9.3)."""
        return [one.handoff_id for one in self.strands if not handoff.is_done(one)]

    @property
    def targets(self) -> dict[str, DerivedTarget]:
        """The target it implies, by kind; empty where there is none."""
        target = self.resolving.target
        return _UNTARGETED if target is None else {RESOLUTION: target}

    @property
    def pending_handoff_ids(self) -> list[str]:
        """Ids of the handoffs that somebody has to take."""
        return [one.handoff_id for one in self.handoffs.values() if one.state in handoff.PENDING]

    @property
    def pending_handoff_count(self) -> int:
        """How many handoffs are pending."""
        return len(self.pending_handoff_ids)

    @property
    def handoff_count(self) -> int:
        """How many were ever offered."""
        return len(self.handoffs)


def _offered_anew(state: RequestState, one: HandoffState) -> bool:
    """True when a strand that failed was offered once more since: with the same type, or without types to the same department."""
    if not handoff.has_failed(one):
        return False
    # In the order offered.
    later = list(state.handoffs.values())[list(state.handoffs).index(one.handoff_id) + 1 :]
    return any(
        other.ownership == STAYS
        and (other.type == one.type if one.type or other.type else other.to_department == one.to_department)
        for other in later
    )


def moving_handoff(state: RequestState, except_id: str = "") -> str:
    """Return the id of the pending handoff that moves the ownership; empty when there is none."""
    for one in state.handoffs.values():
        if one.ownership == MOVES and one.state in handoff.PENDING and one.handoff_id != except_id:
            return one.handoff_id
    return ""


def ownership_goes_back(state: RequestState, one: HandoffState) -> bool:
    """True when a return of this handoff gives the ownership back: it is the one by which the present owner became it."""
    return one.state == HANDOFF_STATE_ACCEPTED and one.ownership == MOVES and state.owner_by_handoff_id == one.handoff_id


def _opened(state: RequestState | None, event: Event) -> RequestState | None:
    if state is not None:
        return None
    payload = event.payload
    contact_id = payload.contact_id
    return RequestState(
        request_id=payload.request_id,
        state=REQUEST_STATE_OPEN,
        owner_department=payload.owner_department or None,
        reason=payload.reason,
        priority=payload.priority,
        opened_time=event.occur,
        since_time=event.occur,
        subject=event.subject,
        position=event.position,
        channel=event.header.channel,
        channels=event.header.channel,
        origin=payload.origin,
        follows_request_id=payload.follows_request_id,
        contact_ids=(contact_id,) if contact_id else (),
        object_marks=_marks(payload.objects),
        path=journey.begun(payload.owner_department, event),
        resolving=resolution.opened(event),
    )


def _marks(objects: Iterable[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{one.type}:{one.value_mark.hex()}" for one in objects if one.value_mark))


def _classified(state: RequestState, event: Event) -> RequestState | None:
    payload = event.payload
    return state._replace(
        reason=payload.reason or state.reason,
        priority=payload.priority or state.priority,
        complexity=payload.complexity or state.complexity,
    )


def _assigned(state: RequestState, event: Event) -> RequestState | None:
    payload = event.payload
    department = payload.department
    if state.owner_department is None:
        path = journey.goes_on(state.path, journey.NAMED, department, event)
        return state._replace(assignee=payload.assignee, owner_department=department or None, path=path)
    if department and department != state.owner_department:
        return None
    return state._replace(assignee=payload.assignee)


def _escalated(state: RequestState, event: Event) -> RequestState | None:
    return state._replace(escalated_count=state.escalated_count + 1)


def _same(state: RequestState, event: Event) -> RequestState | None:
    return state


def _target_broken(state: RequestState, event: Event) -> RequestState | None:
    resolving = resolution.broken(state.resolving, event)
    return None if resolving is None else state._replace(resolving=resolving)


def _linked(state: RequestState, event: Event) -> RequestState | None:
    contact_id = event.payload.contact_id
    if contact_id in state.contact_ids:
        return state
    return state._replace(contact_ids=(*state.contact_ids, contact_id), channels=_channels(state, event))


def _channels(state: RequestState, event: Event) -> str:
    channel = event.header.channel
    return state.channels if not channel or channel in state.channels.split() else f"{state.channels} {channel}".strip()


def _informed(state: RequestState, event: Event) -> RequestState | None:
    return state._replace(
        informed_time=event.occur, next_step=event.payload.next_step or state.next_step, channels=_channels(state, event)
    )


def _waiting(state: RequestState, event: Event) -> RequestState | None:
    payload = event.payload
    since = state.since_time if state.state == REQUEST_STATE_WAITING else event.occur
    return state._replace(
        state=REQUEST_STATE_WAITING, since_time=since, waiting_for=payload.waiting_for, waiting_department=payload.department
    )


def _resumed(state: RequestState, event: Event) -> RequestState | None:
    return state._replace(state=REQUEST_STATE_OPEN, since_time=event.occur, waiting_for=0, waiting_department="")


def _resolved(state: RequestState, event: Event) -> RequestState | None:
    return state._replace(
        state=REQUEST_STATE_RESOLVED,
        since_time=event.occur,
        waiting_for=0,
        waiting_department="",
        ended_time=event.occur,
        first_resolved_time=event.occur if state.first_resolved_time is None else state.first_resolved_time,
        last_resolved_time=event.occur,
        resolution=event.payload.resolution,
        root_cause=event.payload.root_cause,
        resolved_in=_resolved_in(state, event),
    )


def _resolved_in(state: RequestState, event: Event) -> str:
    if state.first_resolved_time is not None:
        return state.resolved_in
    return str(event.payload.contact_id) if event.payload.resolution == RESOLUTION_DONE else ""


def _confirmed(state: RequestState, event: Event) -> RequestState | None:
    return state._replace(state=REQUEST_STATE_CONFIRMED, since_time=event.occur)


def _reopened(state: RequestState, event: Event) -> RequestState | None:
    return state._replace(
        state=REQUEST_STATE_OPEN,
        since_time=event.occur,
        first_reopened_time=event.occur if state.first_reopened_time is None else state.first_reopened_time,
        reopened_count=state.reopened_count + 1,
        ended_time=None,
        closed_time=None,
        resolution=0,
        outcome=0,
    )


def _withdrawn(state: RequestState, event: Event) -> RequestState | None:
    return _end(state, REQUEST_STATE_WITHDRAWN, event)


def _refused(state: RequestState, event: Event) -> RequestState | None:
    ended = _end(state, REQUEST_STATE_REFUSED, event)
    return None if ended is None else ended._replace(refused_rule=event.payload.rule)


def _merged(state: RequestState, event: Event) -> RequestState | None:
    ended = _end(state, REQUEST_STATE_MERGED, event)
    return None if ended is None else ended._replace(merged_into_request_id=event.payload.into_request_id)


def _closed(state: RequestState, event: Event) -> RequestState | None:
    ended = _end(state, REQUEST_STATE_CLOSED, event)
    return None if ended is None else ended._replace(closed_time=event.occur, outcome=event.payload.outcome)


def _end(state: RequestState, to: int, event: Event) -> RequestState | None:
    for one in state.handoffs.values():
        if one.state in handoff.PENDING:
            return None
    return state._replace(
        state=to,
        since_time=event.occur,
        waiting_for=0,
        waiting_department="",
        ended_time=event.occur if state.ended_time is None else state.ended_time,
    )


def _handoff_offered(state: RequestState, event: Event) -> RequestState | None:
    payload = event.payload
    handoff_id = payload.handoff_id
    if handoff_id in state.handoffs or (payload.ownership == MOVES and moving_handoff(state)):
        return None
    return state._replace(handoffs={**state.handoffs, handoff_id: handoff.offered(event)})


def _handoff_moved_on(state: RequestState, event: Event) -> RequestState | None:
    handoff_id = event.payload.handoff_id
    one = state.handoffs.get(handoff_id)
    if one is None:
        return None
    topic = event.topic
    back = False
    if topic == "handoff-returned":
        back = ownership_goes_back(state, one)
        if state.state not in _UNENDED or (one.ownership == MOVES and one.state == HANDOFF_STATE_ACCEPTED and not back):
            return None
        if back and moving_handoff(state):
            return None
    new = handoff.MOVES[topic](one, event)
    if new is None:
        return None
    handoffs = {**state.handoffs, handoff_id: new}
    if topic == "handoff-accepted" and one.ownership == MOVES:
        return state._replace(
            handoffs=handoffs,
            owner_department=one.to_department,
            owner_by_handoff_id=handoff_id,
            assignee=new.assignee,
            path=journey.goes_on(state.path, journey.ACCEPTED, one.to_department, event),
        )
    if back:
        return state._replace(
            handoffs=handoffs,
            owner_department=one.from_department,
            owner_by_handoff_id="",
            assignee="",
            path=journey.goes_on(state.path, journey.RETURNED, one.from_department, event),
        )
    return state._replace(handoffs=handoffs)


_MOVES: Final[dict[str, Callable[[RequestState, Event], RequestState | None]]] = {
    "request-classified": _classified,
    "request-assigned": _assigned,
    "request-escalated": _escalated,
    "contact-linked": _linked,
    "customer-informed": _informed,
    "request-waiting": _waiting,
    "request-resumed": _resumed,
    "request-resolved": _resolved,
    "request-confirmed": _confirmed,
    "request-reopened": _reopened,
    "request-withdrawn": _withdrawn,
    "request-refused": _refused,
    "request-merged": _merged,
    "request-closed": _closed,
    "handoff-offered": _handoff_offered,
    "event-confirmed": _same,
    "rule-overridden": _same,
    "journey-step-reached": _same,
    "message-received": _same,
    "promise-broken": _target_broken,
    **dict.fromkeys(handoff.MOVES, _handoff_moved_on),
}


def step(state: RequestState | None, event: Event) -> tuple[RequestState | None, bool]:
    """Return the request after the event, and whether it applied."""
    topic = event.topic
    if state is None:
        new = _opened(None, event) if topic == "request-opened" else None
        return (None, False) if new is None else (new._replace(steps=journey.step_of(event)), True)
    move = _MOVES.get(topic)
    if move is None:
        return state, False
    states = FROM.get(topic)
    if states is not None and state.state not in states:
        return state, False
    new = move(state, event)
    if new is None:
        return state, False
    resolving = resolution.after(new.resolving, event)
    if resolving is not new.resolving:
        new = new._replace(resolving=resolving)
    step = journey.step_of(event)
    return new._replace(steps=journey.and_then(new.steps, step)) if step else new, True


def complete(state: RequestState | None, payload: Any) -> None:
    """Set what handoff-accepted and handoff-returned say of the ownership and of the promises that travel."""
    topic = type(payload).DESCRIPTOR.name
    one = state.handoffs.get(payload.handoff_id) if state is not None and topic in ("HandoffAccepted", "HandoffReturned") else None
    if state is None or one is None:
        return
    if topic == "HandoffAccepted" and one.state == HANDOFF_STATE_OFFERED:
        payload.to_department = one.to_department
        payload.moves = one.ownership == MOVES
    elif topic == "HandoffReturned" and one.state in (HANDOFF_STATE_OFFERED, HANDOFF_STATE_ACCEPTED):
        payload.to_department = one.from_department
        payload.moves = ownership_goes_back(state, one)
    if payload.moves:
        payload.promise_ids.extend(one.promise_ids)
