"""The ledger in a process that does not append: it reads log and vault itself, beside the process that does."""

from __future__ import annotations

from typing import Protocol

from ledger.catalogue import read_event
from ledger.data_directory import DataDirectory
from ledger.event_id import to_bytes
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from ledger.store.opening import open_reader
from ledger.store.recorder import Head, LogReader


class ReadableLedger(Protocol):
    """What a serving process asks of its ledger, whoever appends to it."""

    ledger_id: bytes
    incarnation: int
    home_zone: str
    default_region: str
    vault: Vault
    content: ContentReader

    @property
    def store(self) -> LogReader:
        """The log."""

    def head(self) -> Head:
        """Return the last position and its record time, as committed."""


class PassingLedger:
    """A ledger that exists, opened for reading."""

    def __init__(self, data: DataDirectory) -> None:
        self.store = open_reader(data.log)
        opened = read_event(1, self.store.read(0, 1)[0].header).payload
        self.ledger_id, self.incarnation = to_bytes(opened.ledger_id), int(opened.incarnation)
        self.home_zone, self.default_region = str(opened.home_zone), str(opened.default_region)
        self.vault = Vault(data.vault, load(data.master_key), read_only=True)
        self.content = ContentReader(self.vault, self.ledger_id)

    def head(self) -> Head:
        """Return the last position and its record time, as committed."""
        return self.store.head()

    def close(self) -> None:
        """Close the files."""
        self.vault.close()
        self.store.close()
