"""Generated histories for property tests: a few contacts, requests, handoffs and promises, recorded in any order of time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import (
    AuthenticationChecked,
    ColleagueConsulted,
    ContactAbandoned,
    ContactAnswered,
    ContactAttributed,
    ContactEnded,
    ContactMade,
    ContactQueued,
    ContactReceived,
    ContactTransferred,
    ContactWrappedUp,
    MessageReceived,
    MessageSent,
    NoteAdded,
)
from ledger.api.v1.core_pb2 import DAY, EXACT, MINUTE, Identifier
from ledger.api.v1.event_pb2 import CorrectedEnvelope, EventCorrected, Payload
from ledger.api.v1.governance_pb2 import EventConfirmed, EventRetracted
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
from ledger.catalogue import BY_FIELD, RESTATING
from ledger.event import Event
from tests.build import at, due, event, event_id_text, timestamp

KINDS = {kind.message.DESCRIPTOR.full_name: kind for kind in BY_FIELD.values()}
PARTIES = [str(UUID(bytes=bytes([byte] * 16))) for byte in (1, 2, 3)]
"""Whom contacts are attributed to: two of them are subjects of events too."""
MINUTES = 12
"""Everything occurs within so many minutes, so that ties are frequent."""

Move = Callable[["Draws"], Any]


class Draws:
    """Random choices for one event."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    @property
    def contact(self) -> str:
        return self.of("c-1", "c-1", "c-2")

    @property
    def request(self) -> str:
        return self.of("r-1", "r-1", "r-2")

    @property
    def promise(self) -> str:
        return self.of("p-1", "p-1", "p-2")

    @property
    def handoff(self) -> dict[str, str]:
        return {"request_id": self.of(*["r-1"] * 7, "r-2"), "handoff_id": self.of("h-1", "h-1", "h-2")}

    @property
    def department(self) -> str:
        return self.of("north", "south")

    @property
    def minute(self) -> int:
        return at(self.random.randrange(MINUTES))

    @property
    def due(self) -> Any:
        return due(self.minute, self.of(None, None, self.minute))

    @property
    def promises(self) -> list[str]:
        return self.of([], ["p-1"], ["p-2", "p-1"])


CONTACT: tuple[Move, ...] = (
    lambda d: ContactReceived(
        contact_id=d.contact, reason="billing", bot_answers=d.of(True, False), response_due_time=d.of(None, timestamp(d.minute))
    ),
    lambda d: ContactMade(contact_id=d.contact, in_reply_to=d.of("", "c-1", "c-2"), reached=d.of(1, 1, 2)),
    lambda d: ContactAnswered(contact_id=d.contact, answered_by=d.of(1, 2, 3)),
    lambda d: ContactQueued(contact_id=d.contact, queue=d.of("first", "second")),
    lambda d: ContactAbandoned(contact_id=d.contact),
    lambda d: ContactEnded(contact_id=d.contact, disposition=d.of("done", "spam"), reason="unknown"),
    lambda d: ContactWrappedUp(contact_id=d.contact),
    lambda d: NoteAdded(contact_id=d.contact),
    *[lambda d: MessageReceived(contact_id=d.contact, response_due_time=d.of(None, timestamp(d.minute)))] * 2,
    lambda d: MessageSent(contact_id=d.contact, sent_by=d.of(1, 2, 3)),
    lambda d: ContactTransferred(contact_id=d.contact, to_department=d.department, kind=d.of(1, 2, 3), talk=Duration(seconds=5)),
    lambda d: ColleagueConsulted(contact_id=d.contact, of_department=d.department),
    lambda d: AuthenticationChecked(contact_id=d.contact, method="knowledge", passed=d.of(True, False)),
    lambda d: ContactAttributed(contact_id=d.contact, customer=Identifier(type="phone", subject=d.of(*PARTIES))),
    *[lambda d: _target_broken(d.contact)] * 2,
)
REQUEST: tuple[Move, ...] = (
    lambda d: RequestOpened(request_id=d.request, owner_department=d.of("", "north"), contact_id="c-1"),
    lambda d: RequestClassified(request_id=d.request, priority=d.of("high", "low")),
    lambda d: RequestAssigned(request_id=d.request, department=d.department, assignee="ann"),
    lambda d: RequestEscalated(request_id=d.request, kind=1),
    lambda d: ContactLinked(request_id=d.request, contact_id=d.contact),
    lambda d: RequestWaiting(request_id=d.request, waiting_for=d.of(1, 2)),
    lambda d: RequestResumed(request_id=d.request),
    lambda d: CustomerInformed(request_id=d.request, promise_id=d.of("", d.promise), next_step="wait"),
    lambda d: RequestResolved(request_id=d.request, resolution=1),
    lambda d: RequestConfirmed(request_id=d.request),
    lambda d: RequestReopened(request_id=d.request),
    lambda d: RequestWithdrawn(request_id=d.request),
    lambda d: RequestRefused(request_id=d.request, rule="no"),
    lambda d: RequestMerged(request_id=d.request, into_request_id="r-9"),
    lambda d: RequestClosed(request_id=d.request, outcome=1),
)
HANDOFF: tuple[Move, ...] = (
    *[
        lambda d: HandoffOffered(
            **d.handoff,
            from_department="north",
            to_department="south",
            ownership=d.of(1, 2, 2),
            promise_ids=d.promises,
            accept_by=timestamp(d.minute),
            complete_by=timestamp(d.minute),
        )
    ]
    * 3,
    *[lambda d: HandoffAccepted(**d.handoff, to_department="south", moves=d.of(True, False), promise_ids=d.promises)] * 2,
    lambda d: HandoffRejected(**d.handoff),
    lambda d: HandoffReturned(**d.handoff, missing_keys=["size"], to_department="north", promise_ids=d.promises),
    lambda d: HandoffSupplied(**d.handoff),
    lambda d: HandoffWithdrawn(**d.handoff),
    lambda d: HandoffCompleted(**d.handoff, outcome=1),
    lambda d: HandoffRated(**d.handoff, usable=True),
    lambda d: HandoffExpired(**d.handoff),
    lambda d: HandoffOverdue(**d.handoff),
)
PROMISE: tuple[Move, ...] = (
    lambda d: PromiseMade(
        promise_id=d.promise,
        kind=d.of("delivery", "delivery", "call_back"),
        due=d.of(due(None), d.due, d.due),
        contact_id=d.of("", "c-1"),
        owner_department="north",
        replaces_promise_id=d.of("", "", d.promise),
    ),
    lambda d: PromiseDated(promise_id=d.promise, due=d.due),
    lambda d: PromiseReassigned(promise_id=d.promise, owner_department=d.department),
    lambda d: PromiseKept(promise_id=d.promise, partial=d.of(False, False, True)),
    lambda d: PromiseRenegotiated(
        promise_id=d.promise, due=d.due, customer_agreed=d.of(True, False), customer_told=True, contact_id="c-2"
    ),
    lambda d: PromiseReleased(promise_id=d.promise),
    lambda d: PromiseWithdrawn(promise_id=d.promise),
    lambda d: PromiseDisputed(promise_id=d.promise),
    lambda d: PromiseBroken(promise_id=d.promise),
)
CONFIRMED: tuple[Move, ...] = (lambda d: EventConfirmed(stream=d.of(f"contact-{d.contact}", f"promise-{d.promise}")),)
CONTACTS = (*CONTACT[:1], *CONTACT)
REQUESTS = (*REQUEST[:1], *REQUEST)
HANDOFFS = (*REQUEST[:1], *HANDOFF)
PROMISES = (*PROMISE[:1], *PROMISE)
FAMILIES = (CONTACTS, REQUESTS, HANDOFFS, PROMISES)
"""The first two moves of each open an entity."""


