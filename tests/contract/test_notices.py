"""What is worth a notice: the real ledger and views, limits of a policy, and a time that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.api.v1.core_pb2 import STAYS, Due, Identifier
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffReturned
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.notice_service_pb2 import NOTICE_DUE_SOON, NOTICE_SILENT, NOTICE_UNACCEPTED, Notice, NoticeFilter
from ledger.api.v1.policy_pb2 import PolicyPublished, ServicePolicy
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.request_pb2 import WAITING_FOR_CUSTOMER, CustomerInformed, RequestOpened, RequestWaiting
from projections import notice_kinds, notices, policies
from projections.notice_kinds import Limits
from projections.view import MAX, Read
from tests.playing import DAY, HOUR, MINUTE, START, World, seconds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    policy = ServicePolicy(tiers=["gold", "silver"])
    policy.recording_allowance.FromSeconds(120)
    policy.promise_kinds.add(kind="quote", remind_before=seconds(3600))
    policy.silence_limit.FromSeconds(86400)
    policy.unaccepted_limit.FromSeconds(7200)
    published = PolicyPublished(policy_id="service", policy_version=1, policy=policy)
    published.in_force_from.FromMicroseconds(START)
    made.append(published)
    yield made
    made.close()


def limits_of(read: Read) -> Limits:
    book = policies.book(read.log, read.known)
    return Limits.of(book.in_force(read.evaluated), book.first_in_force_from)


def standing(world: World, at: int, known: int | None = None, before: int | None = None, **which: object) -> list[Notice]:
    world.project()
    with world.reader.snapshot() as snapshot:
        assert snapshot is not None
        read = replace(world.read(snapshot.db, snapshot.position), evaluated=at, before=before)
        read = read if known is None else replace(read, known=known)
        found, more = notices.standing(read, limits_of(read), NoticeFilter(**which))  # type: ignore[arg-type]
        assert not more
        return notices.messages(read, found)


def next_time(world: World, at: int) -> int:
    world.project()
    with world.reader.snapshot() as snapshot:
        assert snapshot is not None
        read = replace(world.read(snapshot.db, snapshot.position), evaluated=at)
        return notice_kinds.next_time(read, limits_of(read))


def promise(world: World, promise_id: str, due: int, who: str = "anna", kind: str = "quote", **more: str) -> None:
    customer = Identifier(type="email", value=f"{who}@example.org")
    made = PromiseMade(promise_id=promise_id, kind=kind, customer=customer, due=Due(), owner_department="sales", **more)
    made.due.instant.FromMicroseconds(due)
    world.append(made)


def offer(world: World, handoff_id: str, accept_by: int | None = None) -> None:
    offered = HandoffOffered(
        request_id="r1", handoff_id=handoff_id, from_department="front", to_department="shipping", ownership=STAYS
    )
    if accept_by is not None:
        offered.accept_by.FromMicroseconds(accept_by)
    world.append(offered, department="front")


def request(world: World) -> None:
    world.append(RequestOpened(request_id="r1", owner_department="front", reason="delivery"), department="front")


def test_a_promise_is_due_soon_from_its_reminder_on_until_it_is_kept(world: World) -> None:
    promise(world, "p1", START + DAY)

    assert START + DAY - HOUR == next_time(world, START)
    assert [] == standing(world, START + DAY - HOUR - 1)
    (notice,) = standing(world, START + DAY - HOUR)
    assert (NOTICE_DUE_SOON, "p1", "sales", "quote") == (notice.kind, notice.promise_id, notice.department, notice.about)

    world.now = START + DAY - HOUR + MINUTE
    world.append(PromiseKept(promise_id="p1"))
    assert [] == standing(world, world.now)


def test_a_kind_without_a_reminder_gets_no_notice(world: World) -> None:
    promise(world, "p1", START + HOUR, kind="delivery")

    assert [] == standing(world, START + HOUR)
    assert MAX == next_time(world, START)


def test_a_notice_keeps_its_id_until_its_reason_is_another(world: World) -> None:
    promise(world, "p1", START + DAY)

    first, later = (standing(world, at)[0] for at in (START + DAY - HOUR, START + DAY))

    assert first.notice_id == later.notice_id


def test_a_request_is_silent_once_its_customer_waits_for_longer_than_the_limit(world: World) -> None:
    request(world)

    assert [] == standing(world, START + DAY)
    (notice,) = standing(world, START + DAY + 1)
    assert (NOTICE_SILENT, "r1", "front", "delivery") == (notice.kind, notice.request_id, notice.department, notice.about)
    world.now = START + DAY
    world.append(CustomerInformed(request_id="r1"), department="front")
    assert [] == standing(world, START + 2 * DAY)
    (again,) = standing(world, START + 2 * DAY + 1)
    assert notice.notice_id != again.notice_id
    assert START + 2 * DAY == next_time(world, START + DAY)


def test_a_request_that_waits_for_the_customer_is_not_silent(world: World) -> None:
    request(world)
    world.append(RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER), department="front")

    assert [] == standing(world, START + 3 * DAY)


def test_a_handoff_is_unaccepted_after_its_term_else_after_the_limit(world: World) -> None:
    request(world)
    offer(world, "h1", START + HOUR)
    offer(world, "h2")

    assert [] == standing(world, START + HOUR)
    assert START + HOUR == next_time(world, START)
    assert ["h1"] == [one.handoff_id for one in standing(world, START + HOUR + 1)]
    both = standing(world, START + 2 * HOUR + 1)
    assert [("h1", "shipping"), ("h2", "shipping")] == [(one.handoff_id, one.department) for one in both]
    assert {NOTICE_UNACCEPTED} == {one.kind for one in both}
    world.append(HandoffAccepted(request_id="r1", handoff_id="h1"), department="shipping")
    world.append(HandoffReturned(request_id="r1", handoff_id="h2", missing_keys=["address"]), department="shipping")
    assert [] == standing(world, START + 3 * HOUR)


def test_notices_are_listed_by_tier_then_the_newest_customers(world: World) -> None:
    for number, who in enumerate(("anna", "ben", "cleo", "dan")):
        world.now = START + number * MINUTE
        promise(world, f"p-{who}", START + HOUR, who)
    for who, tier in (("anna", "gold"), ("ben", "silver"), ("cleo", "silver")):
        world.append(CustomerClassified(customer=Identifier(type="email", value=f"{who}@example.org"), tier=tier))

    found = standing(world, START + HOUR)

    assert ["p-anna", "p-cleo", "p-ben", "p-dan"] == [one.promise_id for one in found]
    assert ["gold", "silver", "silver", ""] == [one.tier for one in found]
    assert ["p-cleo", "p-ben"] == [one.promise_id for one in standing(world, START + HOUR, tiers=["silver"])]


def test_a_notice_shows_what_else_the_same_person_has_to_do_by_then(world: World) -> None:
    promise(world, "p1", START + HOUR, assignee="s-1")
    promise(world, "p2", START + HOUR + MINUTE, assignee="s-1")
    promise(world, "p3", START + HOUR, assignee="s-2")

    competing = {one.promise_id: one.competing_count for one in standing(world, START + HOUR)}

    assert {"p1": 0, "p2": 1, "p3": 0} == competing


def test_a_filter_by_department_and_kind(world: World) -> None:
    request(world)
    promise(world, "p1", START + 2 * DAY)

    assert ["p1"] == [one.promise_id for one in standing(world, START + 2 * DAY, departments=["sales"])]
    assert [NOTICE_SILENT] == [one.kind for one in standing(world, START + 2 * DAY, kinds=[NOTICE_SILENT])]


def test_notices_as_of_then(world: World) -> None:
    promise(world, "p1", START + HOUR)
    made = world.ledger.head().position
    world.now = START + MINUTE
    world.append(PromiseKept(promise_id="p1"))

    assert [] == standing(world, START + MINUTE)
    assert ["p1"] == [one.promise_id for one in standing(world, START + MINUTE, known=made)]
    assert ["p1"] == [one.promise_id for one in standing(world, START + MINUTE, before=START + MINUTE)]


def test_nothing_is_derived_for_what_was_begun_before_the_first_policy(world: World) -> None:
    world.append(RequestOpened(request_id="r1", owner_department="front"), department="front", occur=START - DAY, record_late=True)

    assert [] == standing(world, START + 5 * DAY)


def test_a_new_limit_counts_at_once(world: World) -> None:
    promise(world, "p1", START + DAY)
    policy = ServicePolicy()
    policy.promise_kinds.add(kind="quote", remind_before=seconds(86400))
    published = PolicyPublished(policy_id="service", policy_version=2, policy=policy)
    published.in_force_from.FromMicroseconds(START + HOUR)
    world.append(published)

    assert [] == standing(world, START + HOUR - 1)
    assert 1 == len(standing(world, START + HOUR))
