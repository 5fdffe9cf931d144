"""Whether this node lags behind another one of its ledger, and whether the log is still the one that it knew.

A thread writes where the views stand beside the log, and reads where those of the others do. A node that is alone, or no further
behind than all others, serves: nobody would serve in its place.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from ledger.store.recorder import LogReader, NodePlace, Nodes, StoreError

LOOK_SECONDS: Final = 1.0

log = logging.getLogger("tellonce.nodes")


class NodeWatch:
    """Knows where all nodes stand. `lagging` says why this one should not serve questions; None: it should."""

    def __init__(
        self,
        nodes: Nodes | None,
        name: str,
        position: Callable[[], int],
        lag_limit_seconds: float,
        reader: LogReader,
        lost: Callable[[], None],
    ) -> None:
        """`nodes` None: there is no other. `position`: where the views of this node stand, asked in the thread.

        `lost` is called when the log does not hold any more what it held: then this process knows positions that are no more, and
        has to end.
        """
        self._nodes = nodes
        self._reader = reader
        self._lost = lost
        self._known = (0, b"")
        """Where the log ended at the last look, and the id of the event there."""
        self._position = position
        self._lag_limit_seconds = lag_limit_seconds
        self._stopping = threading.Event()
        self.name = name
        self.places: Sequence[NodePlace] = ()
        self.lagging: str | None = None
        self._thread = threading.Thread(target=self._run, name="nodes", daemon=True)

    def start(self) -> None:
        """Look for the first time, then begin to do so in the thread."""
        if self._nodes is not None:
            self.look()
            self._thread.start()

    def stop(self) -> None:
        """End the thread. This node's line stays; the others see by its age that nobody writes it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._nodes is not None:
            self._nodes.close()

    def look(self) -> None:
        """Write where this node stands, and see where the others do. While that cannot be, what was seen last counts."""
        if self._nodes is None:
            return
        try:
            self._look_at_the_log()
            self.places = self._nodes.stand_at(self.name, self._position())
        except StoreError as error:
            log.warning("The other nodes cannot be seen: %s", error)
            return
        self.lagging = behind_others(self.name, self.places, self._lag_limit_seconds)

    def _look_at_the_log(self) -> None:
        position, event_id = self._known
        head = self._reader.head().position
        rows = self._reader.read_positions([position, head])
        if position and (position not in rows or rows[position].event_id != event_id):
            log.error("The log does not hold the event at %d any more: a failover lost commits. The server starts anew.", position)
            self._lost()
        elif head in rows:
            self._known = head, rows[head].event_id

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()


def behind_others(name: str, places: Sequence[NodePlace], lag_limit_seconds: float) -> str | None:
    """Return why the node of this name should not serve: it lags by more than the limit, and another one does not."""
    limit = lag_limit_seconds * 1_000_000
    own = next((place for place in places if place.name == name), None)
    if own is None or own.lag_micros <= limit:
        return None
    ahead = [place.position for place in places if place.position > own.position and place.lag_micros <= limit]
    if not ahead:
        return None
    behind_seconds = own.lag_micros / 1_000_000
    return f"the views stand at {own.position}, {behind_seconds:.0f} s behind, and those of another node at {max(ahead)}"
