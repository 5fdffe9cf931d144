"""The response targets of a contact: one for its first answer, one for each later message. Kept, kept late, broken, or void.

Pure. Neither pauses; their dues were resolved at intake (domain rules 8.6, 8.9, 9.2).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.api.v1.promise_service_pb2 import (
    KEPT_CLAIMED,
    KEPT_EVIDENCE_UNSPECIFIED,
    KEPT_RECORDED,
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_VOID,
)
from ledger.event import Event
from ledger.event_id import to_text
from ledger.rules.derived import NEXT_RESPONSE_PREFIX
from ledger.rules.instant import earliest, uuid_bytes
from ledger.rules.state import state_class

FIRST_RESPONSE: Final = "first_response"
NEXT_RESPONSE: Final = "next_response"
"""Kinds of response targets, as promises are listed by kind."""

_OWED: Final = frozenset({PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN})


@state_class
class TargetState(NamedTuple):
    """A response target: answered by its due or not.

    The public id of the first response is `response-<contact_id>`, that of a message `next-response-<event id of the message>`: one
    made of contact and number could be that of another contact's first response, and numbers shift when a message is late.
    """

    contact_id: str
    state: int
    """A PromiseState: open, kept, kept late, broken or void."""
    due_time: int
    """Inclusive."""
    due_set_by_event_id: bytes
    """The contact-received or message-received event, or the correction that set the due."""
    due_record_time: int
    """When that event was recorded: the clock waits for it (domain rule 8.5)."""
    due_import_run: str
    made_time: int
    """When the contact or the message was received."""
    channel: str
    department: str
    subject: bytes
    ended_time: int | None = None
    """When it was answered or became void."""
    broken_time: int | None = None
    """Its due, once the clock's event stands in the fold; it stays."""
    kept_evidence: int = KEPT_EVIDENCE_UNSPECIFIED
    owed: bool = True
    """False once nobody waits for the answer any more: given up, or no answer needed."""
    kind: str = FIRST_RESPONSE
    message_event_id: bytes = b""
    """The message-received event; empty for the first response. Tells the targets of a contact apart."""
    message_position: int = 0
    """Position of that event; 0 for the first response."""
    party: bytes = b""
    """Whose contact it is: that of its contact (`ContactState.party`)."""

    @property
    def promise_id(self) -> str:
        """Id under which it is asked for."""
        if self.message_event_id:
            return f"{NEXT_RESPONSE_PREFIX}{to_text(self.message_event_id)}"
        return f"response-{self.contact_id}"


def message_of(promise_id: str) -> bytes | None:
    """Return the id of the message-received event whose target a promise id names.

    Empty for any other promise id, None for one that looks like it and names no event.
    """
    if not promise_id.startswith(NEXT_RESPONSE_PREFIX):
        return b""
    try:
        event_id = uuid_bytes(promise_id.removeprefix(NEXT_RESPONSE_PREFIX))
    except ValueError:
        return None
    return event_id if len(event_id) == 16 else None


def answered(target: TargetState | None, event: Event) -> TargetState | None:
    """Return the target after an answer that counts."""
    if target is None or target.state not in _OWED:
        return target
    if earliest(event) <= target.due_time:
        # A coarse time stands at the end of its unit, after the clock's event, and is in time all the same.
        evidence = KEPT_RECORDED if event.record <= target.due_time else KEPT_CLAIMED
        return target._replace(state=PROMISE_STATE_KEPT, ended_time=event.occur, broken_time=None, kept_evidence=evidence)
    return target._replace(state=PROMISE_STATE_KEPT_LATE, ended_time=event.occur)


def no_longer_owed(target: TargetState | None, event: Event) -> TargetState | None:
    """Return the target after nobody waits for the answer any more: void before the due, unchanged but not owed after it."""
    if target is None or target.state not in _OWED:
        return target
    if earliest(event) <= target.due_time:
        return target._replace(state=PROMISE_STATE_VOID, ended_time=event.occur, broken_time=None, owed=False)
    return target._replace(owed=False)


def broken(target: TargetState | None, event: Event) -> TargetState | None:
    """Return the target after the clock said that its due passed; None where that does not apply."""
    if (
        target is None
        or target.state != PROMISE_STATE_OPEN
        or event.occur != target.due_time
        or uuid_bytes(event.payload.set_by_event_id) != target.due_set_by_event_id
    ):
        return None
    return target._replace(state=PROMISE_STATE_BROKEN, broken_time=target.due_time)
