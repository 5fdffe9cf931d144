"""An open stream of the sync client: events, or rows that change, over any number of connections."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from clients.python.core.connections import Connections
from clients.python.core.following import Change, Feed, Following
from clients.python.core.log_calls import GET_HEAD
from clients.python.core.session import Session
from ledger.api.v1.ledger_service_pb2 import GetHeadRequest

R = TypeVar("R", bound=Message)
T = TypeVar("T")


class Subscription(Generic[T]):
    """What a stream brings, one after the other, until you stop, or the ledger ends it (`read_events`).

    Iterate it for the items, or iterate `changes()` for the items and the marks between them. `position`: everything up to it
    has been given, so it is where a later run resumes. Use it in a `with` block, or close it, to free the stream at once;
    `close` may be called from another thread.

    Example:
        >>> with client.subscribe(after_position=0) as events:
        ...     for change in events.changes():
        ...         if change.mark == "caught_up":
        ...             break
    """

    def __init__(self, feed: Feed[Any, T], session: Session, connections: Connections[grpc.Channel]) -> None:
        self._feed = feed
        self._session = session
        self._connections = connections
        self._following: Following[Any, T] = Following(feed)
        self._closed = Event()
        self._call: Any = None

    @property
    def position(self) -> int:
        """Everything up to this position has been given."""
        return self._following.position

    @property
    def caught_up(self) -> bool:
        """True once all has been given that was there when the stream was opened."""
        return self._following.caught_up

    def __iter__(self) -> Iterator[T]:
        for change in self.changes():
            if change.item is not None:
                yield change.item

    def changes(self) -> Iterator[Change[T]]:
        """Iterate over items and marks."""
        attempts = self._session.attempts(self._feed.timeout_seconds)
        while not self._closed.is_set():
            self._session.check_open()
            try:
                if self._following.needs_head:
                    head = self._connections.unary(GET_HEAD)(GetHeadRequest(), timeout=attempts.attempt_seconds())
                    self._following.starts_at(head.position)
                request = self._following.request()
                if request is None:
                    return
                self._call = self._connections.stream(self._feed.rpc)(request, timeout=self._session.retry.stream_seconds)
                # Whoever closes in another thread has seen the call, or is seen here.
                if self._closed.is_set():
                    return
                for response in self._call:
                    attempts.progressed()
                    yield from self._following.take(response)
                if self._feed.finite:
                    return
                fault = self._session.fault("UNAVAILABLE", "the stream ended", ())
            except grpc.RpcError as error:
                if self._closed.is_set():
                    return
                fault = self._session.fault(error.code().name, error.details() or "", error.trailing_metadata())
            finally:
                if self._call is not None:
                    self._call.cancel()
            self._closed.wait(attempts.failed(fault))

    def close(self) -> None:
        """End the stream; whoever iterates it stops."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
