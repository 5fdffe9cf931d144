"""Rules that people overrode: what, by whom, why, and what was done instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ledger.api.v1.exception_service_pb2 import Override, OverrideFilter
from ledger.event_id import to_text
from ledger.rules.override import OVERRIDDEN, OverrideState
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Cursor, Order, Row, given, instant
from projections.versions import Choice
from projections.view import Read, one_of

TABLE: Final = Table(
    name="override",
    static=(
        "occur_time INTEGER NOT NULL",
        "rule TEXT NOT NULL",
        "step TEXT NOT NULL",
        "policy_id TEXT NOT NULL",
        "policy_version INTEGER NOT NULL",
        "trigger_event_id TEXT NOT NULL",
        "request_id TEXT NOT NULL",
        "contact_id TEXT NOT NULL",
        "reason TEXT NOT NULL",
        "department TEXT NOT NULL",
        "actor TEXT NOT NULL",
        "subject BLOB NOT NULL",
    ),
    moving=("state INTEGER NOT NULL",),
    indexes=("state, occur_time, entity", "request_id WHERE request_id <> ''", "contact_id WHERE contact_id <> ''"),
    scopes=("request_id", "contact_id"),
)

ORDER: Final = Order(("occur_time", "entity"), descending=True)


def _values(state: OverrideState) -> Values:
    return (*state[1:], state.state)


VIEW: Final = FoldView(name="overrides", family="override", table=TABLE, values=_values)


def page(read: Read, filter: OverrideFilter, limit: int, after: Sequence[Any] | None) -> tuple[list[Override], Cursor | None]:
    """Return up to `limit` overrides, newest first, and where the next page begins; None on the last one."""
    parameters: dict[str, Any] = {}
    where = [one_of("rule", filter.rules, parameters, "rule")] if filter.rules else []
    scopes: dict[str, Sequence[Any]] = {}
    for scope in TABLE.scopes:
        if getattr(filter, scope):
            where.append(f"{scope} <> ''")
            scopes[scope] = (getattr(filter, scope),)
    choice = Choice(tuple(where), parameters, (OVERRIDDEN,), scopes=scopes)
    rows, following = listing.page(read, TABLE, choice, ORDER, limit, after)
    return _shown(read, rows), following


def _shown(read: Read, rows: Sequence[Row]) -> list[Override]:
    events = listing.contents(read, [row.entity for row in rows])
    ids = {position: to_text(row.event_id) for position, row in read.log.read_positions([row.entity for row in rows]).items()}
    return [
        Override(
            **given(
                event_id=ids[row.entity],
                position=row.entity,
                time=instant(row.occur_time),
                rule=row.rule,
                step=row.step,
                policy_id=row.policy_id,
                policy_version=row.policy_version,
                trigger_event_id=row.trigger_event_id,
                request_id=row.request_id,
                contact_id=row.contact_id,
                reason=row.reason,
                department=row.department,
                actor=row.actor,
                done_instead=events[row.entity].done_instead,
            )
        )
        for row in rows
    ]
