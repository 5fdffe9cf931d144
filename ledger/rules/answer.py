"""An answer to a question: one event, whose state is what it says and about what. It has no moves.

Pure. Reads clear fields only. Which answers are comparable is decided by the scope: see `scope_of`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ledger.api.v1 import answer_pb2
from ledger.event import Event
from ledger.rules.instant import earliest, micros_or_none
from ledger.rules.verdict import Refusal, not_allowed, not_opened

STATED: Final = 1
"""It states something: it has an answer, and claims it."""
NOT_STATED: Final = 2
"""It could not be answered, could not be confirmed, or the customer was referred elsewhere."""


class AnswerState(NamedTuple):
    """An answer. Times are microseconds UTC, unset strings empty."""

    state: int
    """STATED or NOT_STATED."""
    question_key: str
    scope: str
    """Equal for answers about the same: see `scope_of`."""
    answer_key: str
    stance: int
    obstacle: int
    answer_version: str
    answer_source: str
    department: str
    channel: str
    order_time: int
    """Where it stands in the order, and from when it is valid."""
    occur_time: int
    earliest_time: int
    """First instant at which it may have been given."""
    record_time: int
    claimed_until: int | None
    """End of its validity by itself and by the policy, the first of the two. Exclusive."""
    request_id: str
    contact_id: str
    object_key: str
    subject: bytes


def scope_of(event: Event) -> str:
    """Return what an answer is about: answers are comparable when question and scope are equal (domain rule 9.8).

    The object, by its clear key, else by its mark within the subject; without one the request; else empty: in general.
    """
    payload = event.payload
    if payload.object_key:
        return object_scope(payload.object_key)
    if payload.HasField("object"):
        return f"m {event.subject.hex()} {payload.object.type} {payload.object.value_mark.hex()}"
    return f"r {payload.request_id}" if payload.request_id else ""


def object_scope(object_key: str) -> str:
    """Return the scope of what is about an object by its clear key; in general for an empty one."""
    return f"o {object_key}" if object_key else ""


def object_of(scope: str) -> str:
    """Return the clear key of the object that a scope is about; empty where it is about none."""
    kind, _, key = scope.partition(" ")
    return key if kind == "o" else ""


def given(event: Event) -> AnswerState:
    """Return the answer that an event gives."""
    payload, header = event.payload, event.header
    ends = [micros_or_none(payload, name) for name in ("valid_until", "policy_valid_until")]
    return AnswerState(
        state=STATED if payload.answer_key and payload.stance == answer_pb2.STATED else NOT_STATED,
        question_key=payload.question_key,
        scope=scope_of(event),
        answer_key=payload.answer_key,
        stance=payload.stance,
        obstacle=payload.obstacle,
        answer_version=payload.answer_version,
        answer_source=payload.answer_source,
        department=header.department,
        channel=header.channel,
        order_time=event.order,
        occur_time=event.occur,
        earliest_time=earliest(event),
        record_time=event.record,
        claimed_until=min((end for end in ends if end is not None), default=None),
        request_id=payload.request_id,
        contact_id=payload.contact_id,
        object_key=payload.object_key,
        subject=event.subject,
    )


class AnswerRules:
    """The one state of an answer. See `Rules`."""

    def step(self, state: AnswerState | None, event: Event) -> tuple[AnswerState | None, bool]:
        """See `Rules.step`."""
        if state is None:
            return (given(event), True) if event.topic == "answer-given" else (None, False)
        return state, event.topic == "event-confirmed"

    def evolve(self, state: AnswerState | None, event: Event) -> AnswerState | None:
        """See `Rules.evolve`."""
        return self.step(state, event)[0]

    def refusal(self, state: AnswerState | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN."""
        if self.step(state, event)[1]:
            return None
        if state is None:
            return not_opened("answer", event.stream, event.topic, "answer-given")
        return not_allowed("answer", event.stream.partition("-")[2], "given", event.topic, (), "Give another answer.")

    def authority(self, state: AnswerState | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: AnswerState | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""
