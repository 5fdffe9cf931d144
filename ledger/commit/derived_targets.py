"""What the policy says about the targets of a request's resolution and of a complaint: resolved at append, stored in the event.

A complaint's targets never pause, so their dues are stored. A resolution may pause: stored are the duration, how it is measured,
and whether it pauses; the fold makes the due of them (ledger/rules/resolution.py), and needs nothing that is published later.
"""

from __future__ import annotations

from typing import Any

from ledger.api.v1.policy_pb2 import TARGET_COMPLAINT_ACKNOWLEDGE, TARGET_COMPLAINT_RESPOND, TARGET_RESOLUTION
from ledger.commit.streams import Streams
from ledger.event import Event
from ledger.policy.policy import Policy, TargetRule
from ledger.rules.instant import micros
from ledger.rules.request import RequestState
from ledger.rules.resolution import last_wait


def open_request(policy: Policy, event: Event, tier: str) -> bool:
    """Store the target of a request that is opened; return whether there is one."""
    payload, header = event.payload, event.header
    department = payload.owner_department or header.department
    rule = policy.target_for(TARGET_RESOLUTION, header.channel, tier, payload.reason, payload.priority, department)
    return rule is not None and _store(policy, rule, payload)


def classify_request(policy: Policy, event: Event, state: object, tier: str, measured_from: int | None) -> bool:
    """Store the target under another reason or priority, or that there is none then; return whether the policy decided anything.

    `measured_from`: requests opened before get no target (domain rule 8.8).
    """
    payload = event.payload
    if not isinstance(state, RequestState) or not (payload.priority or payload.reason):
        return False
    resolving = state.resolving
    if resolving.target is None and (not resolving.measured or measured_from is None or resolving.start < measured_from):
        return False
    reason, priority = payload.reason or state.reason, payload.priority or state.priority
    rule = policy.target_for(TARGET_RESOLUTION, state.channel, tier, reason, priority, state.owner_department or "")
    if rule is not None:
        return _store(policy, rule, payload)
    if resolving.target is not None:
        payload.resolution_untargeted = True
    return resolving.target is not None


def receive_complaint(policy: Policy, event: Event, tier: str) -> bool:
    """Store when a complaint has to be acknowledged and responded to; return whether it has."""
    payload, header = event.payload, event.header
    department = payload.owner_department or header.department
    start = event.order
    if payload.HasField("first_expressed_time"):
        start = min(start, micros(payload.first_expressed_time))
    decided = False
    for kind, due_time in (
        (TARGET_COMPLAINT_ACKNOWLEDGE, payload.acknowledge_due_time),
        (TARGET_COMPLAINT_RESPOND, payload.respond_due_time),
    ):
        rule = policy.target_for(kind, header.channel, tier, payload.reason, "", department)
        due = rule.hours.add(start, rule.within) if rule is not None else None
        if due is not None:
            due_time.FromMicroseconds(due)
            decided = True
    return decided


def link_contact(event: Event, state: object, streams: Streams) -> None:
    """Store when the customer came back in a contact that is linked to a request (`state`) that waited for him.

    That is the first thing he did in it since the last wait began. The contact is read only where there was one.
    """
    since = last_wait(state.resolving) if isinstance(state, RequestState) else None
    if since is None:
        return
    acts = [
        one.order
        for one in streams.events(f"contact-{event.payload.contact_id}")
        if one.topic in ("contact-received", "message-received") and one.order >= since
    ]
    if acts:
        event.payload.customer_time.FromMicroseconds(min(acts))


def _store(policy: Policy, rule: TargetRule, payload: object) -> bool:
    said: Any = payload
    said.resolution_within.FromMicroseconds(rule.within)
    if rule.calendar:
        said.resolution_hours = policy.hours_key(rule.calendar)
    if rule.pauses:
        said.resolution_pauses = True
    return True
