"""Following a stream of the ledger over any number of connections: nothing missed, nothing repeated.

Does no input or output: `Following` makes the next request and reads answers; subscriptions.py drives it.

A request resumes after the last position known to be complete. Where one event may change several rows (handoffs, promises), a
position is complete only when something later came, or a mark; rows of the position in doubt that were given already are left
out when they come again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from google.protobuf.message import Message

from clients.python.core.calls import Rpc

T = TypeVar("T")
R = TypeVar("R", bound=Message)

MarkName: TypeAlias = Literal["caught_up", "checkpoint", "membership_changed"]


class Change(NamedTuple, Generic[T]):
    """What a stream brings: an item, or a mark, and the position it stands at.

    Marks: `caught_up`, once, when all that was there has been given; `checkpoint`: nothing else up to the position;
    `membership_changed`: identifiers were joined to or split from the customer, so read the history again.
    """

    position: int
    item: T | None = None
    mark: MarkName | None = None


@dataclass(frozen=True, slots=True)
class Feed(Generic[R, T]):
    """A stream that can be resumed, before anything is sent."""

    rpc: Rpc[Any, R]
    request: Callable[[Following[Any, Any]], Message | None]
    """Makes the request of what is still to come; None when nothing is."""
    read: Callable[[R], Iterable[Change[T]]]
    key: Callable[[T], object]
    """What tells two items of one position apart."""
    after_position: int | None
    """None: from the head of the log at the start."""
    finite: bool = False
    """True when the ledger ends it; then the head at the start is its end."""
    one_a_position: bool = False
    """True when no two items stand at one position, so that an item completes its position."""
    timeout_seconds: float | None = None


class Following(Generic[R, T]):
    """The progress of one stream."""

    def __init__(self, feed: Feed[R, T]) -> None:
        self.feed = feed
        self.position = feed.after_position or 0
        """Everything up to it has been given: resume after it."""
        self.caught_up = False
        self.head: int | None = None
        self.given_count = 0
        self._doubtful_position = 0
        self._doubtful_keys: set[object] = set()

    @property
    def needs_head(self) -> bool:
        """True when the head of the log has to be asked for first, because `now` must mean the same after a lost connection."""
        return self.head is None and (self.feed.after_position is None or self.feed.finite)

    def starts_at(self, head: int) -> None:
        """Note the head of the log at the start."""
        self.head = head
        if self.feed.after_position is None:
            self.position = head

    def request(self) -> Message | None:
        """Return the request of what is still to come; None when nothing is."""
        return self.feed.request(self)

    def take(self, response: R) -> Iterator[Change[T]]:
        """Return what an answer brings that was not given before."""
        for change in self.feed.read(response):
            if change.item is not None:
                if self._is_new(change.position, self.feed.key(change.item)):
                    self.given_count += 1
                    if self.feed.one_a_position:
                        self.position = change.position
                    yield change
            elif change.mark == "membership_changed":
                if self._is_new(change.position, change.mark):
                    yield change
            else:
                self.position = max(self.position, change.position)
                if change.mark == "caught_up" and not self.caught_up:
                    self.caught_up = True
                    yield change
                else:
                    yield Change(change.position, mark="checkpoint")

    def _is_new(self, position: int, key: object) -> bool:
        if position <= self.position:
            return False
        if position > self._doubtful_position:
            self.position = max(self.position, position - 1)
            self._doubtful_position = position
            self._doubtful_keys = set()
        if key in self._doubtful_keys:
            return False
        self._doubtful_keys.add(key)
        return True
