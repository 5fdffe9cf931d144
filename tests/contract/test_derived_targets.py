"""Targets of requests and complaints on the real ledger, with its views and a clock that is moved by hand: derived from the policy
in force, frozen, broken once, and listed beside promises.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.api.v1.complaint_pb2 import UPHELD, ComplaintAcknowledged, ComplaintReceived, ComplaintResponded
from ledger.api.v1.complaint_service_pb2 import ComplaintFilter
from ledger.api.v1.contact_pb2 import ContactReceived, MessageReceived
from ledger.api.v1.event_pb2 import EventCorrected, Payload
from ledger.api.v1.exception_pb2 import EXCLUDED, ExceptionGranted, ExceptionScope
from ledger.api.v1.exception_service_pb2 import GetAdjustedRequest
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.policy_pb2 import (
    BUSINESS_TIME,
    FRONT_OFFICE,
    TARGET_COMPLAINT_ACKNOWLEDGE,
    TARGET_COMPLAINT_RESPOND,
    TARGET_RESOLUTION,
    Calendar,
    Department,
    OpenPeriod,
    PolicyPublished,
    ServicePolicy,
    Target,
    Weekday,
    WeekdayHours,
)
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.promise_service_pb2 import (
    PROMISE_BY_KIND,
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PromiseFilter,
)
from ledger.api.v1.request_pb2 import (
    WAITING_FOR_CUSTOMER,
    ContactLinked,
    RequestClassified,
    RequestOpened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
)
from ledger.event_id import to_text
from ledger.rules import hours_book
from projections import adjusted, complaints, promises
from projections.view import Read
from tests.appending import append_one
from tests.build import timestamp
from tests.contract.test_clock import DAY, HOUR, MINUTE, START, World

KINDS = ("resolution", "complaint_acknowledge", "complaint_respond")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def target(kind: Any, within: int, **fields: Any) -> Target:
    made = Target(kind=kind, **fields)
    made.within.FromMicroseconds(within)
    return made


def publish(world: World, *targets: Target, version: int = 1, **fields: Any) -> None:
    document = ServicePolicy(targets=targets, **fields)
    document.recording_allowance.FromMicroseconds(2 * MINUTE)
    document.reopen_window.FromMicroseconds(30 * DAY)
    said = PolicyPublished(policy_id="service", policy_version=version, policy=document)
    said.in_force_from.FromMicroseconds(world.now)
    assert "" == append_one(world.ledger, said)


def says(world: World, *payloads: Any, **envelope: Any) -> None:
    for payload in payloads:
        assert "" == append_one(world.ledger, payload, **{"department": "desk", "channel": "email", **envelope})


def asked(world: World, ask: Any) -> Any:
    """Bring the views up to date, and ask them."""
    world.project()
    with world.reader.snapshot() as snapshot:
        assert snapshot is not None
        at = snapshot.position
        return ask(Read(snapshot.db, at, at, None, world.now, world.ledger.store, world.ledger.content))


def shown(world: World, promise_id: str) -> Any:
    return asked(world, lambda read: promises.get(read, promise_id))


def due_of(world: World, promise_id: str) -> int | None:
    one = shown(world, promise_id)
    return one.due_time.ToMicroseconds() - START if one.HasField("due_time") else None


PAUSING = {"pauses_for_customer": True}


def test_a_request_that_is_not_resolved_in_time_is_broken_once(world: World) -> None:
    publish(world, target(TARGET_RESOLUTION, 4 * HOUR))
    says(world, RequestOpened(request_id="r1", owner_department="desk"))
    world.now = START + 4 * HOUR + 2 * MINUTE

    assert (1, 0) == (world.look(), world.look())
    (broken,) = world.events("promise-broken")
    assert ("resolution-r1", "r1", START + 4 * HOUR) == (broken.payload.promise_id, broken.payload.request_id, broken.occur)
    says(world, RequestResolved(request_id="r1", resolution=1))
    one = shown(world, "resolution-r1")
    assert (PROMISE_STATE_KEPT_LATE, "desk", True, "r1") == (one.state, one.owner_department, one.response_target, one.request_id)


def test_while_the_customer_is_waited_for_nothing_is_due_and_nothing_broken(world: World) -> None:
    publish(world, target(TARGET_RESOLUTION, 4 * HOUR, **PAUSING))
    says(world, RequestOpened(request_id="r1", owner_department="desk"))
    world.now = START + HOUR
    says(world, RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER))
    world.now = START + 10 * DAY
    assert (None, 0) == (due_of(world, "resolution-r1"), world.look())

    says(world, RequestResumed(request_id="r1"))

    assert 10 * DAY + 3 * HOUR == due_of(world, "resolution-r1")
    world.now = START + 10 * DAY + 3 * HOUR + 2 * MINUTE
    assert 1 == world.look()


def test_the_customers_next_contact_ends_the_wait_when_it_is_linked(world: World) -> None:
    publish(world, target(TARGET_RESOLUTION, 4 * HOUR, **PAUSING))
    says(world, RequestOpened(request_id="r1", owner_department="desk"))
    world.now = START + HOUR
    says(world, RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER))
    world.now = START + 2 * HOUR
    says(world, ContactReceived(contact_id="c2", reason="delivery"))
    world.now = START + 2 * HOUR + 10 * MINUTE
    says(world, ContactLinked(request_id="r1", contact_id="c2"))

    assert 5 * HOUR == due_of(world, "resolution-r1")


def test_a_link_that_is_corrected_says_anew_when_the_customer_came_back(world: World) -> None:
    publish(world, target(TARGET_RESOLUTION, 4 * HOUR, **PAUSING))
    says(world, RequestOpened(request_id="r1", owner_department="desk"))
    world.now = START + HOUR
    says(world, RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER))
    for number in (2, 3):
        world.now = START + number * HOUR
        says(world, ContactReceived(contact_id=f"c{number}", reason="delivery"))
    says(world, ContactLinked(request_id="r1", contact_id="c2"))
    assert 5 * HOUR == due_of(world, "resolution-r1")
    (linked,) = world.events("contact-linked")
    correction = EventCorrected(
        stream="request-r1",
        corrected_event_id=to_text(linked.event_id),
        reason="mistake",
        payload=Payload(contact_linked=ContactLinked(request_id="r1", contact_id="c3")),
    )

    says(world, correction)

    assert 6 * HOUR == due_of(world, "resolution-r1")


@pytest.mark.parametrize("named", [[], ["r1"]], ids=["in a contact that is linked", "that names the request"])
def test_the_customers_message_ends_the_wait_and_the_clock_knows_of_it(world: World, named: list[str]) -> None:
    publish(world, target(TARGET_RESOLUTION, 4 * HOUR, **PAUSING))
    says(world, ContactReceived(contact_id="c1", reason="delivery"))
    says(world, RequestOpened(request_id="r1", contact_id=None if named else "c1", owner_department="desk"))
    world.now = START + HOUR
    says(world, RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER))
    world.now = START + 3 * HOUR
    says(world, MessageReceived(contact_id="c1", request_ids=named))

    assert 6 * HOUR == due_of(world, "resolution-r1")
    world.now = START + 6 * HOUR + 2 * MINUTE
    world.look()
    assert PROMISE_STATE_BROKEN == shown(world, "resolution-r1").state


def test_a_policy_published_in_the_middle_touches_nothing_that_is_recorded(world: World) -> None:
    publish(world, target(TARGET_RESOLUTION, 4 * HOUR, **PAUSING))
    says(world, RequestOpened(request_id="r1", owner_department="desk"))
    world.now = START + HOUR
    says(world, RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER))
    publish(world, target(TARGET_RESOLUTION, HOUR), version=2)
    world.now = START + 2 * HOUR
    says(world, RequestResumed(request_id="r1"), RequestOpened(request_id="r2", owner_department="desk"))

    assert (5 * HOUR, 3 * HOUR) == (due_of(world, "resolution-r1"), due_of(world, "resolution-r2"))


def test_another_priority_is_ruled_by_the_policy_of_its_time_and_loses_no_pause(world: World) -> None:
    high = target(TARGET_RESOLUTION, 6 * HOUR, priority="high", **PAUSING)
    publish(world, target(TARGET_RESOLUTION, 8 * HOUR, **PAUSING), high, priorities=["high", "low"])
    says(world, RequestOpened(request_id="r1", owner_department="desk"))
    world.now = START + HOUR
    says(world, RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER))
    world.now = START + 2 * HOUR
    says(world, RequestClassified(request_id="r1", priority="high"))
    assert due_of(world, "resolution-r1") is None

    world.now = START + 3 * HOUR
    says(world, RequestResumed(request_id="r1"))

    assert 8 * HOUR == due_of(world, "resolution-r1")


def test_business_time_is_measured_in_the_departments_hours_as_the_policy_resolved_them(world: World) -> None:
    world.now = round(datetime(2026, 3, 27, 16, tzinfo=UTC).timestamp()) * 1_000_000
    week = [WeekdayHours(weekday=day, periods=[OpenPeriod(from_minute=480, until_minute=1080)]) for day in Weekday.values()[1:6]]
    publish(
        world,
        target(TARGET_RESOLUTION, 3 * HOUR, measure=BUSINESS_TIME),
        calendars=[Calendar(calendar="desk", zone="Europe/Paris", week=week)],
        default_calendar="desk",
        departments=[Department(department="desk", calendar="desk", layer=FRONT_OFFICE)],
    )
    says(world, RequestOpened(request_id="r1", owner_department="desk"))

    # Friday 17:00 in Paris, one hour before the end; the other two are on Monday from 8:00 on, in summer time.
    due = due_of(world, "resolution-r1")
    assert due is not None
    assert datetime(2026, 3, 30, 8, tzinfo=UTC) == datetime.fromtimestamp((START + due) / 1_000_000, UTC)
    (stored,) = world.events("request-opened")
    assert hours_book.KEY_BYTES == len(stored.payload.resolution_hours)


def test_a_complaints_clock_starts_at_its_first_expression(world: World) -> None:
    publish(
        world,
        target(TARGET_COMPLAINT_ACKNOWLEDGE, DAY),
        target(TARGET_COMPLAINT_RESPOND, 5 * DAY),
        departments=[Department(department="desk", layer=FRONT_OFFICE)],
    )
    received = ComplaintReceived(complaint_id="k1", owner_department="desk", first_expressed_time=timestamp(START - 2 * HOUR))
    says(world, received)
    assert (22 * HOUR, 5 * DAY - 2 * HOUR) == (due_of(world, "acknowledge-k1"), due_of(world, "respond-k1"))

    world.now = START + HOUR
    says(world, ComplaintAcknowledged(complaint_id="k1"))
    world.now = START + 5 * DAY + 2 * MINUTE
    overdue = asked(world, lambda read: complaints.page(read, ComplaintFilter(overdue=True), 10, None)[0])
    assert 1 == world.look()
    says(world, ComplaintResponded(complaint_id="k1", decision=UPHELD))

    (broken,) = world.events("promise-broken")
    assert ("respond-k1", "k1") == (broken.payload.promise_id, broken.payload.complaint_id)
    assert ["k1"] == [one.complaint_id for one in overdue]
    complaint = asked(world, lambda read: complaints.get(read, "k1"))
    assert (PROMISE_STATE_KEPT, PROMISE_STATE_KEPT_LATE, False) == (
        complaint.acknowledge_target,
        complaint.respond_target,
        complaint.overdue,
    )
    assert [(FRONT_OFFICE, "desk")] == [(clock.layer, clock.department) for clock in complaint.clocks]


def test_a_target_missed_before_the_complaint_was_even_recorded_is_broken_all_the_same(world: World) -> None:
    publish(world, target(TARGET_COMPLAINT_ACKNOWLEDGE, HOUR))
    says(world, ComplaintReceived(complaint_id="k1", first_expressed_time=timestamp(START - DAY)))
    world.now = START + 2 * MINUTE

    assert (1, 0) == (world.look(), world.look())
    assert PROMISE_STATE_BROKEN == shown(world, "acknowledge-k1").state


def test_derived_targets_are_listed_by_kind_beside_promises_and_never_among_them(world: World) -> None:
    publish(
        world,
        target(TARGET_RESOLUTION, 3 * HOUR),
        target(TARGET_COMPLAINT_ACKNOWLEDGE, HOUR),
        target(TARGET_COMPLAINT_RESPOND, 2 * HOUR),
    )
    says(world, RequestOpened(request_id="r1", owner_department="desk"), ComplaintReceived(complaint_id="k1"))
    says(world, PromiseMade(promise_id="p1", kind="delivery"))

    def listed(**filter: Any) -> list[str]:
        def ask(read: Read) -> list[str]:
            found: list[str] = []
            after: Any = None
            while True:
                page, after = promises.page(read, PromiseFilter(**filter), 1, after)
                found += [one.promise_id for one in page]
                if after is None:
                    return found

        answer: list[str] = asked(world, ask)
        return answer

    assert ["acknowledge-k1", "respond-k1", "resolution-r1"] == listed(response_targets=True)
    assert ["resolution-r1"] == listed(response_targets=True, kinds=["resolution", "first_response"])
    assert ["resolution-r1"] == listed(response_targets=True, request_id="r1")
    assert ["p1"] == listed()
    counted = asked(world, lambda read: promises.count(read, PromiseFilter(response_targets=True), [PROMISE_BY_KIND]))
    assert dict.fromkeys(KINDS, 1) == {row.values[0]: row.count for row in counted.rows}
    changes = asked(world, lambda read: promises.changed(read, 0, PromiseFilter(response_targets=True)))
    assert 3 == len(changes)
    assert {PROMISE_STATE_OPEN} == {one.state for _, one in changes}


def test_an_exception_from_a_kind_of_target_covers_that_kind_only(world: World) -> None:
    publish(world, target(TARGET_RESOLUTION, HOUR), target(TARGET_COMPLAINT_RESPOND, HOUR))
    says(
        world,
        RequestOpened(request_id="r1", owner_department="desk"),
        ComplaintReceived(complaint_id="k1", owner_department="desk"),
    )
    world.now = START + DAY
    world.look()
    period = {"from_time": timestamp(START), "until_time": timestamp(START + 2 * HOUR)}
    says(
        world,
        ExceptionGranted(
            exception_id="x1", rule="resolution", effect=EXCLUDED, approver="s1", scope=ExceptionScope(department="desk"), **period
        ),
    )

    question = GetAdjustedRequest(due_from=timestamp(START), due_until=timestamp(START + 2 * HOUR), response_targets=True)
    outcome = asked(world, lambda read: adjusted.adjusted(read, question))

    assert (2, 1, ["resolution-r1"]) == (
        outcome.raw.broken,
        outcome.adjusted.broken,
        [one.promise_id for one in outcome.differences],
    )


def test_an_import_that_does_not_say_when_things_were_answered_gets_no_target(world: World) -> None:
    publish(world, target(TARGET_RESOLUTION, HOUR), target(TARGET_COMPLAINT_RESPOND, HOUR))
    says(world, ImportStarted(run_id="run1", from_source="old", answers_recorded=False))
    imported = {"import_run": "run1"}
    says(world, RequestOpened(request_id="r1"), ComplaintReceived(complaint_id="k1"), **imported)
    says(world, RequestClassified(request_id="r1", priority="high"))

    assert (None, None) == (shown(world, "resolution-r1"), shown(world, "respond-k1"))
