"""The life cycle of requests: their states, their owner, and what may not end over a pending handoff."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.api.v1.core_pb2 import MOVES, STAYS
from ledger.api.v1.errors_pb2 import HANDOFFS_PENDING, MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffReturned, HandoffWithdrawn
from ledger.api.v1.request_pb2 import (
    CLOSED_RESOLVED,
    FUNCTIONAL,
    ORIGIN_CUSTOMER,
    RESOLUTION_DONE,
    WAITING_FOR_CUSTOMER,
    WAITING_FOR_PARTNER,
    ContactLinked,
    CustomerInformed,
    RequestAssigned,
    RequestClassified,
    RequestClosed,
    RequestConfirmed,
    RequestEscalated,
    RequestMerged,
    RequestOpened,
    RequestRefused,
    RequestReopened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
    RequestWithdrawn,
)
from ledger.api.v1.request_service_pb2 import (
    REQUEST_STATE_CLOSED,
    REQUEST_STATE_CONFIRMED,
    REQUEST_STATE_MERGED,
    REQUEST_STATE_OPEN,
    REQUEST_STATE_REFUSED,
    REQUEST_STATE_RESOLVED,
    REQUEST_STATE_WAITING,
    REQUEST_STATE_WITHDRAWN,
)
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold
from ledger.rules.request import RequestState
from ledger.rules.resolution import Resolution
from tests.build import at, event

RULES = FAMILIES["request"]


def opened(owner: str = "desk", **fields: Any) -> Event:
    return event(RequestOpened(request_id="r-1", owner_department=owner or None, **fields), occur=at(0))


def of(message: Any, minutes: float = 1, **fields: Any) -> Event:
    return event(message(request_id="r-1", **fields), occur=at(minutes))


MAKE: dict[str, Callable[..., Event]] = {
    "request-opened": opened,
    "request-classified": lambda minutes=1: of(RequestClassified, minutes, reason="refund"),
    "request-assigned": lambda minutes=1: of(RequestAssigned, minutes, assignee="ann"),
    "request-escalated": lambda minutes=1: of(RequestEscalated, minutes, kind=FUNCTIONAL),
    "contact-linked": lambda minutes=1: of(ContactLinked, minutes, contact_id="c-2"),
    "customer-informed": lambda minutes=1: of(CustomerInformed, minutes, next_step="call"),
    "request-waiting": lambda minutes=1: of(RequestWaiting, minutes, waiting_for=WAITING_FOR_CUSTOMER),
    "request-resumed": lambda minutes=1: of(RequestResumed, minutes),
    "request-resolved": lambda minutes=1: of(RequestResolved, minutes, resolution=RESOLUTION_DONE),
    "request-confirmed": lambda minutes=1: of(RequestConfirmed, minutes),
    "request-reopened": lambda minutes=1: of(RequestReopened, minutes),
    "request-withdrawn": lambda minutes=1: of(RequestWithdrawn, minutes),
    "request-refused": lambda minutes=1: of(RequestRefused, minutes, rule="too_late"),
    "request-merged": lambda minutes=1: of(RequestMerged, minutes, into_request_id="r-2"),
    "request-closed": lambda minutes=1: of(RequestClosed, minutes, outcome=CLOSED_RESOLVED),
    "handoff-offered": lambda minutes=1: offered("h-9", minutes=minutes),
}


def offered(handoff_id: str = "h-1", ownership: Any = MOVES, minutes: float = 1) -> Event:
    return of(HandoffOffered, minutes, handoff_id=handoff_id, from_department="desk", to_department="repair", ownership=ownership)


def after(*events: Event) -> RequestState:
    state = fold(RULES, events).state
    assert isinstance(state, RequestState)
    return state


def via(*topics: str) -> RequestState:
    return after(opened(), *(MAKE[topic](minutes) for minutes, topic in enumerate(topics, 1)))


WAYS = {
    "open": ((), REQUEST_STATE_OPEN),
    "waiting": (("request-waiting",), REQUEST_STATE_WAITING),
    "resumed": (("request-waiting", "request-resumed"), REQUEST_STATE_OPEN),
    "resolved": (("request-resolved",), REQUEST_STATE_RESOLVED),
    "resolved while waiting": (("request-waiting", "request-resolved"), REQUEST_STATE_RESOLVED),
    "confirmed": (("request-resolved", "request-confirmed"), REQUEST_STATE_CONFIRMED),
    "withdrawn": (("request-withdrawn",), REQUEST_STATE_WITHDRAWN),
    "refused": (("request-refused",), REQUEST_STATE_REFUSED),
    "merged": (("request-merged",), REQUEST_STATE_MERGED),
    "closed": (("request-closed",), REQUEST_STATE_CLOSED),
    "closed after all": (("request-resolved", "request-confirmed", "request-closed"), REQUEST_STATE_CLOSED),
    "reopened": (("request-closed", "request-reopened"), REQUEST_STATE_OPEN),
}

ANY_TIME = {"request-classified", "request-assigned", "request-escalated", "contact-linked", "customer-informed"}
OPEN = {
    *ANY_TIME,
    "request-waiting",
    "request-resolved",
    "request-withdrawn",
    "request-refused",
    "request-merged",
    "request-closed",
    "handoff-offered",
}
WAITING = {
    *ANY_TIME,
    "request-waiting",
    "request-resumed",
    "request-resolved",
    "request-withdrawn",
    "request-closed",
    "handoff-offered",
}
RESOLVED = {*ANY_TIME, "request-confirmed", "request-reopened", "request-closed", "handoff-offered"}
CONFIRMED = {*ANY_TIME, "request-reopened", "request-closed", "handoff-offered"}
ENDED = {*ANY_TIME, "request-reopened"}

ALLOWED = {
    "open": OPEN,
    "waiting": WAITING,
    "resumed": OPEN,
    "resolved": RESOLVED,
    "resolved while waiting": RESOLVED,
    "confirmed": CONFIRMED,
    "withdrawn": ENDED,
    "refused": ENDED,
    "merged": set[str](),
    "closed": {"request-reopened"},
    "closed after all": {"request-reopened"},
    "reopened": OPEN,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_request_stands_where_its_moves_led(way: str) -> None:
    topics, expected = WAYS[way]

    assert expected == via(*topics).state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("topic", MAKE)
def test_only_the_moves_of_the_life_cycle_apply(way: str, topic: str) -> None:
    state = via(*WAYS[way][0])
    move = MAKE[topic]()

    refusal = RULES.refusal(state, move)

    assert (topic in ALLOWED[way]) == (refusal is None)
    assert refusal is None or RULES.evolve(state, move) is state


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_names_the_moves_that_do_apply(way: str) -> None:
    refusal = RULES.refusal(via(*WAYS[way][0]), opened())

    assert refusal is not None
    assert (ALLOWED[way] or {"nothing"}) == set(refusal.metadata["allowed"].split(", "))


def test_a_refusal_says_the_state_the_moves_allowed_and_the_cure() -> None:
    refusal = RULES.refusal(via("request-closed"), MAKE["request-resolved"]())

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert (
        "Request r-1 is closed: request-resolved does not apply. Allowed now: request-reopened. "
        "Reopen it first, or open a request that follows it (follows_request_id)."
    ) == refusal.message
    assert {
        "request_id": "r-1",
        "state": "closed",
        "topic": "request-resolved",
        "allowed": "request-reopened",
    } == refusal.metadata


def test_a_move_on_a_request_never_opened_is_refused_as_unknown() -> None:
    refusal = RULES.refusal(None, MAKE["request-resolved"]())

    assert refusal is not None
    assert REFERENCE_UNKNOWN == refusal.reason
    assert "Record request-opened first" in refusal.message
    assert "r-1" == refusal.metadata["request_id"]


def test_a_request_says_what_was_known_when_it_was_opened() -> None:
    payload = RequestOpened(
        request_id="r-1",
        contact_id="c-1",
        owner_department="desk",
        reason="refund",
        priority="high",
        origin=ORIGIN_CUSTOMER,
        follows_request_id="r-0",
    )

    state = RULES.evolve(None, event(payload, occur=at(0), position=5, channel="email", subject=b"s" * 16))

    expected = RequestState(
        request_id="r-1",
        state=REQUEST_STATE_OPEN,
        owner_department="desk",
        reason="refund",
        priority="high",
        opened_time=at(0),
        since_time=at(0),
        subject=b"s" * 16,
        position=5,
        channel="email",
        origin=ORIGIN_CUSTOMER,
        follows_request_id="r-0",
        contact_ids=("c-1",),
        channels="email",
        path=f"=desk@{at(0)}",
        steps="o",
        resolving=Resolution(start=at(0), measured=True),
    )
    assert expected == state


def test_classifying_changes_only_what_it_names() -> None:
    state = after(opened(reason="unknown", priority="low"), of(RequestClassified, priority="high", complexity="hard"))

    assert ("unknown", "high", "hard") == (state.reason, state.priority, state.complexity)


def test_a_linked_contact_is_listed_once_after_the_first() -> None:
    links = [of(ContactLinked, contact_id=contact_id) for contact_id in ("c-2", "c-1", "c-2")]

    assert after(opened(contact_id="c-1"), *links).contact_ids == ("c-1", "c-2")


def test_the_customer_was_informed_last_when_it_was_last_said() -> None:
    state = after(opened(), of(CustomerInformed, 1, next_step="call"), of(CustomerInformed, 4))

    assert (at(4), "call") == (state.informed_time, state.next_step)


def test_an_escalation_leaves_the_owner() -> None:
    assert via("request-escalated").owner_department == "desk"


def test_waiting_again_keeps_since_when_it_waits_and_says_for_whom() -> None:
    state = after(
        opened(),
        of(RequestWaiting, 1, waiting_for=WAITING_FOR_CUSTOMER),
        of(RequestWaiting, 5, waiting_for=WAITING_FOR_PARTNER, department="parcels"),
    )

    assert (at(1), WAITING_FOR_PARTNER, "parcels") == (state.since_time, state.waiting_for, state.waiting_department)


@pytest.mark.parametrize("topic", ["request-resumed", "request-resolved", "request-withdrawn", "request-closed"])
def test_after_the_wait_it_waits_for_nobody(topic: str) -> None:
    state = via("request-waiting", topic)

    assert (0, "", at(2)) == (state.waiting_for, state.waiting_department, state.since_time)


def test_the_first_and_the_last_resolution_are_both_known() -> None:
    state = via("request-resolved", "request-reopened", "request-resolved")

    assert (at(1), at(3)) == (state.first_resolved_time, state.last_resolved_time)


def test_reopened_it_is_active_again_and_counted() -> None:
    state = via("request-resolved", "request-closed", "request-reopened")

    assert (1, None, None, 0, 0) == (
        state.reopened_count,
        state.closed_time,
        state.ended_time,
        state.resolution,
        state.outcome,
    )


def test_it_ended_when_it_first_was_no_longer_active() -> None:
    state = via("request-resolved", "request-confirmed", "request-closed")

    assert (at(1), at(3), CLOSED_RESOLVED, RESOLUTION_DONE) == (
        state.ended_time,
        state.closed_time,
        state.outcome,
        state.resolution,
    )


def test_a_merged_request_names_the_one_that_goes_on() -> None:
    assert via("request-merged").merged_into_request_id == "r-2"


# Owner


def test_a_request_without_an_owner_is_an_orphan() -> None:
    assert after(opened(owner="")).owner_department is None


def test_assigning_an_orphan_names_its_owner() -> None:
    state = after(opened(owner=""), of(RequestAssigned, assignee="ann", department="desk"))

    assert ("desk", "ann") == (state.owner_department, state.assignee)


def test_assigning_a_person_alone_leaves_an_orphan() -> None:
    assert after(opened(owner=""), of(RequestAssigned, assignee="ann")).owner_department is None


def test_assigning_within_the_owner_department_changes_the_person_only() -> None:
    state = after(opened(), of(RequestAssigned, assignee="ann", department="desk"), of(RequestAssigned))

    assert ("desk", "") == (state.owner_department, state.assignee)


def test_assigning_to_another_department_is_refused_as_that_is_a_handoff() -> None:
    refusal = RULES.refusal(via(), of(RequestAssigned, department="repair"))

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert "Its owner is desk" in refusal.message
    assert "handoff-offered" in refusal.message


# Pending handoffs


@pytest.mark.parametrize("topic", ["request-closed", "request-refused", "request-merged", "request-withdrawn"])
@pytest.mark.parametrize("ownership", [MOVES, STAYS])
def test_nothing_ends_over_a_pending_handoff(topic: str, ownership: Any) -> None:
    state = after(opened(), offered("h-1", ownership), offered("h-2", STAYS))

    refusal = RULES.refusal(state, MAKE[topic](3))

    assert refusal is not None
    assert HANDOFFS_PENDING == refusal.reason
    assert "h-1, h-2" == refusal.metadata["handoff_ids"]
    assert "h-1, h-2" in refusal.message
    assert topic not in refusal.metadata["allowed"].split(", ")
    assert RULES.evolve(state, MAKE[topic](3)) is state


def test_a_returned_handoff_is_pending_too() -> None:
    state = after(opened(), offered(), of(HandoffReturned, 2, handoff_id="h-1"))

    refusal = RULES.refusal(state, MAKE["request-closed"](3))

    assert refusal is not None
    assert HANDOFFS_PENDING == refusal.reason


@pytest.mark.parametrize("end", [HandoffWithdrawn, HandoffAccepted])
def test_it_closes_once_no_handoff_is_pending(end: Any) -> None:
    state = after(opened(), offered(), of(end, 2, handoff_id="h-1"), MAKE["request-closed"](3))

    assert REQUEST_STATE_CLOSED == state.state


def test_it_is_resolved_while_a_handoff_is_pending() -> None:
    assert REQUEST_STATE_RESOLVED == after(opened(), offered(), MAKE["request-resolved"](3)).state


def test_an_end_that_does_not_apply_anyway_is_not_blamed_on_handoffs() -> None:
    refusal = RULES.refusal(after(opened(), MAKE["request-waiting"](1), offered(minutes=2)), MAKE["request-merged"](3))

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason


def test_pending_handoffs_are_counted_beside_all() -> None:
    state = after(opened(), offered("h-1"), offered("h-2", STAYS), of(HandoffAccepted, 2, handoff_id="h-1"))

    assert (1, 2) == (state.pending_handoff_count, state.handoff_count)
