"""What the clock writes: the event that follows from a due that passed. Pure.

Its content is a function of the stream alone, and its id of topic, entity and the event that set the due, so that any number of
clocks write the same event once. It names the revision that it was judged at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ledger.api.v1.core_pb2 import CLOCK
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.handoff_pb2 import HandoffExpired, HandoffOverdue
from ledger.api.v1.ledger_service_pb2 import EventGroup, StreamExpectation
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT_LATE, PROMISE_STATE_OPEN
from ledger.event import Event
from ledger.event_id import derived_id, to_text
from ledger.rules import family_of
from ledger.rules.fold import fold
from ledger.rules.handoff import PENDING, UNFINISHED
from projections.due import TARGET_PART


class Firing(NamedTuple):
    """An event of the clock that is due."""

    due: int
    """The instant that passed; the event occurs then."""
    due_record_time: int
    """When the event that set the due was recorded."""
    group: EventGroup


def firings(events: Sequence[Event], part: str) -> list[Firing]:
    """Return what may fire on an entity, in order of due: of a promise, of one target, or of one handoff of a request.

    `part` says which one (see `DueItem`); empty for a promise and the first response. `events` are the stream's own, all of them,
    after those of other streams that touch a request. Whether a due has passed is the caller's to say.
    """
    stream = events[-1].stream
    rules = family_of(stream)
    state = fold(rules, events, stream).state if rules is not None else None
    if state is None:
        return []
    expectation = StreamExpectation(stream=stream, revision=events[-1].revision)
    if stream.startswith("promise-"):
        return _broken(state, state.promise_id, expectation)
    if stream.startswith("contact-"):
        target = state.targets.get(bytes.fromhex(part))
        return _broken(target, target.promise_id, expectation, state.contact_id) if target is not None else []
    if stream.startswith("complaint-"):
        target = state.targets.get(part)
        return _broken(target, target.target_id, expectation, complaint_id=state.complaint_id) if target is not None else []
    if part == TARGET_PART:
        target = state.resolving.target
        return _broken(target, target.target_id, expectation, request_id=state.request_id) if target is not None else []
    handoff = state.handoffs.get(part)
    return _terms(handoff, expectation) if handoff is not None else []


def _broken(
    owed: Any,
    promise_id: str,
    expectation: StreamExpectation,
    contact_id: str | None = None,
    request_id: str | None = None,
    complaint_id: str | None = None,
) -> list[Firing]:
    """A promise kept late was broken in between, also where the keep was recorded before the clock looked (domain rule 8.6)."""
    if owed is None or owed.due_time is None:
        return []
    if owed.state != PROMISE_STATE_OPEN and not (owed.state == PROMISE_STATE_KEPT_LATE and owed.broken_time is None):
        return []
    set_by = owed.due_set_by_event_id
    event = PromiseBroken(
        promise_id=promise_id,
        set_by_event_id=to_text(set_by),
        contact_id=contact_id,
        request_id=request_id,
        complaint_id=complaint_id,
    )
    return [
        _firing(
            Payload(promise_broken=event), f"promise-broken:{promise_id}", set_by, owed.due_time, owed.due_record_time, expectation
        )
    ]


def _terms(handoff: Any, expectation: StreamExpectation) -> list[Firing]:
    set_by = handoff.terms_set_by_event_id
    named = {"request_id": handoff.request_id, "handoff_id": handoff.handoff_id, "set_by_event_id": to_text(set_by)}
    entity = f"{handoff.request_id}:{handoff.handoff_id}"
    found: list[Firing] = []
    if handoff.accept_by is not None and handoff.state in PENDING and not (handoff.expired or handoff.ever_accepted):
        payload = Payload(handoff_expired=HandoffExpired(**named))
        found.append(
            _firing(payload, f"handoff-expired:{entity}", set_by, handoff.accept_by, handoff.terms_record_time, expectation)
        )
    if handoff.complete_by is not None and handoff.state in UNFINISHED and not handoff.marked_overdue:
        payload = Payload(handoff_overdue=HandoffOverdue(**named))
        found.append(
            _firing(payload, f"handoff-overdue:{entity}", set_by, handoff.complete_by, handoff.terms_record_time, expectation)
        )
    return sorted(found, key=lambda firing: firing.due)


def _firing(payload: Payload, what: str, set_by: bytes, due: int, due_record_time: int, expectation: StreamExpectation) -> Firing:
    envelope = EventEnvelope(event_id=derived_id(due, f"{what}:{set_by.hex()}"), actor_kind=CLOCK, causation_id=to_text(set_by))
    envelope.occur_time.FromMicroseconds(due)
    return Firing(
        due, due_record_time, EventGroup(events=[EventToAppend(envelope=envelope, payload=payload)], expectations=[expectation])
    )
