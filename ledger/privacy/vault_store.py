"""Where the vault keeps its rows: the port, and the rows themselves. What stands in them is the vault's business.

Every method raises VaultUnavailableError when the store cannot be read or written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

SCHEMA_VERSION: Final = 1


class VaultUnavailableError(Exception):
    """The vault cannot be used now, or a key in it does not open. Nothing is known to be erased: try again, or look after it."""


class VaultRow(NamedTuple):
    """What is kept of one subject: nothing that says anything without the master key."""

    subject: bytes
    blind_index: bytes | None
    """None for a subject without an identifier."""
    key_id: int
    wrapped_key: bytes
    sealed_identifier: bytes | None


class VaultStore(Protocol):
    """Keeps rows. Safe to use from several threads, and by several processes at once."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    def check(self) -> tuple[int, bytes]:
        """Return the version of its tables, and what tells whether a master key is the one it was made with."""

    def read(self, column: Literal["subject", "blind_index"], values: Sequence[bytes]) -> list[VaultRow]:
        """Return the rows with these values; those that do not exist are left out."""

    def rows_after(self, subject: bytes, limit: int) -> list[VaultRow]:
        """Return up to `limit` rows in order of subject, after one (empty: from the first on)."""

    def insert(self, rows: Sequence[VaultRow]) -> bool:
        """Insert the rows whose subject and blind index do not exist, durably. True when none of them did."""

    def confirm(self) -> None:
        """Return when what can be read now is as durable as what is inserted: an event must not outlive its key."""

    def touch(self) -> None:
        """Write without changing anything, durably: raises while no keys can be made."""

    def close(self) -> None:
        """Close all connections. Using it afterwards raises VaultUnavailableError."""
