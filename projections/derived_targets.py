"""Targets derived from the policy on requests and complaints: resolved, acknowledged, responded to in time, or not.

They are asked for beside promises (promises.py), by kind. One that is paused has no due, and is listed after those that have.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from ledger.rules.derived import (
    ACKNOWLEDGE_PREFIX,
    COMPLAINT_ACKNOWLEDGE,
    COMPLAINT_RESPOND,
    RESOLUTION,
    RESOLUTION_PREFIX,
    RESPOND_PREFIX,
    DerivedTarget,
)
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.view import MAX

PREFIXES: Final[dict[str, str]] = {
    RESOLUTION: RESOLUTION_PREFIX,
    COMPLAINT_ACKNOWLEDGE: ACKNOWLEDGE_PREFIX,
    COMPLAINT_RESPOND: RESPOND_PREFIX,
}
"""What the ids of targets begin with, by kind; the id of the request or complaint follows."""

KEYS: Final[dict[str, int]] = {RESOLUTION: 1, COMPLAINT_ACKNOWLEDGE: 2, COMPLAINT_RESPOND: 3}
"""Keys of rows, by kind: never given another meaning."""


def _table(name: str) -> Table:
    return Table(
        name=name,
        static=(
            "subject BLOB NOT NULL",
            "channel TEXT NOT NULL",
            "department TEXT NOT NULL",
            "made_time INTEGER NOT NULL",
            "kind TEXT NOT NULL",
        ),
        moving=(
            "state INTEGER NOT NULL",
            "due_set_by_event_id BLOB NOT NULL",
            "due_import_run TEXT NOT NULL",
            "ended_time INTEGER",
            "broken_time INTEGER",
            "kept_evidence INTEGER NOT NULL",
            "first_due_time INTEGER",
            # MAX while paused, or beyond the horizon of the calendar.
            "due_time INTEGER NOT NULL",
        ),
        indexes=("state, due_time, entity, key", "subject, due_time, entity, key"),
        keyed=True,
    )


REQUEST_TABLE: Final = _table("request_target")
COMPLAINT_TABLE: Final = _table("complaint_target")

_PLAIN: Final = attrgetter(*REQUEST_TABLE.names[:-1])


def _values(target: DerivedTarget) -> Values:
    return (*_PLAIN(target), MAX if target.due_time is None else target.due_time)


def _key(target: DerivedTarget) -> int:
    return KEYS[target.kind]


COMPLAINTS: Final = FoldView(
    name="complaint_targets", family="complaint", table=COMPLAINT_TABLE, values=_values, part=attrgetter("targets"), key=_key
)
REQUESTS: Final = FoldView(
    name="request_targets",
    family="request",
    table=REQUEST_TABLE,
    values=_values,
    part=attrgetter("targets"),
    key=_key,
)

VIEWS: Final[dict[str, FoldView]] = {RESOLUTION: REQUESTS, COMPLAINT_ACKNOWLEDGE: COMPLAINTS, COMPLAINT_RESPOND: COMPLAINTS}
"""The view that each kind of target stands in."""
