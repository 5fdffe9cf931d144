"""The master key: one file, made at first start, that all sealed content depends on. Without it and its copies, content is lost."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.durable_file import make_folder, write_new
from ledger.privacy.derivation import derived_key

KEY_BYTES: Final = 32
_CHECKSUM_BYTES: Final = 3
_GROUP: Final = 4


class MasterKeyError(Exception):
    """The master key cannot be used. The message says why and what to do."""


@dataclass(frozen=True)
class MasterKey:
    """The 32 random bytes, and where they are kept."""

    key: bytes = field(repr=False)
    path: Path | None = None
    """Its file; None while it is only in memory."""
    created: bool = False
    """True when it was made just now: show the recovery copy."""

    def derived(self, purpose: bytes) -> bytes:
        """Return the 32-byte key of one purpose (derivation.py)."""
        return derived_key(self.key, purpose)

    def recovery_copy(self) -> str:
        """Return the key as people can print and type it: 14 groups of letters and digits, the last ones a checksum."""
        text = base64.b32encode(self.key + _checksum(self.key)).decode()
        return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))

    @classmethod
    def from_recovery_copy(cls, text: str) -> MasterKey:
        """Read a recovery copy. Case, spaces, line ends and hyphens do not matter. Raises MasterKeyError for typing mistakes."""
        letters = "".join(text.split()).replace("-", "")
        try:
            # 0 and 1 are not in the alphabet: whoever typed them read O and I.
            content = base64.b32decode(letters, casefold=True, map01="I")
        except (binascii.Error, ValueError):
            content = b""
        key, checksum = content[:KEY_BYTES], content[KEY_BYTES:]
        if len(key) != KEY_BYTES or checksum != _checksum(key):
            raise MasterKeyError("This is no recovery copy of a master key, or it has a typing mistake: compare it with the print.")
        return cls(key)

    def save(self, path: Path) -> MasterKey:
        """Write the key to a new file that only its owner may read, durably. Raises MasterKeyError when the file exists."""
        make_folder(path.parent)
        try:
            write_new(path, f"{self.recovery_copy()}\n".encode(), mode=0o600)
        except FileExistsError as error:
            raise MasterKeyError(f"{path} exists already and is never overwritten: move it away first.") from error
        return MasterKey(self.key, path, created=True)


def load_or_create(path: Path) -> MasterKey:
    """Return the master key of a file; at first start it is made, readable by its owner only, and fsynced with its folder.

    Raises MasterKeyError when others may read the file, or when it is damaged.
    """
    if not path.exists():
        try:
            return MasterKey(os.urandom(KEY_BYTES)).save(path)
        except MasterKeyError:
            if not path.exists():
                raise
            # Another process was faster: take its key.
    return load(path)


def load(path: Path) -> MasterKey:
    """Return the master key of an existing file. Raises MasterKeyError."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise MasterKeyError(
            f"The master key {path} cannot be read ({error.strerror}): bring it back, or write its recovery copy there."
        ) from error
    if mode & 0o077:
        raise MasterKeyError(f"The master key {path} may be read by others (mode {mode:04o}): run `chmod 600 {path}`.")
    try:
        return MasterKey(MasterKey.from_recovery_copy(text).key, path)
    except MasterKeyError as error:
        raise MasterKeyError(f"The master key {path} is damaged: write its recovery copy there.") from error


def _checksum(key: bytes) -> bytes:
    return hashlib.sha256(b"tellonce master key" + key).digest()[:_CHECKSUM_BYTES]
