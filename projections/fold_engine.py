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

from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import REACHES_BACK
from projections import quality
from projections.bitemporal import Row, Values, Writer, create_spans, create_table
from projections.entity_events import EntityEvents, Part
from projections.fold_view import FoldView
from projections.refold import BEFORE_ALL, Findings, Folding, folding, is_judged_in, kind_of
from projections.view import Changes

if TYPE_CHECKING:
    import sqlite_utils

    from ledger.rules.verdict import Rules
    from ledger.store.recorder import LogReader

ENTITIES_MAX: Final = 50_000
"""Entities remembered between batches, those used last."""

_log = logging.getLogger(__name__)

_Turn = tuple[int, int, Row | None, Values | None]
"""What becomes of a row: number of the view, key, open row so far, values from now on."""


class _Family:
    """The rules of one family, and the views over its states."""

    __slots__ = ("rules", "views", "writers")

    def __init__(self, rules: Rules, views: tuple[FoldView, ...], db: sqlite3.Connection) -> None:
        self.rules = rules
        self.views = views
        self.writers = tuple(Writer(view.table, db) for view in views)


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
        self.rows: list[dict[int, Row]] = [{} for _ in family.views]
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
        self._findings = quality.Findings(db)

    def apply(self, events: Sequence[Event], changes: Mapping[str, Changes]) -> None:
        """Apply a batch in position order, inside the caller's transaction. `changes`: one for each view, and for `quality`."""
        self._events.begin(events)
        work = [(event, self._events.parts_of(event)) for event in events]
        self._load(work)
        found = changes[quality.NAME]
        entities, look_at = self._entities, self._findings.look_at
        new: list[tuple[int, str]] = []
        for event, parts in work:
            look_at(event, found)
            for stream in parts:
                entity = entities[stream]
                if event.revision == 1 and event.stream == stream:
                    entity.id = event.position
                    new.append((event.position, stream))
                self._take(entity, event, changes)
        for family in self._families.values():
            for writer in family.writers:
                writer.flush()
        self._findings.flush()
        self._events.end()
        self._db.executemany("INSERT INTO entity VALUES (?, ?)", new)
        while len(entities) > self._entities_max:
            entities.popitem(last=False)

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
            for number, writer in enumerate(family.writers):
                for entity_id, rows in writer.load(ids).items():
                    by_id[entity_id].rows[number] = rows

    def _remember(self, entity: _Entity, events: list[Event]) -> None:
        entity.seen = True
        entity.id = next((event.position for event in events if event.revision == 1 and event.stream == entity.stream), 0)
        if entity.stream not in self._findings.set_aside:
            self._keep(entity, folding(entity.family.rules, (), entity.stream, events))

    def _keep(self, entity: _Entity, fold: Folding) -> None:
        entity.state, entity.opened, entity.last, entity.findings = fold.state, fold.opened, fold.last, fold.findings

    def _take(self, entity: _Entity, event: Event, changes: Mapping[str, Changes]) -> None:
        """Apply one event to one entity."""
        if entity.stream in self._findings.set_aside:
            self._findings.put_aside(event, entity.stream, "waits", changes[quality.NAME])
            return
        place = (event.order, event.clock)
        late = place < entity.last or event.topic in REACHES_BACK or event.header.held_back
        # What another stream says before the opener is not for the rules.
        foreign = entity.state is None and event.stream != entity.stream
        try:
            if not late:
                state, applied = (None, False) if foreign else entity.family.rules.step(entity.state, event)
                late = entity.seen and entity.state is None and applied
            turns = [] if late else self._turns(entity, state)
        except Exception as error:
            self._put_aside(entity, event, error, changes)
            return
        if late:
            self._fold_anew(entity, event, changes)
            return
        if entity.state is None and applied:
            entity.opened = event.order
        else:
            entity.last = place
        entity.seen = True
        entity.state = state
        order = max(event.order, entity.opened) if state is not None else event.order
        if turns:
            self._turn(entity, turns, event.position, order, changes)
        if not applied and is_judged_in(event, entity.stream):
            entity.findings[event.position, kind_of(event)] = order
            self._findings.begin(event, kind_of(event), entity.stream, order, event.position, changes[quality.NAME])

    def _turns(self, entity: _Entity, state: Any | None) -> list[_Turn]:
        """Return what becomes of the entity's rows in its next state."""
        before = entity.state
        turns: list[_Turn] = []
        if state is before:
            return turns
        for number, view in enumerate(entity.family.views):
            part = view.part(state)
            part_before = view.part(before) if before is not None else None
            if part is part_before:
                continue
            rows = entity.rows[number]
            if not view.table.keyed:
                row = rows.get(0)
                values = view.values(part) if part is not None else None
                if values != (row[2] if row is not None else None):
                    turns.append((number, 0, row, values))
                continue
            known = part_before or {}
            for name, one in part.items():
                if known.get(name) is not one:
                    key = view.key(one)
                    row = rows.get(key)
                    values = view.values(one)
                    if row is None or row[2] != values:
                        turns.append((number, key, row, values))
            if len(known) > len(part) or known.keys() - part.keys():
                kept = {view.key(one) for one in part.values()}
                turns.extend((number, key, row, None) for key, row in rows.items() if key not in kept)
        return turns

    def _turn(self, entity: _Entity, turns: Sequence[_Turn], position: int, order: int, changes: Mapping[str, Changes]) -> None:
        family = entity.family
        for number, key, row, values in turns:
            opened = family.writers[number].change(changes[family.views[number].name], entity.id, key, row, values, position, order)
            if opened is None:
                del entity.rows[number][key]
            else:
                entity.rows[number][key] = opened

    def _fold_anew(self, entity: _Entity, event: Event, changes: Mapping[str, Changes]) -> None:
        """Fold the entity from all its events up to this one, and make its rows and findings those of the new fold."""
        family, position = entity.family, event.position
        events = self._events.until(entity.stream, position)
        try:
            fold = folding(family.rules, family.views, entity.stream, events)
        except Exception as error:
            self._put_aside(entity, event, error, changes)
            return
        if entity.id:
            for number, (view, writer) in enumerate(zip(family.views, family.writers, strict=True)):
                entity.rows[number] = writer.rewrite(
                    changes[view.name], entity.id, entity.rows[number], fold.intervals[number], position
                )
        self._compare(entity, fold.findings, events, position, changes[quality.NAME])
        entity.seen = True
        self._keep(entity, fold)

    def _compare(self, entity: _Entity, findings: Findings, events: Sequence[Event], position: int, changes: Changes) -> None:
        """Take back the findings that no longer hold, and note the new ones."""
        for (of_event, kind), order in sorted(entity.findings.items()):
            if findings.get((of_event, kind)) != order:
                self._findings.end(of_event, kind, entity.stream, position, changes)
        by_position = {one.position: one for one in events}
        for (of_event, kind), order in sorted(findings.items()):
            if entity.findings.get((of_event, kind)) != order:
                self._findings.begin(by_position[of_event], kind, entity.stream, order, position, changes)

    def _put_aside(self, entity: _Entity, event: Event, error: Exception, changes: Mapping[str, Changes]) -> None:
        _log.exception("Event %d was set aside, and %s waits for a mended version.", event.position, entity.stream)
        entity.seen = True
        self._findings.put_aside(event, entity.stream, f"{type(error).__name__}: {error}", changes[quality.NAME])


def create_tables(db: sqlite_utils.Database, views: Sequence[FoldView]) -> None:
    """Create the tables of all fold views, and what the engine itself remembers, in an empty views file."""
    db.execute("CREATE TABLE entity (id INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE) STRICT")
    # The log's own index lists the events of a stream, so only those of other streams have to be remembered here.
    db.execute("CREATE TABLE touch (position INTEGER NOT NULL, stream TEXT NOT NULL, PRIMARY KEY (position, stream)) WITHOUT ROWID")
    db.execute("CREATE INDEX touch_stream ON touch (stream)")
    create_spans(db.conn)
    for view in views:
        create_table(db.conn, view.table)
    quality.create_tables(db)
