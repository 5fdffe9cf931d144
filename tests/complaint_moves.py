"""Moves for generated histories (histories.py): complaints, exceptions, overrides, experience, and the targets of requests."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.complaint_pb2 import (
    ComplaintAcknowledged,
    ComplaintAssessed,
    ComplaintClosed,
    ComplaintContested,
    ComplaintEscalated,
    ComplaintInvestigated,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResponded,
    ComplaintWithdrawn,
)
from ledger.api.v1.contact_pb2 import MessageReceived
from ledger.api.v1.exception_pb2 import (
    ExceptionDenied,
    ExceptionEnded,
    ExceptionGranted,
    ExceptionRequested,
    ExceptionScope,
    RuleOverridden,
)
from ledger.api.v1.experience_pb2 import IrritantReported, SatisfactionAsked, SatisfactionRecorded
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.request_pb2 import (
    ContactLinked,
    RequestClassified,
    RequestClosed,
    RequestOpened,
    RequestReopened,
    RequestResolved,
    RequestResumed,
    RequestWaiting,
    RequestWithdrawn,
)
from tests.build import timestamp
from tests.histories import Draws, Move


def _complaint(d: Draws) -> dict[str, str]:
    return {"complaint_id": d.of("k-1", "k-1", "k-2")}


def _exception(d: Draws) -> dict[str, str]:
    return {"exception_id": d.of("x-1", "x-1", "x-2")}


def _received(d: Draws) -> ComplaintReceived:
    return ComplaintReceived(
        **_complaint(d),
        owner_department=d.of("", "north"),
        about_department=d.department,
        acknowledge_due_time=d.of(None, timestamp(d.minute)),
        respond_due_time=d.of(None, timestamp(d.minute)),
        first_expressed_time=d.of(None, timestamp(d.minute)),
    )


def _granted(d: Draws) -> ExceptionGranted:
    return ExceptionGranted(
        **_exception(d),
        rule=d.of("", "delay", "delay", "credit"),
        from_time=timestamp(d.minute),
        until_time=timestamp(d.minute),
        scope=ExceptionScope(department=d.department),
        approver="s-1",
        **d.of({"effect": 1}, {"effect": 2, "extended_to": timestamp(d.minute)}),
    )


def _within(d: Draws) -> dict[str, object]:
    return {"resolution_within": Duration(seconds=60 * d.of(1, 3, 6)), "resolution_pauses": d.of(True, True, False)}


def _broken(d: Draws) -> PromiseBroken:
    target = d.of("acknowledge", "respond")
    of = _complaint(d)
    return PromiseBroken(promise_id=f"{target}-{of['complaint_id']}", **of)  # type: ignore[arg-type]


def _unresolved(d: Draws) -> PromiseBroken:
    request_id = d.request
    return PromiseBroken(promise_id=f"resolution-{request_id}", request_id=request_id)


COMPLAINTS: tuple[Move, ...] = (
    *[_received] * 3,
    lambda d: ComplaintAcknowledged(**_complaint(d)),
    lambda d: ComplaintAssessed(**_complaint(d), severity=d.of("low", "high"), safety=d.of(True, False)),
    lambda d: ComplaintInvestigated(**_complaint(d), root_cause="late"),
    *[lambda d: ComplaintResponded(**_complaint(d), decision=d.of(1, 2), appeal_told=d.of(True, False))] * 3,
    *[lambda d: ComplaintContested(**_complaint(d))] * 2,
    lambda d: ComplaintEscalated(**_complaint(d), escalation=d.of(1, 2), to_department=d.department),
    lambda d: ComplaintWithdrawn(**_complaint(d)),
    *[lambda d: ComplaintClosed(**_complaint(d), closing=d.of(1, 2))] * 2,
    lambda d: ComplaintReopened(**_complaint(d)),
    *[_broken] * 3,
)
EXCEPTIONS: tuple[Move, ...] = (
    *[lambda d: ExceptionRequested(**_exception(d), rule=d.of("delay", "credit"))] * 2,
    *[_granted] * 3,
    lambda d: ExceptionDenied(**_exception(d), approver="s-1"),
    *[lambda d: ExceptionEnded(**_exception(d))] * 2,
)
EXPERIENCES: tuple[Move, ...] = (
    *[lambda d: SatisfactionRecorded(measure=d.of(1, 2), score=d.of(1, 3, 5), contact_id=d.contact)] * 3,
    lambda d: SatisfactionAsked(measure=d.of(1, 2), contact_id=d.contact),
    *[lambda d: IrritantReported(causes=d.of(["late"], ["late", "cold"], ["cold"]), step=d.of("", "order"))] * 2,
    lambda d: RuleOverridden(rule=d.of("delay", "credit"), reason="goodwill", request_id=d.of("", d.request)),
)
RESOLUTIONS: tuple[Move, ...] = (
    *[lambda d: RequestOpened(request_id=d.request, owner_department=d.department, contact_id=d.of("", d.contact), **_within(d))]
    * 3,  # type: ignore[arg-type]
    *[lambda d: RequestWaiting(request_id=d.request, waiting_for=d.of(1, 1, 2))] * 3,
    *[lambda d: RequestResumed(request_id=d.request)] * 2,
    *[lambda d: RequestClassified(request_id=d.request, priority=d.of("high", "low"), **_within(d))] * 2,  # type: ignore[arg-type]
    lambda d: RequestClassified(request_id=d.request, priority="none", resolution_untargeted=True),
    lambda d: ContactLinked(request_id=d.request, contact_id=d.contact, customer_time=d.of(None, timestamp(d.minute))),
    *[lambda d: MessageReceived(contact_id=d.contact, request_ids=d.of([], ["r-1"], ["r-1", "r-2"]))] * 2,
    lambda d: RequestResolved(request_id=d.request, resolution=1),
    lambda d: RequestReopened(request_id=d.request),
    lambda d: RequestWithdrawn(request_id=d.request),
    lambda d: RequestClosed(request_id=d.request, outcome=d.of(1, 2)),
    *[_unresolved] * 3,
)
