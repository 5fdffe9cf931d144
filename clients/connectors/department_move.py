"""Moves the pending work of a department that ends to the one that takes its place, by the events that anybody may append.

What there is says all of it truthfully, so the ledger needs nothing new: an owned request is offered with its ownership and
accepted in one atomic group; a handoff to or from the department is withdrawn and offered anew with the facts, promises and
terms that it carried; a promise is reassigned. Each is marked as a supervisor's. Ids derive from the run and the entity: a run
that is broken off and started again goes on, and of two at once one does each thing. Notes stay with the offers that were
withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from google.protobuf.message import Message

from clients.connectors.event_id import derived_id
from clients.python import Client, event, group
from ledger.api.v1.core_pb2 import MOVES, Fact
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffWithdrawn
from ledger.api.v1.handoff_service_pb2 import (
    HANDOFF_STATE_ACCEPTED,
    HANDOFF_STATE_OFFERED,
    HANDOFF_STATE_RETURNED,
    Handoff,
)
from ledger.api.v1.ledger_service_pb2 import EventGroup
from ledger.api.v1.promise_pb2 import PromiseReassigned
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN
from ledger.api.v1.request_service_pb2 import Request

REASON: Final = "department_ended"
"""Why it was offered, or withdrawn."""

GROUPS_AT_ONCE: Final = 100
FACTS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Left:
    """Something that did not move, and why."""

    entity: str
    why: str


@dataclass(slots=True)
class Work:
    """What one request or promise takes to move."""

    entity: str
    """Its stream."""
    events: list[EventToAppend] = field(default_factory=list)

    def group(self) -> EventGroup:
        """Return its events as one group: all or nothing."""
        return group(*self.events)


@dataclass(slots=True)
class Outcome:
    """What became of a move so far."""

    moved: dict[str, int] = field(default_factory=dict)
    """How many moved, by family: request, promise."""
    left: list[Left] = field(default_factory=list)

    @property
    def moved_count(self) -> int:
        """How many moved in all."""
        return sum(self.moved.values())


class DepartmentMove:
    """One run: from one department to another. `actor`: staff code of who decided it."""

    def __init__(self, client: Client, old: str, new: str, run: str, actor: str | None = None) -> None:
        self._client = client
        self._old = old
        self._new = new
        self._run = run
        self._actor = actor
        self.outcome = Outcome()

    def plan(self) -> Iterator[Work]:
        """Yield what has to be done, request by request, then promise by promise; what cannot be done goes to `outcome.left`."""
        handoffs: dict[str, list[Handoff]] = {}
        for one in self._handoffs():
            handoffs.setdefault(one.request_id, []).append(one)
        for request in self._client.requests(open=True, owner_departments=self._old, page_size=500):
            work = self._request(request.request_id, request, handoffs.pop(request.request_id, []))
            if work.events:
                yield work
        for request_id, of_request in handoffs.items():
            work = self._request(request_id, None, of_request)
            if work.events:
                yield work
        owed = (PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN)
        for promise in self._client.promises(states=owed, owner_departments=self._old, page_size=500):
            work = Work(f"promise-{promise.promise_id}")
            self._add(work, PromiseReassigned(promise_id=promise.promise_id, owner_department=self._new), self._old)
            yield work

    def run(self, told: Callable[[int], object] = lambda done: None) -> Outcome:
        """Do all that is planned, in batches; `told` hears after each how many things were tried."""
        done = 0
        plan = self.plan()
        while batch := list(islice(plan, GROUPS_AT_ONCE)):
            results = self._client.append_groups([work.group() for work in batch])
            for work, result in zip(batch, results, strict=True):
                if result.error is None:
                    family = work.entity.partition("-")[0]
                    self.outcome.moved[family] = self.outcome.moved.get(family, 0) + 1
                else:
                    self.outcome.left.append(Left(work.entity, str(result.error)))
            done += len(batch)
            told(done)
        return self.outcome

    def _handoffs(self) -> Iterable[Handoff]:
        """Return the handoffs that wait for the department, are in its hands, or wait for others in its name; each once."""
        unfinished = (HANDOFF_STATE_OFFERED, HANDOFF_STATE_RETURNED, HANDOFF_STATE_ACCEPTED)
        waiting = (HANDOFF_STATE_OFFERED, HANDOFF_STATE_RETURNED)
        seen: set[tuple[str, str]] = set()
        for which in (
            self._client.handoffs(states=unfinished, to_departments=self._old, page_size=500),
            self._client.handoffs(states=waiting, from_departments=self._old, page_size=500),
        ):
            for one in which:
                if (one.request_id, one.handoff_id) not in seen:
                    seen.add((one.request_id, one.handoff_id))
                    yield one

    def _request(self, request_id: str, owned: Request | None, handoffs: Sequence[Handoff]) -> Work:
        """Return what a request takes: what is in the way is withdrawn, then the ownership moves, then the rest is offered anew."""
        work = Work(f"request-{request_id}")
        again: list[Handoff] = []
        accepts_itself = None
        for one in handoffs:
            if one.ownership == MOVES and one.state == HANDOFF_STATE_ACCEPTED:
                # It has done what it was for: the request is the department's own.
                continue
            if one.from_department == self._old and one.to_department == self._new:
                if one.ownership == MOVES and one.state == HANDOFF_STATE_OFFERED:
                    accepts_itself = one.handoff_id
                elif one.state == HANDOFF_STATE_RETURNED:
                    self._leave(request_id, one, f"{self._new} returned it: supply what is missing, or withdraw it")
            elif one.from_department == self._new:
                self._leave(request_id, one, f"{self._new} offered it itself: complete it, or withdraw it")
            else:
                again.append(one)
        for one in again:
            withdrawn = HandoffWithdrawn(request_id=request_id, handoff_id=one.handoff_id, reason=REASON)
            self._add(work, withdrawn, one.from_department)
        if owned is not None:
            if accepts_itself is None:
                accepts_itself = self._handoff_id(request_id, "ownership")
                self._add(
                    work,
                    HandoffOffered(
                        request_id=request_id,
                        handoff_id=accepts_itself,
                        from_department=self._old,
                        to_department=self._new,
                        ownership=MOVES,
                        reason=REASON,
                    ),
                    self._old,
                )
            self._add(work, HandoffAccepted(request_id=request_id, handoff_id=accepts_itself), self._new)
        elif accepts_itself is not None:
            self._add(work, HandoffAccepted(request_id=request_id, handoff_id=accepts_itself), self._new)
        for one in again:
            self._offer_again(work, one)
        return work

    def _offer_again(self, work: Work, one: Handoff) -> None:
        sender = self._new if one.from_department == self._old else one.from_department
        receiver = self._new if one.to_department == self._old else one.to_department
        offered = HandoffOffered(
            request_id=one.request_id,
            handoff_id=self._handoff_id(one.request_id, one.handoff_id),
            from_department=sender,
            to_department=receiver,
            ownership=one.ownership,
            promise_ids=one.promise_ids,
            facts=[_plain(fact) for fact in one.facts[:FACTS_MAX]],
        )
        for name in ("type", "reason", "next_step"):
            if getattr(one, name):
                setattr(offered, name, getattr(one, name))
        for name in ("accept_by", "complete_by"):
            if one.HasField(name):  # type: ignore[arg-type]
                getattr(offered, name).CopyFrom(getattr(one, name))
        self._add(work, offered, sender)
        if one.state == HANDOFF_STATE_ACCEPTED:
            accepted = HandoffAccepted(request_id=one.request_id, handoff_id=offered.handoff_id)
            if one.assignee and receiver != self._new:
                accepted.assignee = one.assignee
            self._add(work, accepted, receiver)

    def _add(self, work: Work, payload: Message, department: str) -> None:
        name = f"{len(work.events)}"
        work.events.append(
            event(
                payload,
                event_id=derived_id(0, "move-department", self._run, work.entity, name),
                department=department,
                supervisor=True,
                actor=self._actor,
                correlation_id=self._run,
            )
        )

    def _leave(self, request_id: str, one: Handoff, why: str) -> None:
        self.outcome.left.append(Left(f"request-{request_id}, handoff {one.handoff_id}", why))

    def _handoff_id(self, request_id: str, name: str) -> str:
        return "moved-" + derived_id(0, "move-department", self._run, request_id, name).replace("-", "")


def _plain(shown: Any) -> Fact:
    """Return a fact as it may be appended: without what the ledger makes."""
    fact = Fact()
    fact.CopyFrom(shown)
    fact.ClearField("value_mark")
    return fact
