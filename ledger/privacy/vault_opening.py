"""Which store a vault is in: a path is a file of SQLite, anything else the address of a PostgreSQL database.

The driver of PostgreSQL is an extra, and is loaded only where it is needed.
"""

from __future__ import annotations

from pathlib import Path

from ledger.privacy.vault_sqlite import SqliteVaultStore
from ledger.privacy.vault_store import VaultStore


def open_vault_store(place: Path | str, made_for: bytes | None = None) -> VaultStore:
    """Open a vault's rows. `made_for`: the key check that it is made with where there is none; None: for reading only."""
    if isinstance(place, Path):
        return SqliteVaultStore(place, made_for)
    from ledger.privacy.vault_postgres import PostgresVaultStore

    return PostgresVaultStore(place, made_for)


def vault_exists(place: Path | str) -> bool:
    """True when there is a vault, so that its master key must not be made anew. Raises VaultUnavailableError."""
    if isinstance(place, Path):
        return place.exists()
    from ledger.privacy.vault_postgres import is_made

    return is_made(place)
