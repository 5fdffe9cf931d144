"""Generated histories for property tests: a few contacts, requests, handoffs and promises, recorded in any order of time."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import (
    ContactAbandoned,
    ContactAnswered,
    ContactEnded,
    ContactMade,
    ContactQueued,
    ContactReceived,
    ContactWrappedUp,
    NoteAdded,
)
from ledger.api.v1.core_pb2 import DAY, EXACT, MINUTE
from ledger.api.v1.governance_pb2 import EventConfirmed
from ledger.api.v1.handoff_pb2 import (
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
from ledger.api.v1.promise_pb2 import (
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
from ledger.api.v1.request_pb2 import (
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
from ledger.catalogue import BY_FIELD
from ledger.event import Event
from tests.build import at, due, event, event_id_text, timestamp

KINDS = {kind.message.DESCRIPTOR.full_name: kind for kind in BY_FIELD.values()}
CONTACTS = ("c-1", "c-2")
REQUESTS = ("r-1", "r-2")
PROMISES = ("p-1", "p-2")
HANDOFFS = ("h-1", "h-2")
MINUTES = range(12)

contact_id = st.sampled_from(CONTACTS)
request_id = st.sampled_from(REQUESTS)
promise_id = st.sampled_from(PROMISES)
handoff_id = st.sampled_from(HANDOFFS)
department = st.sampled_from(("north", "south"))
minute = st.sampled_from(MINUTES)
positions = st.integers(1, 30)
"""An event by its position, which may not be recorded yet, or never."""
yes = st.booleans()


def _named(position: int) -> str:
    return event_id_text(f"at {position}")


def _dues() -> st.SearchStrategy[Any]:
    return st.builds(lambda end, start: due(at(end), None if start is None else at(start)), minute, st.none() | minute)


contact_payloads = st.one_of(
    st.builds(
        lambda contact, answer_by, bots: ContactReceived(
            contact_id=contact,
            reason="billing",
            bot_answers=bots,
            response_due_time=None if answer_by is None else timestamp(at(answer_by)),
        ),
        contact_id,
        st.none() | minute,
        yes,
    ),
    st.builds(
        lambda contact, replied, reached: ContactMade(contact_id=contact, in_reply_to=replied, reached=reached),
        contact_id,
        contact_id | st.just(""),
        st.sampled_from((1, 2, 3)),
    ),
    st.builds(lambda contact, by: ContactAnswered(contact_id=contact, answered_by=by), contact_id, st.sampled_from((1, 2, 3))),
    st.builds(lambda contact: ContactQueued(contact_id=contact, queue="first"), contact_id),
    st.builds(lambda contact: ContactAbandoned(contact_id=contact), contact_id),
    st.builds(
        lambda contact, disposition: ContactEnded(contact_id=contact, disposition=disposition, reason="unknown"),
        contact_id,
        st.sampled_from(("done", "spam")),
    ),
    st.builds(lambda contact: ContactWrappedUp(contact_id=contact), contact_id),
    st.builds(lambda contact: NoteAdded(contact_id=contact), contact_id),
    st.builds(
        lambda contact, setter: PromiseBroken(promise_id=f"response-{contact}", contact_id=contact, set_by_event_id=_named(setter)),
        contact_id,
        positions,
    ),
)
request_payloads = st.one_of(
    st.builds(
        lambda request, owner: RequestOpened(request_id=request, owner_department=owner, contact_id="c-1"),
        request_id,
        department | st.just(""),
    ),
    st.builds(lambda request: RequestClassified(request_id=request, priority="high"), request_id),
    st.builds(lambda request, owner: RequestAssigned(request_id=request, department=owner, assignee="ann"), request_id, department),
    st.builds(lambda request: RequestEscalated(request_id=request, kind=1), request_id),
    st.builds(lambda request, contact: ContactLinked(request_id=request, contact_id=contact), request_id, contact_id),
    st.builds(lambda request: RequestWaiting(request_id=request, waiting_for=1), request_id),
    st.builds(lambda request: RequestResumed(request_id=request), request_id),
    st.builds(
        lambda request, promise: CustomerInformed(request_id=request, promise_id=promise, next_step="wait"),
        request_id,
        promise_id | st.just(""),
    ),
    st.builds(lambda request: RequestResolved(request_id=request, resolution=1), request_id),
    st.builds(lambda request: RequestConfirmed(request_id=request), request_id),
    st.builds(lambda request: RequestReopened(request_id=request), request_id),
    st.builds(lambda request: RequestWithdrawn(request_id=request), request_id),
    st.builds(lambda request: RequestRefused(request_id=request, rule="no"), request_id),
    st.builds(lambda request: RequestMerged(request_id=request, into_request_id="r-9"), request_id),
    st.builds(lambda request: RequestClosed(request_id=request, outcome=1), request_id),
)
handoff_payloads = st.one_of(
    st.builds(
        lambda request, handoff, ownership, accept, complete: HandoffOffered(
            request_id=request,
            handoff_id=handoff,
            from_department="north",
            to_department="south",
            ownership=ownership,
            promise_ids=["p-1"],
            accept_by=timestamp(at(accept)),
            complete_by=timestamp(at(complete)),
        ),
        request_id,
        handoff_id,
        st.sampled_from((1, 2)),
        minute,
        minute,
    ),
    st.builds(
        lambda request, handoff, promises: HandoffAccepted(
            request_id=request, handoff_id=handoff, to_department="south", moves=bool(promises), promise_ids=promises
        ),
        request_id,
        handoff_id,
        st.lists(promise_id, unique=True),
    ),
    st.builds(lambda request, handoff: HandoffRejected(request_id=request, handoff_id=handoff), request_id, handoff_id),
    st.builds(
        lambda request, handoff, promises: HandoffReturned(
            request_id=request, handoff_id=handoff, missing_keys=["size"], to_department="north", promise_ids=promises
        ),
        request_id,
        handoff_id,
        st.lists(promise_id, unique=True),
    ),
    st.builds(lambda request, handoff: HandoffSupplied(request_id=request, handoff_id=handoff), request_id, handoff_id),
    st.builds(lambda request, handoff: HandoffWithdrawn(request_id=request, handoff_id=handoff), request_id, handoff_id),
    st.builds(lambda request, handoff: HandoffCompleted(request_id=request, handoff_id=handoff, outcome=1), request_id, handoff_id),
    st.builds(lambda request, handoff: HandoffRated(request_id=request, handoff_id=handoff, usable=True), request_id, handoff_id),
    st.builds(
        lambda request, handoff, setter: HandoffExpired(request_id=request, handoff_id=handoff, set_by_event_id=_named(setter)),
        request_id,
        handoff_id,
        positions,
    ),
    st.builds(
        lambda request, handoff, setter: HandoffOverdue(request_id=request, handoff_id=handoff, set_by_event_id=_named(setter)),
        request_id,
        handoff_id,
        positions,
    ),
)
promise_payloads = st.one_of(
    st.builds(
        lambda promise, said, replaced, kind: PromiseMade(
            promise_id=promise, kind=kind, due=said, contact_id="c-1", owner_department="north", replaces_promise_id=replaced
        ),
        promise_id,
        st.just(due(None)) | _dues(),
        promise_id | st.just(""),
        st.sampled_from(("delivery", "call_back")),
    ),
    st.builds(lambda promise, said: PromiseDated(promise_id=promise, due=said), promise_id, _dues()),
    st.builds(lambda promise, owner: PromiseReassigned(promise_id=promise, owner_department=owner), promise_id, department),
    st.builds(lambda promise, partial: PromiseKept(promise_id=promise, partial=partial), promise_id, st.just(False) | yes),
    st.builds(
        lambda promise, said, agreed: PromiseRenegotiated(
            promise_id=promise, due=said, customer_agreed=agreed, customer_told=not agreed, contact_id="c-2"
        ),
        promise_id,
        _dues(),
        yes,
    ),
    st.builds(lambda promise: PromiseReleased(promise_id=promise), promise_id),
    st.builds(lambda promise: PromiseWithdrawn(promise_id=promise), promise_id),
    st.builds(lambda promise, kept: PromiseDisputed(promise_id=promise, kept_event_id=_named(kept)), promise_id, positions),
    st.builds(lambda promise, setter: PromiseBroken(promise_id=promise, set_by_event_id=_named(setter)), promise_id, positions),
)
confirmations = st.builds(
    lambda stream, confirmed: EventConfirmed(stream=stream, confirmed_event_id=_named(confirmed)),
    st.sampled_from(
        (
            *(f"contact-{one}" for one in CONTACTS),
            *(f"request-{one}" for one in REQUESTS),
            *(f"promise-{one}" for one in PROMISES),
        )
    ),
    positions,
)
FAMILIES = (contact_payloads, request_payloads, handoff_payloads, promise_payloads)
OPENERS = (
    *(ContactReceived(contact_id=one, reason="unknown", response_due_time=timestamp(at(5))) for one in CONTACTS),
    *(RequestOpened(request_id=one, owner_department="north") for one in REQUESTS),
    *(PromiseMade(promise_id=one, kind="delivery", due=due(at(5)), owner_department="north") for one in PROMISES),
)
times = st.tuples(minute, st.sampled_from((0, 0, 1_000_000)), st.sampled_from((EXACT, EXACT, EXACT, MINUTE, DAY)))


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events of a few entities, recorded in any order of time or in order, some held back, some exempt, openers early or late."""
    families = draw(st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=4, unique_by=id))
    moves = st.one_of(*families, confirmations)
    payloads = draw(st.lists(st.sampled_from(OPENERS), max_size=4)) + draw(st.lists(moves, min_size=1, max_size=26))
    told = [draw(times) for _ in payloads]
    if draw(yes):
        told.sort()
    made: list[Event] = []
    for position, (payload, (minutes, more, precision)) in enumerate(zip(payloads, told, strict=True), 1):
        payload, occur = draw(_pointing(payload, made)), at(minutes) + more
        if isinstance(payload, PromiseBroken) and draw(st.booleans()):
            # The clock's events occur at the due, or they never apply.
            occur, precision = _due_set_by(payload, made, occur), EXACT
        made.append(
            event(
                payload,
                position=position,
                name=f"at {position}",
                occur=occur,
                record=at(20) + position,
                precision=precision,
                revision=1 + sum(one.stream == _stream_of(payload) for one in made),
                department="north",
                channel=draw(st.sampled_from(("phone", "email"))),
                subject=bytes([draw(st.sampled_from((1, 2)))] * 16),
                held_back=draw(st.integers(0, 9)) == 0,
                record_late=draw(yes),
            )
        )
    return made


