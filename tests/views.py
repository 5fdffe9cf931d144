"""Views by position for tests: a views file in memory, fed with events built by tests.build, and questions asked of it.

Nothing is sealed: what an event holds stands in its header, so there is neither a vault nor a log file.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from typing import Any, cast

import sqlite_utils

from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.insight_service_pb2 import OVERTAKEN
from ledger.event import Event
from ledger.privacy.content import ContentReader
from ledger.store.recorder import LogReader
from projections import (
    answer_rows,
    complaints,
    contacts,
    derived_targets,
    exceptions,
    experience,
    handoffs,
    improvements,
    messages,
    opportunities,
    overrides,
    promises,
    request_rows,
    statements,
)
from projections.fold_engine import create_tables
from projections.restated import RestatedView, as_said, resolved
from projections.view import Changes, Read, View
from tests.folded import Log

FOLDS = (
    contacts.VIEW,
    messages.VIEW,
    promises.TARGETS,
    request_rows.VIEW,
    handoffs.VIEW,
    promises.VIEW,
    complaints.VIEW,
    derived_targets.REQUESTS,
    derived_targets.COMPLAINTS,
    exceptions.VIEW,
    overrides.VIEW,
    experience.VIEW,
    answer_rows.VIEW,
    statements.VIEW,
    opportunities.VIEW,
    improvements.VIEW,
)


class Views:
    """Some views over a list of events. The tables of the fold views are there, and empty."""

    def __init__(self, *views: View) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.views: tuple[View, ...] = (RestatedView(), *views)
        self.changes = {view.name: Changes() for view in self.views}
        self.log = Log()
        self.named: dict[bytes, tuple[str, str]] = {}
        """What the vault knows: pseudonym → type and value."""
        wrapped = sqlite_utils.Database(self.db)
        create_tables(wrapped, FOLDS)
        for view in self.views:
            view.create_tables(wrapped)

    def apply(self, events: Sequence[Event], batch_size: int = 1000) -> Views:
        """Apply events in batches."""
        for start in range(0, len(events), batch_size):
            self.db.execute("BEGIN")
            for event in events[start : start + batch_size]:
                self.log.add(event)
            batch = resolved(events[start : start + batch_size], cast(LogReader, self.log))
            said = as_said(batch)
            for view in self.views:
                view.apply(batch if getattr(view, "takes_restating", False) else said, self.db, self.changes[view.name])
            self.db.execute("COMMIT")
        return self

    def read(self, known: int | None = None, before: int | None = None) -> Read:
        """Return the views as they stand, seen as of a position and an instant."""
        position = max(self.log.rows, default=0)
        return Read(
            db=self.db,
            position=position,
            known=position if known is None else known,
            before=before,
            evaluated=0,
            log=cast(LogReader, self.log),
            content=ContentReader(cast(Any, _Vault(self.named)), b"ledger"),
        )

    def mark_without_effect(self, position: int) -> None:
        """Let the quality view say that an event changes nothing."""
        self.db.execute("INSERT INTO finding VALUES (?, ?, '', '', 0, 0, NULL)", (position, OVERTAKEN))


class _Vault:
    def __init__(self, named: dict[bytes, tuple[str, str]]) -> None:
        self._named = named

    def identifier(self, subject: bytes) -> tuple[str, str] | None:
        return self._named.get(subject)


def subject(name: str) -> bytes:
    """Return a pseudonym that is the same for the same name."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes


def identifier(name: str, type_: str = "phone") -> Identifier:
    """Return an identifier as the ledger stores it: type and pseudonym."""
    return Identifier(type=type_, subject=str(uuid.UUID(bytes=subject(name))))
