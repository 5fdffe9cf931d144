"""What a view is, and what a question is given to read it with.

A view is a function of the log alone: no clock, no calendar, no phone or holiday library. Its rows hold clear fields, pseudonyms
and positions; sealed content is opened when it is shown. Adding a view = one file with its tables, `apply` and questions, and one
line in `PROJECTIONS` (projector.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from ledger.event import Event

if TYPE_CHECKING:
    import sqlite_utils

    from ledger.privacy.content import ContentReader
    from ledger.store.recorder import LogReader

MAX: Final = 2**63 - 1
"""End of an interval that has none, on either axis: the largest integer SQLite holds."""

Value = int | str | bytes | None
Found = TypeVar("Found")


class Changes:
    """What a view changed in a batch, for its digest.

    Entries are added in position order. They are a function of the log, never of how its events fall into batches, and hold
    plain ints, strings, bytes and None only.
    """

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[tuple[int, tuple[Value, ...]]] = []

    def add(self, position: int, *op: Value) -> None:
        """Note one change made by the event at `position`."""
        self.entries.append((position, op))


class View(Protocol):
    """One view. Its class takes no arguments; the projector makes a new object for each views file and after each failure.

    So an object may cache what it has written: a transaction that is rolled back takes the object with it.
    """

    name: str
    """Name in digests and in messages; never renamed within a view version."""

    # `takes_restating = True` in a class asks for corrections and retractions as `RestatingEvent` (projections/restated.py).
    # Without it, `apply` gets the events that corrections make, at their positions, and the view's questions hide with `happened`
    # what does not stand.

    def create_tables(self, db: sqlite_utils.Database) -> None:
        """Create tables and indexes in an empty views file."""

    def apply(self, events: Sequence[Event], db: sqlite3.Connection, changes: Changes) -> None:
        """Apply a whole batch, in position order, inside the projector's transaction. Never commits.

        Errors: `sqlite3.Error` and the vault's stall the projector; anything else is a fault of this code.
        """


@dataclass(frozen=True, slots=True)
class Read:
    """All that a question needs: one snapshot of the views, how far back to look, and how to open content."""

    db: sqlite3.Connection
    """Inside one read transaction; rows come as plain tuples."""
    position: int
    """The position the snapshot stands at."""
    known: int
    """Nothing recorded at a later position is seen. Inclusive; at most `position`."""
    before: int | None
    """Only what stands in the order before this instant (microseconds UTC). Exclusive. None: all."""
    evaluated: int
    """Instant at which ages and overdue are judged, microseconds UTC."""
    log: LogReader
    content: ContentReader
    found: dict[Any, Any] = field(init=False, default_factory=dict, compare=False, repr=False)
    """What several parts of one answer ask of this snapshot, by what it is."""

    def once(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """Return what was found under a key; find it the first time. Not to be changed by who gets it."""
        if key not in self.found:
            self.found[key] = find()
        found: Found = self.found[key]
        return found

    @property
    def present(self) -> bool:
        """True when the question is about now: as known at the snapshot, with all that has happened."""
        return self.before is None and self.known >= self.position

    @property
    def parameters(self) -> dict[str, Any]:
        """Named parameters of `as_of` and `happened`."""
        return {"known": self.known, "before": MAX if self.before is None else self.before}


def as_of(read: Read, table: str = "") -> str:
    """Return the condition under which a bitemporal row shows. Its parameters are `read.parameters`.

    A row shows at (known, before) when it was written by then and not yet rewritten, its interval began before, and had not ended
    before; an end that became known later does not count yet.
    """
    t = f"{table}." if table else ""
    if read.present:
        return f"{t}until_position IS NULL AND {t}occur_until = {MAX}"
    written = f"{t}from_position <= :known AND ({t}until_position IS NULL OR {t}until_position > :known)"
    if read.before is None:
        return f"{written} AND ({t}occur_until = {MAX} OR {t}closed_position > :known)"
    return f"{written} AND {t}occur_from < :before AND ({t}occur_until >= :before OR {t}closed_position > :known)"


def happened(read: Read, position: str = "position", order: str = "order_time") -> str:
    """Return the condition under which a row of one event shows; the arguments name its columns.

    The event is known, had happened, and is not one that a correction or retraction made say otherwise (projections.restated).
    """
    shows = f"{position} <= :known AND {stands(position)}"
    return shows if read.before is None else f"{shows} AND {order} < :before"


def stands(position: str = "position") -> str:
    """Return the condition under which what was said at a position stands as known: no correction or retraction took its place."""
    return (
        f"NOT EXISTS (SELECT 1 FROM hidden WHERE said_at = {position} AND hidden_from <= :known "
        "AND (hidden_until IS NULL OR hidden_until > :known))"
    )


def one_of(column: str, values: Iterable[Value], parameters: dict[str, Any], prefix: str) -> str:
    """Return `column IN (…)` with parameters named `prefix0`, `prefix1`, … added to `parameters`."""
    names: list[str] = []
    for number, value in enumerate(values):
        parameters[f"{prefix}{number}"] = value
        names.append(f":{prefix}{number}")
    return f"{column} IN ({', '.join(names)})"
