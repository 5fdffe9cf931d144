from __future__ import annotations

from ledger.policy.book import Policy, PolicyBook


def policy(version: int, position: int, in_force_from: int) -> Policy:
    return Policy("p", version, position, in_force_from, {}, False, 0, 0)


def test_no_policy_rules_what_occurred_before_the_first_one() -> None:
    book = PolicyBook([policy(1, 2, 100)])

    assert book.in_force(99) is None


def test_a_policy_is_in_force_from_its_first_instant() -> None:
    book = PolicyBook([policy(1, 2, 100), policy(2, 9, 200)])

    assert [1, 2] == [book.in_force(time).version for time in (199, 200)]  # type: ignore[union-attr]


def test_of_two_policies_in_force_from_one_instant_the_later_published_rules() -> None:
    book = PolicyBook([policy(2, 9, 100)])
    book.add(policy(1, 2, 100))

    assert book.in_force(100) == policy(2, 9, 100)
