"""Expected paths against recorded ones: where requests of a reason left the way that the policy expects.

The path expected is that of the reason in the policy in force when the request was opened, as known. What is compared are the
journey steps recorded (journey-step-reached), and those steps of the request's own life that the expected path names, by their
topic with underscores: `handoff_accepted`, `request_resolved`. Each step counts once, where it was first reached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledger.api.v1.consistency_pb2 import CountRow
from ledger.api.v1.journey_pb2 import Conformance, PathCheck
from ledger.policy.policy import Policy
from ledger.rules.journey import OWN, TOPICS
from projections import policies
from projections.journey_members import Member
from projections.view import Read


class _Compared(NamedTuple):
    """A recorded path beside the expected one."""

    recorded: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    out_of_order: bool

    @property
    def as_expected(self) -> bool:
        """True when all that was expected was reached, in order, and nothing else."""
        return not (self.missing or self.extra or self.out_of_order)


def check(read: Read, member: Member) -> PathCheck | None:
    """Return the path of a request against the one expected; None where none is."""
    policy = policies.book(read.log, read.known).in_force(member.opened_time)
    expected = _expected(policy, member.reason)
    if policy is None or not expected:
        return None
    compared = _compare(expected, member)
    return PathCheck(
        policy_id=policy.policy_id,
        policy_version=policy.version,
        expected=expected,
        recorded=compared.recorded,
        missing=compared.missing,
        extra=compared.extra,
        out_of_order=compared.out_of_order,
    )


def conformances(read: Read, found: Iterable[Member]) -> list[Conformance]:
    """Return how requests went along expected paths, by reason and policy, those of most requests first."""
    book = policies.book(read.log, read.known)
    if not any(rule.expected_path for policy in book.policies for rule in policy.reasons.values()):
        return []
    groups: dict[tuple[str, str, int], tuple[Policy, list[Member]]] = {}
    for member in found:
        policy = book.in_force(member.opened_time)
        if policy is not None and _expected(policy, member.reason):
            groups.setdefault((member.reason, policy.policy_id, policy.version), (policy, []))[1].append(member)
    made = [_conformance(reason, policy, of_group) for (reason, _, _), (policy, of_group) in groups.items()]
    return sorted(made, key=lambda one: (-one.request_count, one.reason, one.policy_id, one.policy_version))


def _conformance(reason: str, policy: Policy, found: Sequence[Member]) -> Conformance:
    expected = _expected(policy, reason)
    compared = [(member, _compare(expected, member)) for member in found]
    ended = [one for member, one in compared if member.ended_time is not None]
    return Conformance(
        reason=reason,
        policy_id=policy.policy_id,
        policy_version=policy.version,
        expected=expected,
        request_count=len(found),
        unended_count=len(found) - len(ended),
        as_expected_count=sum(one.as_expected for one in ended),
        out_of_order_count=sum(one.out_of_order for _, one in compared),
        missing=_counted(step for one in ended for step in one.missing),
        extra=_counted(step for _, one in compared for step in one.extra),
    )


def _counted(steps: Iterable[str]) -> list[CountRow]:
    counts = sorted(Counter(steps).items(), key=lambda item: (-item[1], item[0]))
    return [CountRow(values=[step], count=count) for step, count in counts]


def _expected(policy: Policy | None, reason: str) -> tuple[str, ...]:
    rule = policy.reasons.get(reason) if policy is not None else None
    return tuple(dict.fromkeys(rule.expected_path)) if rule is not None else ()


def _compare(expected: Sequence[str], member: Member) -> _Compared:
    recorded: dict[str, None] = {}
    for step in member.steps.split():
        own = step.startswith(OWN)
        code = step[1:] if own else TOPICS[step].replace("-", "_")
        if own or code in expected:
            recorded.setdefault(code)
    reached = [step for step in recorded if step in expected]
    return _Compared(
        recorded=tuple(recorded),
        missing=tuple(step for step in expected if step not in recorded),
        extra=tuple(step for step in recorded if step not in expected),
        out_of_order=reached != [step for step in expected if step in recorded],
    )
