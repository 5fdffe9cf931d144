"""Contacts: every contact as it stands, with any customer, inbound and outbound."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from ledger.api.v1.history_service_pb2 import (
    CONTACT_BY_CHANNEL,
    CONTACT_BY_DEPARTMENT,
    CONTACT_BY_DIRECTION,
    CONTACT_BY_IDENTIFIED,
    CONTACT_BY_REASON,
    CONTACT_BY_STATE,
    Contact,
    ContactCount,
    ContactFilter,
    ContactGroup,
)
from ledger.api.v1.history_service_pb2 import ContactState as State
from ledger.rules.contact import ContactState
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView

if TYPE_CHECKING:
    from projections.view import Read

TABLE: Final = Table(
    name="contacts",
    static=(
        "subject BLOB NOT NULL",
        "outbound INTEGER NOT NULL",
        "channel TEXT NOT NULL",
        "opened_time INTEGER NOT NULL",
        "identified INTEGER NOT NULL",
        "position INTEGER NOT NULL",
        "response_due_time INTEGER",
    ),
    moving=(
        "state INTEGER NOT NULL",
        "department TEXT NOT NULL",
        "reason TEXT NOT NULL",
        "queue TEXT NOT NULL",
        "answered_time INTEGER",
        "ended_time INTEGER",
        "disposition TEXT NOT NULL",
        "completeness INTEGER NOT NULL",
    ),
    indexes=("opened_time, entity", "subject, opened_time, entity"),
)


def _fields(*names: str) -> itemgetter[Any]:
    return itemgetter(*(ContactState._fields.index(name) for name in names))
