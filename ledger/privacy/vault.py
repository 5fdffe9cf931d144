"""The vault: whose data key is which, and whom a pseudonym stands for. Destroying a row forgets a subject.

A database of its own, so that it is backed up and destroyed apart from the log. Keys are random and never derived: a derived key
could not be destroyed alone. In it stand only wrapped keys, sealed identifiers and keyed hashes of them.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from uuid_utils import uuid7

from ledger.privacy.derivation import CHECK, INDEX, WRAP
from ledger.privacy.lru import Lru
from ledger.privacy.mac import hmac_sha256
from ledger.privacy.master_key import MasterKey
from ledger.privacy.sealing import NONCE_BYTES, SubjectKey
from ledger.sqlite_file import ReadPool, check_schema_version, in_batches, in_powers, places
from ledger.sqlite_writer import CommitFailedError, WriteConnection

__all__ = ["SubjectKey", "Vault", "VaultUnavailableError", "WrongMasterKeyError"]

SCHEMA_VERSION: Final = 1
CACHE_SIZE_MAX: Final = 20_000
_KEY_BYTES: Final = 32
_FIRST_KEY_ID: Final = 1
_IDENTIFIER: Final = b"identifier"
_COLUMNS: Final = "subject, blind_index, key_id, wrapped_key, sealed_identifier"


class VaultUnavailableError(Exception):
    """The vault cannot be used now, or a key in it does not open. Nothing is known to be erased: try again, or look after it."""


class WrongMasterKeyError(Exception):
    """The vault was made with another master key."""


class _Row(NamedTuple):
    subject: bytes
    blind_index: bytes | None
    """None for a subject without an identifier."""
    key_id: int
    wrapped_key: bytes
    sealed_identifier: bytes | None


def _schema(key_check: bytes) -> tuple[str, ...]:
    return (
        # Clustered by subject: pseudonyms are made in order of time, so new rows go to the end.
        """
        CREATE TABLE subject (
            subject BLOB PRIMARY KEY CHECK (length(subject) = 16),
            blind_index BLOB UNIQUE,
            key_id INTEGER NOT NULL,
            wrapped_key BLOB NOT NULL,
            sealed_identifier BLOB
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE vault (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            schema_version INTEGER NOT NULL,
            key_check BLOB NOT NULL
        ) STRICT
        """,
        f"INSERT INTO vault VALUES (1, {SCHEMA_VERSION}, X'{key_check.hex()}')",
    )


class Vault:
    """Data keys and pseudonyms. Safe to use from several threads, and by several processes at once.

    Every method raises VaultUnavailableError when the file cannot be read or written.
    """

    def __init__(self, path: Path, master: MasterKey, *, read_only: bool = False) -> None:
        """Open the vault; made when it is missing, unless read only. Its folder must exist.

        Raises WrongMasterKeyError, SchemaTooNewError, VaultUnavailableError.
        """
        self.path = path
        self._index_key = master.derived(INDEX)
        self._wrapping = AESGCM(master.derived(WRAP))
        self._subjects: Lru[bytes, bytes] = Lru(CACHE_SIZE_MAX)
        """Blind index → pseudonym."""
        self._keys: Lru[bytes, SubjectKey] = Lru(CACHE_SIZE_MAX)
        """Pseudonym → key, raw: a cipher object takes 2.4 kB."""
        self._pool = ReadPool(path)
        key_check = master.derived(CHECK)
        with self._errors():
            self._writer = None if read_only else WriteConnection(path, "vault", _schema(key_check))
            try:
                self._check(master, key_check)
            except BaseException:
                self.close()
                raise

    def ensure(self, identifiers: Sequence[tuple[str, str]], anonymous_count: int = 0) -> tuple[list[SubjectKey], list[SubjectKey]]:
        """Return the keys of identifiers (type, normalised value), aligned with them, and as many anonymous ones as asked.

        What is missing is made, in one transaction that is durable on return. Processes that make the same identifier at once
        get the same key: the first one's. Without anything to make there is no transaction.
        """
        blind_indexes = [self._blind_index(*identifier) for identifier in identifiers]
        known = self._find(blind_indexes)
        missing = {blind: identifier for blind, identifier in zip(blind_indexes, identifiers, strict=True) if blind not in known}
        rows = [self._new_row(identifier, blind) for blind, identifier in missing.items()]
        anonymous = [self._new_row() for _ in range(anonymous_count)]
        if rows or anonymous:
            if self._insert([row for row, _ in chain(rows, anonymous)]):
                self._keep(rows)
            # Where another process was faster, the key made here was not taken, and this finds its one.
            known = self._find(blind_indexes)
            self._keys.put_all((key.subject, key) for _, key in anonymous)
        return [known[blind] for blind in blind_indexes], [key for _, key in anonymous]

    def find(self, type: str, value: str) -> bytes | None:
        """Return the pseudonym of an identifier (normalised value); None when the vault does not know it."""
        blind_index = self._blind_index(type, value)
        key = self._find([blind_index]).get(blind_index)
        return key.subject if key else None

    def identifier(self, subject: bytes) -> tuple[str, str] | None:
        """Return type and value of whom a pseudonym stands for; None when it is anonymous or was erased."""
        row = next(iter(self._read("subject", [subject])), None)
        if row is None or row.sealed_identifier is None:
            return None
        key = self._unwrapped(row)
        sealed = row.sealed_identifier
        try:
            text = AESGCM(key.key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _IDENTIFIER + subject)
        except InvalidTag as error:
            raise self._damaged(subject) from error
        type_, _, value = text.decode().partition("\0")
        return type_, value

    def keys(self, subjects: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """Return the keys of subjects. Those left out are destroyed, or never were."""
        asked = set(subjects)
        found = self._keys.get_all(asked)
        missing = list(asked.difference(found))
        if missing:
            loaded = {row.subject: self._unwrapped(row) for row in self._read("subject", missing)}
            self._keys.put_all(loaded.items())
            found.update(loaded)
        return found

    def close(self) -> None:
        """Close all connections. Using the vault afterwards raises VaultUnavailableError."""
        if self._writer is not None:
            self._writer.close()
        self._pool.close()

    def _find(self, blind_indexes: Sequence[bytes]) -> dict[bytes, SubjectKey]:
        """Return the keys of the identifiers that exist, by blind index."""
        subjects = self._subjects.get_all(blind_indexes)
        keys = self._keys.get_all(subjects.values())
        found = {blind: keys[subject] for blind, subject in subjects.items() if subject in keys}
        missing = [blind for blind in dict.fromkeys(blind_indexes) if blind not in found]
        if missing:
            rows = [(row, self._unwrapped(row)) for row in self._read("blind_index", missing)]
            self._keep(rows)
            found.update((row.blind_index, key) for row, key in rows if row.blind_index is not None)
        return found

    def _keep(self, rows: Sequence[tuple[_Row, SubjectKey]]) -> None:
        self._subjects.put_all((row.blind_index, row.subject) for row, _ in rows if row.blind_index is not None)
        self._keys.put_all((row.subject, key) for row, key in rows)

    def _read(self, column: str, values: Sequence[bytes]) -> list[_Row]:
        rows: dict[bytes, _Row] = {}
        with self._errors(), self._pool.connection() as connection:
            for some in in_batches(values):
                sql = f"SELECT {_COLUMNS} FROM subject WHERE {column} IN ({places(len(some))})"
                rows.update((row[0], _Row._make(row)) for row in connection.execute(sql, some))
        return list(rows.values())

    def _insert(self, rows: Sequence[_Row]) -> bool:
        """Insert what does not exist, durably. True when nothing of it existed."""
        if self._writer is None:
            raise VaultUnavailableError(f"{self.path} was opened read only: keys are made by the process that appends.")
        with self._errors(), self._writer.transaction() as connection:
            before = connection.total_changes
            for some in in_powers(rows):
                sql = f"INSERT OR IGNORE INTO subject ({_COLUMNS}) VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(some))}"
                connection.execute(sql, list(chain.from_iterable(some)))
            return connection.total_changes - before == len(rows)

    def _new_row(self, identifier: tuple[str, str] | None = None, blind_index: bytes | None = None) -> tuple[_Row, SubjectKey]:
        subject = uuid7().bytes
        fresh = os.urandom(_KEY_BYTES + 2 * NONCE_BYTES)
        key, wrap_nonce, seal_nonce = fresh[:_KEY_BYTES], fresh[_KEY_BYTES:-NONCE_BYTES], fresh[-NONCE_BYTES:]
        wrapped = wrap_nonce + self._wrapping.encrypt(wrap_nonce, key, subject)
        sealed = None
        if identifier is not None:
            text = "\0".join(identifier).encode()
            sealed = seal_nonce + AESGCM(key).encrypt(seal_nonce, text, _IDENTIFIER + subject)
        return _Row(subject, blind_index, _FIRST_KEY_ID, wrapped, sealed), SubjectKey(subject, _FIRST_KEY_ID, key)

    def _unwrapped(self, row: _Row) -> SubjectKey:
        wrapped = row.wrapped_key
        try:
            key = self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], row.subject)
        except InvalidTag as error:
            raise self._damaged(row.subject) from error
        return SubjectKey(row.subject, row.key_id, key)

    def _blind_index(self, type_: str, value: str) -> bytes:
        return hmac_sha256(self._index_key, f"{type_}\0{value}".encode())

    def _check(self, master: MasterKey, key_check: bytes) -> None:
        with self._pool.connection() as connection:
            version, found = connection.execute("SELECT schema_version, key_check FROM vault").fetchone()
        check_schema_version(self.path, version, SCHEMA_VERSION)
        if not hmac.compare_digest(found, key_check):
            where = master.path or "the one given"
            raise WrongMasterKeyError(
                f"The vault {self.path} was made with another master key than {where}: "
                "put the right key there, from a backup or from its recovery copy."
            )

    def _damaged(self, subject: bytes) -> VaultUnavailableError:
        return VaultUnavailableError(f"Subject {subject.hex()} in {self.path} is damaged: restore the vault from a backup.")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, CommitFailedError) as error:
            # A commit that may have happened is no harm: the next one gets what exists.
            cure = "" if self.path.exists() else " It does not exist: start the server with this data folder once."
            raise VaultUnavailableError(f"The vault {self.path} cannot be used: {error}.{cure}") from error
