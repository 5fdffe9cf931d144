from __future__ import annotations

from ledger.api.v1.policy_pb2 import Department, PolicyWithdrawn, ServicePolicy
from ledger.policy.book import PolicyBook
from ledger.policy.policy import Policy
from tests.build import event


def policy(version: int, position: int, in_force_from: int, document: ServicePolicy | None = None) -> Policy:
    return Policy(document or ServicePolicy(), "p", version, position, in_force_from)


def test_no_policy_rules_what_occurred_before_the_first_one() -> None:
    book = PolicyBook([policy(1, 2, 100)])

    assert book.in_force(99) is None
    assert 100 == book.first_in_force_from


def test_a_policy_is_in_force_from_its_first_instant() -> None:
    book = PolicyBook([policy(1, 2, 100), policy(2, 9, 200)])

    assert [1, 2] == [book.in_force(time).version for time in (199, 200)]  # type: ignore[union-attr]


def test_of_two_policies_in_force_from_one_instant_the_later_published_rules() -> None:
    book = PolicyBook([policy(2, 9, 100)])
    book.add(policy(1, 2, 100))

    assert book.in_force(100) == policy(2, 9, 100)


def test_a_policy_published_later_may_be_in_force_from_earlier() -> None:
    book = PolicyBook([policy(1, 2, 100), policy(2, 9, 50)])

    assert [2, 1] == [book.in_force(time).version for time in (99, 100)]  # type: ignore[union-attr]


def test_a_withdrawn_policy_rules_nothing_that_is_recorded_from_then_on() -> None:
    book = PolicyBook([policy(1, 2, 100), policy(2, 9, 200)])

    book.take(event(PolicyWithdrawn(policy_id="p", policy_version=2)))

    assert policy(1, 2, 100) == book.in_force(300)
    assert book.version("p", 2) is None


def test_what_a_batch_took_in_can_be_given_back() -> None:
    book = PolicyBook([policy(1, 2, 100)])
    mark = book.mark()
    book.add(policy(2, 9, 200, ServicePolicy(departments=[Department(department="sales")])))

    book.undo(mark)

    assert (policy(1, 2, 100), False) == (book.in_force(300), book.names_departments)
