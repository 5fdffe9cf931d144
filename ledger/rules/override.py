"""A rule that somebody overrode: one event, which is its only state. Rules advise; people may always do otherwise, with a reason.

Pure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.event import Event
from ledger.rules.single import SingleRules

OVERRIDDEN: Final = 1
"""The one state."""


class OverrideState(NamedTuple):
    """An override. Times are microseconds UTC, unset strings empty."""

    state: int
    occur_time: int
    rule: str
    step: str
    policy_id: str
    policy_version: int
    trigger_event_id: str
    request_id: str
    contact_id: str
    reason: str
    department: str
    actor: str
    subject: bytes


def recorded(event: Event) -> OverrideState | None:
    """Return the override that an event records; None for an event of another kind."""
    if event.topic != "rule-overridden":
        return None
    payload, header = event.payload, event.header
    return OverrideState(
        state=OVERRIDDEN,
        occur_time=event.occur,
        rule=payload.rule,
        step=payload.step,
        policy_id=payload.policy_id,
        policy_version=payload.policy_version,
        trigger_event_id=payload.trigger_event_id,
        request_id=payload.request_id,
        contact_id=payload.contact_id,
        reason=payload.reason,
        department=header.department,
        actor=header.actor,
        subject=event.subject,
    )


RULES: Final = SingleRules("override", recorded, "rule-overridden")
