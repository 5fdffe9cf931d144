"""Imports without a ledger: the events that a mapping makes of a file, folded by the ledger's own rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clients.connectors.importer import shipped_mappings
from clients.connectors.mapping_parser import read_mapping
from clients.connectors.reader import read_table
from clients.connectors.row_mapper import RowMapper
from clients.connectors.row_stream import RowOutcome, RowStream
from clients.connectors.source_file import SourceFile
from clients.connectors.time_text import TimeReader
from ledger.catalogue import BY_FIELD
from ledger.event import Event
from ledger.intake.local_time import resolve_due
from ledger.rules import FAMILIES
from ledger.rules.fold import in_order
from tests.build import event

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
FILES = {
    "incidents": DATA / "incidents" / "incident_event_log.zip",
    "boston311": DATA / "boston311" / "requests_2013_2016.csv.gz",
}


def outcomes(file: Path, mapping: Path) -> Iterator[RowOutcome]:
    """Map every row of a file."""
    read, mistakes = read_mapping(mapping)
    source = SourceFile(file, read.reader.member)
    with source.open() as stream:
        times = TimeReader(read.time_format, read.time_zone)
        table = read_table(stream, read, mistakes)
        mapper = RowMapper(read, table.columns, times, mistakes)
        mapper.join_run("run")
        yield from RowStream(table, read, mapper, times).outcomes(0, lambda: None)


def shipped(name: str) -> dict[str, list[Event]]:
    """Return the events of a shipped mapping and its data, by stream, as intake would record them."""
    streams: dict[str, list[Event]] = defaultdict(list)
    for outcome in outcomes(FILES[name], shipped_mappings()[name]):
        assert not outcome.reason, outcome
        for one in outcome.events:
            kind = BY_FIELD[one.payload.WhichOneof("kind") or ""]
            payload = getattr(one.payload, kind.field)
            if kind.topic == "promise-made":
                resolve_due(payload.due, "UTC")
            envelope = one.envelope
            made = event(
                payload,
                occur=envelope.occur_time.ToMicroseconds(),
                precision=envelope.precision,
                name=envelope.event_id,
                department=envelope.department,
                channel=envelope.channel,
                actor=envelope.actor,
                import_run=envelope.import_run,
            )
            streams[made.stream].append(made)
    return streams


def states(streams: dict[str, list[Event]], family: str, before: int | None = None) -> tuple[list[Any], list[Event]]:
    """Return the state of each entity of a family as it happened before an instant, and the events that did not apply."""
    rules = FAMILIES[family]
    found: list[Any] = []
    ineffective: list[Event] = []
    for stream, events in streams.items():
        if not stream.startswith(f"{family}-"):
            continue
        state = None
        opened = None
        for one in in_order(events, stream):
            opened = one.order if opened is None else opened
            if before is not None and max(one.order, opened) >= before:
                break
            state, applied = rules.step(state, one)
            if not applied:
                ineffective.append(one)
        if state is not None:
            found.append(state)
    return found, ineffective
