"""Repeat contacts as answers show them, page by page.

How many there are is a question about all of them, so the first page looks at the whole period; later ones look no further than
they need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from ledger.api.v1 import repetition_pb2
from ledger.api.v1.repetition_pb2 import (
    REPEAT_SAME_OBJECT,
    REPEAT_SAME_PARTY,
    REPEAT_SAME_REASON,
    REPEAT_SAME_REQUEST,
    RepeatFilter,
    RepeatList,
)
from ledger.event_id import to_text
from ledger.rules.instant import micros_or_none
from projections import listing, repeats
from projections.journey_members import EARLIEST
from projections.listing import Cursor, given, instant
from projections.repeats import ContactRow, Repeat
from projections.view import MAX, Read

CONTACTS_AT_ONCE: Final = 1_000
"""So many contacts are looked at first for the repeats of a page after the first one."""

_RULES: Final = {
    repeats.SAME_REASON: REPEAT_SAME_REASON,
    repeats.SAME_OBJECT: REPEAT_SAME_OBJECT,
    repeats.SAME_REQUEST: REPEAT_SAME_REQUEST,
    repeats.SAME_PARTY: REPEAT_SAME_PARTY,
}


def page(
    read: Read, filter: RepeatFilter, limit: int, after: Sequence[Any] | None, parties: frozenset[bytes] | None = None
) -> tuple[RepeatList, Cursor | None]:
    """Return up to `limit` repeat contacts in order of time, and where the next page begins; None on the last one.

    `parties`: the filter's customer, None for anybody.
    """
    window = repeats.window(read) if not filter.HasField("window") else filter.window.ToMicroseconds()
    low, high = micros_or_none(filter, "from_time"), micros_or_none(filter, "to_time")
    asked = _Asked(read, filter, window, EARLIEST + window if low is None else low, MAX if high is None else high, parties)
    if after is None:
        found = list(asked.each(asked.low, asked.high))
        rest = [one for _, one in found if one is not None]
        counts = len(rest), len(found)
    else:
        # All pages stand at one position and instant: what the first one counted, it hands on.
        *place, repeat_count, contact_count = after
        counts = repeat_count, contact_count
        rest = list(islice(asked.following(place[0], place[1]), limit + 1))
    shown = rest[:limit]
    listed = RepeatList(repeats=_shown(read, shown), repeat_count=counts[0], contact_count=counts[1])
    listed.window.FromMicroseconds(window)
    return listed, (shown[-1].received, shown[-1].entity, *counts) if len(rest) > limit else None


class _Asked(NamedTuple):
    """Which contacts are asked about."""

    read: Read
    filter: RepeatFilter
    window: int
    low: int
    high: int
    parties: frozenset[bytes] | None

    def each(self, low: int, high: int) -> Iterator[tuple[ContactRow, Repeat | None]]:
        """Yield those received in [low, high), with what they repeat."""
        filter = self.filter
        for row, one in repeats.each(self.read, low, high, self.window, filter.any_reason, self.parties):
            if (not filter.channels or row.channel in filter.channels) and (not filter.reasons or row.reason in filter.reasons):
                yield row, one

    def following(self, received: int, entity: int) -> Iterator[Repeat]:
        """Yield the repeats after a place, looking at a stretch of time after the other."""
        low, count = received, CONTACTS_AT_ONCE
        while low < self.high:
            end = None if self.parties is not None else repeats.time_of(self.read, low, self.high, count)
            high = self.high if end is None else max(end, low + 1)
            for _, one in self.each(low, high):
                if one is not None and (one.received, one.entity) > (received, entity):
                    yield one
            low, count = high, 2 * count


def _shown(read: Read, found: Sequence[Repeat]) -> list[repetition_pb2.Repeat]:
    ids = listing.ids_of(read, {entity for one in found for entity in (one.entity, one.of_entity)})
    return [_message(one, one.row, ids) for one in found]


def _message(one: Repeat, row: ContactRow, ids: dict[int, str]) -> repetition_pb2.Repeat:
    message = repetition_pb2.Repeat(
        **given(
            contact_id=ids[one.entity],
            received_time=instant(one.received),
            repeated_contact_id=ids[one.of_entity],
            repeated_received_time=instant(one.of_received),
            rules=[rule for bit, rule in _RULES.items() if one.rules & bit],
            channel=row.channel,
            department=row.department,
            reason=row.reason,
            subject=to_text(row.subject),
        )
    )
    message.gap.FromMicroseconds(one.gap)
    return message
