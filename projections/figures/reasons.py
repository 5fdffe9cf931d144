"""Which reason a member has: that of its own row, or of the contact or request that a score is about. Has no tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from projections import contacts, experience, listing, request_rows
from projections.bitemporal import Table
from projections.versions import Choice, shown
from projections.view import Read

FEW: Final = 2_000
"""Up to so many rows are asked for one by one; of more, all are read."""


def columns_of(table: Table) -> tuple[str, ...]:
    """Return the columns in which a row says its reason, or what it is about; a table may lack them."""
    # The reason of such a row is that of a referral.
    return ("contact_id", "request_id") if table is experience.TABLE else ("reason",)


class Reasons:
    """The reasons of some rows. Make one for a question."""

    def __init__(self, read: Read, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """`rows`: the values of the columns of these names, among them those of `columns_of`."""
        self._column = names.index("reason") if "reason" in names else None
        self._about: tuple[tuple[int, dict[str, str]], ...] = ()
        if table is experience.TABLE:
            self._about = tuple(
                (column, _reasons(read, view, prefix, {row[column] for row in rows} - {""}))
                for column, view, prefix in (
                    (names.index("contact_id"), contacts.TABLE, "contact"),
                    (names.index("request_id"), request_rows.TABLE, "request"),
                )
            )

    def of(self, values: Sequence[Any]) -> str:
        """Return the reason of a row as understood last; empty for none. A score has that of its contact, else of its request."""
        if self._about:
            return next((found for column, known in self._about if (found := known.get(values[column], ""))), "")
        return str(values[self._column]) if self._column is not None else ""


def _reasons(read: Read, table: Table, prefix: str, ids: set[str]) -> dict[str, str]:
    entities = set(listing.entities(read, sorted(f"{prefix}-{one}" for one in ids)))
    if not entities:
        return {}
    parameters: dict[str, Any] = {}
    choice = Choice(states=range(20), entities=sorted(entities) if len(entities) <= FEW else None)
    query = shown(read, table, "entity, reason", choice, parameters)
    reasons = {entity: reason for entity, reason in read.db.execute(query, parameters) if entity in entities}
    return {one: reasons[entity] for entity, one in listing.ids_of(read, reasons).items()}
