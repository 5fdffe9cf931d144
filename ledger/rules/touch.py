"""Which other entities an event concerns besides that of its own stream.

Pure. The fold of a stream takes its own events and those of other streams that touch it. When such an event is held back, the
event-confirmed that names it belongs into that fold too, although it touches nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final


def _in_reply_to(payload: Any) -> tuple[str, ...]:
    replied = payload.in_reply_to
    return (f"contact-{replied}",) if replied and replied != payload.contact_id else ()


def _response_target(payload: Any) -> tuple[str, ...]:
    return (f"contact-{payload.contact_id}",) if payload.contact_id else ()


def _replaced(payload: Any) -> tuple[str, ...]:
    replaced = payload.replaces_promise_id
    return (f"promise-{replaced}",) if replaced and replaced != payload.promise_id else ()


def _travelling(payload: Any) -> tuple[str, ...]:
    return tuple(f"promise-{promise_id}" for promise_id in dict.fromkeys(payload.promise_ids))


def _told(payload: Any) -> tuple[str, ...]:
    return (f"promise-{payload.promise_id}",) if payload.promise_id else ()


_TOUCHED: Final[dict[str, Callable[[Any], tuple[str, ...]]]] = {
    "contact-made": _in_reply_to,
    "promise-broken": _response_target,
    "promise-made": _replaced,
    "handoff-accepted": _travelling,
    "handoff-returned": _travelling,
    "customer-informed": _told,
}

TOUCHING: Final = frozenset(_TOUCHED)
"""Topics of the events that may touch another stream."""


def touches(event: Any) -> tuple[str, ...]:
    """Return the streams of other entities that the event also concerns, each once."""
    touched = _TOUCHED.get(event.topic)
    return touched(event.payload) if touched is not None else ()
