"""The life cycle of an exception: requested → granted | denied; granted → ended. What nobody asked for may be granted at once.

Pure. An exception changes nothing that it covers: the raw outcome stays, and the adjusted one stands beside it (domain rule 9.11).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ledger.api.v1.exception_service_pb2 import (
    EXCEPTION_STATE_DENIED,
    EXCEPTION_STATE_ENDED,
    EXCEPTION_STATE_GRANTED,
    EXCEPTION_STATE_REQUESTED,
)
from ledger.event import Event
from ledger.rules.instant import micros_or_none

FROM: Final[dict[str, frozenset[int]]] = {
    "exception-granted": frozenset({EXCEPTION_STATE_REQUESTED}),
    "exception-denied": frozenset({EXCEPTION_STATE_REQUESTED}),
    "exception-ended": frozenset({EXCEPTION_STATE_GRANTED}),
}
"""The states that each move applies in."""


class Scope(NamedTuple):
    """What an exception covers: single entities, or a department and channel (empty: any)."""

    promise_ids: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    contact_ids: tuple[str, ...] = ()
    department: str = ""
    channel: str = ""


class ExceptionState(NamedTuple):
    """An exception. Times are microseconds UTC, unset strings empty."""

    exception_id: str
    state: int
    """An ExceptionState of the API."""
    rule: str
    reason: str
    opened_time: int
    since_time: int
    """Since when it is in this state."""
    from_time: int | None
    """From when it counts, inclusive; None: not said."""
    until_time: int | None
    """Until when, exclusive; None: not said."""
    scope: Scope
    department: str
    """Department that asked for it, or granted it unasked."""
    subject: bytes
    position: int
    """Position of the event that holds the words: of the grant, once it is granted."""
    effect: int = 0
    """An ExceptionEffect, once granted."""
    extended_to: int | None = None
    approver: str = ""
    """Who granted or denied it."""
    ended_time: int | None = None
    """When somebody ended it: it covers dues before that."""


def _scope(payload: Any) -> Scope:
    said = payload.scope
    return Scope(tuple(said.promise_ids), tuple(said.request_ids), tuple(said.contact_ids), said.department, said.channel)


def _opened(event: Event, state: int) -> ExceptionState:
    payload = event.payload
    return ExceptionState(
        exception_id=payload.exception_id,
        state=state,
        rule=payload.rule,
        reason=payload.reason,
        opened_time=event.occur,
        since_time=event.occur,
        from_time=micros_or_none(payload, "from_time"),
        until_time=micros_or_none(payload, "until_time"),
        scope=_scope(payload),
        department=event.header.department,
        subject=event.subject,
        position=event.position,
    )


def _granted(state: ExceptionState, event: Event) -> ExceptionState:
    payload = event.payload
    return state._replace(
        state=EXCEPTION_STATE_GRANTED,
        rule=payload.rule or state.rule,
        reason=payload.reason or state.reason,
        since_time=event.occur,
        from_time=micros_or_none(payload, "from_time"),
        until_time=micros_or_none(payload, "until_time"),
        scope=_scope(payload),
        position=event.position,
        effect=payload.effect,
        extended_to=micros_or_none(payload, "extended_to"),
        approver=payload.approver,
    )


def step(state: ExceptionState | None, event: Event) -> tuple[ExceptionState | None, bool]:
    """Return the exception after the event, and whether it applied."""
    topic = event.topic
    if state is None:
        if topic == "exception-requested":
            return _opened(event, EXCEPTION_STATE_REQUESTED), True
        if topic == "exception-granted" and event.payload.rule:
            return _granted(_opened(event, EXCEPTION_STATE_GRANTED), event), True
        return None, False
    if topic == "event-confirmed":
        return state, True
    states = FROM.get(topic)
    if states is None or state.state not in states:
        return state, False
    if topic == "exception-granted":
        return _granted(state, event), True
    if topic == "exception-denied":
        return state._replace(state=EXCEPTION_STATE_DENIED, since_time=event.occur, approver=event.payload.approver), True
    return state._replace(state=EXCEPTION_STATE_ENDED, since_time=event.occur, ended_time=event.occur), True
