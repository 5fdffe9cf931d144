"""Stories for tests of figures: told event by event, then asked for a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import sqlite_utils

from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_HUMAN,
    ContactAnswered,
    ContactEnded,
    ContactReceived,
)
from ledger.api.v1.promise_pb2 import (
    PromiseMade,
)
from ledger.event import Event
from ledger.store.recorder import LogReader
from projections.facts import FactsView
from projections.figures.answer import figure
from projections.figures.definition import Question
from projections.figures.definitions import BY_NAME
from projections.figures.tally import Asked, Slice
from projections.history import HistoryView
from projections.identities import IdentitiesView
from projections.restated import as_said, resolved
from projections.view import Changes
from tests.build import DAY, HOUR, at, due, event, timestamp
from tests.folded import FoldedViews

START, END = at(0) - DAY, at(0) + 30 * DAY


class Story:
    """Events of a story in the order in which they are told, each by its minute."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._revisions: dict[str, int] = {}

    def tell(self, minute: float, payload: Any, **header: Any) -> Event:
        """Record an event at a minute."""
        header = {"channel": "phone", "department": "desk", "subject": b"a" * 16} | header
        made = event(payload, position=len(self.events) + 1, occur=at(minute), name=f"event {len(self.events) + 1}", **header)
        revision = self._revisions.get(made.stream, 0) + 1
        self._revisions[made.stream] = revision
        made.header.revision = made.revision = revision
        self.events.append(made)
        return made

    def contact(self, name: str, minute: float, within: float | None = 1, **header: Any) -> None:
        """Receive a contact that has to be answered within so many minutes."""
        target = None if within is None else timestamp(at(minute + within))
        self.tell(minute, ContactReceived(contact_id=name, reason="billing", response_due_time=target), **header)

    def answer(self, name: str, minute: float, by: int = ANSWERED_BY_HUMAN, **header: Any) -> None:
        """Answer a contact."""
        self.tell(minute, ContactAnswered(contact_id=name, answered_by=by), **header)  # type: ignore[arg-type]

    def end(self, name: str, minute: float, **said: Any) -> None:
        """End a contact."""
        self.tell(minute, ContactEnded(contact_id=name, **said))

    def promise(self, name: str, due_minute: float | None, **said: Any) -> Event:
        """Make a promise at minute 0, told in a contact."""
        made = {"promise_id": name, "kind": "delivery", "contact_id": "c-0", "owner_department": "shipping"} | said
        return self.tell(0, PromiseMade(**made, due=due(None if due_minute is None else at(due_minute))))

    def ask(
        self,
        name: str,
        *,
        slices: Sequence[Slice] = (),
        evaluated: int = at(0) + 20 * DAY,
        exact: bool = True,
        start: int | None = START,
        end: int | None = END,
        known: int | None = None,
        before: int | None = None,
        within: int | None = None,
        window: int = 7 * DAY,
        evidence: int = 0,
        departments: Sequence[str] = (),
    ) -> Any:
        """Return a figure."""
        views = FoldedViews(self.events)
        IdentitiesView().create_tables(sqlite_utils.Database(views.db))
        events = resolved(self.events, cast(LogReader, views.log))
        for view, given in ((FactsView(), as_said(events)), (HistoryView(), events)):
            view.create_tables(sqlite_utils.Database(views.db))
            view.apply(given, views.db, Changes())
        question = Question(
            read=views.read(known, before, evaluated),
            asked=Asked(
                start, end, tuple(slices), departments=frozenset(departments), local=lambda micros: (micros // HOUR % 24, 1)
            ),
            exact=exact,
            first_contact_window=window,
            repeat_window=window,
            answered_within=within,
        )
        return figure(BY_NAME[name], question, bundled=False, evidence_limit=evidence)

    def one(self, name: str, **how: Any) -> tuple[float | None, dict[str, float]]:
        """Return value and parts of a figure that has one row."""
        (row,) = self.ask(name, **how).rows
        return row.value if row.HasField("value") else None, {part.name: part.value for part in row.parts}


def some(parts: dict[str, float], *names: str) -> list[float]:
    return [parts[name] for name in names]