def _target_broken(contact_id: str) -> PromiseBroken:
    return PromiseBroken(promise_id=f"response-{contact_id}", contact_id=contact_id)


@st.composite
def histories(draw: st.DrawFn, families: Sequence[tuple[Move, ...]] = (), restated: bool = True) -> list[Event]:
    """Events of a few entities, recorded in any order of time or nearly in order, some held back, some exempt, openers anywhere.

    `families`: of which; by default of up to three. `restated`: some are corrected or retracted later.
    """
    moves = families or draw(st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=3, unique_by=id))
    in_order = draw(st.sampled_from((True, True, False)))
    size = draw(st.integers(8, 40))
    seeds = draw(st.lists(st.integers(0, 2**32), min_size=size, max_size=size))
    minutes = [random.Random(seed).randrange(MINUTES) for seed in seeds]
    if in_order:
        minutes.sort()
    made: list[Event] = []
    for number, (minute, seed) in enumerate(zip(minutes, seeds, strict=True)):
        draws = Draws(seed)
        of_family = moves[number % len(moves)]
        # Most entities are opened first, because little applies before.
        opens = number < 2 * len(moves) and draws.of(True, True, True, False)
        move = of_family[min(1, number // len(moves))] if opens else draws.of(*of_family, *CONFIRMED)
        when = minute if draws.of(*[True] * 4, False) else draws.of(*range(MINUTES))
        restating = None if opens or not restated else _restating(draws, made, [move for of_one in moves for move in of_one])
        made.append(_recorded(restating or move(draws), draws, when, made))
    return made


def _restating(draws: Draws, made: list[Event], moves: Sequence[Move]) -> Any | None:
    """Return, now and then, a correction or retraction of an earlier event."""
    if not made or draws.of(*[True] * 4, False):
        return None
    # What was recorded first is restated often, so that chains come about.
    named = draws.of(*made, *made[:4])
    if draws.of(True, False, False) or named.topic == "event-confirmed":
        return EventRetracted(stream=named.stream, retracted_event_id=event_id_text(named.event_id), reason="x")
    said = named.payload if named.topic not in RESTATING else NoteAdded(contact_id="c-1")
    for _ in range(3):
        # Another event of the kind and stream, if chance brings one about.
        other = draws.of(*moves)(draws)
        stream = KINDS[other.DESCRIPTOR.full_name].stream_of(other, "")
        if type(other) is type(said) and stream == named.stream:
            _name_another(other, draws, made)
            said = other
    kind = KINDS[said.DESCRIPTOR.full_name].field
    envelope = CorrectedEnvelope()
    if draws.of(True, False):
        envelope.occur_time.FromMicroseconds(draws.minute)
    if draws.of(True, False, False):
        envelope.precision = draws.of(EXACT, MINUTE, DAY)
    if draws.of(True, False, False):
        envelope.department = draws.department
    elif draws.of(True, False, False):
        envelope.without.append(2)
    payload = Payload()
    getattr(payload, kind).CopyFrom(said)
    return EventCorrected(
        stream=named.stream, corrected_event_id=event_id_text(named.event_id), reason="x", envelope=envelope, payload=payload
    )


def _recorded(payload: Any, draws: Draws, minute: int, made: list[Event]) -> Event:
    occur = at(minute) + draws.of(0, 0, 1_000_000)
    precision = draws.of(EXACT, EXACT, EXACT, EXACT, MINUTE, DAY)
    named = _name_another(payload, draws, made)
    if isinstance(payload, PromiseBroken) and named is not None and draws.of(True, True, False):
        # The clock's events occur at the due, or they never apply.
        occur, precision = _due_said(named, payload, made) or occur, EXACT
    stream = KINDS[payload.DESCRIPTOR.full_name].stream_of(payload, "")
    return event(
        payload,
        position=len(made) + 1,
        name=f"at {len(made) + 1}",
        occur=occur,
        record=at(20) + len(made),
        precision=precision,
        revision=1 + sum(one.stream == stream for one in made),
        department=draws.department,
        channel=draws.of("phone", "email"),
        subject=bytes([draws.of(1, 2)] * 16),
        held_back=draws.of(*[False] * 9, True) and not isinstance(payload, EventCorrected | EventRetracted),
        record_late=draws.of(True, False),
    )


def _broken_in(broken: PromiseBroken) -> str:
    """Return the stream whose derived target is broken."""
    return f"request-{broken.request_id}" if broken.request_id else f"complaint-{broken.complaint_id}"


def _due_said(named: Event, broken: PromiseBroken, made: list[Event]) -> int | None:
    """Return the due that an event sets, as far as it says it itself."""
    of = named.payload
    if named.topic.startswith("request-"):
        opened = [one.order for one in made if one.topic == "request-opened" and one.stream == named.stream]
        return opened[0] + of.resolution_within.ToMicroseconds() if opened and getattr(of, "resolution_within", None) else None
    field = "respond_due_time" if broken.promise_id.startswith("respond-") else "acknowledge_due_time"
    said = getattr(of, "response_due_time", None) or getattr(of, field, None) or getattr(getattr(of, "due", None), "due_time", None)
    return said.seconds * 1_000_000 if said else None


def _name_another(payload: Any, draws: Draws, made: list[Event]) -> Event | None:
    """Let a payload that names another event name one that it can be about, or any; return it if it is recorded."""
    field = next((one for one in ("set_by_event_id", "kept_event_id", "confirmed_event_id") if hasattr(payload, one)), None)
    if field is None:
        return None
    if field == "confirmed_event_id":
        about = [one for one in made if one.header.held_back]
    elif field == "kept_event_id":
        about = [one for one in made if one.topic == "promise-kept" and one.payload.promise_id == payload.promise_id]
    else:
        stream = KINDS[payload.DESCRIPTOR.full_name].stream_of(payload, "").replace("promise-response-", "contact-")
        if isinstance(payload, PromiseBroken) and (payload.request_id or payload.complaint_id):
            stream = _broken_in(payload)
        setting = (
            "contact-received",
            "message-received",
            "promise-made",
            "promise-dated",
            "promise-renegotiated",
            "handoff-offered",
            "request-opened",
            "request-classified",
            "request-resumed",
            "complaint-received",
        )
        about = [one for one in made if one.stream == stream and one.topic in setting]
    named = draws.of(*about) if about else None
    # Sometimes one that is recorded later, or never.
    position = named.position if named is not None else draws.random.randrange(1, 40)
    setattr(payload, field, event_id_text(f"at {position}"))
    if isinstance(payload, PromiseBroken) and named is not None and named.topic == "message-received":
        payload.promise_id = f"next-response-{payload.set_by_event_id}"
    if named is not None and field == "confirmed_event_id":
        payload.stream = named.stream
    return named


def instants_of(history: list[Event]) -> st.SearchStrategy[int | None]:
    """Return instants at which a history may be asked: none, at and beside its events."""
    orders = sorted({one.order for one in history})
    beside = st.builds(lambda order, more: order + more, st.sampled_from(orders), st.sampled_from((0, 0, -1, 1, 30_000_000)))
    return st.one_of(st.none(), beside, beside, beside)


splits = st.lists(st.integers(1, 39), unique=True).map(sorted)
