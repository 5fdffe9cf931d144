"""Copies a whole ledger from one store to another, verbatim: same positions, headers, sealed parts, keys.

All that the target holds is read back and compared with the source, what an earlier attempt copied included: a copy that was broken
off goes on where it stood.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NamedTuple

from ledger.privacy.vault_opening import open_vault_store
from ledger.privacy.vault_store import VaultStore
from ledger.store.opening import open_reader, open_recorder
from ledger.store.recorder import LogReader, LogRecorder, StoredEventRow

BATCH_EVENTS: Final = 2_000
BATCH_SUBJECTS: Final = 2_000

Progress = Callable[[str, int, int], None]
"""Called with what is copied, how much of it is done, and how much there is."""


class CopyError(Exception):
    """The copy cannot be made, or is not the same as its source. The message says what to do."""


class Places(NamedTuple):
    """Where a ledger is: files, or addresses of PostgreSQL databases."""

    log: Path | str
    vault: Path | str


class Copied(NamedTuple):
    """What was copied, and what both sides have now."""

    events: int
    """Copied this time."""
    position: int
    """The last one of both."""
    subjects: int
    """Keys in the vaults."""
    digest: bytes
    """SHA-256 over all events as stored, equal on both sides."""


def copy(source: Places, target: Places, progress: Progress) -> Copied:
    """Copy log and vault. The target is made where there is none; one that has begun has to be a beginning of the source.

    The log goes first, the vault after it, so that every event copied has its keys. Nobody may append to the target meanwhile; the
    source may go on, and what it records after the end is not in the copy. Raises CopyError, StoreError, VaultUnavailableError.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(closing(open_reader(source.log)))
        from_vault = stack.enter_context(closing(open_vault_store(source.vault)))
        version_and_check = from_vault.check()
        recorder = stack.enter_context(closing(open_recorder(target.log)))
        to_vault = stack.enter_context(closing(open_vault_store(target.vault, made_for=version_and_check[1])))
        if to_vault.check() != version_and_check:
            raise CopyError("The target's vault was made with another master key, so it is another ledger's: name an empty one.")
        end = reader.head().position
        copied, digest = _copy_log(reader, recorder, end, progress)
        subjects = _copy_vault(from_vault, to_vault, progress)
        return Copied(copied, end, subjects, digest)


def _copy_log(reader: LogReader, recorder: LogRecorder, end: int, progress: Progress) -> tuple[int, bytes]:
    begun = recorder.head().position
    if begun > end:
        raise CopyError(f"The target stands at {begun}, the source at {end}: it has gone on since, and is no copy any more.")
    digest_from, digest_to = hashlib.sha256(), hashlib.sha256()
    for rows in _batches(reader, end):
        last = rows[-1].position
        new = [row for row in rows if row.position > begun]
        if new:
            with recorder.transaction() as transaction:
                if transaction.head.position != new[0].position - 1:
                    raise CopyError(f"The target moved to {transaction.head.position} meanwhile: somebody appends to it. End that.")
                transaction.insert(new)
        for row, stored in zip(rows, recorder.read(rows[0].position - 1, len(rows), last), strict=True):
            digest_from.update(_as_bytes(row))
            digest_to.update(_as_bytes(stored))
        if digest_from.digest() != digest_to.digest():
            raise CopyError(f"The target holds other events than the source up to {last}: it is another ledger, or damaged.")
        progress("events", last, end)
    return max(0, end - begun), digest_to.digest()


def _batches(reader: LogReader, end: int) -> Iterator[list[StoredEventRow]]:
    position = 0
    while position < end:
        rows = reader.read(position, BATCH_EVENTS, end)
        yield rows
        position = rows[-1].position


def _as_bytes(row: StoredEventRow) -> bytes:
    fields = (row.event_id, row.stream.encode(), row.topic.encode(), row.header, row.parts or b"")
    numbers = b"".join(number.to_bytes(8, "big") for number in (row.position, row.revision, row.record_time))
    return numbers + b"".join(len(field).to_bytes(4, "big") + field for field in fields) + bytes([row.parts is not None])


def _copy_vault(source: VaultStore, target: VaultStore, progress: Progress) -> int:
    after, done = b"", 0
    while rows := source.rows_after(after, BATCH_SUBJECTS):
        target.insert(rows)
        if {row.subject: row for row in target.read("subject", [row.subject for row in rows])} != {
            row.subject: row for row in rows
        }:
            raise CopyError("The target's vault holds other keys than the source's: it is another ledger's.")
        after, done = rows[-1].subject, done + len(rows)
        progress("keys", done, done)
    return done
