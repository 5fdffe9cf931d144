"""The service policies, as known at a position: what a question that depends on them asks. Has no tables: the log holds them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ledger.catalogue import read_event
from ledger.event import Event
from ledger.policy.book import PolicyBook
from ledger.policy.policy import Policy
from ledger.store.recorder import LogReader

KEPT: Final = 16
"""Books and policies remembered: most questions stand where the one before stood."""

Rows = tuple[tuple[int, bytes], ...]
"""Position and header of each event about policies, in order."""


def rows(log: LogReader, known: int) -> Rows:
    """Return the events about policies up to a position (inclusive)."""
    return tuple((row.position, row.header) for row in log.read_policies() if row.position <= known)


def book(log: LogReader, known: int) -> PolicyBook:
    """Return the policies that were published and not withdrawn up to a position (inclusive). Not to be changed."""
    return _book(rows(log, known))


def book_of(found: Rows, known: int) -> PolicyBook:
    """Return the book at a position of what was read up to it, or further. Not to be changed."""
    return _book(tuple(row for row in found if row[0] <= known))


def published(found: Iterable[tuple[int, bytes]]) -> list[Policy]:
    """Return every policy that was ever published, also those withdrawn since: they ruled what was recorded before that."""
    return [Policy.of(event) for event in (_event(*row) for row in found) if event.topic == "policy-published"]


@lru_cache(KEPT)
def _book(found: Rows) -> PolicyBook:
    return PolicyBook.of(_event(*row) for row in found)


@lru_cache(KEPT)
def _event(position: int, header: bytes) -> Event:
    return read_event(position, header)
