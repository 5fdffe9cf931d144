"""What a playbook does: the events that follow from a trigger by a policy. Pure.

Id and content of each are a function of the trigger, the policy version and what was recorded up to the trigger's position, so that
any number of followers write each once (domain rule 9.11). They occur when the trigger was recorded: the playbook acts on what the
ledger knows, not before it knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from ledger.api.v1.core_pb2 import CLOCK, PLAYBOOK, STAYS, Fact
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.opportunity_pb2 import OpportunitySuggested
from ledger.api.v1.policy_pb2 import Playbook, PlaybookStep
from ledger.api.v1.promise_pb2 import FROM_PLAYBOOK, PromiseMade
from ledger.event import Event
from ledger.event_id import derived_id, to_text
from ledger.policy.conditions import Card, Condition, ConditionError
from ledger.policy.policy import Policy

DEPTH_MAX: Final = 5
"""So many playbooks at most stand in a line of causes: a playbook that sets itself off comes to an end."""

ID_STEM_MAX: Final = 48

CONDITIONS_KEPT: Final = 1_000
"""Compiled conditions remembered: those of the policies in use, and of candidates tried lately."""


class Play(NamedTuple):
    """A playbook that a trigger sets off."""

    policy: Policy
    playbook: Playbook
    trigger: Event


class Fault(NamedTuple):
    """A playbook of which it cannot be said whether a trigger sets it off."""

    playbook: str
    why: str


class Situation(NamedTuple):
    """What the steps need to know, as of the trigger's position."""

    request_id: str
    """Request that the trigger belongs to; empty for none."""
    contact_id: str
    owner_department: str
    """Owner of the request; empty for an orphan."""
    fact_event_ids: Mapping[str, str] = {}
    """By key, the event by which the customer gave a fact last: about the request, else at all."""


class Step(NamedTuple):
    """One event of a play."""

    step: str
    event: EventToAppend


class CannotActError(Exception):
    """The playbook has nothing to act on. The text says why, for whoever wrote the policy."""


def acts_on(event: Event, policy: Policy) -> bool:
    """Return whether playbooks act on an event at all: not on imports, not on what was recorded too late or held back (domain
    rule 8.8).

    Whether it was too late is judged by the times in the event, not by when a follower gets to it.
    """
    header = event.header
    return not header.import_run and not header.held_back and event.record - event.order <= policy.act_within


def plays(event: Event, policy: Policy, card: Card) -> tuple[list[Play], list[Fault]]:
    """Return the playbooks of a policy that an event sets off, in the order of the policy. The card is as of its position.

    Beside them those whose condition has no value for it.
    """
    found: list[Play] = []
    faults: list[Fault] = []
    if not acts_on(event, policy):
        return found, faults
    for playbook in policy.document.playbooks:
        if event.topic not in playbook.topics:
            continue
        try:
            if condition_of(playbook)(event, card):
                found.append(Play(policy, playbook, event))
        except ConditionError as error:
            faults.append(Fault(playbook.playbook, error.message))
    return found, faults


def condition_of(playbook: Playbook) -> Callable[[Event, Card], bool]:
    """Return the condition of a playbook. Without one it always holds."""
    if not playbook.condition:
        return _always
    return _compiled(playbook.condition, tuple(playbook.topics)).holds


def _always(event: Event, card: Card) -> bool:
    return True


@lru_cache(CONDITIONS_KEPT)
def _compiled(text: str, topics: tuple[str, ...]) -> Condition:
    return Condition(text, topics)


def triggers(policies: Sequence[Policy]) -> frozenset[str]:
    """Return the topics that set off a playbook of any of the policies."""
    return frozenset(topic for policy in policies for playbook in policy.document.playbooks for topic in playbook.topics)


def steps_of(play: Play, situation: Situation) -> list[Step]:
    """Return the events of a play, one a step, in the order of the steps. Raises CannotActError."""
    return [Step(step.step, _event(play, step, situation)) for step in play.playbook.steps]


def step_event_id(play: Play, step: str) -> str:
    """Return the id of the event of a step."""
    policy, event = play.policy, play.trigger
    name = f"playbook:{event.event_id.hex()}:{policy.policy_id}@{policy.version}:{play.playbook.playbook}:{step}"
    return derived_id(_occur(event), name)


def actor_of(playbook: str, step: str) -> str:
    """Return as whom a step acts: playbook and step."""
    return f"{playbook}:{step}"


def request_of(event: Event) -> str:
    """Return the request that an event belongs to; empty for none."""
    return _field(event, "request_id")


def contact_of(event: Event) -> str:
    """Return the contact that an event belongs to; empty for none."""
    return _field(event, "contact_id")


