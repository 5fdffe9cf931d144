"""Which other entities an event concerns besides that of its own stream.

Pure. The fold of a stream takes its own events and those of other streams that touch it. When such an event is held back, the
event-confirmed that names it belongs into that fold too, although it touches nothing by itself; so do its corrections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final


def _in_reply_to(payload: Any) -> tuple[str, ...]:
    replied = payload.in_reply_to
    return (f"contact-{replied}",) if replied and replied != payload.contact_id else ()


def _derived_target(payload: Any) -> tuple[str, ...]:
    if payload.contact_id:
        return (f"contact-{payload.contact_id}",)
    if payload.request_id:
        return (f"request-{payload.request_id}",)
    return (f"complaint-{payload.complaint_id}",) if payload.complaint_id else ()


def _replaced(payload: Any) -> tuple[str, ...]:
    replaced = payload.replaces_promise_id
    return (f"promise-{replaced}",) if replaced and replaced != payload.promise_id else ()


def _replaced_statement(payload: Any) -> tuple[str, ...]:
    replaced = payload.replaces_statement_id
    return (f"statement-{replaced}",) if replaced and replaced != payload.statement_id else ()


def _travelling(payload: Any) -> tuple[str, ...]:
    return tuple(f"promise-{promise_id}" for promise_id in dict.fromkeys(payload.promise_ids))


def _told(payload: Any) -> tuple[str, ...]:
    return (f"promise-{payload.promise_id}",) if payload.promise_id else ()


def _about_requests(payload: Any) -> tuple[str, ...]:
    return tuple(f"request-{request_id}" for request_id in dict.fromkeys(payload.request_ids))


def _about_request(payload: Any) -> tuple[str, ...]:
    return (f"request-{payload.request_id}",) if payload.request_id else ()


_TOUCHED: Final[dict[str, Callable[[Any], tuple[str, ...]]]] = {
    "contact-made": _in_reply_to,
    "promise-broken": _derived_target,
    "message-received": _about_requests,
    "promise-made": _replaced,
    "statement-published": _replaced_statement,
    "handoff-accepted": _travelling,
    "handoff-returned": _travelling,
    "customer-informed": _told,
    "rule-overridden": _about_request,
    "journey-step-reached": _about_request,
}

LINKING: Final = frozenset({"request-opened", "contact-linked"})
"""Topics of the events that link a contact with a request: what the customer writes in it later concerns the request too."""

TOUCHING: Final = frozenset(_TOUCHED)
"""Topics of the events that may touch another stream."""


def touches(event: Any) -> tuple[str, ...]:
    """Return the streams of other entities that the event also concerns, each once."""
    return touched_by(event.topic, event.payload)


def linked_contacts(own: str, events: Iterable[Any]) -> dict[str, int]:
    """Return the contacts that a request's own events link with it, each with the position from which on; of others nothing."""
    found: dict[str, int] = {}
    for event in events:
        if event.topic in LINKING and event.stream == own and event.payload.contact_id:
            found[event.payload.contact_id] = min(event.position, found.get(event.payload.contact_id, event.position))
    return found


def concerns(event: Any, own: str, linked: Mapping[str, int]) -> bool:
    """True when an event of another stream concerns an entity: it touches it, or is a message in a contact linked before it.

    `linked`: what `linked_contacts` found among the entity's events.
    """
    if own in touches(event):
        return True
    return event.topic == "message-received" and bool(linked.get(event.payload.contact_id, event.position) < event.position)


def touched_by(topic: str, payload: Any) -> tuple[str, ...]:
    """Return the streams of other entities that a payload of an event type also concerns, each once."""
    touched = _TOUCHED.get(topic)
    return touched(payload) if touched is not None else ()
