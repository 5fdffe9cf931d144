"""Repeat contacts as answers show them, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

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
    bounds = (EARLIEST + window if low is None else low, MAX if high is None else high)
    found = [
        (row, one)
        for row, one in repeats.each(read, *bounds, window, filter.any_reason, parties)
        if (not filter.channels or row.channel in filter.channels) and (not filter.reasons or row.reason in filter.reasons)
    ]
    every = [one for _, one in found if one is not None]
    rest = every if after is None else [one for one in every if _place(one) > tuple(after)]
    shown = rest[:limit]
    listed = RepeatList(repeats=_shown(read, shown), repeat_count=len(every), contact_count=len(found))
    listed.window.FromMicroseconds(window)
    return listed, _place(shown[-1]) if len(rest) > limit else None


def _place(one: Repeat) -> tuple[int, int]:
    return one.received, one.entity


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
