"""Decides which waiting items go into which call, so that calls are large, several are in flight, and order is kept.

Does no input or output and starts no thread: batcher.py and aio_batcher.py drive it, each under its own lock.

The order kept (`ordered=True`): items whose keys conflict (core/ordering.py) are recorded in the order in which they were added.
The ledger records the groups of one call in their order, but says nothing about calls that are in flight together. So an item
goes into a call only if no call in flight, and no item held before it, conflicts with it; until then it is held, and all that
conflicts with it is held behind it. Retrying keeps the order too: a call is in flight until it is answered for good.

When a call goes: at once when none is in flight; otherwise when it would be full, or when flushing. So a lonely event waits for
nobody, and under load calls fill up while others are under way, without a timer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

from clients.python.core.appending import BYTES_MAX, LaneLike, check_size, group_bytes
from clients.python.core.ordering import Keys, keys_of
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import EventGroup

F = TypeVar("F")
_NO_KEYS = Keys([], [])


class BatchOptions(TypedDict, total=False):
    """The options of a batcher; their defaults stand in `BatchPolicy`."""

    max_events: int
    in_flight: int
    waiting_events_max: int | None
    ordered: bool
    lane: LaneLike
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """How a batcher works.

    `max_events` bounds a call (a larger group still goes, alone). `in_flight`: calls under way at once. `waiting_events_max`:
    how much may wait before adding blocks; default ten calls' worth. `ordered`: see `Batcher`. `lane`: `"bulk"` for imports.
    `timeout_seconds`: how long a call is tried.
    """

    max_events: int = 250
    in_flight: int = 4
    waiting_events_max: int | None = None
    ordered: bool = True
    lane: LaneLike = "interactive"
    timeout_seconds: float = 300.0


class Item(Generic[F]):
    """An event or a group that waits, and the future that tells what became of it."""

    __slots__ = ("event_count", "future", "keys", "size", "what")

    def __init__(self, what: EventToAppend | EventGroup, future: F, *, ordered: bool) -> None:
        self.event_count = check_size(what)
        self.size = group_bytes(what)
        self.what = what
        self.future = future
        self.keys = _NO_KEYS
        if ordered:
            self.keys = keys_of((what,)) if isinstance(what, EventToAppend) else keys_of(what.events, what.expectations)


class BatchCall(Generic[F]):
    """The items of one call, and the keys it blocks while it is in flight."""

    __slots__ = ("changes", "event_count", "items", "size", "touches")

    def __init__(self) -> None:
        self.items: list[Item[F]] = []
        self.event_count = 0
        self.size = 0
        self.changes: set[str] = set()
        self.touches: set[str] = set()
        """What the items change or refer to."""

    def add(self, item: Item[F]) -> None:
        """Take an item in."""
        self.items.append(item)
        self.event_count += item.event_count
        self.size += item.size
        self.block(item.keys)

    def block(self, keys: Keys) -> None:
        """Let nothing pass that conflicts with these keys."""
        self.changes.update(keys.changes)
        self.touches.update(keys.changes)
        self.touches.update(keys.refers)

    def conflicts(self, keys: Keys) -> bool:
        """True when an item with these keys must not overtake this call."""
        return not (self.touches.isdisjoint(keys.changes) and self.changes.isdisjoint(keys.refers))


class Batching(Generic[F]):
    """The items that wait and the calls in flight."""

    def __init__(self, policy: BatchPolicy) -> None:
        self.max_events = policy.max_events
        self.in_flight = policy.in_flight
        self.waiting_events_max = policy.waiting_events_max or 10 * policy.max_events
        self.flushing_count = 0
        """How many callers wait for all to be sent."""
        self.waiting_events = 0
        self._fresh: deque[Item[F]] = deque()
        self._fresh_events = 0
        self._held: list[Item[F]] = []
        self._behind: BatchCall[F] = BatchCall()
        """The keys of the held items."""
        self._calls: list[BatchCall[F]] = []

    @property
    def full(self) -> bool:
        """True when whoever adds has to wait."""
        return self.waiting_events >= self.waiting_events_max

    @property
    def idle(self) -> bool:
        """True when nothing waits and nothing is in flight."""
        return not self.waiting_events and not self._calls

    @property
    def due(self) -> bool:
        """True when it is worth to ask for the next call."""
        if not self._fresh or len(self._calls) >= self.in_flight:
            return False
        return not self._calls or self.flushing_count > 0 or self._fresh_events >= self.max_events

    def add(self, item: Item[F]) -> None:
        """Let an item wait."""
        self._fresh.append(item)
        self._fresh_events += item.event_count
        self.waiting_events += item.event_count

    def next_call(self) -> BatchCall[F] | None:
        """Return the next call to send, or None. It is in flight until `done`."""
        if not self.due:
            return None
        call: BatchCall[F] = BatchCall()
        while self._fresh:
            item = self._fresh[0]
            if self._is_held(item):
                self._held.append(item)
                self._behind.block(item.keys)
            elif call.items and (call.event_count + item.event_count > self.max_events or call.size + item.size > BYTES_MAX):
                break
            else:
                call.add(item)
            self._fresh.popleft()
            self._fresh_events -= item.event_count
        if not call.items:
            return None
        self.waiting_events -= call.event_count
        self._calls.append(call)
        return call

    def done(self, call: BatchCall[F]) -> None:
        """Take a call out of flight: what it held may go."""
        self._calls.remove(call)
        self._fresh.extendleft(reversed(self._held))
        self._fresh_events += sum(item.event_count for item in self._held)
        self._held = []
        self._behind = BatchCall()

    def drop_waiting(self) -> list[Item[F]]:
        """Take out all that waits, in order."""
        dropped = [*self._held, *self._fresh]
        self._held, self._fresh = [], deque()
        self._fresh_events = self.waiting_events = 0
        self._behind = BatchCall()
        return dropped

    def _is_held(self, item: Item[F]) -> bool:
        return self._behind.conflicts(item.keys) or any(call.conflicts(item.keys) for call in self._calls)
