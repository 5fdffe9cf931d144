"""Fold views for tests: a views file in memory, a log of events built by tests.build, and what a fold of them says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, cast

import sqlite_utils

from ledger.event import Event
from ledger.privacy.content import ContentReader
from ledger.rules import family_of
from ledger.rules.fold import state_at, steps
from ledger.rules.instant import uuid_bytes
from ledger.rules.touch import touches
from ledger.store.recorder import LogReader, StoredEventRow
from projections import contacts, handoffs, promises, quality, requests
from projections.bitemporal import Values
from projections.fold_engine import FoldEngine, create_tables
from projections.fold_view import FoldView
from projections.refold import is_judged_in, kind_of
from projections.versions import Choice, shown
from projections.view import Changes, Read

VIEWS = (contacts.VIEW, promises.TARGETS, requests.VIEW, handoffs.VIEW, promises.VIEW)


class Log:
    """A log in memory. Keeps the promises of LogReader, as far as views ask."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.rows: dict[int, StoredEventRow] = {}
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        header = event.header.SerializeToString()
        self.rows[event.position] = StoredEventRow(
            event.position, event.event_id, event.stream, event.revision, event.topic, event.record, header, event.parts
        )

    def read(self, after_position: int, limit: int, until_position: int | None = None) -> list[StoredEventRow]:
        last = len(self.rows) if until_position is None else until_position
        return [self.rows[position] for position in range(after_position + 1, min(last, after_position + limit) + 1)]

    def read_positions(self, positions: Sequence[int]) -> dict[int, StoredEventRow]:
        return {position: self.rows[position] for position in positions if position in self.rows}

    def read_stream(self, stream: str, until_position: int | None = None) -> list[StoredEventRow]:
        last = len(self.rows) if until_position is None else until_position
        return [row for row in self.rows.values() if row.stream == stream and row.position <= last]

    def read_streams(self, streams: Sequence[str]) -> dict[str, list[StoredEventRow]]:
        return {stream: self.read_stream(stream) for stream in streams}

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        return {row.event_id: row for row in self.rows.values() if row.event_id in ids}


class FoldedViews:
    """All fold views over a list of events, whose positions count from 1."""

    def __init__(self, events: Sequence[Event], splits: Sequence[int] = (), entities_max: int = 1000) -> None:
        """Apply the events in batches that end at the positions of `splits`."""
        self.events = list(events)
        self.log = Log(events)
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.changes = {name: Changes() for name in (*(view.name for view in VIEWS), quality.NAME)}
        create_tables(sqlite_utils.Database(self.db), VIEWS)
        engine = FoldEngine(VIEWS, cast(LogReader, self.log), self.db, entities_max)
        for start, end in zip([0, *splits], [*splits, len(events)], strict=True):
            if start < end:
                engine.apply(self.events[start:end], self.changes)

    def read(self, known: int | None = None, before: int | None = None, evaluated: int = 0) -> Read:
        position = len(self.events)
        return Read(
            db=self.db,
            position=position,
            known=position if known is None else known,
            before=before,
            evaluated=evaluated,
            log=cast(LogReader, self.log),
            content=ContentReader(cast(Any, None), b"ledger"),
        )

    def rows(self, view: FoldView, known: int | None = None, before: int | None = None) -> dict[tuple[str, int], Values]:
        """Return the rows that SQL finds, by stream and key."""
        table = view.table
        parameters: dict[str, Any] = {}
        columns = f"entity, {'key' if table.keyed else '0'}, {', '.join(table.names)}"
        query = shown(self.read(known, before), table, columns, Choice(states=range(10)), parameters)
        streams = dict(self.db.execute("SELECT id, stream FROM entity").fetchall())
        found = self.db.execute(query, parameters).fetchall()
        rows = {(streams[entity], key): tuple(values) for entity, key, *values in found}
        assert len(found) == len(rows)
        return rows

    def findings(self, known: int, before: int | None) -> set[tuple[int, int]]:
        """Return position and kind of the findings that show."""
        page, _ = quality.page(self.read(known, before), 0, 10_000, None)
        return {(finding.position, finding.kind) for finding in page.findings}


def folded_rows(view: FoldView, events: Sequence[Event], known: int, before: int | None) -> dict[tuple[str, int], Values]:
    """Return the rows that a fold of the events gives, by stream and key."""
    rows: dict[tuple[str, int], Values] = {}
    for stream in _streams(events, view.family):
        rules = family_of(stream)
        assert rules is not None
        state = state_at(rules, belonging(stream, events), known, before, stream)
        rows.update({(stream, key): values for key, values in view.rows(state).items()})
    return rows


def folded_findings(events: Sequence[Event], known: int, before: int | None) -> set[tuple[int, int]]:
    """Return position and kind of the events without effect, of those that a life cycle judges."""
    found: set[tuple[int, int]] = set()
    for stream in {stream for family in ("contact", "request", "promise") for stream in _streams(events, family)}:
        rules = family_of(stream)
        assert rules is not None
        part = [event for event in belonging(stream, events) if event.position <= known]
        counted = set()
        for event, order, _, applied in steps(rules, part, stream):
            counted.add(event.position)
            if not applied and is_judged_in(event, stream) and (before is None or order < before):
                found.add((event.position, kind_of(event)))
        for event in part:
            held = event.header.held_back and event.stream == stream and event.position not in counted
            if held and (before is None or event.order < before):
                found.add((event.position, quality.HELD_BACK))
    return found


def belonging(stream: str, events: Sequence[Event]) -> list[Event]:
    """Return the events of an entity: its own, those of others that touch it, and the confirmations of the latter."""
    by_id = {event.event_id: event for event in events}

    def belongs(event: Event) -> bool:
        if event.stream == stream or stream in touches(event):
            return True
        if event.topic != "event-confirmed":
            return False
        named = by_id.get(uuid_bytes(event.payload.confirmed_event_id))
        return named is not None and named.position < event.position and stream in touches(named)

    return [event for event in events if belongs(event)]


def _streams(events: Sequence[Event], family: str) -> set[str]:
    streams = {stream for event in events for stream in (event.stream, *touches(event))}
    return {stream for stream in streams if stream.startswith(f"{family}-") and family_of(stream) is not None}
