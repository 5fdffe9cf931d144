"""Events recorded late on purpose: when they are held back, and who may confirm them (domain rule 8.2). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.api.v1.errors_pb2 import DEPARTMENT_NOT_ALLOWED, MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.event_id import to_bytes
from ledger.rules.fold import judge
from ledger.rules.verdict import Rules


def holds_back(event: Event, overtakes: Sequence[Event]) -> bool:
    """True when a late event would undo what another department did since: it then waits for that department or a supervisor."""
    return not event.header.supervisor and any(other.header.department != event.header.department for other in overtakes)


def may_confirm(rules: Rules, events: Sequence[Event], confirmation: Event) -> None:
    """Raise LedgerError unless the confirmation names an event held back, and comes from a department it would overtake."""
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
    departments = {event.header.department for event in judge(rules, others, held).overtakes}
    if departments and not confirmation.header.supervisor and confirmation.header.department not in departments:
        allowed = ", ".join(sorted(departments))
        raise LedgerError(
            DEPARTMENT_NOT_ALLOWED,
            f"The late event overtakes moves of {allowed}: one of them, or a supervisor, confirms it.",
            stream=confirmation.stream,
            allowed=allowed,
        )
