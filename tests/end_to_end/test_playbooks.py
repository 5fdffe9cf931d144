"""Playbooks, notices, what-if and the move of a department, through the real server and the clients."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import uuid_utils

from clients.connectors.department_move import DepartmentMove
from clients.python import AsOf, Client, event
from clients.python.errors import InvalidError, TellonceError
from ledger.api.v1.core_pb2 import MOVES, PLAYBOOK, STAYS, Due, Fact, Identifier
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.handoff_pb2 import HANDOFF_DONE, HandoffAccepted, HandoffCompleted, HandoffOffered, HandoffReturned
from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_ACCEPTED, HANDOFF_STATE_OFFERED
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.notice_service_pb2 import NOTICE_DUE_SOON, NOTICE_SILENT, NOTICE_UNACCEPTED, WatchNoticesRequest
from ledger.api.v1.notice_service_pb2_grpc import NoticeServiceStub
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.request_pb2 import RESOLUTION_DONE, RequestOpened, RequestResolved
from ledger.api.v1.whatif_pb2 import COMPARED_PLAYBOOK
from tests.playing import policy, seconds, stolen_phone
from tests.server_process import Server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.target) as made:
        yield made


def publish(client: Client, version: int = 1, condition: str = 'event.reason == "phone_stolen"') -> None:
    published = PolicyPublished(policy_id="service", policy_version=version, policy=policy(stolen_phone(condition)))
    document = published.policy
    document.promise_kinds.add(kind="quote", remind_before=seconds(3600))
    document.silence_limit.FromSeconds(86400)
    document.unaccepted_limit.FromSeconds(3600)
    document.tiers.extend(["gold", "silver"])
    document.departments.add(department="front")
    document.departments.add(department="old", successor="new")
    for code in ("new", "billing", "shipping", "sales"):
        document.departments.add(department=code)
    published.in_force_from.FromDatetime(datetime.now(UTC))
    client.append(event(published))


def wait_for_steps(client: Client, server: Server, request_id: str, count: int) -> None:
    """Wait until the playbooks have recorded so many steps of a request."""

    def recorded() -> bool:
        plays = list(client.plays(request_id=request_id, consistency="latest"))
        return sum(bool(step.event_id) for play in plays for step in play.steps) == count

    server.wait_until(recorded, f"{count} steps were not recorded")


def test_a_stolen_phone_is_blocked_replaced_and_insured_at_once(server: Server, client: Client) -> None:
    publish(client)
    client.append(event(RequestOpened(request_id="r-1", reason="phone_stolen", owner_department="front"), department="front"))

    wait_for_steps(client, server, "r-1", 4)

    pending = list(client.handoffs(request_id="r-1", pending=True))
    assert ["billing", "shipping"] == sorted(one.hands for one in pending)
    assert [STAYS, STAYS] == [one.ownership for one in pending]
    assert ["call_back"] == [one.kind for one in client.promises(request_id="r-1")]
    (play,) = client.plays(request_id="r-1")
    assert ["stop_charges", "replacement", "call_back", "insurance"] == [step.step for step in play.steps]
    assert ("stolen_phone", "request-opened", "service", 1) == (
        play.playbook,
        play.trigger_topic,
        play.policy_id,
        play.policy_version,
    )
    assert [] == list(client.refused_plays().plays)


def test_the_request_is_done_when_every_strand_is(server: Server, client: Client) -> None:
    publish(client)
    client.append(event(RequestOpened(request_id="r-1", reason="phone_stolen", owner_department="front"), department="front"))
    wait_for_steps(client, server, "r-1", 4)
    resolved = RequestResolved(request_id="r-1", resolution=RESOLUTION_DONE)

    for number, one in enumerate(client.handoffs(request_id="r-1", pending=True)):
        with pytest.raises(TellonceError):
            client.append(event(resolved, department="front"))
        assert number == client.request("r-1").result.strand_done_count
        taken = HandoffAccepted(request_id="r-1", handoff_id=one.handoff_id)
        done = HandoffCompleted(request_id="r-1", handoff_id=one.handoff_id, outcome=HANDOFF_DONE)
        client.append(event(taken, department=one.to_department), event(done, department=one.to_department))

    client.append(event(resolved, department="front"))
    assert 2 == client.request("r-1").result.strand_done_count


def test_a_person_overrides_a_step_before_it_is_done(server: Server, client: Client) -> None:
    publish(client)
    trigger = event(RequestOpened(request_id="r-1", reason="phone_stolen", owner_department="front"), department="front")
    override = RuleOverridden(
        rule="stolen_phone",
        step="insurance",
        trigger_event_id=trigger.envelope.event_id,
        request_id="r-1",
        reason="customer_in_distress",
    )
    client.append(trigger, event(override, actor="s-17"))

    wait_for_steps(client, server, "r-1", 3)

    (play,) = client.plays(request_id="r-1", overridden=True)
    left_out = next(step for step in play.steps if step.step == "insurance")
    assert ("", True, "customer_in_distress", "s-17") == (
        left_out.event_id,
        left_out.override.before,
        left_out.override.reason,
        left_out.override.actor,
    )


def test_an_override_after_the_step_stands_beside_it(server: Server, client: Client) -> None:
    publish(client)
    trigger = event(RequestOpened(request_id="r-1", reason="phone_stolen", owner_department="front"), department="front")
    client.append(trigger)
    wait_for_steps(client, server, "r-1", 4)

    client.append(
        event(
            RuleOverridden(
                rule="stolen_phone",
                step="replacement",
                trigger_event_id=trigger.envelope.event_id,
                request_id="r-1",
                reason="found",
            )
        )
    )

    (play,) = client.plays(request_id="r-1", overridden=True)
    step = next(one for one in play.steps if one.step == "replacement")
    assert step.event_id
    assert not step.override.before


def test_nobody_else_may_act_as_a_playbook(client: Client) -> None:
    opened = RequestOpened(request_id="r-9", owner_department="front")

    for envelope in (
        EventEnvelope(event_id=str(uuid_utils.uuid7()), actor_kind=PLAYBOOK),
        EventEnvelope(event_id=str(uuid_utils.uuid7()), policy_id="service"),
        EventEnvelope(event_id=str(uuid_utils.uuid7()), policy_version=1),
    ):
        with pytest.raises(InvalidError) as caught:
            client.append(EventToAppend(envelope=envelope, payload=Payload(request_opened=opened)))

        assert "FIELD_MADE_BY_LEDGER" == caught.value.reason


def promise(client: Client, promise_id: str, due: datetime, customer: str, owner: str = "sales") -> None:
    made = PromiseMade(
        promise_id=promise_id, kind="quote", customer=Identifier(type="email", value=customer), owner_department=owner, due=Due()
    )
    made.due.instant.FromDatetime(due)
    client.append(event(made, department=owner))


def test_notices_warn_of_what_is_due_silent_or_unaccepted_by_tier_and_newness(client: Client) -> None:
    publish(client)
    now = datetime.now(UTC)
    for name in ("anna", "ben", "cleo"):
        promise(client, f"p-{name}", now + timedelta(minutes=30), f"{name}@example.org")
    client.append(event(CustomerClassified(customer=Identifier(type="email", value="anna@example.org"), tier="silver")))
    client.append(event(RequestOpened(request_id="r-1", owner_department="front"), department="front"))
    offered = HandoffOffered(request_id="r-1", handoff_id="h-1", from_department="front", to_department="sales", ownership=STAYS)
    client.append(event(offered, department="front"))

    listed = client.notices(as_of=AsOf(evaluated_time=now + timedelta(seconds=5)))
    assert ["p-anna", "p-cleo", "p-ben"] == [one.promise_id for one in listed]
    assert [3, 3, 3] == [one.competing_count for one in listed]
    assert ("service", 1, 3) == (listed.first.result.policy_id, listed.first.result.policy_version, listed.first.result.total)

    later = list(client.notices(as_of=AsOf(evaluated_time=now + timedelta(days=2)), kinds=["silent", "unaccepted"]))
    assert {NOTICE_SILENT: "front", NOTICE_UNACCEPTED: "sales"} == {one.kind: one.department for one in later}
    paged = list(client.notices(as_of=AsOf(evaluated_time=now + timedelta(days=2)), page_size=2))
    assert 5 == len({one.notice_id for one in paged})
    assert ["p-anna"] == [
        one.promise_id for one in client.notices(tiers="silver", as_of=AsOf(evaluated_time=now + timedelta(seconds=5)))
    ]


def test_a_watcher_hears_of_a_notice_when_its_time_comes_and_when_it_is_resolved(client: Client) -> None:
    publish(client)
    # The views take a while for the first policy of their own, and a watch begins once they show all that was acknowledged.
    assert [] == list(client.notices())
    promise(client, "p-1", datetime.now(UTC) + timedelta(seconds=3602), "anna@example.org")
    heard = []
    with client.watch_notices() as watched:
        for change in watched.changes():
            if change.mark == "caught_up":
                assert [] == heard
            if change.item is not None:
                heard.append(change.item)
                if change.item.resolved:
                    break
                client.append(event(PromiseKept(promise_id="p-1"), department="sales"))

    came, resolved = heard
    assert (NOTICE_DUE_SOON, "p-1", False, True) == (came.kind, came.promise_id, came.resolved, resolved.resolved)
    assert came.notice_id == resolved.notice_id


def test_a_watcher_who_resumes_hears_what_came_and_what_was_resolved_since(client: Client) -> None:
    publish(client)
    promise(client, "p-1", datetime.now(UTC) + timedelta(minutes=30), "anna@example.org")
    with client.watch_notices() as watched:
        for change in watched.changes():
            if change.mark == "caught_up":
                break
    place = client.head()
    mark = datetime.now(UTC)
    client.append(event(PromiseKept(promise_id="p-1"), department="sales"))
    promise(client, "p-2", datetime.now(UTC) + timedelta(minutes=30), "ben@example.org")

    with client.watch_notices(place.position, mark) as watched:
        found = []
        for change in watched.changes():
            if change.mark == "caught_up":
                break
            assert change.item is not None
            found.append((change.item.promise_id, change.item.resolved))

    assert {("p-1", True), ("p-2", False)} == set(found)


def test_a_candidate_is_compared_before_it_is_published(server: Server, client: Client) -> None:
    publish(client)
    begin = datetime.now(UTC) - timedelta(minutes=1)
    client.append(event(RequestOpened(request_id="r-1", reason="phone_stolen", owner_department="front"), department="front"))
    wait_for_steps(client, server, "r-1", 4)
    head = client.head().position

    found = list(client.compare_with_policy(policy(), begin, datetime.now(UTC) + timedelta(minutes=1)))

    differences = [one for piece in found for one in piece.differences]
    assert [(COMPARED_PLAYBOOK, "stolen_phone", True, False)] == [
        (one.kind, one.about, one.recorded.fired, one.candidate.fired) for one in differences if one.kind == COMPARED_PLAYBOOK
    ]
    assert head == client.head().position


def test_the_work_of_a_department_that_ends_moves_to_its_successor(client: Client) -> None:
    publish(client)
    for request_id, owner in (("r-own", "old"), ("r-moving", "old"), ("r-foreign", "front")):
        client.append(event(RequestOpened(request_id=request_id, owner_department=owner), department=owner))
    for request_id, handoff_id, sender, receiver, ownership in (
        ("r-own", "h-strand", "old", "shipping", STAYS),
        ("r-moving", "h-away", "old", "billing", MOVES),
        ("r-foreign", "h-waits", "front", "old", STAYS),
        ("r-foreign", "h-taken", "front", "old", STAYS),
        ("r-foreign", "h-returned", "front", "old", STAYS),
    ):
        offered = HandoffOffered(
            request_id=request_id,
            handoff_id=handoff_id,
            from_department=sender,
            to_department=receiver,
            ownership=ownership,
            facts=[Fact(key="order", value="4711")],
        )
        client.append(event(offered, department=sender))
    client.append(event(HandoffAccepted(request_id="r-foreign", handoff_id="h-taken"), department="old"))
    returned = HandoffReturned(request_id="r-foreign", handoff_id="h-returned", missing_keys=["delivery_address"])
    client.append(event(returned, department="old"))
    promise(client, "p-1", datetime.now(UTC) + timedelta(days=1), "anna@example.org", owner="old")

    planned = list(DepartmentMove(client, "old", "new", "run-1").plan())
    assert 4 == len(planned)
    assert 1 == client.requests(owner_departments="old").first.result.requests[0].handoff_count

    outcome = DepartmentMove(client, "old", "new", "run-1").run()

    assert ({"request": 3, "promise": 1}, []) == (outcome.moved, outcome.left)
    assert [] == list(client.requests(open=True, owner_departments="old"))
    assert ["r-moving", "r-own"] == sorted(one.request_id for one in client.requests(open=True, owner_departments="new"))
    assert [] == list(client.handoffs(hands="old"))
    hands = sorted((one.request_id, one.from_department, one.hands, one.state) for one in client.handoffs(pending=True))
    assert [
        ("r-foreign", "front", "new", HANDOFF_STATE_OFFERED),
        ("r-foreign", "front", "new", HANDOFF_STATE_OFFERED),
        ("r-moving", "new", "billing", HANDOFF_STATE_OFFERED),
        ("r-own", "new", "shipping", HANDOFF_STATE_OFFERED),
    ] == hands
    taken = [one for one in client.handoffs(hands="new", states=HANDOFF_STATE_ACCEPTED) if one.ownership == STAYS]
    assert [["4711"]] == [[fact.value for fact in one.facts] for one in taken]
    assert ["p-1"] == [one.promise_id for one in client.promises(owner_departments="new")]

    again = DepartmentMove(client, "old", "new", "run-1").run()
    assert ({}, []) == (again.moved, again.left)


def test_what_cannot_move_is_listed_with_the_reason(client: Client) -> None:
    publish(client)
    client.append(event(RequestOpened(request_id="r-1", owner_department="new"), department="new"))
    offered = HandoffOffered(request_id="r-1", handoff_id="h-1", from_department="new", to_department="old", ownership=STAYS)
    client.append(event(offered, department="new"))

    outcome = DepartmentMove(client, "old", "new", "run-1").run()

    assert [("request-r-1, handoff h-1", {})] == [(one.entity, outcome.moved) for one in outcome.left]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.notices(kinds=["nothing"]).first,
        lambda client: client.notices(departments=["Not A Code"]).first,
        lambda client: client.notices(page_size=501).first,
        lambda client: client.plays(trigger_event_id="x").first,
        lambda client: client.plays(playbooks=["Not A Code"]).first,
        lambda client: client.refused_plays(501),
        lambda client: client.compare_with_policy(policy(stolen_phone("no condition")), BEGIN, END).first,
        lambda client: client.compare_with_policy(policy(), END, BEGIN).first,
        lambda client: client.plays(page_size=1, as_of=10**9).first,
    ],
    ids=[
        "an unknown kind of notice",
        "a department that is no code",
        "a page too large",
        "a trigger that is no id",
        "a playbook that is no code",
        "too many refused plays",
        "a candidate with a bad condition",
        "a period that ends before it begins",
        "a position beyond the head",
    ],
)
def test_a_bad_question_is_refused_with_a_reason(shared_server: Server, ask: object) -> None:
    with Client(shared_server.target) as client, pytest.raises(TellonceError) as caught:
        ask(client)  # type: ignore[operator]

    assert caught.value.reason in {"FIELD_INVALID", "ID_MALFORMED", "CODE_MALFORMED", "POLICY_INVALID", "POSITION_BEYOND_HEAD"}


def test_a_watcher_resumes_with_position_and_time_together(shared_server: Server) -> None:
    request = WatchNoticesRequest()
    request.after_time.FromDatetime(BEGIN)

    with shared_server.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        next(iter(NoticeServiceStub(channel).WatchNotices(request, timeout=10)))

    assert grpc.StatusCode.INVALID_ARGUMENT == caught.value.code()  # type: ignore[attr-defined]


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