@st.composite
def _pointing(draw: st.DrawFn, payload: Any, made: list[Event]) -> Any:
    """Let a payload that names another event name one that it can be about, if there is any, most of the time."""
    stream = _stream_of(payload)
    about: list[Event] = []
    field = next((one for one in ("set_by_event_id", "kept_event_id", "confirmed_event_id") if hasattr(payload, one)), "")
    if field == "confirmed_event_id":
        about = [one for one in made if one.header.held_back]
    elif field == "kept_event_id":
        about = [one for one in made if one.topic == "promise-kept" and one.stream == stream]
    elif field:
        about = [one for one in made if one.stream in (stream, f"contact-{getattr(payload, 'contact_id', '')}")]
    if not about or draw(st.integers(0, 3)) == 0:
        return payload
    named = draw(st.sampled_from(about))
    pointing = type(payload)()
    pointing.CopyFrom(payload)
    setattr(pointing, field, _named(named.position))
    if field == "confirmed_event_id":
        pointing.stream = named.stream
    return pointing


def _due_set_by(payload: PromiseBroken, made: list[Event], otherwise: int) -> int:
    for one in made:
        if _named(one.position) == payload.set_by_event_id:
            said = getattr(one.payload, "response_due_time", None) or getattr(getattr(one.payload, "due", None), "due_time", None)
            return otherwise if said is None else said.seconds * 1_000_000
    return otherwise


def _stream_of(payload: Any) -> str:
    return KINDS[payload.DESCRIPTOR.full_name].stream_of(payload, "")


instants = st.none() | st.builds(lambda minutes, more: at(minutes) + more, st.integers(-1, 14), st.sampled_from((0, 1, 59_999_999)))
splits = st.lists(st.integers(1, 29), unique=True).map(sorted)
