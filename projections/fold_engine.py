"""Folds the events of every entity into the rows of the fold views, one event at a time, each at its own place in the order.

An event in order takes the state that is remembered one step further. One that is late, or reaches back, has its entity folded
anew from all events known by then. Either way the rows are those of the fold of the events up to its position, so that they do
not depend on how the log was cut into batches.

Raises storage errors as they are. What rules or views raise sets the event aside, and its entity's later events with it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ledger.catalogue import read_event
from ledger.event import Event
from ledger.rules import FAMILIES, hours_book
from ledger.rules.fold import REACHES_BACK
from projections import quality
from projections.bitemporal import Row, Values, Writer, create_spans, create_table
from projections.entity_events import EntityEvents, Part
from projections.figures import cells
from projections.figures.members import MEMBERS
from projections.fold_view import FoldView
from projections.quality import LOOKED_AT
from projections.refold import BEFORE_ALL, Findings, Folding, folding, is_judged_in, kind_of
from projections.view import Changes

if TYPE_CHECKING:
    import sqlite_utils

    from ledger.rules.verdict import Rules
    from ledger.store.recorder import LogReader

ENTITIES_MAX: Final = 50_000
"""Entities remembered between batches, those used last."""

_TEACHING: Final = "policy-published"
"""Topic of the events that calendars are recorded by."""

_log = logging.getLogger(__name__)


class _Track:
    """One view over the states of a family, and the writer of its rows."""

    __slots__ = ("key", "keyed", "members", "part", "values", "view", "writer")

    def __init__(self, view: FoldView, db: sqlite3.Connection) -> None:
        self.view = view
        self.writer = Writer(view.table, db)
        self.keyed = view.table.keyed
        self.part = view.part
        self.values = view.values
        self.key = view.key
        self.members = MEMBERS.get(view.name)


_Turn = tuple[_Track, dict[int, Row], int, Row | None, Values | None]
"""What becomes of a row: whose, among which open rows of the entity, its key, as it stands, its values from now on."""


class _Family:
    """The rules of one family, and the views over its states."""

    __slots__ = ("looks", "rules", "step", "tracks", "views")

    def __init__(self, rules: Rules, views: tuple[FoldView, ...], db: sqlite3.Connection) -> None:
        self.rules = rules
        self.step = rules.step
        self.views = views
        self.tracks = tuple(_Track(view, db) for view in views)
        self.looks = tuple((track, track.part, track.values) for track in self.tracks)


class _Entity:
    """What is remembered of one entity: its state after the last event, and its open rows."""

    __slots__ = ("family", "findings", "id", "last", "opened", "rows", "seen", "state", "stream")

    def __init__(self, stream: str, family: _Family) -> None:
        self.stream = stream
        self.family = family
        self.id = 0
        """Position of the first event of its own stream; 0: none so far."""
        self.seen = False
        """Whether any event belongs to it, a foreign one included."""
        self.state: Any | None = None
        self.opened = 0
        """Order of its opener: nothing of it stands before."""
        self.last = BEFORE_ALL
        """Place of the last event that counts, the opener apart."""
        self.rows: tuple[dict[int, Row], ...] = tuple({} for _ in family.tracks)
        """Open rows of each view by key."""
        self.findings: Findings = {}


class FoldEngine:
    """Applies events to all fold views, and to the findings that follow from the folds."""

    def __init__(self, views: Sequence[FoldView], log: LogReader, db: sqlite3.Connection, entities_max: int = ENTITIES_MAX) -> None:
        self._db = db
        self._events = EntityEvents(log, db)
        self._entities_max = entities_max
        self._entities: OrderedDict[str, _Entity] = OrderedDict()
        self._families = {
            prefix: _Family(rules, tuple(view for view in views if view.family == prefix), db) for prefix, rules in FAMILIES.items()
        }
        self._tracks = tuple(track for family in self._families.values() for track in family.tracks)
        for row in log.read_policies():
            self._learn(read_event(row.position, row.header))
        self._findings = quality.Findings(db)
        self._cells = cells.Cells(db)

    def apply(self, events: Sequence[Event], changes: Mapping[str, Changes]) -> None:
        """Apply a batch in position order, inside the transaction of the caller. `changes`: of each view, `quality`, `figures`."""
        self._events.begin(events)
        self._findings.begin(changes[quality.NAME])
        self._cells.begin(changes[cells.NAME])
        for track in self._tracks:
            track.writer.begin(changes[track.view.name])
        for event in events:
            if event.topic == _TEACHING:
                self._learn(event)
        parts_of = self._events.parts_of
        work = [(event, parts_of(event)) for event in events]
        self._load(work)
        entities, look_at, take = self._entities, self._findings.look_at, self._take
        for event, parts in work:
            if event.topic in LOOKED_AT:
                look_at(event)
            for stream in parts:
                take(entities[stream], event)
        for track in self._tracks:
            track.writer.flush()
        self._findings.flush()
        self._cells.flush(events[-1].position)
        self._events.end()
        while len(entities) > self._entities_max:
            entities.popitem(last=False)

    @staticmethod
    def _learn(event: Event) -> None:
        """Take in the calendars that targets are measured by: they are recorded before anything that names them."""
        if event.topic == _TEACHING:
            hours_book.learn(event.payload.policy)

    def _load(self, work: Sequence[tuple[Event, Part]]) -> None:
        """Bring every entity of the batch into memory, as it was before the batch."""
        entities = self._entities
        missing: dict[str, bool] = {}
        for event, parts in work:
            for stream in parts:
                if stream in entities:
                    entities.move_to_end(stream)
                else:
                    # Nothing of its own stream is older than its first revision.
                    missing[stream] = missing.get(stream, False) or (event.revision == 1 and event.stream == stream)
        if not missing:
            return
        before = self._events.before_batch(missing)
        by_id: dict[int, _Entity] = {}
        for stream in missing:
            entity = entities[stream] = _Entity(stream, self._families[stream.partition("-")[0]])
            if stream in before:
                self._remember(entity, before[stream])
                by_id[entity.id] = entity
        for family in self._families.values():
            ids = [entity.id for entity in by_id.values() if entity.family is family and entity.id]
            for number, track in enumerate(family.tracks):
                for entity_id, rows in track.writer.load(ids).items():
                    by_id[entity_id].rows[number].update(rows)

    def _remember(self, entity: _Entity, events: list[Event]) -> None:
        entity.seen = True
        entity.id = next((event.position for event in events if event.revision == 1 and event.stream == entity.stream), 0)
        if entity.stream not in self._findings.set_aside:
            self._keep(entity, folding(entity.family.rules, (), entity.stream, events))

    def _keep(self, entity: _Entity, fold: Folding) -> None:
        entity.state, entity.opened, entity.last, entity.findings = fold.state, fold.opened, fold.last, fold.findings

    def _take(self, entity: _Entity, event: Event) -> None:
        """Apply one event to one entity."""
        stream = entity.stream
        position, order = event.position, event.order
        if event.revision == 1 and event.stream == stream:
            entity.id = position
        if stream in self._findings.set_aside:
            self._findings.put_aside(event, stream, "waits")
            return
        place = (order, event.clock)
        late = place < entity.last or event.topic in REACHES_BACK or event.header.held_back
        before = entity.state
        try:
            if not late:
                # What another stream says before the opener is not for the rules.
                foreign = before is None and event.stream != stream
                state, applied = (None, False) if foreign else entity.family.step(before, event)
                late = applied and entity.seen and before is None
            turns = () if late or state is before else _turns(entity, before, state)
        except Exception as error:
            self._put_aside(entity, event, error)
            return
        if late:
            self._fold_anew(entity, event)
            return
        if before is None and applied:
            entity.opened = order
        else:
            entity.last = place
        entity.seen = True
        entity.state = state
        if turns:
            if state is not None and order < entity.opened:
                order = entity.opened
            number = entity.id
            for track, rows, key, row, values in turns:
                if track.members is not None:
                    self._cells.turn(track.members, row[2] if row is not None else None, values, position)
                opened = track.writer.change(number, key, row, values, position, order)
                if opened is None:
                    del rows[key]
                else:
                    rows[key] = opened
        if not applied and is_judged_in(event, stream):
            order = event.order if state is None or event.order > entity.opened else entity.opened
            entity.findings[position, kind_of(event)] = order
            self._findings.begin_finding(event, kind_of(event), stream, order, position)

    def _fold_anew(self, entity: _Entity, event: Event) -> None:
        """Fold the entity from all its events up to this one, and make its rows and findings those of the new fold."""
        family, position = entity.family, event.position
        events = self._events.until(entity.stream, position)
        try:
            fold = folding(family.rules, family.views, entity.stream, events)
        except Exception as error:
            self._put_aside(entity, event, error)
            return
        if entity.id:
            for track, rows, intervals in zip(family.tracks, entity.rows, fold.intervals, strict=True):
                opened = track.writer.rewrite(entity.id, rows, intervals, position)
                if track.members is not None:
                    self._cells.turns(track.members, rows, opened, position)
                rows.clear()
                rows.update(opened)
        self._compare(entity, fold.findings, events, position)
        entity.seen = True
        self._keep(entity, fold)

    def _compare(self, entity: _Entity, findings: Findings, events: Sequence[Event], position: int) -> None:
        """Take back the findings that no longer hold, and note the new ones."""
        for (of_event, kind), order in sorted(entity.findings.items()):
            if findings.get((of_event, kind)) != order:
                self._findings.end_finding(of_event, kind, entity.stream, position)
        by_position = {one.position: one for one in events}
        for (of_event, kind), order in sorted(findings.items()):
            if entity.findings.get((of_event, kind)) != order:
                self._findings.begin_finding(by_position[of_event], kind, entity.stream, order, position)

    def _put_aside(self, entity: _Entity, event: Event, error: Exception) -> None:
        _log.exception("Event %d was set aside, and %s waits for a mended version.", event.position, entity.stream)
        entity.seen = True
        self._findings.put_aside(event, entity.stream, f"{type(error).__name__}: {error}")


def _turns(entity: _Entity, before: Any | None, after: Any) -> list[_Turn]:
    """Return what becomes of the entity's rows in its next state."""
    turns: list[_Turn] = []
    for (track, part_of, values_of), rows in zip(entity.family.looks, entity.rows, strict=True):
        if part_of is None:
            part = after
        else:
            part = part_of(after)
            part_before = None if before is None else part_of(before)
            if part is part_before:
                continue
            if track.keyed:
                _keyed_turns(turns, track, rows, part_before or {}, part)
                continue
        row = rows.get(0)
        values = None if part is None else values_of(part)
        if row is None:
            if values is not None:
                turns.append((track, rows, 0, None, values))
        elif values != row[2]:
            turns.append((track, rows, 0, row, values))
    return turns


