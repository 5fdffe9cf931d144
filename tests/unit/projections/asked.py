"""A ledger with its views, asked without a server."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.history_service_pb2 import Contact, ContactFilter, Customer, HistoryFilter
from ledger.application import Ledger
from projections import card, contacts, history, identities
from projections.projector import Projector
from projections.search import SearchIndex, SearchReader
from projections.view import Read
from tests.appending import group, reason_of, to_append
from tests.build import at

NOW = 600
"""Minutes after the start at which everything is recorded."""


class Asked:
    """Appends at times in minutes, and asks."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.open(folder, now=lambda: at(NOW))
        self.projector = Projector(folder / "views.db", self.ledger.store, self.ledger.ledger_id)
        self.index = SearchIndex(folder / "search.db")
        self.searching = SearchReader(folder / "search.db")
        self.db = sqlite3.connect(folder / "views.db", isolation_level=None)

    def append(self, payload: Message, minutes: float, **envelope: Any) -> int:
        """Append an event, as a late record; return its position."""
        event = to_append(
            payload, **{"occur": at(minutes), "channel": "phone", "department": "desk", "record_late": True, **envelope}
        )
        (result,) = self.ledger.append([group(event)])
        assert "" == reason_of(result.error)
        return int(result.appended[0].position)

    def read(self, known: int | None = None, before: float | None = None, evaluated: float = NOW) -> Read:
        """Return the views as they stand, seen as of a position and a minute."""
        while self.projector.step(self.index, self.ledger.content):
            pass
        position = self.projector.position
        return Read(
            db=self.db,
            position=position,
            known=position if known is None else known,
            before=None if before is None else at(before),
            evaluated=at(evaluated),
            log=self.ledger.store,
            content=self.ledger.content,
        )

    def subjects(self, who: Identifier, read: Read) -> list[bytes]:
        """Return the subjects of a customer."""
        return identities.members(read, self.ledger.vault.find(who.type, who.value) or b"\0" * 16)

    def history(self, who: Identifier, read: Read | None = None, oldest_first: bool = True, size: int = 100) -> list[int]:
        """Return the positions of a customer's history, page by page."""
        read = read or self.read()
        found: list[int] = []
        after = None
        while True:
            entries, after = history.page(read, self.subjects(who, read), HistoryFilter(), oldest_first, size, after)
            found += [entry.event.position for entry in entries]
            if after is None:
                return found

    def search(self, words: str, who: Identifier) -> list[int]:
        """Return the positions of a customer's events that hold the words, oldest first."""
        read = self.read()
        found, _ = self.searching.search(read, words, self.subjects(who, read), HistoryFilter(), 100, None)
        return sorted(entry.event.position for entry in found)

    def contacts(self, who: Identifier, read: Read | None = None) -> list[Contact]:
        """Return a customer's contacts, newest first."""
        read = read or self.read()
        return contacts.page(read, ContactFilter(), 100, None, self.subjects(who, read))[0]

    def card(self, who: Identifier, read: Read | None = None) -> Customer:
        """Return a customer's card."""
        return card.customer(read or self.read(), self.ledger.vault.find(who.type, who.value) or b"\0" * 16)

    def close(self) -> None:
        """Close all files."""
        self.searching.close()
        self.index.close()
        self.db.close()
        self.projector.close()
        self.ledger.close()
