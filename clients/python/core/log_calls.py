"""Questions to the log itself: events, the head, positions, and following it. Pure: makes calls, sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

import uuid_utils

from clients.python.core.arguments import Names, fill, timestamp
from clients.python.core.calls import Call, Rpc, ask
from clients.python.core.following import Change, Feed, Following
from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.ledger_service_pb2 import (
    EventFilter,
    GetEventRequest,
    GetEventResponse,
    GetHeadRequest,
    GetHeadResponse,
    GetPositionAtRequest,
    GetPositionAtResponse,
    ReadEventsRequest,
    ReadEventsResponse,
    SubscribeRequest,
    SubscribeResponse,
)

SERVICE: Final = "LedgerService"
READ_EVENTS: Final = Rpc(SERVICE, "ReadEvents", ReadEventsRequest, ReadEventsResponse)
GET_EVENT: Final = Rpc(SERVICE, "GetEvent", GetEventRequest, GetEventResponse)
SUBSCRIBE: Final = Rpc(SERVICE, "Subscribe", SubscribeRequest, SubscribeResponse)
GET_HEAD: Final = Rpc(SERVICE, "GetHead", GetHeadRequest, GetHeadResponse)
GET_POSITION_AT: Final = Rpc(SERVICE, "GetPositionAt", GetPositionAtRequest, GetPositionAtResponse)


class EventOptions(TypedDict, total=False):
    """Which events are wanted: only these `topics`, this `stream`, these `subjects` (pseudonyms). All that is set is required."""

    topics: Names | None
    stream: str | None
    subjects: Names | None


def head(*, timeout_seconds: float | None = None) -> Call[GetHeadResponse, GetHeadResponse]:
    """Return the head of the log: its position, record time and token, and which ledger it is.

    Example:
        >>> client.head().position
        4711
    """
    return ask(GET_HEAD, {"timeout_seconds": timeout_seconds})


def position_at(record_time: datetime, *, timeout_seconds: float | None = None) -> Call[GetPositionAtResponse, int]:
    """Return the last position recorded at or before a time; 0 before the first event.

    Example:
        >>> client.history("email:a@example.org", as_of=client.position_at(datetime(2026, 3, 1, tzinfo=UTC)))
    """
    request = GetPositionAtRequest(record_time=timestamp(record_time, "record_time"))
    return Call(GET_POSITION_AT, request, lambda response: response.position, timeout_seconds=timeout_seconds)


def get_event(
    event_id: str | UUID | uuid_utils.UUID | None = None, *, position: int | None = None, timeout_seconds: float | None = None
) -> Call[GetEventResponse, RecordedEvent]:
    """Return one event by its id or its position. NotRecordedError when there is none.

    Example:
        >>> client.get_event(position=1).topic
        'ledger-opened'
    """
    if (event_id is None) == (position is None):
        raise TypeError("get_event takes either an event_id or a position.")
    request = GetEventRequest(event_id=str(event_id)) if event_id is not None else GetEventRequest(position=position)
    return Call(GET_EVENT, request, lambda response: response.event, timeout_seconds=timeout_seconds)


def read_events(
    from_position: int = 1,
    *,
    until_position: int | None = None,
    limit: int | None = None,
    timeout_seconds: float | None = None,
    **which: Unpack[EventOptions],
) -> Feed[ReadEventsResponse, RecordedEvent]:
    """Read events in order of position, to `until_position` (inclusive) or to the head at the call, then end.

    A gap-free piece of the log, less what the filter leaves out, also when the connection is lost on the way.

    Example:
        >>> [event.topic for event in client.read_events(limit=2)]
        ['ledger-opened', 'policy-published']
    """
    wanted = _filter(which)

    def request(following: Following[Any, Any]) -> ReadEventsRequest | None:
        after = following.position
        # A start beyond the head is for the ledger to refuse.
        until = until_position if until_position is not None or after > (following.head or 0) else following.head
        if (until is not None and after >= until) or (limit is not None and following.given_count >= limit):
            return None
        message = ReadEventsRequest(from_position=after + 1)
        left = limit - following.given_count if limit is not None else None
        fill(message, {"until_position": until, "limit": left, "filter": wanted})
        return message

    return Feed(
        READ_EVENTS,
        request,
        lambda response: (Change(event.position, event) for event in response.events),
        _event_id,
        after_position=from_position - 1,
        finite=True,
        one_a_position=True,
        timeout_seconds=timeout_seconds,
    )


def subscribe(
    after_position: int | None = 0, *, timeout_seconds: float | None = None, **which: Unpack[EventOptions]
) -> Feed[SubscribeResponse, RecordedEvent]:
    """Follow the log: every event after a position (exclusive; None: from now on), for as long as you listen.

    Connections that are lost are made again, and it goes on after the last event: nothing is missed and nothing comes twice.
    It ends when you stop, or with UnavailableError when the ledger did not answer for `timeout_seconds` (`math.inf`: never).

    Example:
        >>> with client.subscribe(after_position=saved, topics="handoff-returned") as events:
        ...     for event in events:
        ...         handle(event)
        ...         save(events.position)
    """
    wanted = _filter(which)

    def request(following: Following[Any, Any]) -> SubscribeRequest:
        message = SubscribeRequest(after_position=following.position)
        fill(message, {"filter": wanted})
        return message

    return Feed(
        SUBSCRIBE, request, _items, _event_id, after_position=after_position, one_a_position=True, timeout_seconds=timeout_seconds
    )


def _items(response: SubscribeResponse) -> Iterator[Change[RecordedEvent]]:
    match response.WhichOneof("item"):
        case "event":
            yield Change(response.event.position, response.event)
        case "caught_up":
            yield Change(response.caught_up.position, mark="caught_up")
        case "checkpoint":
            yield Change(response.checkpoint.position, mark="checkpoint")


def _filter(which: EventOptions) -> EventFilter | None:
    wanted = EventFilter()
    fill(wanted, which)
    return wanted if wanted.ByteSize() else None


def _event_id(event: RecordedEvent) -> str:
    return event.envelope.event_id
