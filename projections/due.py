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
    handoff_id: str
    """The handoff; empty for promises and targets."""
    import_run: str
    """Run that the event which set the term belongs to; empty for none."""


_ARMS: Final = (
    f"SELECT due_time AS due, entity, '' AS handoff_id, due_import_run AS run FROM promise_now WHERE state = {PROMISE_STATE_OPEN} "
    "AND due_time <= :until",
    f"SELECT due_time, entity, '', due_import_run FROM target_now WHERE state = {PROMISE_STATE_OPEN} AND due_time <= :until",
    f"SELECT due_time, entity, '', due_import_run FROM promise_now WHERE {UNBROKEN} AND due_time <= :until",
    f"SELECT due_time, entity, '', due_import_run FROM target_now WHERE {UNBROKEN} AND due_time <= :until",
    "SELECT term, entity, handoff_id, terms_import_run FROM handoff_now WHERE term IS NOT NULL AND term <= :until",
)


def due_items(read: Read, until: int, limit: int, except_runs: Sequence[str] = ()) -> list[DueItem]:
    """Return up to `limit` things at the present whose next term is at or before an instant, earliest first.

    `except_runs` leaves out what events of these import runs set: it waits until they are finished.
    """
    parameters: dict[str, Any] = {"until": until, "limit": limit}
    runs = one_of("run", except_runs, parameters, "run") if except_runs else "FALSE"
    sql = (
        f"SELECT due, stream, handoff_id, run FROM ({' UNION ALL '.join(_ARMS)}) JOIN entity ON entity.id = entity "
        f"WHERE NOT ({runs}) ORDER BY due, stream, handoff_id LIMIT :limit"
    )
    return [DueItem._make(row) for row in read.db.execute(sql, parameters)]
