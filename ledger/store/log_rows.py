"""What the logs of all stores have in common: their columns, which events they keep an index of, and the order of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, LiteralString

from ledger.store.recorder import Head, StoredEventRow

COLUMNS: Final[LiteralString] = "position, event_id, stream, revision, topic, record_time, header, parts"
"""In the order of StoredEventRow."""

GOVERNING: Final[LiteralString] = "topic IN ('policy-published', 'policy-withdrawn', 'identifier-shared')"
"""Events that every append may depend on, whatever its stream. The same text stands in the index and in the query."""

POLICIES: Final[LiteralString] = "topic IN ('policy-published', 'policy-withdrawn')"
"""Those of them that are about policies. Most questions ask for these, so they must not cost more where many marks are shared."""

CLASSIFYING: Final[LiteralString] = "topic = 'customer-classified'"
"""Events that say a customer's tier, on which targets may depend. The same text stands in the index and in the query."""


def check_follows(head: Head, rows: Sequence[StoredEventRow]) -> None:
    """Raise ValueError unless the rows follow the head without gaps, and record times never decrease."""
    place, time = head
    for row in rows:
        if row.position != place + 1 or row.record_time < time:
            raise ValueError(f"Event {row.position} of {row.record_time} does not follow event {place} of {time}.")
        place, time = row.position, row.record_time


def last_recorded_by(head: Head, record_time: int, record_time_at: Callable[[int], int]) -> int:
    """Return the last position recorded at or before a time; 0 when there is none. `record_time_at` looks one position up.

    Record times never decrease with the position, so they need no index of their own.
    """
    if head.record_time <= record_time:
        return head.position
    at_or_before, after = 0, head.position
    while after - at_or_before > 1:
        middle = (at_or_before + after) // 2
        if record_time_at(middle) <= record_time:
            at_or_before = middle
        else:
            after = middle
    return at_or_before
