"""The vault: whose data key is which, and whom a pseudonym stands for. Destroying a row forgets a subject.

A database of its own, so that it is backed up and destroyed apart from the log. Keys are random and never derived: a derived key
could not be destroyed alone. In it stand only wrapped keys, sealed identifiers and keyed hashes of them.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from uuid_utils import uuid7

from ledger.privacy.derivation import CHECK, INDEX, WRAP
from ledger.privacy.lru import Lru
from ledger.privacy.mac import hmac_sha256
from ledger.privacy.master_key import MasterKey
from ledger.privacy.sealing import NONCE_BYTES, SubjectKey
from ledger.privacy.vault_opening import open_vault_store
from ledger.privacy.vault_store import VaultRow, VaultUnavailableError

__all__ = ["SubjectKey", "Vault", "VaultUnavailableError", "WrongMasterKeyError"]

CACHE_SIZE_MAX: Final = 20_000
_KEY_BYTES: Final = 32
_FIRST_KEY_ID: Final = 1
_IDENTIFIER: Final = b"identifier"


class WrongMasterKeyError(Exception):
    """The vault was made with another master key."""


class Vault:
    """Data keys and pseudonyms. Safe to use from several threads, and by several processes at once.

    Every method raises VaultUnavailableError when its store cannot be read or written.
    """

    def __init__(self, place: Path | str, master: MasterKey, *, read_only: bool = False) -> None:
        """Open the vault; made when it is missing, unless read only.

        `place`: a file of SQLite, whose folder must exist, or the address of a PostgreSQL database of its own.
        Raises WrongMasterKeyError, SchemaTooNewError, ServerSettingError, VaultUnavailableError.
        """
        self._index_key = master.derived(INDEX)
        self._wrapping = AESGCM(master.derived(WRAP))
        self._subjects: Lru[bytes, bytes] = Lru(CACHE_SIZE_MAX)
        """Blind index → pseudonym."""
        self._keys: Lru[bytes, SubjectKey] = Lru(CACHE_SIZE_MAX)
        """Pseudonym → key, raw: a cipher object takes 2.4 kB."""
        key_check = master.derived(CHECK)
        self._store = open_vault_store(place, None if read_only else key_check)
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
        self._store.confirm()
        known = self._find(blind_indexes)
        missing = {blind: identifier for blind, identifier in zip(blind_indexes, identifiers, strict=True) if blind not in known}
        rows = [self._new_row(identifier, blind) for blind, identifier in missing.items()]
        anonymous = [self._new_row() for _ in range(anonymous_count)]
        if rows or anonymous:
            if self._store.insert([row for row, _ in chain(rows, anonymous)]):
                self._keep(rows)
            # Where another process was faster, the key made here was not taken, and this finds its one.
            known = self._find(blind_indexes)
            self._keys.put_all((key.subject, key) for _, key in anonymous)
        return [known[blind] for blind in blind_indexes], [key for _, key in anonymous]

    def touch(self) -> None:
        """Raise VaultUnavailableError while no keys can be made."""
        self._store.touch()

    def find(self, type: str, value: str) -> bytes | None:
        """Return the pseudonym of an identifier (normalised value); None when the vault does not know it."""
        blind_index = self._blind_index(type, value)
        key = self._find([blind_index]).get(blind_index)
        return key.subject if key else None

    def find_all(self, identifiers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """Return the pseudonyms of identifiers (type, normalised value), those known, with one look into the store."""
        blind_indexes = {self._blind_index(*identifier): identifier for identifier in identifiers}
        return {blind_indexes[blind]: key.subject for blind, key in self._find(list(blind_indexes)).items()}

    def identifier(self, subject: bytes) -> tuple[str, str] | None:
        """Return type and value of whom a pseudonym stands for; None when it is anonymous or was erased."""
        row = next(iter(self._store.read("subject", [subject])), None)
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
            loaded = {row.subject: self._unwrapped(row) for row in self._store.read("subject", missing)}
            self._keys.put_all(loaded.items())
            found.update(loaded)
        return found

    def close(self) -> None:
        """Close all connections. Using the vault afterwards raises VaultUnavailableError."""
        self._store.close()

    def _find(self, blind_indexes: Sequence[bytes]) -> dict[bytes, SubjectKey]:
        """Return the keys of the identifiers that exist, by blind index."""
        subjects = self._subjects.get_all(blind_indexes)
        keys = self._keys.get_all(subjects.values())
        found = {blind: keys[subject] for blind, subject in subjects.items() if subject in keys}
        missing = [blind for blind in dict.fromkeys(blind_indexes) if blind not in found]
        if missing:
            rows = [(row, self._unwrapped(row)) for row in self._store.read("blind_index", missing)]
            self._keep(rows)
            found.update((row.blind_index, key) for row, key in rows if row.blind_index is not None)
        return found

    def _keep(self, rows: Sequence[tuple[VaultRow, SubjectKey]]) -> None:
        self._subjects.put_all((row.blind_index, row.subject) for row, _ in rows if row.blind_index is not None)
        self._keys.put_all((row.subject, key) for row, key in rows)

    def _new_row(self, identifier: tuple[str, str] | None = None, blind_index: bytes | None = None) -> tuple[VaultRow, SubjectKey]:
        subject = uuid7().bytes
        fresh = os.urandom(_KEY_BYTES + 2 * NONCE_BYTES)
        key, wrap_nonce, seal_nonce = fresh[:_KEY_BYTES], fresh[_KEY_BYTES:-NONCE_BYTES], fresh[-NONCE_BYTES:]
        wrapped = wrap_nonce + self._wrapping.encrypt(wrap_nonce, key, subject)
        sealed = None
        if identifier is not None:
            text = "\0".join(identifier).encode()
            sealed = seal_nonce + AESGCM(key).encrypt(seal_nonce, text, _IDENTIFIER + subject)
        return VaultRow(subject, blind_index, _FIRST_KEY_ID, wrapped, sealed), SubjectKey(subject, _FIRST_KEY_ID, key)

    def _unwrapped(self, row: VaultRow) -> SubjectKey:
        wrapped = row.wrapped_key
        try:
            key = self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], row.subject)
        except InvalidTag as error:
            raise self._damaged(row.subject) from error
        return SubjectKey(row.subject, row.key_id, key)

    def _blind_index(self, type_: str, value: str) -> bytes:
        return hmac_sha256(self._index_key, f"{type_}\0{value}".encode())

    def _check(self, master: MasterKey, key_check: bytes) -> None:
        _, found = self._store.check()
        if not hmac.compare_digest(found, key_check):
            where = master.path or "the one given"
            raise WrongMasterKeyError(
                f"The vault {self._store.place} was made with another master key than {where}: "
                "put the right key there, from a backup, from its recovery copy, or from another node."
            )

    def _damaged(self, subject: bytes) -> VaultUnavailableError:
        return VaultUnavailableError(f"Subject {subject.hex()} in {self._store.place} is damaged: restore the vault from a backup.")
