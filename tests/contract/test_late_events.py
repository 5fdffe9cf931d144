"""Late events that would undo or end what others answer for: they wait, whatever they are about (domain rule 8.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.api.v1.complaint_pb2 import (
    COMPLAINT_ACCEPTED,
    UPHELD,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintResponded,
    ComplaintWithdrawn,
)
from ledger.api.v1.complaint_service_pb2 import COMPLAINT_STATE_RESPONDED, COMPLAINT_STATE_WITHDRAWN
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.exception_pb2 import ExceptionDenied, ExceptionGranted, ExceptionRequested, ExceptionScope
from ledger.api.v1.governance_pb2 import EventConfirmed, ImportStarted
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade, PromiseReleased, PromiseWithdrawn
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT, PROMISE_STATE_OPEN, PROMISE_STATE_RELEASED
from ledger.api.v1.request_pb2 import CLOSED_OTHER, RequestClosed, RequestOpened, RequestRefused, RequestWithdrawn
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_CLOSED, REQUEST_STATE_OPEN
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.rules import FAMILIES
from ledger.rules.fold import fold
from tests.appending import append_one, group, to_append
from tests.build import timestamp

MINUTE = 60_000_000
DAY = 86_400_000_000
START = 1_770_000_000_000_000


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.micros = START

    def __call__(self) -> int:
        return self.micros


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def ledger(tmp_path: Path, now: Time) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path, now=now)
    append_one(opened, RequestOpened(request_id="r1", owner_department="sales"), department="sales")
    append_one(opened, PromiseMade(promise_id="p1", kind="quote", request_id="r1"), department="sales")
    append_one(opened, ComplaintReceived(complaint_id="k1", owner_department="sales"), department="sales")
    append_one(opened, ComplaintResponded(complaint_id="k1", decision=UPHELD), department="sales")
    now.micros += DAY
    yield opened
    opened.close()


def state(ledger: Ledger, stream: str) -> int:
    events = [read_event(row.position, row.header, row.parts) for row in ledger.store.read(0, 10_000)]
    folded = fold(FAMILIES[stream.partition("-")[0]], [one for one in events if one.stream == stream], stream).state
    assert folded is not None
    found: int = folded.state
    return found


def late(payload: Message, department: str, **envelope: Any) -> EventToAppend:
    return to_append(payload, occur=START + MINUTE, record_late=True, department=department, **envelope)


def held_back(ledger: Ledger, event: EventToAppend) -> bool:
    (result,) = ledger.append([group(event)])
    assert not result.HasField("error")
    return result.appended[0].held_back


@pytest.mark.parametrize(
    "payload",
    [
        RequestClosed(request_id="r1", outcome=CLOSED_OTHER),
        RequestWithdrawn(request_id="r1"),
        RequestRefused(request_id="r1", rule="too_late"),
        PromiseKept(promise_id="p1"),
        PromiseReleased(promise_id="p1"),
        PromiseWithdrawn(promise_id="p1"),
        ComplaintClosed(complaint_id="k1", closing=COMPLAINT_ACCEPTED),
        ComplaintWithdrawn(complaint_id="k1"),
    ],
    ids=lambda payload: payload.DESCRIPTOR.name,
)
def test_what_closes_or_ends_what_another_department_answers_for_is_held_back(ledger: Ledger, payload: Message) -> None:
    assert held_back(ledger, late(payload, "shipping"))
    assert not held_back(ledger, late(payload, "sales"))


@pytest.mark.parametrize("envelope", [{"supervisor": True}, {"import_run": "run-1", "record_late": False}], ids=str)
def test_a_supervisor_and_an_import_are_taken_at_their_word(ledger: Ledger, envelope: dict[str, Any]) -> None:
    append_one(ledger, ImportStarted(run_id="run-1", from_source="crm"))
    said = {"department": "shipping", "record_late": True, **envelope}

    assert not held_back(ledger, to_append(PromiseKept(promise_id="p1"), occur=START + MINUTE, **said))
    assert PROMISE_STATE_KEPT == state(ledger, "promise-p1")


def test_a_part_of_a_promise_ends_nothing_and_waits_for_nobody(ledger: Ledger) -> None:
    assert not held_back(ledger, late(PromiseKept(promise_id="p1", partial=True), "shipping"))


@pytest.mark.parametrize(
    ("payload", "stream", "before", "after"),
    [
        (PromiseReleased(promise_id="p1"), "promise-p1", PROMISE_STATE_OPEN, PROMISE_STATE_RELEASED),
        (RequestClosed(request_id="r1", outcome=CLOSED_OTHER), "request-r1", REQUEST_STATE_OPEN, REQUEST_STATE_CLOSED),
        (ComplaintWithdrawn(complaint_id="k1"), "complaint-k1", COMPLAINT_STATE_RESPONDED, COMPLAINT_STATE_WITHDRAWN),
    ],
    ids=["promise", "request", "complaint"],
)
def test_it_has_no_effect_until_that_department_confirms(
    ledger: Ledger, payload: Message, stream: str, before: int, after: int
) -> None:
    event = late(payload, "shipping")
    confirm = EventConfirmed(stream=stream, confirmed_event_id=event.envelope.event_id)

    assert held_back(ledger, event)
    assert before == state(ledger, stream)
    assert "DEPARTMENT_NOT_ALLOWED" == append_one(ledger, confirm, department="shipping")
    assert before == state(ledger, stream)
    assert "" == append_one(ledger, confirm, department="sales")
    assert after == state(ledger, stream)


def test_what_is_held_back_of_any_life_cycle_can_be_confirmed(ledger: Ledger, now: Time) -> None:
    window = {"from_time": timestamp(START), "until_time": timestamp(START + DAY), "scope": ExceptionScope(channel="phone")}
    append_one(ledger, ExceptionRequested(exception_id="x1", rule="first_response"), department="sales")
    now.micros += DAY
    granted = ExceptionGranted(exception_id="x1", approver="a-1", effect=1, **window)  # type: ignore[arg-type]
    append_one(ledger, granted, department="quality")
    denied = to_append(ExceptionDenied(exception_id="x1"), occur=START + DAY + MINUTE, record_late=True, department="sales")

    assert held_back(ledger, denied)
    confirm = EventConfirmed(stream="exception-x1", confirmed_event_id=denied.envelope.event_id)
    assert "DEPARTMENT_NOT_ALLOWED" == append_one(ledger, confirm, department="sales")
    assert "" == append_one(ledger, confirm, department="quality")