def _keyed_turns(
    turns: list[_Turn], track: _Track, rows: dict[int, Row], before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    for name, one in after.items():
        if before.get(name) is one:
            continue
        key = track.key(one)
        row = rows.get(key)
        values = track.values(one)
        if row is None or row[2] != values:
            turns.append((track, rows, key, row, values))
    if before and before.keys() - after.keys():
        kept = {track.key(one) for one in after.values()}
        turns.extend((track, rows, key, row, None) for key, row in rows.items() if key not in kept)


def create_tables(db: sqlite_utils.Database, views: Sequence[FoldView]) -> None:
    """Create the tables of all fold views, and what the engine itself remembers, in an empty views file."""
    db.execute("CREATE TABLE entity (id INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE) STRICT")
    # The log's own index lists the events of a stream, so only those of other streams have to be remembered here.
    db.execute("CREATE TABLE touch (position INTEGER NOT NULL, stream TEXT NOT NULL, PRIMARY KEY (position, stream)) WITHOUT ROWID")
    db.execute("CREATE INDEX touch_stream ON touch (stream)")
    # What the customer writes in a contact concerns the requests that it was linked with before.
    db.execute(
        "CREATE TABLE contact_request (contact_id TEXT NOT NULL, stream TEXT NOT NULL, position INTEGER NOT NULL, "
        "PRIMARY KEY (contact_id, stream)) WITHOUT ROWID"
    )
    create_spans(db.conn)
    for view in views:
        create_table(db.conn, view.table)
    quality.create_tables(db)
    cells.create_tables(db)
