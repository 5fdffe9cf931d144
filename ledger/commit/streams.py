"""What the writer knows of streams: revision, subject, state. A bounded cache over the log, with the changes of a batch on top.

The log is the truth: what is not cached is read and folded again, and everything may be dropped at any time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ledger.catalogue import BY_TOPIC, RESTATING, read_event
from ledger.event import Event
from ledger.rules import family_of
from ledger.rules.correction import NAMES_ANOTHER, effective
from ledger.rules.fold import fold
from ledger.store.recorder import LogReader

STREAMS_CACHED: Final = 50_000

Place = tuple[int, bool]
"""Where an event stands among the others of its stream: order time, and whether the clock wrote it."""

FIRST: Final[Place] = (-(2**63), False)


class StreamState(NamedTuple):
    """A stream at a revision. Immutable, so a refused group is undone by putting the old one back."""

    revision: int
    opened: bool
    """Its opener is recorded."""
    subject: bytes
    """Subject of its opener; empty where there is none."""
    state: Any
    """The fold of its own events, for streams with a life cycle. Of an import run, whether its source records answers."""
    last: Place
    """Place of the last event after the opener."""
    tangled: bool
    """Holds events that were held back, confirmed, corrected or retracted: every decision folds it anew."""


NEW_STREAM: Final = StreamState(0, False, b"", None, FIRST, False)


class Streams:
    """Stream states for a batch: cache, log and overlay in one."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._cache: OrderedDict[str, StreamState] = OrderedDict()
        self._pending: dict[str, list[Event]] = {}

    def load(self, streams: Iterable[str]) -> None:
        """Make sure that the streams are known, with one query for those that are not cached."""
        missing = []
        for stream in streams:
            if stream in self._cache:
                self._cache.move_to_end(stream)
            else:
                missing.append(stream)
        if not missing:
            return
        rows = self._reader.read_streams(missing)
        for stream in missing:
            stored = rows.get(stream)
            if stored:
                events = [read_event(row.position, row.header) for row in stored]
                self._cache[stream] = state_of(stream, events)
            else:
                self._cache[stream] = NEW_STREAM

    def get(self, stream: str) -> StreamState:
        """Return a stream's state, the batch's own events included."""
        state = self._cache.get(stream)
        if state is None:
            self.load((stream,))
            state = self._cache[stream]
        return state

    def put(self, stream: str, state: StreamState, event: Event) -> None:
        """Take in an event accepted in this batch."""
        self._cache[stream] = state
        self._pending.setdefault(stream, []).append(event)

    def undo(self, stream: str, state: StreamState, event_count: int) -> None:
        """Put a stream back to how it was before a group: its state, and the number of the batch's events then."""
        self._cache[stream] = state
        events = self._pending.get(stream)
        if events is not None:
            del events[event_count:]

    def pending_count(self, stream: str) -> int:
        """Return how many events of the stream this batch holds so far."""
        return len(self._pending.get(stream, ()))

    def events(self, stream: str) -> list[Event]:
        """Return all events of a stream, the batch's own included, in record order."""
        stored = [read_event(row.position, row.header) for row in self._reader.read_stream(stream)]
        return [*stored, *self._pending.get(stream, ())]

    def committed(self) -> None:
        """The batch is in the log: its events no longer have to be kept."""
        self._pending.clear()
        while len(self._cache) > STREAMS_CACHED:
            self._cache.popitem(last=False)

    def undo_batch(self) -> None:
        """The batch is decided anew: what it changed is read from the log again."""
        for stream in self._pending:
            self._cache.pop(stream, None)
        self._pending.clear()

    def drop(self, stream: str) -> None:
        """Forget one stream: another process appended to it."""
        self._cache.pop(stream, None)

    def forget(self) -> None:
        """Drop everything: the log is not what was thought."""
        self._pending.clear()
        self._cache.clear()


def state_of(stream: str, events: list[Event]) -> StreamState:
    """Return a stream as all its events make it, in the order recorded."""
    rules = family_of(stream)
    standing = effective(events, stream) if any(event.topic in RESTATING for event in events) else events
    opener = next((event for event in standing if BY_TOPIC[event.topic].opener), None)
    state = fold(rules, events).state if rules is not None else None
    if opener is not None and opener.topic == "import-started":
        state = opener.payload.answers_recorded
    places = [(event.order, event.clock) for event in events if event is not opener]
    return StreamState(
        revision=events[-1].revision,
        opened=opener is not None,
        subject=opener.subject if opener is not None else b"",
        state=state,
        last=max(places, default=FIRST),
        tangled=is_tangled(events),
    )


def is_tangled(events: Iterable[Event]) -> bool:
    """True when an event was held back or names another one, so that adding to the last state is not enough."""
    return any(event.header.held_back or event.topic in NAMES_ANOTHER for event in events)