def _field(event: Event, name: str) -> str:
    return str(getattr(event.payload, name)) if name in event.payload.DESCRIPTOR.fields_by_name else ""


def _occur(event: Event) -> int:
    return max(event.record, event.occur)


def _event(play: Play, step: PlaybookStep, situation: Situation) -> EventToAppend:
    trigger, policy = play.trigger, play.policy
    event_id = step_event_id(play, step.step)
    envelope = EventEnvelope(
        event_id=event_id,
        actor_kind=PLAYBOOK,
        actor=actor_of(play.playbook.playbook, step.step),
        causation_id=to_text(trigger.event_id),
        policy_id=policy.policy_id,
        policy_version=policy.version,
    )
    envelope.occur_time.FromMicroseconds(_occur(trigger))
    if situation.owner_department:
        envelope.department = situation.owner_department
    if trigger.header.correlation_id:
        envelope.correlation_id = trigger.header.correlation_id
    action = step.WhichOneof("action")
    entity_id = f"{step.step[:ID_STEM_MAX]}-{event_id.replace('-', '')}"
    return EventToAppend(envelope=envelope, payload=_ACTIONS[str(action)](play, step, situation, entity_id))


def _offer(play: Play, step: PlaybookStep, situation: Situation, handoff_id: str) -> Payload:
    said = step.offer_handoff
    if not situation.request_id:
        raise CannotActError(f"step {step.step} offers a handoff, and the trigger belongs to no request")
    if not situation.owner_department:
        raise CannotActError(f"step {step.step} offers a handoff, and request {situation.request_id} has no owner to offer it")
    offered = HandoffOffered(
        request_id=situation.request_id,
        handoff_id=handoff_id,
        from_department=situation.owner_department,
        to_department=said.to_department,
        type=said.type,
        ownership=said.ownership or STAYS,
        facts=_facts(play.policy, said.type, situation),
    )
    if said.reason:
        offered.reason = said.reason
    if said.next_step:
        offered.next_step = said.next_step
    return Payload(handoff_offered=offered)


def _facts(policy: Policy, type_: str, situation: Situation) -> list[Fact]:
    """Return the facts that the type needs and the customer gave: by reference, without a value. No playbook reads one."""
    known = policy.handoff_types.get(type_)
    if known is None:
        return []
    given = situation.fact_event_ids
    return [Fact(key=key, fact_event_id=given[key]) for key in known.required_facts if key in given]


def _promise(play: Play, step: PlaybookStep, situation: Situation, promise_id: str) -> Payload:
    said = step.make_promise
    if not situation.request_id:
        raise CannotActError(f"step {step.step} makes a promise, and the trigger belongs to no request")
    made = PromiseMade(promise_id=promise_id, kind=said.kind, origin=FROM_PLAYBOOK, request_id=situation.request_id)
    owner = said.owner_department or situation.owner_department
    if owner:
        made.owner_department = owner
    if said.HasField("due_within"):
        due = play.policy.due(said.measure, owner, play.trigger.order, said.due_within.ToMicroseconds())
        if due is not None:
            made.due.instant.FromMicroseconds(due)
    return Payload(promise_made=made)


def _opportunity(play: Play, step: PlaybookStep, situation: Situation, opportunity_id: str) -> Payload:
    said = step.suggest_opportunity
    if not situation.request_id and not situation.contact_id:
        raise CannotActError(f"step {step.step} suggests an opportunity, and the trigger belongs to no contact or request")
    suggested = OpportunitySuggested(opportunity_id=opportunity_id, kind=said.kind)
    if said.product:
        suggested.product = said.product
    if situation.contact_id:
        suggested.contact_id = situation.contact_id
    if situation.request_id:
        suggested.request_id = situation.request_id
    return Payload(opportunity_suggested=suggested)


_ACTIONS: Final[dict[str, Callable[[Play, PlaybookStep, Situation, str], Payload]]] = {
    "offer_handoff": _offer,
    "make_promise": _promise,
    "suggest_opportunity": _opportunity,
}


def depth(event: Event, find: Callable[[bytes], Event | None]) -> int:
    """Return how many playbooks stand in an event's line of causes, itself included; at most DEPTH_MAX.

    The line goes back as long as the ledger itself acted, by a playbook or by the clock. `find` returns the event of an id, None
    for one that is not recorded.
    """
    found = 0
    cause: Event | None = event
    for _ in range(2 * DEPTH_MAX):
        if cause is None or cause.header.actor_kind not in (CLOCK, PLAYBOOK):
            break
        found += cause.header.actor_kind == PLAYBOOK
        cause = find(cause.header.causation_id)
    return min(found, DEPTH_MAX)
