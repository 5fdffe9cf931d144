"""Which policy rules an event: the published documents, by position and by when they are in force (domain rule 8.10).

Pure. The writer keeps one for the whole log; whoever asks about the past builds one of the events up to a position.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from ledger.event import Event
from ledger.policy.policy import Policy
from ledger.rules import hours_book

TOPICS = ("policy-published", "policy-withdrawn")
"""The events that a book is made of."""


class PolicyBook:
    """All policies that are published and not withdrawn."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self._policies: tuple[Policy, ...] = ()
        self._from: tuple[int, ...] = ()
        self._names_departments = False
        for policy in policies:
            self.add(policy)

    @classmethod
    def of(cls, events: Iterable[Event]) -> PolicyBook:
        """Return the book that events make, in order of position; those that are not about policies change nothing."""
        book = cls()
        for event in events:
            book.take(event)
        return book

    def take(self, event: Event) -> None:
        """Take in an event that was just recorded."""
        if event.topic == "policy-published":
            self.add(Policy.of(event))
        elif event.topic == "policy-withdrawn":
            self.withdraw(event.payload.policy_id, event.payload.policy_version)

    def add(self, policy: Policy) -> None:
        """Take in a policy that was just published."""
        hours_book.learn(policy.document)
        self._set((*self._policies, policy))

    def withdraw(self, policy_id: str, version: int) -> None:
        """Leave a policy out from now on. What it decided is not touched."""
        self._set(tuple(policy for policy in self._policies if (policy.policy_id, policy.version) != (policy_id, version)))

    def in_force(self, occur: int) -> Policy | None:
        """Return the policy for an event that occurs at `occur` and is recorded now; None before the first one."""
        place = bisect_right(self._from, occur)
        return self._policies[place - 1] if place else None

    def version(self, policy_id: str, version: int) -> Policy | None:
        """Return one version of a policy; None when it is not published, or withdrawn."""
        return next((one for one in self._policies if (one.policy_id, one.version) == (policy_id, version)), None)

    @property
    def names_departments(self) -> bool:
        """True when a policy lists departments, so that a department may be unknown."""
        return self._names_departments

    @property
    def first_in_force_from(self) -> int | None:
        """From when the first policy is in force; what occurred before is unmeasured (domain rule 8.8)."""
        return self._from[0] if self._from else None

    @property
    def latest(self) -> Policy | None:
        """The policy that comes into force last."""
        return self._policies[-1] if self._policies else None

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy, in the order in which they come into force; of two from one instant, the later published last."""
        return self._policies

    def mark(self) -> tuple[Policy, ...]:
        """Return what the book holds now, to be put back by `undo`."""
        return self._policies

    def undo(self, mark: tuple[Policy, ...]) -> None:
        """Put back what the book held at the mark: a batch was not recorded."""
        if self._policies is not mark:
            self._set(mark)

    def _set(self, policies: tuple[Policy, ...]) -> None:
        self._policies = tuple(sorted(policies, key=lambda policy: (policy.in_force_from, policy.position)))
        self._from = tuple(policy.in_force_from for policy in self._policies)
        self._names_departments = any(policy.departments for policy in self._policies)
