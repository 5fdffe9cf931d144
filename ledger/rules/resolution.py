"""The target of a request's resolution: a duration from its opening on, which pauses while the request waits for the customer.

Pure. What the policy said stands in request-opened and request-classified; nothing published later changes it. The rule (domain
rule 8.9):

- It starts when the request is opened, and runs by the clock or in business time. While it is paused it has no due.
- It pauses from request-waiting (for the customer) on, if the policy says so, until the request is resumed, waits for somebody
  else, or the customer's next linked contact or message, whichever occurred first. A message counts that names the request, or
  comes in a contact that was linked with it before; a contact that is linked later says itself when he came back in it.
- A new priority replaces it while it is undecided: the same start, all pauses kept. One that is broken, or whose due has passed,
  stays. A pause lasts as long as the rule in force says so.
- It is met by the first resolution (request-resolved, or request-closed as resolved). It is void, in no rate, when the request is
  withdrawn, refused or merged, or closed otherwise, before the due. What became of it stands when the request is reopened.
- A due never lies before the event that sets it: nobody can be late for what was not asked yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN
from ledger.api.v1.request_pb2 import CLOSED_RESOLVED, WAITING_FOR_CUSTOMER
from ledger.event import Event
from ledger.rules import derived
from ledger.rules.business_time import due_after_pauses
from ledger.rules.derived import RESOLUTION, RESOLUTION_PREFIX, DerivedTarget
from ledger.rules.hours_book import hours
from ledger.rules.instant import earliest, micros_or_none
from ledger.rules.state import state_class


@state_class
class Resolution(NamedTuple):
    """The target of a request, and when the request waited for the customer. Times are microseconds UTC."""

    target: DerivedTarget | None = None
    """None: untargeted or unmeasured."""
    start: int = 0
    """When the request was opened."""
    waits: tuple[tuple[int, int], ...] = ()
    """When it waited for the customer, ended, in order: [from, until)."""
    waiting_since: int | None = None
    """Since when it waits for the customer, as long as he did not come back."""
    measured: bool = False
    """It may get a target: not imported without one."""


UNTARGETED: Final = Resolution()


def opened(event: Event) -> Resolution:
    """Return what begins with a request."""
    payload = event.payload
    fresh = Resolution(start=event.order, measured=not event.header.import_run or payload.HasField("resolution_within"))
    if not payload.HasField("resolution_within"):
        return fresh
    return fresh._replace(target=_target(payload, event, fresh, payload.owner_department or event.header.department))


def after(state: Resolution, event: Event) -> Resolution:
    """Return the target after an event that applied to its request."""
    move = _MOVES.get(event.topic)
    return state if move is None else move(state, event)


def broken(state: Resolution, event: Event) -> Resolution | None:
    """Return the target after the clock said that its due passed; None where that does not apply."""
    target = derived.broken(state.target, event)
    return None if target is None else state._replace(target=target)


def last_wait(state: Resolution) -> int | None:
    """Return when the last wait for the customer began; None where there was none."""
    if state.waiting_since is not None:
        return state.waiting_since
    return state.waits[-1][0] if state.waits else None


def _target(payload: Any, event: Event, state: Resolution, department: str) -> DerivedTarget:
    setter = event.due_setter
    target = DerivedTarget(
        target_id=RESOLUTION_PREFIX + payload.request_id,
        kind=RESOLUTION,
        state=PROMISE_STATE_OPEN,
        due_time=None,
        due_set_by_event_id=setter.event_id,
        due_record_time=setter.record,
        due_import_run=setter.header.import_run,
        made_time=state.start,
        channel=event.header.channel,
        department=department,
        subject=event.subject,
        **_rule(payload),
    )
    if target.pausing:
        target = target._replace(pauses=state.waits, paused_since=state.waiting_since)
    due = _due(target, event.order)
    return target._replace(due_time=due, first_due_time=due)


def _rule(payload: Any) -> dict[str, Any]:
    return {
        "within": payload.resolution_within.ToMicroseconds(),
        "hours": payload.resolution_hours,
        "pausing": payload.resolution_pauses,
    }


def _due(target: DerivedTarget, not_before: int) -> int | None:
    """Return the due as it stands now: None while paused, unless the time had run out before, and beyond the horizon."""
    measured = hours(target.hours)
    due = due_after_pauses(measured, target.made_time, target.within, target.pauses)
    if due is None or (target.paused_since is not None and due > target.paused_since):
        return None
    return max(due, not_before)


def _is_over(target: DerivedTarget, at: int) -> bool:
    """True when the time was over before this: whatever ends a pause now moves the due no further."""
    if target.due_time is None or target.due_time > at:
        return False
    due = _due(target, 0)
    return due is not None and due <= target.due_time


def _set_anew(target: DerivedTarget, event: Event) -> DerivedTarget:
    """Return the target with the due that follows from its pauses and its rule; an event that moves it is named as what set it."""
    if _is_over(target, event.order):
        return target
    due = _due(target, event.order)
    if due == target.due_time or (due is not None and due == target.due_before_pause):
        return target._replace(due_time=due)
    if due is None:
        return target._replace(due_time=None, due_before_pause=target.due_time)
    setter = event.due_setter
    return target._replace(
        due_time=due,
        due_before_pause=None,
        first_due_time=due if target.first_due_time is None else target.first_due_time,
        due_set_by_event_id=setter.event_id,
        due_record_time=setter.record,
        due_import_run=setter.header.import_run,
    )


# Waits and pauses


def _waiting(state: Resolution, event: Event) -> Resolution:
    if event.payload.waiting_for != WAITING_FOR_CUSTOMER:
        return _came_back(state, event, event.order)
    if state.waiting_since is not None:
        return state
    target = state.target
    if target is not None and target.pausing and _undecided(target, event.order):
        target = _set_anew(target._replace(paused_since=event.order), event)
    return state._replace(waiting_since=event.order, target=target)


def _resumed(state: Resolution, event: Event) -> Resolution:
    return _came_back(state, event, event.order)


def _linked(state: Resolution, event: Event) -> Resolution:
    acted = micros_or_none(event.payload, "customer_time")
    return state if acted is None else _came_back(state, event, acted)


def _wrote(state: Resolution, event: Event) -> Resolution:
    return _came_back(state, event, event.order)


def _came_back(state: Resolution, event: Event, at: int) -> Resolution:
    """End the wait that an instant falls into, there: also one that was ended later before this was known."""
    target = state.target
    since = state.waiting_since
    if since is not None and since <= at:
        if target is not None and target.paused_since is not None:
            ended = target._replace(pauses=(*target.pauses, (target.paused_since, max(at, target.paused_since))), paused_since=None)
            target = _set_anew(ended, event) if target.state == PROMISE_STATE_OPEN else ended
        return state._replace(waits=(*state.waits, (since, at)), waiting_since=None, target=target)
    if not any(start < at < end for start, end in state.waits):
        return state
    if target is not None and target.state == PROMISE_STATE_OPEN:
        target = _set_anew(target._replace(pauses=_cut(target.pauses, at)), event)
    return state._replace(waits=_cut(state.waits, at), target=target)


def _cut(stretches: tuple[tuple[int, int], ...], at: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, at if start < at < end else end) for start, end in stretches)


def _undecided(target: DerivedTarget, at: int) -> bool:
    """True while nobody knows yet whether it will be met: open, and its due has not passed."""
    return target.state == PROMISE_STATE_OPEN and (target.due_time is None or at <= target.due_time)


# Another class


def _classified(state: Resolution, event: Event) -> Resolution:
    payload, target = event.payload, state.target
    if payload.resolution_untargeted:
        return state._replace(target=derived.void(target, event))
    if not payload.HasField("resolution_within"):
        return state
    if target is None and not state.measured:
        return state
    if target is None:
        return state._replace(target=_target(payload, event, state, event.header.department))
    if not _undecided(target, earliest(event)):
        return state
    changed = target._replace(**_rule(payload))
    if changed.paused_since is not None and not changed.pausing:
        changed = changed._replace(
            pauses=(*changed.pauses, (changed.paused_since, max(event.order, changed.paused_since))), paused_since=None
        )
    elif changed.paused_since is None and changed.pausing and state.waiting_since is not None:
        changed = changed._replace(paused_since=event.order)
    return state._replace(target=_set_anew(changed, event))


# Ends


def _met(state: Resolution, event: Event) -> Resolution:
    return _over(state, event)._replace(target=derived.met(state.target, event))


def _void(state: Resolution, event: Event) -> Resolution:
    return _over(state, event)._replace(target=derived.void(state.target, event))


def _closed(state: Resolution, event: Event) -> Resolution:
    return (_met if event.payload.outcome == CLOSED_RESOLVED else _void)(state, event)


def _over(state: Resolution, event: Event) -> Resolution:
    """End the wait with the request."""
    if state.waiting_since is None:
        return state
    return state._replace(waits=(*state.waits, (state.waiting_since, event.order)), waiting_since=None)


_MOVES: Final[dict[str, Callable[[Resolution, Event], Resolution]]] = {
    "request-waiting": _waiting,
    "request-resumed": _resumed,
    "contact-linked": _linked,
    "message-received": _wrote,
    "request-classified": _classified,
    "request-resolved": _met,
    "request-withdrawn": _void,
    "request-refused": _void,
    "request-merged": _void,
    "request-closed": _closed,
}
