"""Entities of a single event: what it says is their only state. They have no moves; corrections and retractions work as anywhere.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.event import Event
from ledger.rules.verdict import Refusal, not_allowed, not_opened


class SingleRules:
    """The one state of such an entity. See `Rules`."""

    def __init__(self, kind: str, recorded: Callable[[Event], Any | None], topics: str) -> None:
        """`kind`: what the entity is called; `recorded`: its state of its event, None for another topic; `topics`: those it has."""
        self._kind = kind
        self._recorded = recorded
        self._topics = topics

    def step(self, state: Any | None, event: Event) -> tuple[Any | None, bool]:
        """See `Rules.step`."""
        if state is None:
            new = self._recorded(event)
            return new, new is not None
        return state, event.topic == "event-confirmed"

    def evolve(self, state: Any | None, event: Event) -> Any | None:
        """See `Rules.evolve`."""
        return self.step(state, event)[0]

    def refusal(self, state: Any | None, event: Event) -> Refusal | None:
        """See `Rules.refusal`. Reasons: MOVE_NOT_ALLOWED, REFERENCE_UNKNOWN."""
        if self.step(state, event)[1]:
            return None
        if state is None:
            return not_opened(self._kind, event.stream, event.topic, self._topics)
        cure = "Record what follows as an event of its own."
        return not_allowed(self._kind, event.stream.partition("-")[2], "recorded", event.topic, (), cure)

    def authority(self, state: Any | None, event: Event) -> Refusal | None:
        """See `Rules.authority`: anybody may."""
        return None

    def complete(self, state: Any | None, payload: Any) -> None:
        """See `Rules.complete`: nothing here is decided by the state."""
