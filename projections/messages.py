"""Messages that customers sent in contacts that were under way: when each came, and when it was answered. For figures.

One row a message, the opening one apart: that is the contact. What is due stands beside it as a response target (promises.py).
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from ledger.rules.contact_state import MessageState
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView

TABLE: Final = Table(
    name="message",
    static=(
        "received_time INTEGER NOT NULL",
        "channel TEXT NOT NULL",
        "department TEXT NOT NULL",
        # Whose contact it is.
        "subject BLOB NOT NULL",
        # NULL: untargeted, or unmeasured.
        "due_time INTEGER",
    ),
    moving=("state INTEGER NOT NULL", "answered_time INTEGER", "in_time INTEGER NOT NULL"),
    indexes=("received_time",),
    scopes=(),
    keyed=True,
)


def _values(message: MessageState) -> Values:
    return message[1:]


VIEW: Final = FoldView(
    name="messages", family="contact", table=TABLE, values=_values, part=attrgetter("course.messages"), key=attrgetter("position")
)
