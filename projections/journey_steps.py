"""The journey of one request or customer: its steps in time, who had it how long, where it broke."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ledger.api.v1.history_service_pb2 import HistoryFilter
from ledger.api.v1.journey_pb2 import (
    STEP_OF_ANSWER,
    STEP_OF_COMPLAINT,
    STEP_OF_CONTACT,
    STEP_OF_EXPERIENCE,
    STEP_OF_FACT,
    STEP_OF_HANDOFF,
    STEP_OF_OTHER,
    STEP_OF_PROMISE,
    STEP_OF_REQUEST,
    Journey,
    JourneyStay,
    JourneyStep,
    StepClass,
)
from ledger.catalogue import BY_TOPIC
from ledger.event import Event
from projections import history, identities, journey_breaks, journey_paths, journeys, listing, quality, silence
from projections.journey_members import Member, members
from projections.listing import given, instant
from projections.restated import events_at, restated
from projections.view import Read

STEPS_MAX: Final = 1_000
"""Steps shown."""

_CLASSES: Final[dict[str, StepClass.ValueType]] = {
    "request": STEP_OF_REQUEST,
    "handoff": STEP_OF_HANDOFF,
    "contact": STEP_OF_CONTACT,
    "promise": STEP_OF_PROMISE,
    "fact": STEP_OF_FACT,
    "answer": STEP_OF_ANSWER,
    "complaint": STEP_OF_COMPLAINT,
    "experience": STEP_OF_EXPERIENCE,
    "extension": STEP_OF_OTHER,
    "opportunity": STEP_OF_OTHER,
    "exception": STEP_OF_OTHER,
}
"""By the proto file of the event type. What is in no other file here is no step: identities, policies, governance."""

TOPICS: Final = tuple(sorted(topic for topic, kind in BY_TOPIC.items() if kind.area in _CLASSES))


def of_customer(read: Read, subject: bytes) -> Journey:
    """Return the journey of the customer a subject belongs to, over all requests and channels."""
    subjects = identities.members(read, subject)
    keys, more = history.places(read, subjects, HistoryFilter(topics=TOPICS), True, STEPS_MAX, None)
    events = _events(read, [position for _, position in keys])
    requests = dict.fromkeys(_named(event, "request_id") for event in events)
    steps = [_step(event, "") for event in events]
    return Journey(steps=steps, truncated=more is not None, request_ids=[one for one in requests if one])


def of_request(read: Read, request_id: str, request: Any) -> Journey | None:
    """Return the journey of a request; None where there is none at the times asked for.

    Its steps are the events of its own stream, those of its contacts, and what else of its customer's history names it. `request`:
    says what a stall is.
    """
    entity = listing.entity(read, f"request-{request_id}")
    member = members(read, None, None, entities=[entity]).get(entity) if entity is not None else None
    if entity is None or member is None:
        return None
    events = _of_request(read, request_id, member)
    journey = Journey(
        steps=[_step(event, member.owner_at(event.occur)) for event in events[:STEPS_MAX]],
        truncated=len(events) > STEPS_MAX,
        stays=_stays(read, member, journey_breaks.stall_limit(read, request)),
        request_ids=[request_id],
    )
    offered = journeys.handoffs_of(read, {entity: member})
    lost = journey_breaks.fact_losses(read, {entity: member}, offered)
    limit = journey_breaks.stall_limit(read, request)
    journey.break_points.extend(journey_breaks.points(read, {entity: member}, offered, lost, limit))
    checked = journey_paths.check(read, member)
    if checked is not None:
        journey.path_check.CopyFrom(checked)
    return journey


def _of_request(read: Read, request_id: str, member: Member) -> list[Event]:
    """Return the events of a request's journey that have effect, in order of time."""
    contact_ids = member.contact_ids.split()
    streams = [f"request-{request_id}", *(f"contact-{contact_id}" for contact_id in contact_ids)]
    positions = {
        row.position for stream in streams for row in read.log.read_stream(stream, read.known) if row.topic in _STEP_TOPICS
    }
    events = {event.position: event for event in _events(read, sorted(positions))}
    if member.subject:
        subjects = identities.members(read, member.subject)
        keys, _ = history.places(read, subjects, HistoryFilter(topics=_NAMING), True, STEPS_MAX, None)
        others = [position for _, position in keys if position not in positions]
        for event in _events(read, others):
            if _named(event, "request_id") == request_id:
                events[event.position] = event
    happened = [event for event in events.values() if read.before is None or event.order < read.before]
    return sorted(happened, key=lambda event: (event.order, event.clock, event.position))


_STEP_TOPICS: Final = frozenset(TOPICS)
_NAMING: Final = tuple(
    topic
    for topic in TOPICS
    if "request_id" in BY_TOPIC[topic].message.DESCRIPTOR.fields_by_name and not BY_TOPIC[topic].stream.startswith("request-")
)
"""Steps of other streams that may name a request."""


def _events(read: Read, positions: Sequence[int]) -> list[Event]:
    """Return the events at these positions that have effect, as they stand, by their headers and clear payloads."""
    if not positions:
        return []
    without = quality.ineffective(read, positions)
    without.update(position for position, how in restated(read, positions).items() if how.retracted)
    found = events_at(read, [position for position in positions if position not in without])
    return [found[position] for position in positions if position in found]


def _step(event: Event, owner: str) -> JourneyStep:
    return JourneyStep(
        **given(
            occur_time=instant(event.occur),
            topic=event.topic,
            step_class=_CLASSES[BY_TOPIC[event.topic].area],
            step=_named(event, "step") if event.topic == "journey-step-reached" else "",
            department=event.header.department,
            owner_department=owner,
            channel=event.header.channel,
            request_id=_named(event, "request_id"),
            contact_id=_named(event, "contact_id"),
            handoff_id=_named(event, "handoff_id"),
            position=event.position,
            **(_of_the_organisation(event.payload) if event.topic == "journey-step-reached" else {}),
        )
    )


def _of_the_organisation(step: Any) -> dict[str, Any]:
    """Return where one of the organisation's own steps belongs: the link from journey to process."""
    return {
        "phase": step.phase,
        "process": step.process,
        "system": step.system,
        "step_owner_department": step.owner_department,
        "manual": step.manual,
    }


def _named(event: Event, field: str) -> str:
    return str(getattr(event.payload, field, ""))


def _stays(read: Read, member: Member, limit: int) -> Iterable[JourneyStay]:
    idle = silence.idle_times(read, [member.entity]).get(member.entity, [])
    spans = journey_breaks.spans(read, member)
    for number, (stay, span) in enumerate(zip(member.stays, spans, strict=True)):
        active = journey_breaks.active(span, idle)
        made = JourneyStay(department=stay.department, from_time=instant(stay.since), stalled=active > limit)
        made.active.FromMicroseconds(active)
        if number + 1 < len(spans) or member.ended_time is not None:
            until = instant(span[1])
            assert until is not None
            made.to_time.CopyFrom(until)
        yield made
