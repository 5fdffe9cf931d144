"""What would differ under another policy: the real ledger and views, candidates that are tried on what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.cli.comparing import add
from ledger.api.v1.complaint_pb2 import ComplaintAcknowledged, ComplaintReceived
from ledger.api.v1.contact_pb2 import ContactAbandoned, ContactAnswered, ContactReceived
from ledger.api.v1.core_pb2 import STAYS, Fact, Identifier
from ledger.api.v1.errors_pb2 import FIELD_INVALID, POLICY_INVALID
from ledger.api.v1.event_pb2 import EventCorrected, Payload
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.policy_pb2 import (
    FACTS_ENFORCED,
    TARGET_COMPLAINT_ACKNOWLEDGE,
    TARGET_FIRST_RESPONSE,
    TARGET_RESOLUTION,
    UNKNOWN_REFUSED,
    Department,
    HandoffType,
    PromiseKind,
    ServicePolicy,
    Target,
)
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.request_pb2 import (
    RESOLUTION_DONE,
    WAITING_FOR_CUSTOMER,
    RequestClassified,
    RequestOpened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
)
from ledger.api.v1.whatif_pb2 import (
    COMPARED_ACCEPT_TERM,
    COMPARED_DEFAULT_DUE,
    COMPARED_DEPARTMENT,
    COMPARED_PLAYBOOK,
    COMPARED_REQUIRED_FACTS,
    COMPARED_TARGET,
    OUTCOME_BROKEN,
    OUTCOME_MET,
    CompareWithPolicyRequest,
    PolicyComparison,
)
from ledger.errors import LedgerError
from ledger.event_id import to_text
from ledger.server.whatif import piece as pieces
from ledger.server.whatif.comparison import compare
from projections.view import Read
from tests.playing import DAY, HOUR, MINUTE, START, World, opened, policy, published, seconds, stolen_phone

SECOND = 1_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def asked(candidate: ServicePolicy, start: int = START - DAY, end: int = START + DAY) -> CompareWithPolicyRequest:
    request = CompareWithPolicyRequest(policy=candidate)
    request.from_time.FromMicroseconds(start)
    request.until_time.FromMicroseconds(end)
    return request


def compared(
    world: World, request: CompareWithPolicyRequest, known: int | None = None, before: int | None = None
) -> PolicyComparison:
    """Return all pieces of a comparison in one."""
    world.project()
    whole = PolicyComparison()
    after = None
    while True:
        with world.reader.snapshot() as snapshot:
            assert snapshot is not None
            at = snapshot.position
            # Nothing sealed is opened: there is nothing to open it with.
            read = Read(snapshot.db, at, known or at, before, world.now, world.ledger.store, content=None)  # type: ignore[arg-type]
            found, after = compare(read, request, "UTC", 500, after)
        whole.differences.extend(found.differences)
        add(whole, found)
        if after is None:
            return whole


def answers_within(count: int, **conditions: str) -> ServicePolicy:
    made = ServicePolicy()
    made.targets.append(Target(kind=TARGET_FIRST_RESPONSE, within=seconds(count), **conditions))  # type: ignore[arg-type]
    return made


def answered_after(world: World, contact_id: str, waited: int, **more: object) -> None:
    world.append(ContactReceived(contact_id=contact_id, reason="x", **more), channel="phone")  # type: ignore[arg-type]
    world.now += waited
    world.append(ContactAnswered(contact_id=contact_id, answered_by=1))


def test_a_shorter_target_breaks_what_was_met(world: World) -> None:
    answered_after(world, "c1", 50 * SECOND)
    answered_after(world, "c2", 10 * SECOND)

    found = compared(world, asked(answers_within(30)))

    (count,) = found.counts
    assert (COMPARED_TARGET, 2, 2) == (count.kind, count.looked_count, count.changed_count)
    assert (2, 0) == (count.recorded.met_count, count.recorded.broken_count)
    assert (1, 1) == (count.candidate.met_count, count.candidate.broken_count)
    first = found.differences[0]
    assert ("response-c1", OUTCOME_MET, OUTCOME_BROKEN) == (first.about, first.recorded.outcome, first.candidate.outcome)
    assert START + 30 * SECOND == first.candidate.due_time.ToMicroseconds()


def test_a_longer_target_meets_what_was_broken_whatever_the_clock_recorded(world: World) -> None:
    answered_after(world, "c1", 2 * MINUTE)

    (count,) = compared(world, asked(answers_within(300))).counts

    assert (1, 1) == (count.recorded.broken_count, count.candidate.met_count)


def test_no_target_is_never_met(world: World) -> None:
    answered_after(world, "c1", 10 * SECOND)

    (count,) = compared(world, asked(ServicePolicy())).counts

    assert (1, 1) == (count.recorded.met_count, count.candidate.without_count)


def test_a_contact_given_up_is_void_before_the_due_of_each_policy(world: World) -> None:
    world.append(ContactReceived(contact_id="c1", reason="x"), channel="phone")
    world.now += 50 * SECOND
    world.append(ContactAbandoned(contact_id="c1", stage=1))
    world.now += HOUR

    (count,) = compared(world, asked(answers_within(30))).counts

    assert (1, 1) == (count.recorded.void_count, count.candidate.broken_count)


def test_a_target_by_tier_reads_the_tier_as_known_at_the_contact(world: World) -> None:
    anna = Identifier(type="email", value="anna@example.org")
    answered_after(world, "c1", 50 * SECOND, customer=anna)
    world.append(CustomerClassified(customer=anna, tier="gold"))
    answered_after(world, "c2", 50 * SECOND, customer=anna)

    found = compared(world, asked(answers_within(30, tier="gold")))

    outcomes = {one.about: one.candidate.outcome for one in found.differences}
    assert {"response-c1": 0, "response-c2": OUTCOME_BROKEN} == outcomes


def test_what_occurred_outside_the_period_is_left_as_it_was(world: World) -> None:
    answered_after(world, "c1", 50 * SECOND)
    world.now = START + HOUR
    answered_after(world, "c2", 50 * SECOND)

    found = compared(world, asked(answers_within(30), start=START + HOUR))

    assert ["response-c2"] == [one.about for one in found.differences]


def test_what_was_not_known_or_had_not_happened_yet_is_not_seen(world: World) -> None:
    world.append(ContactReceived(contact_id="c1", reason="x"), channel="phone")
    received = world.ledger.head().position
    world.now += 20 * SECOND
    world.append(ContactAnswered(contact_id="c1", answered_by=1))
    world.now += HOUR
    request = asked(answers_within(30))

    assert 1 == compared(world, request).counts[0].candidate.met_count
    assert 1 == compared(world, request, known=received).counts[0].candidate.broken_count
    assert 1 == compared(world, request, before=START + 10 * SECOND).counts[0].candidate.broken_count


def test_facts_that_the_candidate_requires_are_marked_or_refuse_the_offer(world: World) -> None:
    world.append(RequestOpened(request_id="r1", owner_department="front"), department="front")
    offer = HandoffOffered(
        request_id="r1",
        handoff_id="h1",
        from_department="front",
        to_department="shipping",
        type="ship",
        ownership=STAYS,
        facts=[Fact(key="order", value="4711")],
    )
    world.append(offer, department="front")
    needed = HandoffType(type="ship", required_facts=["order", "delivery_address"], accept_within=seconds(600))
    world.now += HOUR
    world.append(HandoffAccepted(request_id="r1", handoff_id="h1"), department="shipping")

    marked = compared(world, asked(ServicePolicy(handoff_types=[needed])))
    needed.facts_mode = FACTS_ENFORCED
    refused = compared(world, asked(ServicePolicy(handoff_types=[needed])))

    facts = next(one for one in marked.differences if one.kind == COMPARED_REQUIRED_FACTS)
    term = next(one for one in marked.differences if one.kind == COMPARED_ACCEPT_TERM)
    assert ["delivery_address"] == list(facts.candidate.codes)
    assert ("h1", OUTCOME_BROKEN) == (term.about, term.candidate.outcome)
    assert [True] == [one.candidate.refused for one in refused.differences if one.kind == COMPARED_REQUIRED_FACTS]


def test_a_promise_without_a_date_gets_the_default_of_the_candidate(world: World) -> None:
    world.append(PromiseMade(promise_id="p1", kind="call_back", contact_id="c1"))
    world.append(PromiseMade(promise_id="p2", kind="call_back", contact_id="c1", condition="when the part is there"))
    world.now += 2 * HOUR
    world.append(PromiseKept(promise_id="p1"))
    candidate = ServicePolicy(promise_kinds=[PromiseKind(kind="call_back", default_due=seconds(3600))])

    found = compared(world, asked(candidate))

    difference = next(one for one in found.differences if one.about == "p1")
    assert (COMPARED_DEFAULT_DUE, OUTCOME_BROKEN) == (difference.kind, difference.candidate.outcome)


def resolved_within(count: int, **conditions: str) -> Target:
    return Target(kind=TARGET_RESOLUTION, within=seconds(count), pauses_for_customer=True, **conditions)  # type: ignore[arg-type]


def test_resolutions_are_judged_with_their_pauses_and_priorities(world: World) -> None:
    world.append(RequestOpened(request_id="r1", owner_department="front"), department="front")
    world.append(RequestOpened(request_id="r2", owner_department="front"), department="front")
    world.append(RequestWaiting(request_id="r1", waiting_for=WAITING_FOR_CUSTOMER), department="front")
    world.append(RequestClassified(request_id="r2", priority="urgent"), department="front")
    world.now += HOUR
    world.append(RequestResumed(request_id="r1"), department="front")
    world.now += 10 * MINUTE
    world.append(RequestResolved(request_id="r1", resolution=RESOLUTION_DONE), department="front")
    world.append(RequestResolved(request_id="r2", resolution=RESOLUTION_DONE), department="front")
    candidate = ServicePolicy(targets=[resolved_within(5400), resolved_within(1200, priority="urgent")], priorities=["urgent"])
    paused = ServicePolicy(targets=[resolved_within(1200)])

    plain = {one.about: one.candidate.outcome for one in compared(world, asked(candidate)).differences}
    pausing = {one.about: one.candidate.outcome for one in compared(world, asked(paused)).differences}

    assert {"resolution-r1": OUTCOME_MET, "resolution-r2": OUTCOME_BROKEN} == plain
    assert {"resolution-r1": OUTCOME_MET, "resolution-r2": OUTCOME_BROKEN} == pausing


def test_complaints_are_judged_too(world: World) -> None:
    world.append(ComplaintReceived(complaint_id="q1", owner_department="front"), channel="email")
    world.now += 2 * HOUR
    world.append(ComplaintAcknowledged(complaint_id="q1"))
    candidate = ServicePolicy(targets=[Target(kind=TARGET_COMPLAINT_ACKNOWLEDGE, within=seconds(3600))])

    (difference,) = compared(world, asked(candidate)).differences

    assert ("acknowledge-q1", OUTCOME_BROKEN) == (difference.about, difference.candidate.outcome)


def test_departments_that_the_candidate_does_not_know_are_marked_or_refused(world: World) -> None:
    world.append(RequestOpened(request_id="r1", owner_department="frnt"), department="front")
    candidate = ServicePolicy(departments=[Department(department="front")])

    listed = compared(world, asked(candidate))
    candidate.unknown_departments = UNKNOWN_REFUSED
    refused = compared(world, asked(candidate))

    assert [COMPARED_DEPARTMENT] == [one.kind for one in listed.differences]
    assert [(["frnt"], True)] == [(list(one.candidate.codes), one.candidate.refused) for one in refused.differences]


def test_playbooks_that_would_have_fired_are_listed_beside_those_that_did(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened("r1"))
    world.append(opened("r2", reason="invoice"))
    world.look()
    candidate = policy(stolen_phone('event.reason == "invoice"'))

    found = compared(world, asked(candidate))

    fired = {one.stream: (one.recorded.fired, one.candidate.fired) for one in found.differences if one.kind == COMPARED_PLAYBOOK}
    assert {"request-r1": (True, False), "request-r2": (False, True)} == fired


def test_the_policy_that_ruled_would_change_nothing(world: World) -> None:
    ruling = policy(stolen_phone())
    ruling.targets.append(Target(kind=TARGET_FIRST_RESPONSE, channel="phone", within=seconds(60)))
    publication = published(stolen_phone())
    publication.policy.CopyFrom(ruling)
    world.append(publication)
    answered_after(world, "c1", 50 * SECOND)
    world.append(opened("r1"))
    world.append(PromiseMade(promise_id="p1", kind="answer", contact_id="c1"))
    world.append(PromiseMade(promise_id="p2", kind="answer", contact_id="c1", condition="when the part is there"))
    world.look()
    world.now += DAY

    found = compared(world, asked(ruling, end=world.now + 1))

    assert [] == list(found.differences)
    assert sum(count.looked_count for count in found.counts) > 4


def test_nothing_is_recorded(world: World) -> None:
    answered_after(world, "c1", 50 * SECOND)
    head = world.ledger.head()

    compared(world, asked(answers_within(30)))

    assert head == world.ledger.head()


def test_pieces_sum_up_to_the_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        answered_after(world, f"c{number}", (20 + number) * SECOND)
    request = asked(answers_within(30))
    whole = compared(world, request)
    monkeypatch.setattr(pieces, "CHUNK_EVENTS", 3)
    monkeypatch.setattr(pieces, "WORK_MAX", 1)

    cut = compared(world, request)

    assert whole == cut


def test_an_entity_with_a_correction_is_left_out_and_counted(world: World) -> None:
    answered_after(world, "c1", 50 * SECOND)
    (received,) = world.events("contact-received")

    world.append(
        EventCorrected(
            stream="contact-c1",
            corrected_event_id=to_text(received.event_id),
            reason="typing_error",
            payload=Payload(contact_received=ContactReceived(contact_id="c1", reason="y")),
        )
    )

    found = compared(world, asked(answers_within(30)))

    assert (1, []) == (found.left_out_count, list(found.differences))


@pytest.mark.parametrize("content", ["who ate the cake", ""])
def test_a_bad_candidate_is_refused_with_its_mistakes(world: World, content: str) -> None:
    bad = policy(stolen_phone(content or "event.nothing == 1"))

    with pytest.raises(LedgerError) as caught:
        compared(world, asked(bad))

    assert POLICY_INVALID == caught.value.reason


def test_a_period_that_ends_before_it_begins_is_refused(world: World) -> None:
    with pytest.raises(LedgerError) as caught:
        compared(world, asked(ServicePolicy(), start=START, end=START))

    assert FIELD_INVALID == caught.value.reason
