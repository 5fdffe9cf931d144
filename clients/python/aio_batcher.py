"""Appending many events through the aio client: large calls, several in flight, order kept, back-pressure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, overload

from clients.python.core.appending import Piece, Result, not_sent
from clients.python.core.batching import BatchCall, Batching, BatchPolicy, Item
from clients.python.errors import ClosedError, InternalError, TellonceError
from clients.python.events import identified
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import Appended, EventGroup


class AsyncBatcher:
    """As `Batcher`, for asyncio, with the same order, back-pressure and loss: `add` is awaited for room, and gives a future.

    Example:
        >>> async with client.batcher() as batcher:
        ...     futures = [await batcher.add(event(payload)) for payload in payloads]
        >>> (await futures[0]).position
        4711
    """

    def __init__(
        self,
        send: Callable[[Piece], Awaitable[list[Result]]],
        policy: BatchPolicy,
    ) -> None:
        self._send = send
        self._policy = policy
        self._batching: Batching[asyncio.Future[Any]] = Batching(policy)
        self._changed = asyncio.Condition()
        self._closed = False
        self._stopped: TellonceError | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @overload
    async def add(self, item: EventToAppend) -> asyncio.Future[Appended]: ...
    @overload
    async def add(self, item: EventGroup) -> asyncio.Future[list[Appended]]: ...
    async def add(self, item: EventToAppend | EventGroup) -> asyncio.Future[Any]:
        """Let an event, or a group, be appended; waits while too much waits. The future tells where it stands, or raises.

        InvalidError at once for a group that no call can hold; ClosedError after `close`; the error it stopped with after that.

        Example:
            >>> future = await batcher.add(event(NoteAdded(contact_id="c-1", text="called back")))
            >>> (await future).revision
            3
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = Item(identified(item), future, ordered=self._policy.ordered)
        if self._batching.full:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._batching.full or self._over)
        self._raise_if_over()
        self._batching.add(waiting)
        self._start_calls()
        return future

    async def flush(self) -> None:
        """Wait until all that was added has its answer. Raises if the batcher stopped, never for a refused event.

        Example:
            >>> await batcher.flush()
        """
        self._batching.flushing_count += 1
        try:
            self._start_calls()
            async with self._changed:
                await self._changed.wait_for(lambda: self._batching.idle)
        finally:
            self._batching.flushing_count -= 1
        if self._stopped is not None:
            raise self._stopped

    async def close(self, *, send: bool = True) -> None:
        """Send all that waits and end; with `send=False` drop what waits (its futures are cancelled) and stop trying again.

        Example:
            >>> await batcher.close()
        """
        try:
            if send:
                await self.flush()
        finally:
            self._closed = True
            for item in self._batching.drop_waiting():
                item.future.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> AsyncBatcher:
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        await self.close(send=exc_type is None)

    @property
    def _over(self) -> bool:
        return self._closed or self._stopped is not None

    def _raise_if_over(self) -> None:
        if self._stopped is not None:
            raise self._stopped
        if self._closed:
            raise ClosedError("CLIENT_CLOSED", "The batcher is closed: make a new one.")

    def _start_calls(self) -> None:
        while (call := self._batching.next_call()) is not None:
            task = asyncio.create_task(self._settle(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _settle(self, call: BatchCall[asyncio.Future[Any]]) -> None:
        piece = Piece([item.what for item in call.items], self._policy.lane, self._policy.timeout_seconds)
        try:
            results = await self._send(piece)
        except asyncio.CancelledError:
            results = piece.given_up(ClosedError("CLIENT_CLOSED", "The batcher was closed before an answer came: make a new one."))
        except Exception as error:
            # Nothing foreseen ends here. Whoever waits for a future must not wait for ever.
            results = piece.given_up(InternalError("CLIENT_FAILED", f"The client failed: {error!r}"))
        for item, result in zip(call.items, results, strict=True):
            _resolve(item, result)
        if piece.failed is not None:
            self._stopped = self._stopped or piece.failed
            for item in self._batching.drop_waiting():
                _resolve(item, Result(error=not_sent(self._stopped)))
        self._batching.done(call)
        self._start_calls()
        async with self._changed:
            self._changed.notify_all()


def _resolve(item: Item[asyncio.Future[Any]], result: Result) -> None:
    if item.future.done():
        return
    if result.error is not None:
        item.future.set_exception(result.error)
    else:
        item.future.set_result(result.appended[0] if isinstance(item.what, EventToAppend) else list(result.appended))
