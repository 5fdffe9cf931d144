"""What rules say: the protocol every family follows, why a move is refused, and the verdict on a new event.

Pure. Knows no family and no event type.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from ledger.api.v1.errors_pb2 import DEPARTMENT_NOT_ALLOWED, MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN, ErrorReason
from ledger.event import Event


class Refusal(NamedTuple):
    """Why a move does not apply: the reason for programs, the sentence for people, its values again in `metadata`."""

    reason: ErrorReason.ValueType
    message: str
    """State, what does not apply, what is allowed now, and the cure."""
    metadata: dict[str, str]


class Verdict(NamedTuple):
    """The judgement on a new event at its own place in the order of its entity's events."""

    refusal: Refusal | None
    """Why it does not apply there. For exempt events it does not mean refused: it means irregular."""
    overtakes: tuple[Event, ...]
    """Recorded events that apply today and would not any more."""
    state: Any | None
    """The entity just before the event, at its place: what `Rules.complete` needs."""


class Rules(Protocol):
    """The life cycle of one family of entities. Every method is pure and total."""

    def step(self, state: Any | None, event: Event) -> tuple[Any | None, bool]:
        """Return the state after the event, and whether it applied.

        `state` None: before the opener. With None the event is taken for one of the entity's own stream: a fold leaves out what
        other streams say before the opener. An event that applied may leave the state the same object (a note).
        """

    def evolve(self, state: Any | None, event: Event) -> Any | None:
        """Return the state after the event; the same object when it does not apply, None before an opener."""

    def refusal(self, state: Any | None, event: Event) -> Refusal | None:
        """Return why the event does not apply in this state; None when it does."""

    def authority(self, state: Any | None, event: Event) -> Refusal | None:
        """Return why the acting department may not make this move; None when it may. Asked at append only.

        Exempt events, supervisors and the clock may always.
        """

    def complete(self, state: Any | None, payload: Any) -> None:
        """Set the `made` fields of a payload that the state decides. Sets nothing where the move does not apply."""


def not_allowed(kind: str, entity_id: str, state: str, topic: str, allowed: Iterable[str], cure: str) -> Refusal:
    """Return the refusal of a move that does not apply in a state. `kind` is the entity's word: contact, request, …."""
    moves = ", ".join(allowed) or "nothing"
    return Refusal(
        MOVE_NOT_ALLOWED,
        f"{kind.capitalize()} {entity_id} is {state}: {topic} does not apply. Allowed now: {moves}. {cure}",
        {f"{kind}_id": entity_id, "state": state, "topic": topic, "allowed": moves},
    )


def not_opened(kind: str, stream: str, topic: str, openers: str) -> Refusal:
    """Return the refusal of a move on an entity without an opener."""
    entity_id = stream.partition("-")[2]
    return Refusal(
        REFERENCE_UNKNOWN,
        f"{kind.capitalize()} {entity_id} is not recorded: {topic} does not apply. Record {openers} first.",
        {f"{kind}_id": entity_id, "stream": stream, "topic": topic, "allowed": openers},
    )


def not_yours(what: str, topic: str, department: str, allowed: str, role: str) -> Refusal:
    """Return the refusal of a move that belongs to another department. `role` says which one that is."""
    who = f"department {department} may not" if department else "an event without a department may not"
    cure = (
        "Let that department do it, or a supervisor with `supervisor` set."
        if department
        else "Name the department that acts in the envelope."
    )
    return Refusal(
        DEPARTMENT_NOT_ALLOWED,
        f"{what}: {who} make {topic}. Allowed: {role}, {allowed}. {cure}",
        {"topic": topic, "department": department, "allowed_departments": allowed},
    )


def passes_authority(event: Event) -> bool:
    """True for those who may make any move: imports and late records, supervisors, the clock."""
    return event.clock or event.exempt or event.header.supervisor
