"""What falls due: promises and response targets that were not met in time, handoffs whose next term has passed. For the clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_OPEN
from projections.promises import UNBROKEN
from projections.view import Read, one_of


class DueItem(NamedTuple):
    """Something that the clock has to look at. The rules say whether it still applies."""

    due: int
    """The term, microseconds UTC, inclusive: at this instant it is still in time."""
    stream: str
    """Stream of the entity: of the promise, of the contact for a response target, of the request for a handoff."""
    part: str
    """Which part of the entity: id of the handoff, hex of the event id of the message that waits for an answer, kind of the
    target of a complaint, or TARGET_PART. Empty: none."""
    import_run: str
    """Run that the event which set the term belongs to; empty for none."""


TARGET_PART: Final = "*"
"""Part of a request that is the target of its resolution; no handoff has such an id."""

_OWED: Final = (
    ("promise_now", "''"),
    ("target_now", "lower(hex(message_event_id))"),
    ("request_target_now", f"'{TARGET_PART}'"),
    ("complaint_target_now", "kind"),
)
"""Tables of what is owed, and how each tells its parts apart."""

_ARMS: Final = (
    *(
        f"SELECT due_time AS due, entity, {part} AS part, due_import_run AS run FROM {table} WHERE {state} AND due_time <= :until"
        for state in (f"state = {PROMISE_STATE_OPEN}", UNBROKEN)
        for table, part in _OWED
    ),
    "SELECT term, entity, handoff_id, terms_import_run FROM handoff_now WHERE term IS NOT NULL AND term <= :until",
)


def due_items(read: Read, until: int, limit: int, except_runs: Sequence[str] = ()) -> list[DueItem]:
    """Return up to `limit` things at the present whose next term is at or before an instant, earliest first.

    `except_runs` leaves out what events of these import runs set: it waits until they are finished.
    """
    parameters: dict[str, Any] = {"until": until, "limit": limit}
    runs = one_of("run", except_runs, parameters, "run") if except_runs else "FALSE"
    sql = (
        f"SELECT due, stream, part, run FROM ({' UNION ALL '.join(_ARMS)}) JOIN entity ON entity.id = entity "
        f"WHERE NOT ({runs}) ORDER BY due, stream, part LIMIT :limit"
    )
    return [DueItem._make(row) for row in read.db.execute(sql, parameters)]


def touching_positions(read: Read, stream: str) -> list[int]:
    """Return the positions of the events of other streams that touch this one, as far as the views stand."""
    sql = "SELECT position FROM touch WHERE stream = ? AND position <= ? ORDER BY position"
    return [position for (position,) in read.db.execute(sql, (stream, read.position))]
