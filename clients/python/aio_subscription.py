"""An open stream of the aio client: events, or rows that change, over any number of connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
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


class AsyncSubscription(Generic[T]):
    """As `Subscription`, for `async for` and `async with`.

    Example:
        >>> async with client.subscribe(after_position=0) as events:
        ...     async for event in events:
        ...         print(event.position, event.topic)
    """

    def __init__(self, feed: Feed[Any, T], session: Session, connections: Connections[grpc.aio.Channel]) -> None:
        self._feed = feed
        self._session = session
        self._connections = connections
        self._following: Following[Any, T] = Following(feed)
        self._closed = False
        self._call: Any = None

    @property
    def position(self) -> int:
        """Everything up to this position has been given."""
        return self._following.position

    @property
    def caught_up(self) -> bool:
        """True once all has been given that was there when the stream was opened."""
        return self._following.caught_up

    async def __aiter__(self) -> AsyncIterator[T]:
        async for change in self.changes():
            if change.item is not None:
                yield change.item

    async def changes(self) -> AsyncGenerator[Change[T], None]:
        """Iterate over items and marks."""
        attempts = self._session.attempts(self._feed.timeout_seconds)
        while not self._closed:
            self._session.check_open()
            try:
                if self._following.needs_head:
                    head = await self._connections.unary(GET_HEAD)(GetHeadRequest(), timeout=attempts.attempt_seconds())
                    self._following.starts_at(head.position)
                request = self._following.request()
                if request is None:
                    return
                self._call = self._connections.stream(self._feed.rpc)(request, timeout=self._session.retry.stream_seconds)
                async for response in self._call:
                    attempts.progressed()
                    for change in self._following.take(response):
                        yield change
                if self._feed.finite:
                    return
                fault = self._session.fault("UNAVAILABLE", "the stream ended", ())
            except grpc.aio.AioRpcError as error:
                if self._closed:
                    return
                fault = self._session.fault(error.code().name, error.details() or "", error.trailing_metadata())
            except asyncio.CancelledError:
                if is_task_cancelled():
                    raise
                # Closing the subscription, or the client, cancels the call, not the task that reads it.
                if self._closed:
                    return
                self._session.check_open()
                raise
            finally:
                if self._call is not None:
                    self._call.cancel()
            await asyncio.sleep(attempts.failed(fault))

    async def close(self) -> None:
        """End the stream; whoever iterates it stops."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()

    async def __aenter__(self) -> AsyncSubscription[T]:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


def is_task_cancelled() -> bool:
    """Return whether somebody asked for the present task to be cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
