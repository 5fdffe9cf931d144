"""Plays: what playbooks recorded, and what people said that they did instead. One row an event, by the event that set it off."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.api.v1.core_pb2 import PLAYBOOK
from ledger.api.v1.playbook_service_pb2 import Play, PlayFilter, PlayOverride, PlayStep
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.event_id import to_text
from ledger.policy.book import PolicyBook
from ledger.rules.instant import uuid_bytes
from projections import policies
from projections.listing import given, instant
from projections.restated import events_at
from projections.view import Changes, Read, happened, one_of, stands

if TYPE_CHECKING:
    import sqlite_utils

OVERRIDDEN: Final = "rule-overridden"
"""Topic of the events by which people say that they did otherwise."""

STEP: Final = 0
OVERRIDE: Final = 1

_TABLES: Final = (
    """CREATE TABLE play (
        cause BLOB NOT NULL, playbook TEXT NOT NULL, step TEXT NOT NULL, kind INTEGER NOT NULL, position INTEGER NOT NULL,
        order_time INTEGER NOT NULL, request_id TEXT NOT NULL, policy_id TEXT NOT NULL, policy_version INTEGER NOT NULL,
        PRIMARY KEY (cause, playbook, position)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX play_position ON play (position)",
    "CREATE INDEX play_request ON play (request_id, position) WHERE request_id <> ''",
)
"""`cause`: the id of the event that set the playbook off. `kind`: STEP or OVERRIDE; an override's playbook is the rule it names."""


