"""The life cycle of handoffs inside their request: moves, ownership, marks of the clock, and who may."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.api.v1.core_pb2 import MINUTE, MOVES, STAYS, Fact
from ledger.api.v1.errors_pb2 import DEPARTMENT_NOT_ALLOWED, MOVE_NOT_ALLOWED, OWNERSHIP_ALREADY_MOVING, STRANDS_OPEN
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.handoff_pb2 import (
    HANDOFF_DONE,
    HANDOFF_IMPOSSIBLE,
    HandoffAccepted,
    HandoffCompleted,
    HandoffExpired,
    HandoffOffered,
    HandoffOverdue,
    HandoffRated,
    HandoffRejected,
    HandoffReturned,
    HandoffSupplied,
    HandoffWithdrawn,
)
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_STATE_ACCEPTED,
    HANDOFF_STATE_COMPLETED,
    HANDOFF_STATE_OFFERED,
    HANDOFF_STATE_REJECTED,
    HANDOFF_STATE_RETURNED,
    HANDOFF_STATE_WITHDRAWN,
)
from ledger.api.v1.request_pb2 import CLOSED_RESOLVED, RESOLUTION_DONE, RequestClosed, RequestOpened, RequestResolved
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold
from ledger.rules.handoff import HandoffState
from ledger.rules.request import RequestState
from ledger.rules.request_rules import strands_refusal
from tests.build import at, event, event_id, event_id_text, timestamp

RULES = FAMILIES["request"]


def opened(owner: str = "desk") -> Event:
    return event(RequestOpened(request_id="r-1", owner_department=owner or None), occur=at(0))


def offered(
    handoff_id: str = "h-1",
    *,
    ownership: Any = MOVES,
    minutes: float = 1,
    sender: str = "desk",
    receiver: str = "repair",
    accept_by: int | None = None,
    complete_by: int | None = None,
    fields: dict[str, Any] | None = None,
    **header: Any,
) -> Event:
    payload = HandoffOffered(
        request_id="r-1",
        handoff_id=handoff_id,
        from_department=sender,
        to_department=receiver,
        ownership=ownership,
        **(fields or {}),
    )
    if accept_by is not None:
        payload.accept_by.CopyFrom(timestamp(at(accept_by)))
    if complete_by is not None:
        payload.complete_by.CopyFrom(timestamp(at(complete_by)))
    return event(payload, occur=at(minutes), name=f"offer of {handoff_id}", **header)


def of(message: Any, minutes: float = 2, handoff_id: str = "h-1", header: dict[str, Any] | None = None, **fields: Any) -> Event:
    return event(message(request_id="r-1", handoff_id=handoff_id, **fields), occur=at(minutes), **(header or {}))


def mark(message: Any, minutes: float, set_by: str = "offer of h-1") -> Event:
    return of(message, minutes, set_by_event_id=event_id_text(set_by))


def after(*events: Event) -> RequestState:
    state = fold(RULES, events).state
    assert isinstance(state, RequestState)
    return state


def handoff_after(*events: Event) -> HandoffState:
    return after(opened(), *events).handoffs["h-1"]


MAKE: dict[str, Callable[..., Event]] = {
    "handoff-offered": lambda minutes=1: offered(minutes=minutes, ownership=STAYS),
    "handoff-accepted": lambda minutes=1: of(HandoffAccepted, minutes),
    "handoff-rejected": lambda minutes=1: of(HandoffRejected, minutes),
    "handoff-returned": lambda minutes=1: of(HandoffReturned, minutes, missing_keys=["order"], wrong_keys=["name"]),
    "handoff-supplied": lambda minutes=1: of(HandoffSupplied, minutes),
    "handoff-withdrawn": lambda minutes=1: of(HandoffWithdrawn, minutes),
    "handoff-completed": lambda minutes=1: of(HandoffCompleted, minutes, outcome=HANDOFF_DONE),
    "handoff-rated": lambda minutes=1: of(HandoffRated, minutes, complete=True),
}

WAYS = {
    "offered": ((), HANDOFF_STATE_OFFERED, "repair"),
    "accepted": (("handoff-accepted",), HANDOFF_STATE_ACCEPTED, "repair"),
    "rejected": (("handoff-rejected",), HANDOFF_STATE_REJECTED, ""),
    "returned": (("handoff-returned",), HANDOFF_STATE_RETURNED, "desk"),
    "supplied": (("handoff-returned", "handoff-supplied"), HANDOFF_STATE_OFFERED, "repair"),
    "withdrawn": (("handoff-withdrawn",), HANDOFF_STATE_WITHDRAWN, ""),
    "withdrawn after a return": (("handoff-returned", "handoff-withdrawn"), HANDOFF_STATE_WITHDRAWN, ""),
    "withdrawn after acceptance": (("handoff-accepted", "handoff-withdrawn"), HANDOFF_STATE_WITHDRAWN, ""),
    "completed": (("handoff-accepted", "handoff-completed"), HANDOFF_STATE_COMPLETED, ""),
    "returned after acceptance": (("handoff-accepted", "handoff-returned"), HANDOFF_STATE_RETURNED, "desk"),
}

OFFERED = {"handoff-accepted", "handoff-rejected", "handoff-returned", "handoff-withdrawn", "handoff-rated"}
RETURNED = {"handoff-supplied", "handoff-withdrawn", "handoff-rated"}
OVER = {"handoff-rated"}
ALLOWED = {
    "offered": OFFERED,
    "accepted": {"handoff-completed", "handoff-returned", "handoff-withdrawn", "handoff-rated"},
    "rejected": {*OVER, "handoff-withdrawn"},
    "returned": RETURNED,
    "supplied": OFFERED,
    "withdrawn": OVER,
    "withdrawn after a return": OVER,
    "withdrawn after acceptance": OVER,
    "completed": OVER,
    "returned after acceptance": RETURNED,
}


def via(way: str, ownership: Any = STAYS) -> RequestState:
    moves = (MAKE[topic](minutes) for minutes, topic in enumerate(WAYS[way][0], 2))
    return after(opened(), offered(ownership=ownership), *moves)


@pytest.mark.parametrize("way", WAYS)
def test_a_handoff_stands_where_its_moves_led_and_in_those_hands(way: str) -> None:
    _, state, hands = WAYS[way]

    one = via(way).handoffs["h-1"]

    assert (state, hands) == (one.state, one.hands)
    assert one.pending == (state in (HANDOFF_STATE_OFFERED, HANDOFF_STATE_RETURNED))


@pytest.mark.parametrize("ownership", [MOVES, STAYS])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("topic", MAKE)
def test_only_the_moves_of_the_life_cycle_apply(way: str, topic: str, ownership: Any) -> None:
    state = via(way, ownership)

    refusal = RULES.refusal(state, MAKE[topic](9))

    assert (topic in ALLOWED[way]) == (refusal is None)


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_names_the_moves_that_do_apply(way: str) -> None:
    refusal = RULES.refusal(via(way), MAKE["handoff-offered"](9))

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert ALLOWED[way] == set(refusal.metadata["allowed"].split(", "))
    assert ("h-1", "r-1") == (refusal.metadata["handoff_id"], refusal.metadata["request_id"])


def test_a_move_of_a_handoff_never_offered_is_refused() -> None:
    refusal = RULES.refusal(after(opened()), of(HandoffAccepted))

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert "Request r-1 has no handoff h-1" in refusal.message


def test_an_offer_says_who_what_and_by_when() -> None:
    offer = offered(
        accept_by=30,
        complete_by=90,
        position=6,
        record=at(4),
        import_run="run-1",
        fields={
            "to_assignee": "bob",
            "type": "repair",
            "reason": "broken",
            "next_step": "visit",
            "promise_ids": ["p-1", "p-2"],
            "facts": [Fact(key="address"), Fact(key="order"), Fact(key="address")],
        },
    )

    one = handoff_after(offer)

    expected = HandoffState(
        handoff_id="h-1",
        request_id="r-1",
        state=HANDOFF_STATE_OFFERED,
        from_department="desk",
        to_department="repair",
        assignee="bob",
        type="repair",
        ownership=MOVES,
        reason="broken",
        next_step="visit",
        offered_time=at(1),
        since_time=at(1),
        accept_by=at(30),
        complete_by=at(90),
        promise_ids=("p-1", "p-2"),
        fact_keys=("address", "order"),
        subject=b"",
        position=6,
        fact_positions=(6,),
        terms_set_by_event_id=event_id("offer of h-1"),
        terms_record_time=at(4),
        terms_import_run="run-1",
    )
    assert expected == one


def test_a_return_names_what_is_missing_or_wrong_and_is_counted() -> None:
    one = handoff_after(offered(), MAKE["handoff-returned"](2), MAKE["handoff-supplied"](3), MAKE["handoff-returned"](4))

    assert (2, ("order", "name"), at(4)) == (one.returned_count, one.missing_keys, one.since_time)


def test_what_was_supplied_is_passed_and_no_longer_missing() -> None:
    supplied = event(HandoffSupplied(request_id="r-1", handoff_id="h-1", facts=[Fact(key="order")]), occur=at(3), position=900)
    one = handoff_after(offered(fields={"facts": [Fact(key="address")]}, position=800), MAKE["handoff-returned"](2), supplied)

    assert ((), ("address", "order"), (800, 900)) == (one.missing_keys, one.fact_keys, one.fact_positions)


def test_the_first_acceptance_and_the_one_who_took_it_are_known() -> None:
    one = handoff_after(
        offered(ownership=STAYS, fields={"to_assignee": "bob"}),
        of(HandoffAccepted, 2),
        of(HandoffReturned, 3),
        of(HandoffSupplied, 4),
        of(HandoffAccepted, 5, assignee="eve"),
    )

    assert (True, at(2), at(5), "eve") == (one.ever_accepted, one.accepted_time, one.since_time, one.assignee)


def test_the_last_rating_counts() -> None:
    one = handoff_after(offered(), of(HandoffRated, 2, complete=True, usable=True), of(HandoffRated, 3, usable=True))

    assert (True, False, True) == (one.rated, one.rated_complete, one.rated_usable)


def test_nothing_is_rated_before_somebody_did() -> None:
    one = handoff_after(offered())

    assert (False, False, False) == (one.rated, one.rated_complete, one.rated_usable)


def test_what_is_over_is_not_returned() -> None:
    refusal = RULES.refusal(after(opened(), offered(), of(HandoffRejected)), of(HandoffReturned, 3))

    assert refusal is not None
    assert (
        "Handoff h-1 is rejected: handoff-returned does not apply. Allowed now: handoff-withdrawn, handoff-rated. "
        "Make one of those moves, or offer a new handoff."
    ) == refusal.message


def test_a_completed_handoff_says_how_and_when() -> None:
    one = handoff_after(offered(), of(HandoffAccepted, 2), of(HandoffCompleted, 3, outcome=HANDOFF_DONE))

    assert (HANDOFF_DONE, at(3)) == (one.outcome, one.ended_time)


# Ownership


def test_while_offered_the_request_is_still_the_senders() -> None:
    assert after(opened(), offered()).owner_department == "desk"


def test_the_owner_moves_at_the_acceptance() -> None:
    state = after(opened(), offered(), of(HandoffAccepted, assignee="eve"))

    assert ("repair", "eve") == (state.owner_department, state.assignee)


def test_the_owner_stays_where_the_handoff_says_so() -> None:
    assert after(opened(), offered(ownership=STAYS), of(HandoffAccepted)).owner_department == "desk"


def test_an_owner_that_moved_goes_back_at_once_with_a_return() -> None:
    assert after(opened(), offered(), of(HandoffAccepted), of(HandoffReturned, 3)).owner_department == "desk"


def test_the_owner_moves_again_when_it_is_supplied_and_accepted_again() -> None:
    state = after(opened(), offered(), of(HandoffAccepted), of(HandoffReturned, 3), of(HandoffSupplied, 4), of(HandoffAccepted, 5))

    assert state.owner_department == "repair"


def test_an_orphan_gets_the_receiver_as_owner_and_the_sender_at_a_return() -> None:
    accepted = after(opened(""), offered(), of(HandoffAccepted))
    returned = after(opened(""), offered(), of(HandoffAccepted), of(HandoffReturned, 3))

    assert ("repair", "desk") == (accepted.owner_department, returned.owner_department)


def test_ownership_does_not_come_back_from_where_it_has_moved_on() -> None:
    state = after(
        opened(),
        offered("h-1"),
        of(HandoffAccepted),
        offered("h-2", minutes=3, sender="repair", receiver="lab"),
        of(HandoffAccepted, 4, "h-2"),
    )

    refusal = RULES.refusal(state, of(HandoffReturned, 5))

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert "the owner is lab" in refusal.message


def test_a_second_handoff_that_moves_the_ownership_is_refused_while_one_is_pending() -> None:
    refusal = RULES.refusal(after(opened(), offered("h-1")), offered("h-2"))

    assert refusal is not None
    assert OWNERSHIP_ALREADY_MOVING == refusal.reason
    assert ("h-1", "h-2") == (refusal.metadata["moving_handoff_id"], refusal.metadata["handoff_id"])


def test_a_returned_one_still_moves_the_ownership() -> None:
    refusal = RULES.refusal(after(opened(), offered("h-1"), of(HandoffReturned)), offered("h-2"))

    assert refusal is not None
    assert OWNERSHIP_ALREADY_MOVING == refusal.reason


def test_a_return_that_would_leave_two_pending_moves_is_refused() -> None:
    state = after(opened(), offered("h-1"), of(HandoffAccepted), offered("h-2", minutes=3, sender="repair", receiver="lab"))

    refusal = RULES.refusal(state, of(HandoffReturned, 4))

    assert refusal is not None
    assert OWNERSHIP_ALREADY_MOVING == refusal.reason
    assert "h-2" == refusal.metadata["moving_handoff_id"]


@pytest.mark.parametrize("end", [HandoffAccepted, HandoffRejected, HandoffWithdrawn])
def test_the_next_one_may_move_it_once_the_first_is_taken_or_over(end: Any) -> None:
    assert RULES.refusal(after(opened(), offered("h-1"), of(end)), offered("h-2")) is None


def test_any_number_that_stay_run_beside_one_that_moves() -> None:
    state = after(opened(), offered("h-1"), offered("h-2", ownership=STAYS), offered("h-3", ownership=STAYS))

    assert 3 == state.pending_handoff_count


def test_nothing_is_returned_into_a_closed_request() -> None:
    close = event(RequestClosed(request_id="r-1", outcome=CLOSED_RESOLVED), occur=at(3))
    state = after(opened(), offered(ownership=STAYS), of(HandoffAccepted), close)

    refusal = RULES.refusal(state, of(HandoffReturned, 4))

    assert refusal is not None
    assert "reopen it first" in refusal.message
    assert RULES.refusal(state, of(HandoffCompleted, 4, outcome=HANDOFF_DONE)) is None


# What the ledger adds to an acceptance and a return


def test_an_acceptance_that_moves_names_receiver_and_travelling_promises() -> None:
    payload = HandoffAccepted(request_id="r-1", handoff_id="h-1")

    RULES.complete(after(opened(), offered(fields={"promise_ids": ["p-1"]})), payload)

    assert ("repair", True, ["p-1"]) == (payload.to_department, payload.moves, list(payload.promise_ids))


def test_an_acceptance_that_stays_takes_no_promise_along() -> None:
    payload = HandoffAccepted(request_id="r-1", handoff_id="h-1")

    RULES.complete(after(opened(), offered(ownership=STAYS, fields={"promise_ids": ["p-1"]})), payload)

    assert ("repair", False, []) == (payload.to_department, payload.moves, list(payload.promise_ids))


def test_a_return_of_what_had_moved_gives_the_promises_back() -> None:
    payload = HandoffReturned(request_id="r-1", handoff_id="h-1")

    RULES.complete(after(opened(), offered(fields={"promise_ids": ["p-1"]}), of(HandoffAccepted)), payload)

    assert ("desk", True, ["p-1"]) == (payload.to_department, payload.moves, list(payload.promise_ids))


def test_a_return_before_any_acceptance_moves_nothing() -> None:
    payload = HandoffReturned(request_id="r-1", handoff_id="h-1")

    RULES.complete(after(opened(), offered(fields={"promise_ids": ["p-1"]})), payload)

    assert ("desk", False, []) == (payload.to_department, payload.moves, list(payload.promise_ids))


def test_an_acceptance_that_does_not_apply_says_nothing_of_the_ownership() -> None:
    payload = HandoffAccepted(request_id="r-1", handoff_id="h-1")

    RULES.complete(after(opened(), offered(), of(HandoffRejected)), payload)

    assert HandoffAccepted(request_id="r-1", handoff_id="h-1") == payload


@pytest.mark.parametrize("events", [[], [opened()]], ids=["no request", "no handoff"])
def test_nothing_is_added_where_nothing_was_offered(events: list[Event]) -> None:
    payload = HandoffReturned(request_id="r-1", handoff_id="h-1")

    RULES.complete(fold(RULES, events).state, payload)

    assert HandoffReturned(request_id="r-1", handoff_id="h-1") == payload


# Marks of the clock


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], True),
        ([of(HandoffReturned, 2)], True),
        ([of(HandoffReturned, 2), of(HandoffSupplied, 3)], True),
        ([of(HandoffAccepted, 10)], False),
        ([of(HandoffAccepted, 2), of(HandoffReturned, 3)], False),
        ([of(HandoffWithdrawn, 2)], False),
        ([of(HandoffRejected, 2)], False),
    ],
    ids=["offered", "returned", "supplied", "accepted at the term", "returned after acceptance", "withdrawn", "rejected"],
)
def test_it_expires_only_while_nobody_ever_accepted_it(before: list[Event], expected: bool) -> None:
    one = handoff_after(offered(accept_by=10), *before, mark(HandoffExpired, 10))

    assert expected == one.expired


def test_every_move_stays_open_after_it_expired() -> None:
    one = handoff_after(offered(accept_by=10), mark(HandoffExpired, 10), of(HandoffAccepted, 12))

    assert (True, HANDOFF_STATE_ACCEPTED) == (one.expired, one.state)


def test_an_acceptance_in_the_minute_of_the_term_is_in_time() -> None:
    accepted = of(HandoffAccepted, 10, header={"precision": MINUTE})

    assert not handoff_after(offered(accept_by=10), mark(HandoffExpired, 10), accepted).expired


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], True),
        ([of(HandoffAccepted, 2)], True),
        ([of(HandoffAccepted, 2), of(HandoffReturned, 3)], True),
        ([of(HandoffAccepted, 2), of(HandoffCompleted, 10, outcome=HANDOFF_DONE)], False),
        ([of(HandoffWithdrawn, 2)], False),
    ],
    ids=["offered", "accepted", "returned", "completed at the term", "withdrawn"],
)
def test_it_is_overdue_only_while_it_is_not_completed(before: list[Event], expected: bool) -> None:
    one = handoff_after(offered(complete_by=10), *before, mark(HandoffOverdue, 10))

    assert expected == one.marked_overdue


@pytest.mark.parametrize("message", [HandoffExpired, HandoffOverdue])
def test_a_mark_applies_only_to_the_term_it_names(message: Any) -> None:
    state = after(opened(), offered(accept_by=10, complete_by=10))

    assert RULES.refusal(state, mark(message, 10, set_by="offer of h-2")) is not None
    assert RULES.refusal(state, mark(message, 10)) is None


@pytest.mark.parametrize("message", [HandoffExpired, HandoffOverdue])
def test_no_mark_without_a_term(message: Any) -> None:
    assert RULES.refusal(after(opened(), offered()), mark(message, 10)) is not None


# Who may

BY_RECEIVER = ["handoff-accepted", "handoff-rejected", "handoff-returned", "handoff-rated"]


def acting(one: Event, department: str, **header: Any) -> Event:
    return event(one.payload, occur=one.occur, department=department, **header)


@pytest.mark.parametrize("topic", BY_RECEIVER)
def test_the_receiving_department_decides_what_it_does_with_an_offer(topic: str) -> None:
    state = after(opened(), offered())

    assert RULES.authority(state, acting(MAKE[topic](), "repair")) is None
    assert RULES.authority(state, acting(MAKE[topic](), "desk")) is not None


@pytest.mark.parametrize("topic", ["handoff-completed", "handoff-returned"])
def test_the_receiving_department_completes_or_returns_what_it_took(topic: str) -> None:
    state = after(opened(), offered(), of(HandoffAccepted))

    assert RULES.authority(state, acting(MAKE[topic](), "repair")) is None
    assert RULES.authority(state, acting(MAKE[topic](), "desk")) is not None


@pytest.mark.parametrize("topic", ["handoff-supplied", "handoff-withdrawn"])
def test_the_sending_department_supplies_and_withdraws(topic: str) -> None:
    state = after(opened(), offered(), of(HandoffReturned))

    assert RULES.authority(state, acting(MAKE[topic](), "desk")) is None
    assert RULES.authority(state, acting(MAKE[topic](), "repair")) is not None


def test_a_refusal_names_the_department_that_may() -> None:
    refusal = RULES.authority(after(opened(), offered()), acting(of(HandoffAccepted), "lab"))

    assert refusal is not None
    assert DEPARTMENT_NOT_ALLOWED == refusal.reason
    assert {"topic": "handoff-accepted", "department": "lab", "allowed_departments": "repair"} == refusal.metadata
    assert (
        "Handoff h-1 of request r-1: department lab may not make handoff-accepted. Allowed: the receiving department, repair. "
        "Let that department do it, or a supervisor with `supervisor` set."
    ) == refusal.message


def test_without_a_department_the_refusal_says_to_name_one() -> None:
    refusal = RULES.authority(after(opened(), offered()), of(HandoffAccepted))

    assert refusal is not None
    assert DEPARTMENT_NOT_ALLOWED == refusal.reason
    assert "Name the department that acts in the envelope." in refusal.message


@pytest.mark.parametrize(
    "header", [{"supervisor": True}, {"import_run": "run-1"}, {"record_late": True}], ids=["supervisor", "import", "late"]
)
@pytest.mark.parametrize("move", [of(HandoffAccepted), offered("h-2")], ids=["accepted", "offered"])
def test_supervisors_imports_and_late_records_may_make_any_move(header: dict[str, Any], move: Event) -> None:
    assert RULES.authority(after(opened(), offered()), acting(move, "lab", **header)) is None


def test_the_clock_may_mark() -> None:
    assert RULES.authority(after(opened(), offered(accept_by=10)), mark(HandoffExpired, 10)) is None


def test_only_the_owner_offers_what_moves_the_ownership() -> None:
    state = after(opened())

    assert RULES.authority(state, offered(department="desk")) is None
    refusal = RULES.authority(state, offered(department="lab", sender="lab"))
    assert refusal is not None
    assert "desk" == refusal.metadata["allowed_departments"]


def test_the_owner_offers_in_its_own_name() -> None:
    assert RULES.authority(after(opened()), offered(department="desk", sender="lab")) is not None


def test_anybody_offers_a_part_that_stays_or_an_orphan() -> None:
    assert RULES.authority(after(opened()), offered(department="lab", ownership=STAYS)) is None
    assert RULES.authority(after(opened("")), offered(department="lab")) is None


def test_a_sender_that_is_no_longer_the_owner_no_longer_offers() -> None:
    state = after(opened(), offered(), of(HandoffAccepted))

    assert RULES.authority(state, offered("h-2", department="desk")) is not None
    assert RULES.authority(state, offered("h-2", department="repair", sender="repair", receiver="lab")) is None


# Parallel strands


def strand(handoff_id: str, minutes: float = 1, type_: str = "", to: str = "repair") -> Any:
    return event(
        HandoffOffered(
            request_id="r-1", handoff_id=handoff_id, from_department="desk", to_department=to, type=type_, ownership=STAYS
        ),
        occur=at(minutes),
    )


def test_strands_are_done_when_each_is_completed_or_withdrawn() -> None:
    begun = after(opened(), strand("h-1"), strand("h-2", 2, to="lab"))

    done = after(
        opened(),
        strand("h-1"),
        strand("h-2", 2, to="lab"),
        of(HandoffAccepted, 3),
        of(HandoffCompleted, 4, outcome=HANDOFF_DONE),
        event(HandoffWithdrawn(request_id="r-1", handoff_id="h-2"), occur=at(5)),
    )

    assert ["h-1", "h-2"] == begun.open_strand_ids
    assert [] == done.open_strand_ids


def test_a_strand_that_failed_stays_open_until_it_is_withdrawn_or_offered_anew() -> None:
    rejected = after(opened(), strand("h-1"), of(HandoffRejected, 2))
    impossible = after(opened(), strand("h-1"), of(HandoffAccepted, 2), of(HandoffCompleted, 3, outcome=HANDOFF_IMPOSSIBLE))
    withdrawn = after(opened(), strand("h-1"), of(HandoffRejected, 2), of(HandoffWithdrawn, 3))
    anew = after(opened(), strand("h-1"), of(HandoffRejected, 2), strand("h-2", 3))
    another = after(opened(), strand("h-1", type_="parts"), of(HandoffRejected, 2), strand("h-2", 3, type_="paint"))

    assert ["h-1"] == rejected.open_strand_ids == impossible.open_strand_ids
    assert [] == withdrawn.open_strand_ids
    assert (["h-2"], 1) == (anew.open_strand_ids, len(anew.strands))
    assert ["h-1", "h-2"] == another.open_strand_ids


def test_a_request_is_not_resolved_over_open_strands_unless_somebody_overrode_the_rule() -> None:
    state = after(opened(), strand("h-1"), strand("h-2", 2, to="lab"))
    resolved = event(RequestResolved(request_id="r-1", resolution=RESOLUTION_DONE), occur=at(3))
    imported = event(RequestResolved(request_id="r-1", resolution=RESOLUTION_DONE), occur=at(3), import_run="run")
    override = event(RuleOverridden(rule="strands_open", request_id="r-1", reason="customer_content"), occur=at(3))
    another = event(RuleOverridden(rule="strands_open", request_id="r-2", reason="customer_content"), occur=at(3))

    refusal = strands_refusal(state, resolved, None)

    assert refusal is not None
    assert (STRANDS_OPEN, "h-1, h-2") == (refusal.reason, refusal.metadata["handoff_ids"])
    assert strands_refusal(state, resolved, override) is None
    assert strands_refusal(state, resolved, another) is not None
    assert strands_refusal(state, imported, None) is None
    assert strands_refusal(after(opened()), resolved, None) is None
