"""What the services of entities have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ledger.api.v1.errors_pb2 import NOT_RECORDED
from ledger.errors import LedgerError
from projections.listing import CHANGES_MAX
from projections.view import Read

Found = TypeVar("Found")
Response = TypeVar("Response")


def recorded(found: Found | None, name: str, entity_id: str) -> Found:
    """Return what was found. Raises LedgerError (NOT_RECORDED) when nothing was."""
    if found is None:
        raise LedgerError(
            NOT_RECORDED,
            f"There is no {name} {entity_id} as of the position and time asked: check the id and the as-of.",
            kind=name,
            id=entity_id,
        )
    return found


def far(read: Read, changes: Sequence[tuple[int, Response]]) -> tuple[Sequence[tuple[int, Response]], int]:
    """Return changes and how far they reach: to the end, unless there may be more of them."""
    return changes, changes[-1][0] if len(changes) >= CHANGES_MAX else read.known