class PlaybooksView:
    """Applies the events of playbooks, and overrides that name what set the rule off."""

    name = "playbooks"

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create the table in an empty views file."""
        for statement in _TABLES:
            db.execute(statement)

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Add a row for each step that was done, and for each override."""
        rows = [row for event in events if event.topic == OVERRIDDEN or event.header.actor_kind == PLAYBOOK for row in _rows(event)]
        if rows:
            db.executemany("INSERT OR IGNORE INTO play VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        for row in rows:
            changes.add(row[4], *row[:4], *row[5:])


def _rows(event: Event) -> Iterable[tuple[Any, ...]]:
    header, payload = event.header, event.payload
    if header.actor_kind == PLAYBOOK and header.causation_id:
        playbook, _, step = header.actor.partition(":")
        request_id = payload.request_id if "request_id" in payload.DESCRIPTOR.fields_by_name else ""
        yield (
            header.causation_id,
            playbook,
            step,
            STEP,
            event.position,
            event.order,
            request_id,
            header.policy_id,
            header.policy_version,
        )
    elif event.topic == OVERRIDDEN and payload.trigger_event_id:
        yield (
            uuid_bytes(payload.trigger_event_id),
            payload.rule,
            payload.step,
            OVERRIDE,
            event.position,
            event.order,
            payload.request_id,
            payload.policy_id,
            payload.policy_version,
        )


# Questions


class Override(NamedTuple):
    """A person did otherwise than a rule says."""

    rule: str
    step: str
    """Empty: the whole of it."""


def overrides(read: Read, trigger_event_id: bytes) -> set[Override]:
    """Return what was overridden of what an event set off."""
    rows = read.db.execute(
        f"SELECT playbook, step FROM play WHERE cause = :cause AND kind = {OVERRIDE} AND position <= :known AND {stands()}",
        {"cause": trigger_event_id, "known": read.known},
    )
    return {Override(*row) for row in rows}


def recorded(read: Read, plays: Iterable[tuple[bytes, str]]) -> set[tuple[bytes, str]]:
    """Return those of these plays, by trigger and playbook, of which a step is recorded."""
    sql = f"SELECT 1 FROM play WHERE cause = ? AND playbook = ? AND kind = {STEP} AND position <= ? LIMIT 1"
    return {play for play in plays if read.db.execute(sql, (*play, read.known)).fetchone() is not None}


def page(read: Read, filter: PlayFilter, limit: int, after: Sequence[Any] | None) -> tuple[list[Play], tuple[int] | None]:
    """Return up to `limit` plays, newest first, and where the next page begins; None on the last one."""
    book = policies.book(read.log, read.known)
    parameters: dict[str, Any] = {**read.parameters, "limit": limit + 1}
    where = [happened(read), f"(kind = {STEP} OR {one_of('playbook', _names(book), parameters, 'name')})"]
    having = ""
    if filter.playbooks:
        where.append(one_of("playbook", filter.playbooks, parameters, "playbook"))
    if filter.HasField("trigger_event_id"):
        where.append("cause = :cause")
        parameters["cause"] = uuid_bytes(filter.trigger_event_id)
    if filter.HasField("request_id"):
        inner = f"SELECT cause, playbook FROM play WHERE request_id = :request_id AND request_id <> '' AND {happened(read)}"
        where.append(f"(cause, playbook) IN ({inner})")
        parameters["request_id"] = filter.request_id
    if filter.overridden:
        having = f"HAVING max(kind) = {OVERRIDE}"
    if after is not None:
        having = f"{having} AND place < :after" if having else "HAVING place < :after"
        parameters["after"] = after[0]
    sql = (
        f"SELECT cause, playbook, min(position) AS place FROM play WHERE {' AND '.join(where)} GROUP BY cause, playbook "
        f"{having} ORDER BY place DESC LIMIT :limit"
    )
    rows = read.db.execute(sql, parameters).fetchall()
    shown = [_play(read, book, cause, playbook) for cause, playbook, _ in rows[:limit]]
    return shown, (rows[limit - 1][2],) if len(rows) > limit else None


def _names(book: PolicyBook) -> list[str]:
    """Return the names of all playbooks: an override of another rule is no play."""
    return sorted({one.playbook for policy in book.policies for one in policy.document.playbooks})


def _play(read: Read, book: PolicyBook, cause: bytes, playbook: str) -> Play:
    rows = read.db.execute(
        "SELECT position, step, kind, request_id, policy_id, policy_version FROM play "
        f"WHERE cause = :cause AND playbook = :playbook AND {happened(read)} ORDER BY position",
        {**read.parameters, "cause": cause, "playbook": playbook},
    ).fetchall()
    events = events_at(read, [position for position, *_ in rows])
    done = {step: events[position] for position, step, kind, *_ in rows if kind == STEP}
    overridden: dict[str, Event] = {}
    for position, step, kind, *_ in rows:
        if kind == OVERRIDE:
            overridden.setdefault(step, events[position])
    policy_id, version = next(((row[4], row[5]) for row in rows if row[4]), ("", 0))
    policy = book.version(policy_id, version)
    order = (
        []
        if policy is None
        else [one.step for book_ in policy.document.playbooks if book_.playbook == playbook for one in book_.steps]
    )
    names = sorted(
        done.keys() | overridden.keys(), key=lambda step: (step not in order, order.index(step) if step in order else 0, step)
    )
    play = Play(
        playbook=playbook,
        trigger_event_id=to_text(cause),
        **given(request_id=next((row[3] for row in rows if row[3]), ""), policy_id=policy_id, policy_version=version),
        steps=[_step(step, done.get(step), overridden.get(step) or overridden.get("")) for step in names if step],
    )
    if "" in overridden:
        play.steps.append(_step("", None, overridden[""], done))
    _add_trigger(read, play, cause)
    return play


def _step(step: str, done: Event | None, override: Event | None, all_done: dict[str, Event] | None = None) -> PlayStep:
    shown = PlayStep(**given(step=step))
    if done is not None:
        shown.event_id, shown.position, shown.topic, shown.stream = to_text(done.event_id), done.position, done.topic, done.stream
    if override is not None:
        first = done.position if done is not None else min((one.position for one in (all_done or {}).values()), default=None)
        shown.override.CopyFrom(
            PlayOverride(
                event_id=to_text(override.event_id),
                position=override.position,
                before=first is None or override.position < first,
                **given(reason=override.payload.reason, actor=override.header.actor),
            )
        )
    return shown


def _add_trigger(read: Read, play: Play, cause: bytes) -> None:
    row = read.log.find_event_ids([cause]).get(cause)
    if row is None or row.position > read.known:
        return
    trigger = read_event(row.position, row.header)
    play.trigger_topic, play.trigger_position = trigger.topic, trigger.position
    occurred = instant(trigger.occur)
    if occurred is not None:
        play.trigger_time.CopyFrom(occurred)
