"""Events recorded late on purpose: when they are held back, and who may confirm them (domain rule 8.2). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ledger.api.v1.errors_pb2 import DEPARTMENT_NOT_ALLOWED, MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.event_id import to_bytes
from ledger.rules.fold import judge
from ledger.rules.request import ENDING
from ledger.rules.verdict import Rules

_OWNER: Final[dict[str, str]] = {
    **dict.fromkeys(ENDING, "owner_department"),
    **dict.fromkeys(("complaint-closed", "complaint-withdrawn"), "hands"),
    **dict.fromkeys(("promise-kept", "promise-released", "promise-withdrawn"), "owner_department"),
}
"""Topics that close something or end a promise: which part of its state names the department that answers for it."""


def holds_back(event: Event, overtakes: Sequence[Event], at_place: Any) -> bool:
    """True when a late event would undo what another department did since, or close what another one answers for.

    It then waits for that department or a supervisor. `at_place`: what it is about, just before it.
    """
    if event.header.supervisor:
        return False
    department = event.header.department
    return _owner(event, at_place) not in ("", department) or any(other.header.department != department for other in overtakes)


def _owner(event: Event, at_place: Any) -> str:
    """Return the department that answers for what the event ends; empty where it ends nothing, or nobody does."""
    column = _OWNER.get(event.topic)
    if column is None or at_place is None or (event.topic == "promise-kept" and event.payload.partial):
        return ""
    return getattr(at_place, column) or ""


def may_confirm(rules: Rules, events: Sequence[Event], confirmation: Event) -> None:
    """Raise LedgerError unless the confirmation names an event held back, and comes from a department that it waits for."""
    wanted = to_bytes(confirmation.payload.confirmed_event_id)
    held = next((event for event in events if event.event_id == wanted), None)
    if held is None:
        raise LedgerError(
            REFERENCE_UNKNOWN,
            f"{confirmation.stream} has no event {confirmation.payload.confirmed_event_id}: name one of this stream.",
            stream=confirmation.stream,
        )
    if not held.header.held_back:
        raise LedgerError(
            MOVE_NOT_ALLOWED,
            f"Event {confirmation.payload.confirmed_event_id} is not held back: it needs no confirmation.",
            stream=confirmation.stream,
        )
    others = [event for event in events if event is not held]
    verdict = judge(rules, others, held)
    departments = {event.header.department for event in verdict.overtakes}
    departments |= {_owner(held, verdict.state)} - {"", held.header.department}
    if departments and not confirmation.header.supervisor and confirmation.header.department not in departments:
        allowed = ", ".join(sorted(departments))
        raise LedgerError(
            DEPARTMENT_NOT_ALLOWED,
            f"The late event undoes or ends what {allowed} answers for: one of them, or a supervisor, confirms it.",
            stream=confirmation.stream,
            allowed=allowed,
        )
