"""The history: which events belong to whom, in event time. Holds no content; events are read from the log when they are shown.

An event belongs to its header's subject; a link belongs to both of its identifiers. Which subjects make up a customer, and which
stretch of each one's events counts, is asked of the identities at reading. One row an event and subject, in one tree ordered by
subject and time, so a page is a range of it however long the history is; a second tree finds rows by position.

An event that is corrected has its place, and its customer, by what the correction says, as known from there on. One that is
retracted stays where it is, and is marked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import TYPE_CHECKING, Any, Final

from ledger.api.v1.history_service_pb2 import HistoryEntry, HistoryFilter
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.event_id import to_text
from ledger.rules.correction import CorrectedEvent
from projections import attribution, quality, restated
from projections.history_rows import (
    BLOCK_BITS,
    BOTH,
    TOPIC_CODES,
    Key,
    bounds_of,
    conditions_of,
    in_order,
    matching,
    numbers_of,
    stands,
    stream_positions,
    subjects_of,
    within,
)
from projections.identity_spans import selection
from projections.restated import RestatingEvent
from projections.view import Changes, Read, one_of

if TYPE_CHECKING:
    import sqlite_utils

SUBJECTS_CACHED: Final = 100_000
"""Subjects whose number is kept in memory while applying. Rows bear numbers, not pseudonyms: half the bytes, half the time."""

RECENT_POSITIONS: Final = 2_000
"""So many positions back, changes are looked for by position; further back, by customer."""

CONTACTS: Final = ("contact-received", "contact-made")
"""Topics that open a contact."""

_TABLES: Final = (
    """CREATE TABLE history (
        subject INTEGER NOT NULL, order_time INTEGER NOT NULL, position INTEGER NOT NULL, from_position INTEGER NOT NULL,
        topic INTEGER NOT NULL, channel INTEGER NOT NULL, department INTEGER NOT NULL, until_position INTEGER,
        PRIMARY KEY (subject, order_time, position, from_position)
    ) WITHOUT ROWID""",
    "CREATE INDEX history_position ON history (position)",
    """CREATE TABLE history_subject (
        subject BLOB PRIMARY KEY, number INTEGER NOT NULL, contact_count INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE history_code (code INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE history_block (block INTEGER PRIMARY KEY, order_min INTEGER NOT NULL, order_max INTEGER NOT NULL)",
)
"""`from_position` is 0 in rows of events as they were recorded, else that of the correction; `until_position`: of what ended it."""


class HistoryView:
    """Applies events to the history's rows."""

    name = "history"
    takes_restating = True

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._codes: dict[str, int] | None = None

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the tables in an empty views file."""
        for statement in _TABLES:
            db.execute(statement)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Add one row for each event and subject it belongs to; give corrected ones their new place."""
        belongs: list[tuple[Event, bytes]] = []
        for event in events:
            if event.topic in BOTH:
                belongs.extend((event, subject) for subject in subjects_of(event))
            elif event.subject:
                belongs.append((event, event.subject))
        restating = [event for event in events if isinstance(event, RestatingEvent) and event.original is not None]
        belongs_since = [(event, subject) for event in restating if event.shown for subject in subjects_of(event.shown)]
        numbers = self._number([*belongs, *belongs_since] if restating else belongs, db)
        codes = self._codes = self._codes or dict(db.execute("SELECT text, code FROM history_code").fetchall())
        rows = []
        blocks: dict[int, tuple[int, int]] = {}
        contacts: dict[bytes, int] = {}
        note = changes.entries.append
        last_block, low, high = -1, 0, 0
        for event, subject in belongs:
            header, position, order, topic = event.header, event.position, event.order, TOPIC_CODES[event.topic]
            channel, department = header.channel, header.department
            if channel not in codes or department not in codes:
                _give_codes((channel, department), codes, db)
            rows.append((numbers[subject], order, position, 0, topic, codes[channel], codes[department]))
            note((position, (subject, order, topic, channel, department)))
            if event.topic in CONTACTS:
                contacts[subject] = contacts.get(subject, 0) + 1
            block = position >> BLOCK_BITS
            if block != last_block:
                last_block, low, high = block, order, order
                blocks[block] = (order, order)
            elif order < low or order > high:
                low, high = blocks[block] = (min(low, order), max(high, order))
        db.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", rows)
        for event in restating:
            _restate(event, db, numbers, codes, blocks, contacts)
        db.executemany(
            "UPDATE history_subject SET contact_count = contact_count + ? WHERE subject = ?",
            [(number, subject) for subject, number in contacts.items()],
        )
        db.executemany(
            "INSERT INTO history_block VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE SET "
            "order_min = min(order_min, excluded.order_min), order_max = max(order_max, excluded.order_max)",
            [(block, low, high) for block, (low, high) in blocks.items()],
        )

    def _number(self, belongs: Sequence[tuple[Event, bytes]], db: sqlite3.Connection) -> dict[bytes, int]:
        """Return the number of every subject, at least of those asked."""
        if len(self._numbers) > SUBJECTS_CACHED:
            self._numbers.clear()
        known = self._numbers
        missing: dict[bytes, int] = {}
        for event, subject in belongs:
            if subject not in known and subject not in missing:
                # Made of where it was first seen, so that it depends on the log alone. A link may bring two new ones.
                missing[subject] = 2 * event.position + (subject != event.subject)
        if missing:
            known.update(numbers_of(db, list(missing)))
            new = [(subject, number) for subject, number in missing.items() if subject not in known]
            db.executemany("INSERT INTO history_subject VALUES (?, ?, 0)", new)
            known.update(new)
        return known


def _give_codes(texts: Iterable[str], codes: dict[str, int], db: sqlite3.Connection) -> None:
    """Give numbers to texts that have none."""
    for text in texts:
        if text not in codes:
            codes[text] = len(codes)
            db.execute("INSERT INTO history_code VALUES (?, ?)", (codes[text], text))


def _restate(
    event: RestatingEvent,
    db: sqlite3.Connection,
    numbers: dict[bytes, int],
    codes: dict[str, int],
    blocks: dict[int, tuple[int, int]],
    contacts: dict[bytes, int],
) -> None:
    """Give an event the place that it has by a correction; note where it is found, and whose contact it no longer is."""
    original, before, after, shown = event.original, event.before, event.after, event.shown
    assert original is not None
    assert shown is not None
    if original.topic in CONTACTS:
        for one, more in ((before, -1), (after, 1)):
            for subject in subjects_of(one) if one is not None else ():
                contacts[subject] = contacts.get(subject, 0) + more
    position, order = original.position, shown.order
    # The words of the correction are found at its own position.
    for block in (position >> BLOCK_BITS, event.position >> BLOCK_BITS):
        low, high = blocks.get(block, (order, order))
        blocks[block] = (min(low, order), max(high, order))
    _give_codes((shown.header.channel, shown.header.department), codes, db)
    channel, department = codes[shown.header.channel], codes[shown.header.department]
    wanted = {(numbers[subject], order, channel, department) for subject in subjects_of(shown)}
    rows = db.execute(
        "SELECT subject, order_time, channel, department, from_position FROM history INDEXED BY history_position "
        "WHERE position = ? AND until_position IS NULL",
        (position,),
    ).fetchall()
    for *row, from_position in rows:
        if tuple(row) in wanted:
            wanted.remove(tuple(row))
            continue
        db.execute(
            "UPDATE history SET until_position = ? WHERE subject = ? AND order_time = ? AND position = ? AND from_position = ?",
            (event.position, row[0], row[1], position, from_position),
        )
    topic = TOPIC_CODES[original.topic]
    for number, at, on, by in sorted(wanted):
        row = (number, at, position, event.position, topic, on, by)
        db.execute("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)


# Questions


def page(
    read: Read, subjects: Sequence[bytes], filter: HistoryFilter, oldest_first: bool, limit: int, after: Key | None
) -> tuple[list[HistoryEntry], Key | None]:
    """Return up to `limit` events of these subjects in order of time, and where the next page begins; None on the last one.

    `after` is what the page before returned, exclusive.
    """
    found, following = places(read, subjects, filter, oldest_first, limit, after)
    return entries(read, [position for _, position in found]), following


def places(
    read: Read, subjects: Sequence[bytes], filter: HistoryFilter, oldest_first: bool, limit: int, after: Key | None
) -> tuple[list[Key], Key | None]:
    """Return order time and position of what `page` shows."""
    found: list[Key] = []
    for key in _keys(read, subjects, filter, oldest_first, limit + 1, after):
        found.append(key)
        if len(found) > limit:
            break
    return found[:limit], found[limit - 1] if len(found) > limit else None


def contact_count(read: Read, subjects: Sequence[bytes]) -> int:
    """Return how many contacts the subjects had. Now it is a number kept with each; of the past, rows are counted."""
    spans = selection(read, subjects)
    conditions = conditions_of(read, HistoryFilter(topics=CONTACTS))
    assert conditions is not None
    moves = attribution.moves(read, subjects)
    total = len(matching(read, moves.come_openers, None, conditions)) - len(matching(read, moves.gone_openers, spans, conditions))
    if read.present and all(span.whole for span in spans):
        parameters: dict[str, Any] = {}
        where = one_of("subject", [span.subject for span in spans], parameters, "s")
        counted = read.db.execute(f"SELECT total(contact_count) FROM history_subject WHERE {where}", parameters).fetchone()[0]
        return total + int(counted)
    for number, low, high in bounds_of(read, spans, conditions):
        total += read.db.execute(
            "SELECT count(*) FROM history WHERE subject = :subject AND order_time >= :low AND order_time < :high "
            f"AND {stands(read)}{conditions.sql} AND NOT EXISTS (SELECT 1 FROM restated WHERE restated.position = history.position "
            "AND retracted AND restated.from_position <= :known "
            "AND (restated.until_position IS NULL OR restated.until_position > :known))",
            conditions.parameters | {"subject": number, "low": low, "high": high, "known": read.known},
        ).fetchone()[0]
    return total


def changed(
    read: Read, after_position: int, subjects: Sequence[bytes], filter: HistoryFilter, limit: int = 500
) -> list[tuple[int, HistoryEntry]]:
    """Return up to `limit` events of these subjects recorded after a position (exclusive), in order of record.

    As many as `limit` may mean that there are more: ask again after the last one.
    """
    conditions = conditions_of(read, filter)
    if conditions is None:
        return []
    moves = attribution.moves(read, subjects)
    bounds = bounds_of(read, selection(read, subjects), conditions)
    parameters = conditions.parameters | {"after": after_position, "known": read.known}
    where = f"position > :after AND {stands(read)}{conditions.sql}"
    positions: set[int] = set()
    if read.known - after_position <= RECENT_POSITIONS:
        query = f"SELECT position, subject, order_time FROM history INDEXED BY history_position WHERE {where}"
        rows = read.db.execute(query, parameters)
        positions.update(position for position, number, order in rows if within(bounds, number, order))
    else:
        query = f"SELECT position FROM history WHERE subject = :subject AND order_time >= :low AND order_time < :high AND {where}"
        for number, low, high in bounds:
            rows = read.db.execute(query, parameters | {"subject": number, "low": low, "high": high})
            positions.update(position for (position,) in rows)
    positions -= moves.gone
    positions.update(position for _, position in matching(read, moves.come, None, conditions) if position > after_position)
    stream = stream_positions(read, filter)
    if stream is not None:
        positions.intersection_update(stream)
    shown = sorted(positions)[:limit]
    return list(zip(shown, entries(read, shown), strict=True))


def attributed_since(read: Read, after_position: int, subjects: Sequence[bytes]) -> bool:
    """Tell whether, after a position (exclusive), a contact was attributed to these subjects, or from them."""
    parameters: dict[str, Any] = {"after": after_position, "known": read.known}
    topics = one_of("topic", [TOPIC_CODES[topic] for topic in attribution.TOPICS], parameters, "topic")
    rows = read.db.execute(
        "SELECT DISTINCT position FROM history INDEXED BY history_position "
        f"WHERE position > :after AND position <= :known AND {topics}",
        parameters,
    )
    return attribution.changed(read, [position for (position,) in rows], subjects)


def entries(read: Read, positions: Sequence[int]) -> list[HistoryEntry]:
    """Return the events at these positions as a history shows them, in the order given: as recorded, beside it as corrected."""
    if not positions:
        return []
    restated_ = restated.restated(read, positions)
    rows = read.log.read_positions([*positions, *(how.by_position for how in restated_.values())])
    events = {position: read_event(position, row.header, row.parts) for position, row in rows.items()}
    ineffective = quality.ineffective(read, positions)
    shown = [HistoryEntry(without_effect=position in ineffective) for position in positions]
    read.content.fill((entry.event for entry in shown), [events[position] for position in positions])
    if restated_:
        stand = restated.events_at(read, restated_)
        for entry in shown:
            how = restated_.get(entry.event.position)
            if how is not None:
                entry.restated_by_event_id = to_text(events[how.by_position].event_id)
                entry.retracted = how.retracted
                if isinstance(stand[entry.event.position], CorrectedEvent):
                    entry.corrected.CopyFrom(read.content.recorded_event(stand[entry.event.position]))
    return shown


def _keys(
    read: Read, subjects: Sequence[bytes], filter: HistoryFilter, oldest_first: bool, limit: int, after: Key | None
) -> Iterable[Key]:
    conditions = conditions_of(read, filter)
    if conditions is None:
        return ()
    spans = selection(read, subjects)
    moves = attribution.moves(read, subjects)
    positions = stream_positions(read, filter)
    if positions is None:
        own = in_order(read, bounds_of(read, spans, conditions), conditions, oldest_first, limit, after)
        if moves == attribution.NONE:
            return own
        come = _following(matching(read, moves.come, None, conditions), oldest_first, after)
        return _once(merge((key for key in own if key[1] not in moves.gone), come, reverse=not oldest_first))
    # A stream is short, and the log finds it faster than any order by time would.
    keys = {key for key in matching(read, positions, spans, conditions) if key[1] not in moves.gone}
    if moves.come:
        keys |= matching(read, moves.come.intersection(positions), None, conditions)
    return _following(keys, oldest_first, after)


def _following(keys: Iterable[Key], oldest_first: bool, after: Key | None) -> list[Key]:
    """Return keys in order, those up to the end of the page before left out."""
    return [
        key for key in sorted(keys, reverse=not oldest_first) if after is None or (key > after if oldest_first else key < after)
    ]


def _once(keys: Iterable[Key]) -> Iterator[Key]:
    """Yield keys that come in order, each once: an attribution belongs to its customer, and to its contact."""
    last = None
    for key in keys:
        if key != last:
            yield key
        last = key
