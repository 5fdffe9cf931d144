"""Appending many events through the sync client: large calls, several in flight, order kept, back-pressure."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Event, Thread, current_thread
from typing import overload

from clients.python.core.appending import Piece, Result, not_sent
from clients.python.core.batching import BatchCall, Batching, BatchPolicy, Item
from clients.python.errors import ClosedError, InternalError, TellonceError
from clients.python.events import identified
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import Appended, EventGroup


class Batcher:
    """Appends what is added in calls of up to `max_events` events, with up to `in_flight` calls at once.

    An event added is a group of its own: it is recorded or refused alone, and its future says which. A group added stays
    atomic. Cancelling a future takes nothing back. `add` blocks while `waiting_events_max` events wait (default: ten calls'
    worth). Safe to use from several threads.

    **Order** (`ordered=True`, default): what is added later never overtakes what it may depend on. Events that name the same
    contact, request, promise, import run or event are recorded in the order in which they were added, unless both only refer
    to it (two requests from one contact); the same holds for facts, links and classifications that name the same identifier,
    request or contact. Everything else may be recorded in any order. A refused event holds nothing up: what follows it is sent
    and judged by itself. With `ordered=False` nothing is kept, and nothing is held; right for events without life cycles.

    **Loss**: a call that gets no answer is sent again, with the same ids, for up to `timeout_seconds`, across restarts of the
    server. If that fails, the batcher stops: the call's futures hold the error, and so do all that wait (NOT_SENT), because
    they may depend on it. Adding the same events to a new batcher is always safe.

    Leaving the `with` block sends all that waits and raises if the batcher stopped; on an exception what waits is dropped.

    Example:
        >>> with client.batcher() as batcher:
        ...     futures = [batcher.add(event(payload)) for payload in payloads]
        >>> futures[0].result().position
        4711
    """

    def __init__(
        self,
        send: Callable[[Piece, Event], list[Result]],
        policy: BatchPolicy,
    ) -> None:
        self._send = send
        self._policy = policy
        self._batching: Batching[Future[list[Appended]] | Future[Appended]] = Batching(policy)
        self._changed = Condition()
        self._stop = Event()
        self._stopped: TellonceError | None = None
        self._threads: set[Thread] = set()

    @overload
    def add(self, item: EventToAppend) -> Future[Appended]: ...
    @overload
    def add(self, item: EventGroup) -> Future[list[Appended]]: ...
    def add(self, item: EventToAppend | EventGroup) -> Future[Appended] | Future[list[Appended]]:
        """Let an event, or a group, be appended; blocks while too much waits. The future tells where it stands, or raises.

        InvalidError at once for a group that no call can hold; ClosedError after `close`; the error it stopped with after that.

        Example:
            >>> batcher.add(event(NoteAdded(contact_id="c-1", text="called back"))).result().revision
            3
        """
        future: Future[Appended] | Future[list[Appended]] = Future()
        waiting = Item(identified(item), future, ordered=self._policy.ordered)
        with self._changed:
            # A callback of a future runs in a sending thread: if it waited for room, nobody might be left to make any.
            while self._batching.full and not self._over and current_thread() not in self._threads:
                self._changed.wait()
            self._raise_if_over()
            self._batching.add(waiting)
            if len(self._threads) < self._batching.in_flight:
                thread = Thread(target=self._work, name="tellonce-batcher", daemon=True)
                self._threads.add(thread)
                thread.start()
            if self._batching.due:
                self._changed.notify_all()
        return future

    def flush(self) -> None:
        """Wait until all that was added has its answer. Raises if the batcher stopped, never for a refused event.

        Example:
            >>> batcher.flush()
        """
        with self._changed:
            self._batching.flushing_count += 1
            self._changed.notify_all()
            while not self._batching.idle:
                self._changed.wait()
            self._batching.flushing_count -= 1
            if self._stopped is not None:
                raise self._stopped

    def close(self, *, send: bool = True) -> None:
        """Send all that waits and end; with `send=False` drop what waits (its futures are cancelled) and stop trying again.

        Example:
            >>> batcher.close()
        """
        try:
            if send:
                self.flush()
        finally:
            with self._changed:
                self._stop.set()
                dropped = self._batching.drop_waiting()
                self._changed.notify_all()
            for item in dropped:
                item.future.cancel()
            for thread in list(self._threads):
                thread.join()

    def __enter__(self) -> Batcher:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        self.close(send=exc_type is None)

    @property
    def _over(self) -> bool:
        return self._stop.is_set() or self._stopped is not None

    def _raise_if_over(self) -> None:
        if self._stopped is not None:
            raise self._stopped
        if self._stop.is_set():
            raise ClosedError("CLIENT_CLOSED", "The batcher is closed: make a new one.")

    def _work(self) -> None:
        while True:
            with self._changed:
                while (call := self._batching.next_call()) is None:
                    if self._over:
                        return
                    self._changed.wait()
            self._settle(call)

    def _settle(self, call: BatchCall[Future[list[Appended]] | Future[Appended]]) -> None:
        piece = Piece([item.what for item in call.items], self._policy.lane, self._policy.timeout_seconds)
        try:
            results = self._send(piece, self._stop)
        except Exception as error:
            # Nothing foreseen ends here. Whoever waits for a future must not wait for ever.
            results = piece.given_up(InternalError("CLIENT_FAILED", f"The client failed: {error!r}"))
        dropped: list[Item[Future[list[Appended]] | Future[Appended]]] = []
        if piece.failed is not None:
            with self._changed:
                self._stopped = self._stopped or piece.failed
                dropped = self._batching.drop_waiting()
        for item, result in zip(call.items, results, strict=True):
            _resolve(item, result)
        for item in dropped:
            _resolve(item, Result(error=not_sent(self._stopped or ClosedError("CLIENT_CLOSED", "closed"))))
        with self._changed:
            self._batching.done(call)
            self._changed.notify_all()


def _resolve(item: Item[Future[list[Appended]] | Future[Appended]], result: Result) -> None:
    future: Future[object] = item.future  # type: ignore[assignment]
    if not future.set_running_or_notify_cancel():
        return
    if result.error is not None:
        future.set_exception(result.error)
    else:
        future.set_result(result.appended[0] if isinstance(item.what, EventToAppend) else list(result.appended))
