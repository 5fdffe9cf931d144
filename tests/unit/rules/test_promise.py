"""The life cycle of promises: occur time alone decides whether one was kept."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from ledger.api.v1.core_pb2 import DAY, MINUTE, Due
from ledger.api.v1.errors_pb2 import MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffReturned
from ledger.api.v1.promise_pb2 import (
    SAID,
    PromiseBroken,
    PromiseDated,
    PromiseDisputed,
    PromiseKept,
    PromiseMade,
    PromiseReassigned,
    PromiseReleased,
    PromiseRenegotiated,
    PromiseWithdrawn,
)
from ledger.api.v1.promise_service_pb2 import (
    KEPT_CLAIMED,
    KEPT_EVIDENCE_UNSPECIFIED,
    KEPT_PROVEN,
    KEPT_RECORDED,
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_RELEASED,
    PROMISE_STATE_REPLACED,
    PROMISE_STATE_WITHDRAWN,
)
from ledger.api.v1.request_pb2 import CustomerInformed
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold, judge
from ledger.rules.promise import PromiseState, evidence_with_proof
from tests.build import at, due, event, event_id, event_id_text, timestamp

RULES = FAMILIES["promise"]
DUE = 10
"""Minutes after the start at which the promise is due in these tests."""


def made(minutes: int | None = DUE, *, not_before: int | None = None, header: dict[str, Any] | None = None, **fields: Any) -> Event:
    said = due(None if minutes is None else at(minutes), None if not_before is None else at(not_before))
    payload = PromiseMade(**({"promise_id": "p-1", "kind": "delivery", "due": said} | fields))
    return event(payload, occur=at(0), name="made", **(header or {}))


def dated(minutes: float = 1, to: int = DUE, name: str = "dated") -> Event:
    return event(PromiseDated(promise_id="p-1", due=due(at(to))), occur=at(minutes), name=name)


def reassigned(minutes: float = 1, **fields: Any) -> Event:
    return event(PromiseReassigned(promise_id="p-1", **fields), occur=at(minutes))


def kept(minutes: float = 5, name: str = "kept", header: dict[str, Any] | None = None, **fields: Any) -> Event:
    return event(PromiseKept(promise_id="p-1", **fields), occur=at(minutes), name=name, **(header or {}))


def moved(
    minutes: float = 4, to: int | None = 20, name: str = "moved", header: dict[str, Any] | None = None, **fields: Any
) -> Event:
    said = due(None if to is None else at(to))
    flags = fields or {"customer_agreed": True, "contact_id": "c-2"}
    return event(PromiseRenegotiated(promise_id="p-1", due=said, **flags), occur=at(minutes), name=name, **(header or {}))


def released(minutes: float = 5) -> Event:
    return event(PromiseReleased(promise_id="p-1"), occur=at(minutes))


def withdrawn(minutes: float = 5) -> Event:
    return event(PromiseWithdrawn(promise_id="p-1"), occur=at(minutes))


def broken(minutes: float = DUE, set_by: str = "made") -> Event:
    return event(PromiseBroken(promise_id="p-1", set_by_event_id=event_id_text(set_by)), occur=at(minutes))


def disputed(minutes: float = 30, keep: str = "kept", **header: Any) -> Event:
    return event(PromiseDisputed(promise_id="p-1", kept_event_id=event_id_text(keep)), occur=at(minutes), **header)


def replacing(minutes: float = 30) -> Event:
    return event(PromiseMade(promise_id="p-2", kind="delivery", replaces_promise_id="p-1"), occur=at(minutes))


def after(*events: Event) -> PromiseState:
    state = fold(RULES, events, "promise-p-1").state
    assert isinstance(state, PromiseState)
    return state


WAYS: dict[str, tuple[Callable[[], list[Event]], int]] = {
    "open": (lambda: [made()], PROMISE_STATE_OPEN),
    "undated": (lambda: [made(None)], PROMISE_STATE_OPEN),
    "dated": (lambda: [made(None), dated()], PROMISE_STATE_OPEN),
    "renegotiated": (lambda: [made(), moved(to=40)], PROMISE_STATE_OPEN),
    "kept": (lambda: [made(), kept()], PROMISE_STATE_KEPT),
    "kept late": (lambda: [made(), kept(DUE + 1)], PROMISE_STATE_KEPT_LATE),
    "broken": (lambda: [made(), broken()], PROMISE_STATE_BROKEN),
    "broken, kept late": (lambda: [made(), broken(), kept(DUE + 1)], PROMISE_STATE_KEPT_LATE),
    "released": (lambda: [made(), released()], PROMISE_STATE_RELEASED),
    "broken, released": (lambda: [made(), broken(), released(15)], PROMISE_STATE_RELEASED),
    "withdrawn": (lambda: [made(), withdrawn()], PROMISE_STATE_WITHDRAWN),
    "broken, withdrawn": (lambda: [made(), broken(), withdrawn(15)], PROMISE_STATE_WITHDRAWN),
    "broken, replaced": (lambda: [made(), broken(), replacing()], PROMISE_STATE_REPLACED),
    "partly kept": (lambda: [made(), kept(partial=True)], PROMISE_STATE_OPEN),
}

MAKE: dict[str, Callable[[], Event]] = {
    "promise-made": made,
    "promise-dated": dated,
    "promise-reassigned": reassigned,
    "promise-kept": lambda: kept(name="another keep"),
    "promise-renegotiated": moved,
    "promise-released": released,
    "promise-withdrawn": withdrawn,
    "promise-disputed": disputed,
    "promise-made with replaces_promise_id": replacing,
}

OWED = {"promise-reassigned", "promise-kept", "promise-released", "promise-withdrawn"}
DATED = {*OWED, "promise-renegotiated"}
UNDATED = {*DATED, "promise-dated"}
BROKEN = {*OWED, "promise-made with replaces_promise_id"}
KEPT = {"promise-disputed"}

ALLOWED = {
    "open": DATED,
    "undated": UNDATED,
    "dated": DATED,
    "renegotiated": DATED,
    "kept": KEPT,
    "kept late": KEPT,
    "broken": BROKEN,
    "broken, kept late": KEPT,
    "released": set[str](),
    "broken, released": set[str](),
    "withdrawn": set[str](),
    "broken, withdrawn": set[str](),
    "broken, replaced": set[str](),
    "partly kept": {*DATED, *KEPT},
}

TOO_LATE_TO_MOVE = {"broken", "kept late", "broken, kept late"}
"""Ways in which the due has passed, so that a renegotiation is made after it."""


@pytest.mark.parametrize("way", WAYS)
def test_a_promise_stands_where_its_moves_led(way: str) -> None:
    events, expected = WAYS[way]

    assert expected == after(*events()).state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("topic", MAKE)
def test_only_the_moves_of_the_life_cycle_apply(way: str, topic: str) -> None:
    state = after(*WAYS[way][0]())
    late = topic == "promise-renegotiated" and way in TOO_LATE_TO_MOVE
    move = moved(DUE + 1) if late else MAKE[topic]()

    refusal = RULES.refusal(state, move)

    assert (topic in ALLOWED[way]) == (refusal is None)
    assert refusal is None or RULES.evolve(state, move) is state


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_names_the_moves_that_do_apply(way: str) -> None:
    refusal = RULES.refusal(after(*WAYS[way][0]()), made())

    assert refusal is not None
    assert (ALLOWED[way] or {"nothing"}) == set(refusal.metadata["allowed"].split(", "))


def test_a_refusal_says_the_state_the_moves_allowed_and_the_cure() -> None:
    refusal = RULES.refusal(after(made(), broken()), moved(15, 40))

    assert refusal is not None
    assert MOVE_NOT_ALLOWED == refusal.reason
    assert (
        "Promise p-1 is broken: promise-renegotiated does not apply. Allowed now: promise-reassigned, promise-kept, "
        "promise-released, promise-withdrawn, promise-made with replaces_promise_id. It was due 2023-11-14 22:24:00 UTC, before "
        "this renegotiation: make a new promise with replaces_promise_id p-1."
    ) == refusal.message
    assert ("p-1", "broken") == (refusal.metadata["promise_id"], refusal.metadata["state"])


@pytest.mark.parametrize(
    ("move", "cure"),
    [
        (made(), "Use another promise id for another promise."),
        (released(15), "It has ended: make a new promise."),
        (moved(15), "It has ended: make a new promise."),
        (broken(), "The clock's event has nothing to break: the promise has ended, or another event set its due."),
        (disputed(keep="another"), "Name the promise-kept event in force."),
    ],
    ids=lambda value: value.topic if isinstance(value, Event) else None,
)
def test_a_refusal_on_a_kept_promise_ends_with_what_to_do(move: Event, cure: str) -> None:
    refusal = RULES.refusal(after(made(), kept()), move)

    assert refusal is not None
    assert refusal.message.endswith(f"Allowed now: {'promise-disputed' if 'Name' not in cure else 'nothing'}. {cure}")


def test_a_date_on_a_dated_promise_is_refused_with_the_date_it_has() -> None:
    refusal = RULES.refusal(after(made()), dated())

    assert refusal is not None
    assert "It is due 2023-11-14 22:24:00 UTC: renegotiate it." in refusal.message


def test_a_move_on_a_promise_never_made_is_refused_as_unknown() -> None:
    refusal = RULES.refusal(None, kept())

    assert refusal is not None
    assert REFERENCE_UNKNOWN == refusal.reason
    assert "Record promise-made first" in refusal.message


def test_a_promise_says_what_was_known_when_it_was_made() -> None:
    opener = made(
        not_before=5,
        kind="call_back",
        origin=SAID,
        contact_id="c-1",
        request_id="r-1",
        owner_department="repair",
        assignee="ann",
        replaces_promise_id="p-0",
        header={
            "position": 8,
            "department": "desk",
            "channel": "phone",
            "subject": b"s" * 16,
            "record": at(2),
            "import_run": "run",
        },
    )

    expected = PromiseState(
        promise_id="p-1",
        state=PROMISE_STATE_OPEN,
        kind="call_back",
        origin=SAID,
        contact_id="c-1",
        request_id="r-1",
        promising_department="desk",
        owner_department="repair",
        assignee="ann",
        channel="phone",
        made_time=at(0),
        subject=b"s" * 16,
        position=8,
        replaces_promise_id="p-0",
        told=True,
        first_due_time=at(DUE),
        due_time=at(DUE),
        not_before=at(5),
        due_set_by_event_id=event_id("made"),
        due_record_time=at(2),
        due_import_run="run",
    )
    assert expected == RULES.evolve(None, opener)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("desk", "desk")),
        ({"promising_department": "sales"}, ("sales", "sales")),
        ({"promising_department": "sales", "owner_department": "repair"}, ("sales", "repair")),
    ],
)
def test_who_said_it_answers_for_it_unless_told_otherwise(fields: dict[str, str], expected: tuple[str, str]) -> None:
    state = after(made(header={"department": "desk"}, **fields))

    assert expected == (state.promising_department, state.owner_department)


# Kept


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (lambda: kept(DUE), (PROMISE_STATE_KEPT, KEPT_RECORDED)),
        (lambda: kept(DUE, header={"record": at(DUE) + 1}), (PROMISE_STATE_KEPT, KEPT_CLAIMED)),
        (
            lambda: kept(DUE, proof_time=timestamp(at(DUE)), header={"record": at(DUE) + 1}),
            (PROMISE_STATE_KEPT, KEPT_PROVEN),
        ),
        (
            lambda: kept(DUE, proof_time=timestamp(at(DUE) + 1), header={"record": at(DUE) + 1}),
            (PROMISE_STATE_KEPT, KEPT_CLAIMED),
        ),
        (
            lambda: kept(DUE, proof_event_id=event_id_text("proof"), header={"record": at(DUE) + 1}),
            (PROMISE_STATE_KEPT, KEPT_CLAIMED),
        ),
        (lambda: kept(DUE + 0.001), (PROMISE_STATE_KEPT_LATE, KEPT_EVIDENCE_UNSPECIFIED)),
        (lambda: kept(DUE, header={"precision": MINUTE}), (PROMISE_STATE_KEPT, KEPT_RECORDED)),
        (lambda: kept(DUE + 60, header={"precision": DAY, "record": at(DUE)}), (PROMISE_STATE_KEPT, KEPT_RECORDED)),
        (lambda: kept(DUE + 1, header={"precision": MINUTE}), (PROMISE_STATE_KEPT_LATE, KEPT_EVIDENCE_UNSPECIFIED)),
        (lambda: kept(DUE + 24 * 60, header={"precision": DAY}), (PROMISE_STATE_KEPT_LATE, KEPT_EVIDENCE_UNSPECIFIED)),
    ],
    ids=[
        "at the due",
        "recorded after it",
        "with an outside proof of the due",
        "with an outside proof after it",
        "with an event as proof",
        "a moment late",
        "in the minute of the due",
        "on the day of the due",
        "in the minute after",
        "on the day after",
    ],
)
def test_occur_time_alone_decides_and_the_due_is_inclusive(keep: Callable[[], Event], expected: tuple[int, int]) -> None:
    state = after(made(), keep())

    assert expected == (state.state, state.kept_evidence)


def test_an_event_as_proof_proves_when_it_was_itself_recorded_in_time() -> None:
    state = after(made(), kept(proof_event_id=event_id_text("proof"), header={"record": at(DUE) + 1}))

    assert state.keep is not None
    assert event_id("proof") == state.keep.proof_event_id
    assert [KEPT_PROVEN, KEPT_CLAIMED, KEPT_CLAIMED] == [evidence_with_proof(state, known) for known in (at(DUE), at(11), None)]


def test_a_promise_without_a_date_is_kept_whenever() -> None:
    state = after(made(None), kept(5000))

    assert (PROMISE_STATE_KEPT, KEPT_RECORDED, at(5000)) == (state.state, state.kept_evidence, state.ended_time)


def test_a_partial_keep_does_not_end_it() -> None:
    state = after(made(), kept(partial=True))

    assert (PROMISE_STATE_OPEN, True, None) == (state.state, state.partly_kept, state.ended_time)


def test_a_partly_kept_promise_still_breaks() -> None:
    state = after(made(), kept(partial=True), broken())

    assert (PROMISE_STATE_BROKEN, True) == (state.state, state.partly_kept)


def test_a_call_back_before_its_window_does_not_keep_it() -> None:
    state = after(made(kind="call_back", not_before=5))

    refusal = RULES.refusal(state, kept(4))

    assert refusal is not None
    assert "A call-back counts from 2023-11-14 22:19:00 UTC on" in refusal.message
    assert RULES.refusal(state, kept(5)) is None


def test_another_kind_is_kept_before_its_window() -> None:
    assert PROMISE_STATE_KEPT == after(made(kind="delivery", not_before=5), kept(4)).state


# Broken by the clock


def test_the_clock_breaks_an_open_promise_at_its_due() -> None:
    state = after(made(), broken())

    assert (PROMISE_STATE_BROKEN, at(DUE), None) == (state.state, state.broken_time, state.ended_time)


@pytest.mark.parametrize("wrong", [broken(DUE + 1), broken(set_by="another")], ids=["other instant", "other event"])
def test_the_clock_breaks_only_the_due_in_force(wrong: Event) -> None:
    folded = fold(RULES, [made(), wrong], "promise-p-1")

    assert PROMISE_STATE_OPEN == folded.state.state
    assert [wrong] == folded.ineffective


def test_a_keep_in_time_recorded_after_the_clock_leaves_the_clock_without_effect() -> None:
    clock = broken()
    late = kept(DUE - 1, header={"record": at(DUE + 60)})

    folded = fold(RULES, [made(), clock, late], "promise-p-1")

    assert (PROMISE_STATE_KEPT, KEPT_CLAIMED, None) == (
        folded.state.state,
        folded.state.kept_evidence,
        folded.state.broken_time,
    )
    assert [clock] == folded.ineffective


def test_a_keep_on_the_day_of_the_due_undoes_the_clock() -> None:
    state = after(made(), broken(), kept(DUE, header={"precision": DAY}))

    assert (PROMISE_STATE_KEPT, None) == (state.state, state.broken_time)


@pytest.mark.parametrize("end", [kept(15), released(15), withdrawn(15), replacing(15)], ids=lambda end: end.topic)
def test_once_broken_it_stays_counted_broken(end: Event) -> None:
    state = after(made(), broken(), end)

    assert at(DUE) == state.broken_time
    assert at(15) == state.ended_time


def test_a_replaced_promise_names_the_one_that_replaces_it() -> None:
    assert after(made(), broken(), replacing()).replaced_by_promise_id == "p-2"


def test_an_open_promise_is_renegotiated_and_not_replaced() -> None:
    refusal = RULES.refusal(after(made()), replacing())

    assert refusal is not None
    assert "Only a broken promise is replaced" in refusal.message


# Dates


def test_a_condition_met_gives_the_first_date() -> None:
    state = after(made(None), dated())

    assert (at(DUE), at(DUE), event_id("dated")) == (state.first_due_time, state.due_time, state.due_set_by_event_id)
    assert PROMISE_STATE_BROKEN == after(made(None), dated(), broken(set_by="dated")).state


def test_a_condition_met_without_a_date_sets_none() -> None:
    assert RULES.refusal(after(made(None)), event(PromiseDated(promise_id="p-1", due=Due()), occur=at(1))) is not None


def test_another_date_agreed_in_time_moves_the_due_and_keeps_the_first() -> None:
    state = after(made(), moved())

    assert (at(DUE), at(20), event_id("moved")) == (state.first_due_time, state.due_time, state.due_set_by_event_id)


def test_a_new_date_drops_the_window_of_the_old_one() -> None:
    assert after(made(kind="call_back", not_before=5), moved()).not_before is None


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"customer_asked": True, "contact_id": "c-2"}, (1, 0)),
        ({"customer_agreed": True, "contact_id": "c-2"}, (1, 0)),
        ({"customer_agreed": True}, (0, 1)),
        ({"customer_told": True, "contact_id": "c-2"}, (0, 1)),
        ({"contact_id": "c-2"}, (0, 1)),
    ],
    ids=["asked", "agreed", "agreed in no named contact", "told", "nothing said"],
)
def test_it_is_renegotiated_by_the_customer_in_a_named_contact_and_else_moved_by_us(
    flags: dict[str, Any], expected: tuple[int, int]
) -> None:
    state = after(made(), moved(**flags))

    assert (at(20), *expected) == (state.due_time, state.renegotiated_count, state.moved_by_us_count)


@pytest.mark.parametrize(
    ("move", "applies"),
    [
        (moved(DUE), True),
        (moved(DUE + 0.001), False),
        (moved(DUE, header={"precision": MINUTE}), True),
        (moved(DUE + 1, header={"precision": MINUTE}), False),
        (moved(4, to=4), False),
        (moved(4, to=5), True),
        (moved(4, to=None), False),
    ],
    ids=["at the due", "after it", "in its minute", "in the minute after", "to now", "to an earlier date", "to no date"],
)
def test_a_date_moves_by_the_due_in_force_and_to_the_future(move: Event, applies: bool) -> None:
    assert applies == (RULES.refusal(after(made()), move) is None)


def test_it_is_renegotiated_any_number_of_times() -> None:
    state = after(made(), moved(4, 20), moved(15, 30, name="again"), kept(29))

    assert (PROMISE_STATE_KEPT, 2, at(30)) == (state.state, state.renegotiated_count, state.due_time)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("precision", [0, MINUTE, DAY])
def test_moved_in_time_and_kept_by_the_new_date_ends_kept_however_late_it_was_recorded(
    order: tuple[int, ...], precision: int
) -> None:
    later = [moved(DUE, header={"precision": precision}), broken(), kept(15)]

    state = after(made(), *(later[place] for place in order))

    assert (PROMISE_STATE_KEPT, None, at(20)) == (state.state, state.broken_time, state.due_time)


def test_the_new_date_breaks_in_its_turn() -> None:
    state = after(made(), moved(), broken(), broken(20, set_by="moved"))

    assert (PROMISE_STATE_BROKEN, at(20)) == (state.state, state.broken_time)


# Disputed


def test_a_disputed_keep_leaves_the_fold_and_the_promise_is_open_again() -> None:
    folded = fold(RULES, [made(), kept(), disputed()], "promise-p-1")

    assert (PROMISE_STATE_OPEN, None, None) == (folded.state.state, folded.state.ended_time, folded.state.keep)
    assert [] == folded.ineffective


def test_after_a_dispute_the_clock_breaks_it_at_its_due() -> None:
    recorded = [made(), kept(), disputed()]

    assert judge(RULES, recorded, broken()).refusal is None
    assert PROMISE_STATE_BROKEN == after(*recorded, broken()).state


def test_a_clock_event_overtaken_by_the_keep_counts_again_after_the_dispute() -> None:
    state = after(made(), broken(), kept(), disputed())

    assert (PROMISE_STATE_BROKEN, at(DUE)) == (state.state, state.broken_time)


def test_after_a_dispute_it_may_be_kept_again() -> None:
    state = after(made(), broken(), kept(), disputed(30), kept(40, name="kept after all"))

    assert (PROMISE_STATE_KEPT_LATE, at(DUE), at(40)) == (state.state, state.broken_time, state.ended_time)


def test_a_disputed_part_is_no_longer_kept() -> None:
    assert not after(made(), kept(partial=True), disputed()).partly_kept


@pytest.mark.parametrize("recorded", [[made()], [made(), kept(name="another")]], ids=["not kept", "kept by another event"])
def test_only_the_keep_in_force_is_disputed(recorded: list[Event]) -> None:
    refusal = judge(RULES, recorded, disputed()).refusal

    assert refusal is not None
    assert "Name the promise-kept event in force" in refusal.message


def test_a_dispute_of_a_later_keep_takes_nothing_out() -> None:
    dispute = disputed(4)

    folded = fold(RULES, [made(), dispute, kept(5)], "promise-p-1")

    assert PROMISE_STATE_KEPT == folded.state.state
    assert [dispute] == folded.ineffective


# Owner, and what the customer was told


def test_a_reassigned_promise_has_another_owner_or_person() -> None:
    state = after(made(owner_department="desk", assignee="ann"), reassigned(1, assignee="bob"))
    assert ("desk", "bob") == (state.owner_department, state.assignee)

    state = after(made(owner_department="desk", assignee="ann"), reassigned(1, owner_department="repair"))
    assert ("repair", "") == (state.owner_department, state.assignee)


def travelling(message: Any, minutes: float, to: str) -> Event:
    payload = message(request_id="r-1", handoff_id="h-1", to_department=to, moves=True, promise_ids=["p-1"])
    return event(payload, occur=at(minutes))


def test_a_travelling_promise_changes_its_owner_with_the_handoff_and_back_with_the_return() -> None:
    accepted = travelling(HandoffAccepted, 2, "repair")
    returned = travelling(HandoffReturned, 3, "desk")

    assert after(made(owner_department="desk"), accepted).owner_department == "repair"
    assert after(made(owner_department="desk"), accepted, returned).owner_department == "desk"


def test_a_broken_promise_travels_and_an_ended_one_keeps_its_owner() -> None:
    accepted = travelling(HandoffAccepted, 15, "repair")

    assert after(made(owner_department="desk"), broken(), accepted).owner_department == "repair"
    assert after(made(owner_department="desk"), kept(), accepted).owner_department == "desk"


def test_a_handoff_is_never_refused_for_a_promise_that_travels() -> None:
    assert [] == fold(RULES, [made(), kept(), travelling(HandoffAccepted, 15, "repair")], "promise-p-1").ineffective


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([made()], False),
        ([made(contact_id="c-1")], True),
        ([made(), event(CustomerInformed(request_id="r-1", promise_id="p-1"), occur=at(2))], True),
        ([made(), moved()], True),
        ([made(), moved(customer_told=True)], True),
    ],
    ids=["an internal aim", "said in a contact", "named when informing", "agreed with the customer", "moved by telling"],
)
def test_a_promise_counts_as_told_once_the_customer_heard_of_it(events: list[Event], expected: bool) -> None:
    assert expected == after(*events).told


def test_anybody_may_make_any_move_of_a_promise() -> None:
    assert RULES.authority(after(made()), kept()) is None
