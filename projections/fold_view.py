"""What a fold view is: one table whose rows are made of the states of one family of entities.

A fold view declares; fold_engine.py folds and bitemporal.py writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from projections.bitemporal import Table, Values


def _one_key(part: Any) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class FoldView:
    """A view over the states of one family (ledger.rules). All its functions are pure."""

    name: str
    """Name in digests and in messages; never renamed within a view version."""
    family: str
    """Prefix of the streams it folds."""
    table: Table
    values: Callable[[Any], Values]
    """Of the object that a row is made of, the row's values, in the order of the table's columns."""
    part: Callable[[Any], Any] | None = None
    """Of a state, that object, None where there is no row; of a keyed table a dict of such objects. Unset: the state itself.

    While it is the same object, its row is not looked at again.
    """
    key: Callable[[Any], int] = _one_key
    """Of such an object, the key of its row."""

    def rows(self, state: Any) -> dict[int, Values]:
        """Return all rows of a state by key; none for None."""
        part = state if self.part is None or state is None else self.part(state)
        if part is None:
            return {}
        parts = part.values() if self.table.keyed else (part,)
        return {self.key(one): self.values(one) for one in parts}
