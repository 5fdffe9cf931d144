"""The clock: records what follows when time passes. promise-broken, handoff-expired, handoff-overdue; each exactly once.

It looks in the views for dues that have passed, judges each on its stream in the log, and appends through the server like any
other caller, at the revision it judged: on a conflict it looks again. Nothing is derived for an import that is still open.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from google.rpc.error_details_pb2 import ErrorInfo

from ledger.api.v1.errors_pb2 import INTERNAL_ERROR, REVISION_MISMATCH, ErrorReason
from ledger.api.v1.ledger_service_pb2 import AppendRequest, GroupResult
from ledger.catalogue import read_event
from ledger.followers.firing import Firing, firings
from ledger.rules.correction import belonging_to
from ledger.store.recorder import LogReader
from projections import imports, policies
from projections.due import TARGET_PART, DueItem, due_items, touching_positions
from projections.view import MAX, Read

ITEMS_MAX: Final = 2_000
GROUPS_MAX: Final = 200
SILENT_MICROS: Final = 3_600_000_000
"""An import that recorded nothing for so long counts as over (domain rule 8.5)."""
REST_SECONDS: Final = 60.0
"""What was refused is left alone for so long: asking again at once would change nothing."""

log = logging.getLogger("tellonce.clock")


class Clock:
    """Finds dues that have passed, and records them."""

    def __init__(self, reader: LogReader, append: Callable[[AppendRequest], Sequence[GroupResult]]) -> None:
        self._reader = reader
        self._append = append
        self._resting: dict[str, float] = {}
        """Until when an event id is left alone."""

    def look(self, read: Read, now: int) -> int:
        """Record what is due at `now` (microseconds UTC) in this snapshot of the views; returns how many events were recorded.

        Raises StoreError and grpc.RpcError as they come: the caller looks again later.
        """
        allowance = self._allowance(now)
        items = due_items(read, now - allowance, ITEMS_MAX, [run for run in imports.open_runs(read) if not _silent(read, run, now)])
        ready = [
            firing
            for firing in self._judged(read, items)
            if max(firing.due, firing.due_record_time) + allowance <= now and not self._rests(firing)
        ]
        recorded = 0
        for start in range(0, len(ready), GROUPS_MAX):
            recorded += self._record(ready[start : start + GROUPS_MAX])
        return recorded

    def _judged(self, read: Read, items: Sequence[DueItem]) -> list[Firing]:
        rows = self._reader.read_streams(sorted({item.stream for item in items}))
        judged: list[Firing] = []
        for item in items:
            stored = rows[item.stream]
            # The views know more than the stream (what other streams say), so they must have seen all of it.
            if stored and stored[-1].position <= read.position:
                touching = self._reader.read_positions(touching_positions(read, item.stream)) if item.part == TARGET_PART else {}
                every = [read_event(row.position, row.header) for row in (*touching.values(), *stored)]
                events = belonging_to(item.stream, every) if touching else every
                judged.extend(firings(events, item.part)[:1])
        return judged

    def _record(self, ready: Sequence[Firing]) -> int:
        results = self._append(AppendRequest(groups=[firing.group for firing in ready]))
        recorded = 0
        for firing, result in zip(ready, results, strict=True):
            if result.HasField("error") and _reason(result) == REVISION_MISMATCH:
                log.info("%s moved on and is looked at again", firing.group.expectations[0].stream)
            elif result.HasField("error"):
                event_id = firing.group.events[0].envelope.event_id
                self._resting[event_id] = time.monotonic() + REST_SECONDS
                log.info(
                    "%s was refused and is looked at again later: %s", firing.group.expectations[0].stream, result.error.message
                )
            else:
                recorded += not result.appended[0].duplicate
        return recorded

    def _rests(self, firing: Firing) -> bool:
        event_id = firing.group.events[0].envelope.event_id
        until = self._resting.get(event_id)
        if until is not None and time.monotonic() >= until:
            del self._resting[event_id]
            return False
        return until is not None

    def _allowance(self, now: int) -> int:
        policy = policies.book(self._reader, MAX).in_force(now)
        return policy.recording_allowance if policy is not None else 0


def _reason(result: GroupResult) -> ErrorReason.ValueType:
    info = ErrorInfo()
    return next((ErrorReason.Value(info.reason) for detail in result.error.details if detail.Unpack(info)), INTERNAL_ERROR)


def _silent(read: Read, run: str, now: int) -> bool:
    found = imports.state(read, run)
    return found is not None and found.last_record_time + SILENT_MICROS < now
