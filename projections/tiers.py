"""Tier and relation of a customer, as classified: the last one that happened wins, each on its own.

A part of the identities view: its rows are written by `IdentitiesView`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from ledger.api.v1.identity_pb2 import Relation
from ledger.event import Event
from projections.view import Read, happened

if TYPE_CHECKING:
    from projections.identity_spans import Span

TABLES: Final = (
    """CREATE TABLE identity_tier (
        subject BLOB NOT NULL, order_time INTEGER NOT NULL, position INTEGER NOT NULL, tier TEXT, relation INTEGER,
        PRIMARY KEY (subject, order_time, position)
    ) WITHOUT ROWID""",
)


def apply(event: Event, db: sqlite3.Connection, note: Callable[..., None]) -> None:
    """Take in a `customer-classified`. What it leaves unset stays as it was."""
    payload = event.payload
    tier = payload.tier if payload.HasField("tier") else None
    relation = payload.relation if payload.HasField("relation") else None
    db.execute("INSERT INTO identity_tier VALUES (?, ?, ?, ?, ?)", (event.subject, event.order, event.position, tier, relation))
    note(event.position, "tier", event.subject, tier, relation)


def in_force(read: Read, spans: Sequence[Span]) -> tuple[str, str]:
    """Return tier and relation (the enum's name) over these stretches; empty where none was set."""
    tier, relation = (_last(read, spans, column) for column in ("tier", "relation"))
    return tier or "", "" if relation is None else Relation.Name(relation)


def _last(read: Read, spans: Sequence[Span], column: str) -> Any:
    found = []
    for span in spans:
        row = read.db.execute(
            f"SELECT order_time, position, {column} FROM identity_tier WHERE subject = :subject AND order_time >= :low "
            f"AND order_time < :high AND {happened(read)} AND {column} IS NOT NULL ORDER BY order_time DESC, position DESC LIMIT 1",
            read.parameters | {"subject": span.subject, "low": span.order_from, "high": span.order_until},
        ).fetchone()
        if row is not None:
            found.append(row)
    return max(found)[2] if found else None
