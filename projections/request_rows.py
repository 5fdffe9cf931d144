"""The rows of requests: each one as it stands.

What is asked of them stands in requests.py, which asks others that ask these rows in turn.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Final

from ledger.api.v1.request_service_pb2 import REQUEST_STATE_OPEN, REQUEST_STATE_WAITING
from ledger.api.v1.request_service_pb2 import RequestState as State
from ledger.rules.handoff import PENDING, is_done
from ledger.rules.request import RequestState
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.listing import Order

OPEN: Final = (REQUEST_STATE_OPEN, REQUEST_STATE_WAITING)
"""States in which a request is open: it is not resolved, merged or closed."""

TABLE: Final = Table(
    name="request",
    static=(
        "subject BLOB NOT NULL",
        "opened_time INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "channel TEXT NOT NULL",
        # Type and mark of each thing it is about.
        "object_marks TEXT NOT NULL",
        "follows_request_id TEXT NOT NULL",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "assignee TEXT NOT NULL",
        "reason TEXT NOT NULL",
        "priority TEXT NOT NULL",
        "complexity TEXT NOT NULL",
        "since_time INTEGER NOT NULL",
        "waiting_for INTEGER NOT NULL",
        "first_resolved_time INTEGER",
        "last_resolved_time INTEGER",
        "closed_time INTEGER",
        "ended_time INTEGER",
        "resolved_in TEXT NOT NULL",
        "first_reopened_time INTEGER",
        "reopened_count INTEGER NOT NULL",
        "informed_time INTEGER",
        "next_step TEXT NOT NULL",
        "merged_into_request_id TEXT NOT NULL",
        "resolution INTEGER NOT NULL",
        "outcome INTEGER NOT NULL",
        "refused_rule TEXT NOT NULL",
        "escalated_count INTEGER NOT NULL",
        "root_cause TEXT NOT NULL",
        # Its journey so far: ledger/rules/journey.py.
        "path TEXT NOT NULL",
        "steps TEXT NOT NULL",
        # Empty for an orphan.
        "owner_department TEXT NOT NULL",
        "contact_ids TEXT NOT NULL",
        "pending_handoff_count INTEGER NOT NULL",
        "handoff_count INTEGER NOT NULL",
        "strand_count INTEGER NOT NULL",
        "strand_done_count INTEGER NOT NULL",
        "channels TEXT NOT NULL",
    ),
    indexes=("state, opened_time, entity", "subject, state, opened_time, entity"),
    lead="owner_department",
)

ORDER: Final = Order(("opened_time", "entity"))

STATES: Final = tuple(value for value in State.values() if value)
"""All states: every choice names those it asks for."""

_FIELDS: Final = RequestState._fields
_STATIC: Final = itemgetter(*map(_FIELDS.index, TABLE.names[:4]))
_MOVING: Final = itemgetter(*map(_FIELDS.index, TABLE.names[6:-7]))


def _values(state: RequestState) -> Values:
    handoffs = state.handoffs
    pending = 0
    for handoff in handoffs.values():
        if handoff.state in PENDING:
            pending += 1
    values: Values = (
        *_STATIC(state),
        " ".join(state.object_marks),
        state.follows_request_id,
        *_MOVING(state),
        state.owner_department or "",
        " ".join(state.contact_ids),
        pending,
        len(handoffs),
        *_strands(state),
        state.channels,
    )
    return values


def _strands(state: RequestState) -> tuple[int, int]:
    """Return how many parallel strands there are, and how many are done."""
    if not state.handoffs:
        return 0, 0
    strands = state.strands
    return len(strands), sum(map(is_done, strands))


VIEW: Final = FoldView(name="requests", family="request", table=TABLE, values=_values)
