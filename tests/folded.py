"""Fold views for tests: a views file in memory, a log of events built by tests.build, and what a fold of them says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, cast

import sqlite_utils

from ledger.catalogue import BY_FIELD, RESTATING
from ledger.event import Event
from ledger.privacy.content import ContentReader
from ledger.rules import FAMILIES, family_of
from ledger.rules.fold import state_at, steps
from ledger.rules.instant import uuid_bytes
from ledger.rules.touch import touched_by, touches
from ledger.store.recorder import LogReader, StoredEventRow
from projections import (
    answer_rows,
    complaints,
    contacts,
    derived_targets,
    exceptions,
    experience,
    handoffs,
    improvements,
    messages,
    opportunities,
    overrides,
    promises,
    quality,
    request_rows,
    statements,
)
from projections.bitemporal import Values
from projections.figures import cells
from projections.fold_engine import FoldEngine, create_tables
from projections.fold_view import FoldView
from projections.refold import is_judged_in, kind_of
from projections.restated import RestatedView, resolved
from projections.versions import Choice, shown
from projections.view import Changes, Read

VIEWS = (
    contacts.VIEW,
    messages.VIEW,
    promises.TARGETS,
    request_rows.VIEW,
    handoffs.VIEW,
    promises.VIEW,
    complaints.VIEW,
    derived_targets.REQUESTS,
    derived_targets.COMPLAINTS,
    exceptions.VIEW,
    overrides.VIEW,
    experience.VIEW,
    answer_rows.VIEW,
    statements.VIEW,
    opportunities.VIEW,
    improvements.VIEW,
)


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

    def read_policies(self) -> list[StoredEventRow]:
        return [row for row in self.rows.values() if row.topic.startswith("policy-")]

    def find_event_ids(self, ids: Sequence[bytes]) -> dict[bytes, StoredEventRow]:
        return {row.event_id: row for row in self.rows.values() if row.event_id in ids}


class FoldedViews:
    """All fold views over a list of events, whose positions count from 1."""

    def __init__(self, events: Sequence[Event], splits: Sequence[int] = (), entities_max: int = 1000) -> None:
        """Apply the events in batches that end at the positions of `splits`."""
        self.events = list(events)
        self.log = Log(events)
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.changes = {name: Changes() for name in (*(view.name for view in VIEWS), quality.NAME, cells.NAME)}
        create_tables(sqlite_utils.Database(self.db), VIEWS)
        restated = RestatedView()
        restated.create_tables(sqlite_utils.Database(self.db))
        engine = FoldEngine(VIEWS, cast(LogReader, self.log), self.db, entities_max)
        for start, end in zip([0, *splits], [*splits, len(events)], strict=True):
            if start < end:
                batch = resolved(self.events[start:end], cast(LogReader, self.log))
                restated.apply(batch, self.db, Changes())
                engine.apply(batch, self.changes)

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
    stand = effective(events, known)
    for stream in _streams(events, view.family):
        rules = family_of(stream)
        assert rules is not None
        state = state_at(rules, belonging(stream, stand, events), known, before, stream)
        rows.update({(stream, key): values for key, values in view.rows(state).items()})
    return rows


def folded_findings(events: Sequence[Event], known: int, before: int | None) -> set[tuple[int, int]]:
    """Return position and kind of the events without effect, of those that a life cycle judges."""
    found: set[tuple[int, int]] = set()
    stand = effective(events, known)
    for stream in {stream for family in FAMILIES for stream in _streams(events, family)}:
        rules = family_of(stream)
        assert rules is not None
        part = belonging(stream, stand, events)
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


def belonging(stream: str, events: Sequence[Event], recorded: Sequence[Event] = ()) -> list[Event]:
    """Return the events of an entity: its own, those of others that concern it, and the confirmations of the latter.

    A message concerns a request that its contact was linked with before; `recorded`: all events as they were recorded.
    """
    by_id = {event.event_id: event for event in events}
    links = {
        (one.payload.contact_id, one.position)
        for one in recorded or events
        if one.stream == stream and one.topic in ("request-opened", "contact-linked")
    }

    def linked(event: Event) -> bool:
        if event.topic != "message-received":
            return False
        return any(event.payload.contact_id == contact_id and position < event.position for contact_id, position in links)

    def belongs(event: Event) -> bool:
        if event.stream == stream or stream in touches(event) or linked(event):
            return True
        if event.topic != "event-confirmed":
            return False
        named = by_id.get(uuid_bytes(event.payload.confirmed_event_id))
        return named is not None and named.position < event.position and (stream in touches(named) or linked(named))

    return [event for event in events if belongs(event)]


def _streams(events: Sequence[Event], family: str) -> set[str]:
    streams = {stream for event in events for stream in (event.stream, *touches(event))}
    for event in events:
        if event.topic == "event-corrected":
            ((field, payload),) = event.payload.payload.ListFields()
            streams.update(touched_by(BY_FIELD[field.name].topic, payload))
    return {stream for stream in streams if stream.startswith(f"{family}-") and family_of(stream) is not None}


# Corrections, in the plainest way


class Stands(Event):
    """An event as corrected."""

    __slots__ = ("setter",)

    setter: Event

    @property
    def due_setter(self) -> Event:
        return self.setter


def effective(events: Sequence[Event], known: int) -> list[Event]:
    """Return the events as they stand at a position, of each what its last correction says; corrections themselves left out."""
    found = []
    named = {uuid_bytes(_named(event)) for event in events if event.topic in RESTATING}
    for event in events:
        if event.position > known or event.topic in RESTATING:
            continue
        if event.event_id not in named:
            found.append(event)
            continue
        naming = _naming(event, events, known)
        if not naming:
            found.append(event)
        elif naming[-1].topic == "event-corrected":
            found.append(_versions(event, events, known)[-1])
    return found


def _naming(event: Event, events: Sequence[Event], known: int) -> list[Event]:
    """Return what corrects or retracts an event, in order of position, but for what was itself retracted."""
    return [
        one
        for one in events
        if event.position < one.position <= known
        and one.topic in RESTATING
        and one.stream == event.stream
        and uuid_bytes(_named(one)) == event.event_id
        and (one.topic == "event-retracted" or event.topic not in RESTATING)
        and not any(by.topic == "event-retracted" for by in _naming(one, events, known))
    ]


def _named(event: Event) -> str:
    payload = event.payload
    return str(payload.corrected_event_id if event.topic == "event-corrected" else payload.retracted_event_id)


def _versions(event: Event, events: Sequence[Event], known: int) -> list[Event]:
    """Return what the corrections of an event that stand make of it, one after the other."""
    versions: list[Event] = []
    said: list[tuple[Event, Any]] = [(event, _dues(event))]
    when: list[tuple[Event, Any]] = [(event, (event.occur, event.header.precision))]
    header = type(event.header).FromString(event.header.SerializeToString())
    for one in _naming(event, events, known) if event.topic not in RESTATING else ():
        if one.topic == "event-retracted":
            continue
        envelope = one.payload.envelope
        if envelope.HasField("occur_time"):
            header.occur_time_micros = envelope.occur_time.ToMicroseconds()
        if envelope.HasField("precision"):
            header.precision = envelope.precision
        if envelope.HasField("department"):
            header.department = envelope.department
        if 2 in envelope.without:
            header.department = ""
        header.subject = one.subject
        when.append((one, (header.occur_time_micros, header.precision)))
        header.record_time_micros = next(by.record for by, same in when if same == when[-1][1])
        (payload,) = (value for _, value in one.payload.payload.ListFields())
        copied = type(header).FromString(header.SerializeToString())
        stands = Stands(position=event.position, header=copied, payload=payload, clock=event.clock)
        said.append((one, _dues(stands)))
        stands.setter = next(by for by, same in said if same == said[-1][1])
        versions.append(stands)
    return versions


def _dues(event: Event) -> Any:
    """Return what the dues depend on that an event sets: what it says of them, or all of it."""
    fields = event.payload.DESCRIPTOR.fields_by_name
    if not {"due", "accept_by", "complete_by", "response_due_time"} & set(fields):
        header = event.header
        said = event.payload.SerializeToString(deterministic=True)
        return said, event.occur, header.precision, header.department, header.channel
    times = [event.payload.DESCRIPTOR.fields_by_name[name] for name in sorted(fields) if fields[name].message_type]
    return [
        getattr(event.payload, field.name).SerializeToString(deterministic=True)
        for field in times
        if not field.is_repeated and event.payload.HasField(field.name) and field.message_type.name in ("Timestamp", "Due")
    ]
