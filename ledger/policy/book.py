"""Which policy rules an event: the published documents, by position and by when they are in force (domain rule 8.10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ledger.event import Event


class Policy(NamedTuple):
    """A published policy, ready to be asked."""

    policy_id: str
    version: int
    position: int
    in_force_from: int
    response_within: dict[str, int]
    """Microseconds to answer within, by channel."""
    bot_answers: bool
    recording_allowance: int
    reopen_window: int

    @classmethod
    def of(cls, event: Event) -> Policy:
        """Read a `policy-published` event."""
        said = event.payload
        policy = said.policy
        return cls(
            policy_id=said.policy_id,
            version=said.policy_version,
            position=event.position,
            in_force_from=said.in_force_from.ToMicroseconds(),
            response_within={target.channel: target.within.ToMicroseconds() for target in policy.response_targets},
            bot_answers=policy.bot_answers,
            recording_allowance=policy.recording_allowance.ToMicroseconds(),
            reopen_window=policy.reopen_window.ToMicroseconds(),
        )


class PolicyBook:
    """All published policies."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self._policies = sorted(policies, key=lambda policy: (policy.in_force_from, policy.position), reverse=True)

    def add(self, policy: Policy) -> None:
        """Take in a policy that was just published."""
        self._policies = sorted([*self._policies, policy], key=lambda one: (one.in_force_from, one.position), reverse=True)

    def in_force(self, occur: int) -> Policy | None:
        """Return the policy for an event that occurs at `occur` and is recorded now; None before the first one."""
        for policy in self._policies:
            if policy.in_force_from <= occur:
                return policy
        return None

    @property
    def latest(self) -> Policy | None:
        """The policy that came into force last."""
        return self._policies[0] if self._policies else None
