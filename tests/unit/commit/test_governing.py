"""What rules a batch: policies and tiers are taken in at once, and given back when nothing of it was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.policy_pb2 import PolicyPublished, PolicyWithdrawn, ServicePolicy
from ledger.commit.governing import Governing
from ledger.event import Event
from ledger.policy.book import PolicyBook
from tests.build import at, event, timestamp

ANNE, BOB = b"a" * 16, b"b" * 16


def classified(tier: str, minutes: float, subject: bytes = ANNE) -> Event:
    return event(CustomerClassified(tier=tier), occur=at(minutes), subject=subject)


def published(version: int = 1) -> Event:
    return event(PolicyPublished(policy_id="p", policy_version=version, in_force_from=timestamp(at(0)), policy=ServicePolicy()))


def governing(recorded: Iterable[Event] = (), looked: Callable[[], None] = lambda: None) -> Governing:
    def read() -> Iterable[Event]:
        looked()
        return recorded

    return Governing(PolicyBook(), read)


def tiers(rules: Governing, *minutes: float, subject: bytes = ANNE) -> list[str]:
    return [rules.tiers.tier(subject, at(minute)) for minute in minutes]


def versions(rules: Governing) -> list[int]:
    return [policy.version for policy in rules.policies.policies]


def test_a_tier_counts_from_the_instant_at_which_it_was_given() -> None:
    rules = governing([classified("gold", 20), classified("silver", 10), classified("gold", 5, BOB)])

    assert ["", "silver", "silver", "gold"] == tiers(rules, 9, 10, 19, 20)
    assert ["", "gold"] == tiers(rules, 4, 5, subject=BOB)


def test_of_two_tiers_of_one_instant_the_later_recorded_counts() -> None:
    assert ["silver"] == tiers(governing([classified("gold", 5), classified("silver", 5)]), 5)


def test_a_classification_without_a_tier_changes_none() -> None:
    rules = governing([classified("gold", 5)])

    rules.take(classified("", 6))

    assert ["gold"] == tiers(rules, 7)


def test_nobody_looks_for_tiers_until_one_is_asked_for_and_then_once() -> None:
    looks: list[int] = []
    rules = governing([classified("gold", 5)], lambda: looks.append(1))
    rules.take(classified("silver", 6))
    rules.committed()
    before = len(looks)

    tiers(rules, 7)
    tiers(rules, 8, subject=BOB)

    assert [0, 1] == [before, len(looks)]


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_tier_of_the_batch_counts_at_once_and_not_once_it_is_given_back(asked_before: bool) -> None:
    rules = governing([classified("gold", 5)])
    if asked_before:
        tiers(rules, 5)
    mark = rules.mark()

    rules.take(classified("silver", 6))
    taken = tiers(rules, 7)
    rules.undo(mark)

    assert (["silver"], ["gold"]) == (taken, tiers(rules, 7))


def test_a_policy_of_the_batch_counts_at_once_and_not_once_it_is_given_back() -> None:
    rules = governing()
    rules.take(published(1))
    mark = rules.mark()

    rules.take(published(2))
    taken = versions(rules)
    rules.undo(mark)

    assert ([1, 2], [1]) == (taken, versions(rules))


def test_what_was_not_recorded_is_given_back_when_the_next_batch_begins() -> None:
    rules = governing([classified("gold", 5)])
    rules.take(published(1))
    rules.committed()
    rules.take(published(2))
    rules.take(event(PolicyWithdrawn(policy_id="p", policy_version=1)))
    rules.take(classified("silver", 6))

    rules.begin()

    assert ([1], ["gold"]) == (versions(rules), tiers(rules, 7))


def test_what_others_recorded_stands_and_what_a_batch_under_way_held_does_not() -> None:
    rules = governing([classified("gold", 5)])
    tiers(rules, 5)
    rules.take(published(1))
    rules.take(classified("silver", 6))

    rules.learned([published(2), classified("bronze", 4)])
    rules.begin()

    assert ([2], ["bronze", "gold"]) == (versions(rules), tiers(rules, 4, 7))
