"""Payloads for properties of rules: complaints, exceptions, overrides, experience, one entity of each; and targets of requests."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from hypothesis import strategies as st

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
from ledger.api.v1.experience_pb2 import CSAT, SatisfactionRecorded
from ledger.api.v1.governance_pb2 import EventConfirmed
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.request_pb2 import ContactLinked, RequestClassified, RequestOpened, RequestWaiting
from tests.build import at, event_id_text, timestamp

names = st.sampled_from([f"event {number}" for number in range(1, 9)])
times = st.integers(0, 12).map(lambda minutes: timestamp(at(minutes)))

STREAMS: Final = {
    "complaint": "complaint-k-1",
    "exception": "exception-x-1",
    # Named after their event: the first one of a history.
    "override": f"override-{event_id_text('event 1')}",
    "experience": f"experience-{event_id_text('event 1')}",
}


def _confirmed(family: str) -> st.SearchStrategy[Any]:
    return names.map(lambda name: EventConfirmed(stream=STREAMS[family], confirmed_event_id=event_id_text(name)))


def _broken(target: str, draw: st.DrawFn, **of: str) -> PromiseBroken:
    return PromiseBroken(promise_id=target, set_by_event_id=event_id_text(draw(names)), **of)  # type: ignore[arg-type]


@st.composite
def complaint_payloads(draw: st.DrawFn) -> Any:
    own = {"complaint_id": "k-1"}
    return draw(
        st.sampled_from(
            [
                ComplaintReceived(**own, respond_due_time=draw(times)),
                ComplaintAcknowledged(**own),
                ComplaintAssessed(**own, severity="high", safety=draw(st.booleans())),
                ComplaintInvestigated(**own, root_cause="late"),
                *[ComplaintResponded(**own, decision=1, appeal_told=draw(st.booleans()))] * 3,
                *[ComplaintContested(**own)] * 2,
                ComplaintEscalated(**own, escalation=1, to_department="lab"),
                ComplaintWithdrawn(**own),
                *[ComplaintClosed(**own, closing=draw(st.integers(1, 2)))] * 3,
                ComplaintReopened(**own),
                _broken("acknowledge-k-1", draw, complaint_id="k-1"),
                _broken("respond-k-1", draw, complaint_id="k-1"),
                draw(_confirmed("complaint")),
            ]
        )
    )


@st.composite
def exception_payloads(draw: st.DrawFn) -> Any:
    own = {"exception_id": "x-1"}
    granted = {"from_time": draw(times), "until_time": draw(times), "scope": ExceptionScope(department="lab"), "approver": "s-1"}
    return draw(
        st.sampled_from(
            [
                ExceptionRequested(**own, rule="delay"),
                *[ExceptionGranted(**own, rule=draw(st.sampled_from(["", "delay"])), effect=1, **granted)] * 3,
                ExceptionDenied(**own, approver="s-1"),
                *[ExceptionEnded(**own)] * 2,
                draw(_confirmed("exception")),
            ]
        )
    )


@st.composite
def target_payloads(draw: st.DrawFn) -> Any:
    """What moves the target of a request, in most cases a pause."""
    own = {"request_id": "r-1"}
    rule = {"resolution_within": Duration(seconds=60 * draw(st.integers(1, 12))), "resolution_pauses": draw(st.booleans())}
    return draw(
        st.sampled_from(
            [
                RequestOpened(**own, **rule),
                *[RequestWaiting(**own, waiting_for=draw(st.integers(1, 2)))] * 3,
                *[RequestClassified(**own, priority="high", **rule)] * 2,
                RequestClassified(**own, priority="low", resolution_untargeted=True),
                ContactLinked(**own, contact_id="c-1", customer_time=draw(times)),
                MessageReceived(contact_id="c-1", request_ids=["r-1"]),
                *[_broken("resolution-r-1", draw, request_id="r-1")] * 2,
            ]
        )
    )


PAYLOADS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "complaint": complaint_payloads(),
    "exception": exception_payloads(),
    "override": _confirmed("override"),
    "experience": _confirmed("experience"),
}

OPENERS: Final[dict[str, Any]] = {
    "complaint": ComplaintReceived(complaint_id="k-1", acknowledge_due_time=timestamp(at(4)), respond_due_time=timestamp(at(8))),
    "exception": ExceptionRequested(exception_id="x-1", rule="delay"),
    "override": RuleOverridden(rule="delay", reason="goodwill"),
    "experience": SatisfactionRecorded(measure=CSAT, score=4),
}
