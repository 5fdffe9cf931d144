"""Views taken over from another node: a consistent copy of a views file, and what it has to stand before it is used.

What is in the views can be checked against nothing but the log. So a copy is used when it is whole, of this ledger and version, and
was made of this log: the digest of every header up to where it stands is computed anew from the log and compared.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import IO, Final, NamedTuple

from ledger.internal.v1.node_service_pb2 import CopiedViews, CopyViewsResponse
from ledger.store.recorder import LogReader
from projections import digest
from projections.projector import leaf_hash
from projections.views_file import VIEW_VERSION, ViewsFolder

BATCH_EVENTS: Final = 4 * digest.WINDOW
READ_BYTES: Final = 1 << 20
DRAFT_PREFIX: Final = "copied-"

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and how much there is."""


class CopyRefusedError(Exception):
    """The copy is not one that this node may use. The message says why."""


class ViewsCopy(NamedTuple):
    """A copy of the views, in a file without a name: it is gone when it is closed, however the process ends."""

    file: IO[bytes]
    position: int
    size_bytes: int
    digest: bytes
    """SHA-256 of the file."""


def copy_of(folder: ViewsFolder) -> ViewsCopy | None:
    """Return a copy of the views in use, at one position; None before there are any. Takes a while for large ones."""
    source = folder.usable()
    if source is None:
        return None
    with tempfile.NamedTemporaryFile(dir=folder.path, prefix=DRAFT_PREFIX) as draft:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as from_db,
            closing(sqlite3.connect(draft.name)) as to_db,
        ):
            # In one step: the projector may write meanwhile, and what it writes is not in the copy.
            from_db.backup(to_db)
            # A file of its own, with nothing beside it.
            to_db.execute("PRAGMA journal_mode = DELETE")
            (position,) = to_db.execute("SELECT position FROM checkpoint").fetchone()
        # SQLite wrote the file in place, so this is what it wrote.
        file = open(draft.name, "rb")  # noqa: SIM115  closed by whoever gets it
    hashed = hashlib.sha256()
    while content := file.read(READ_BYTES):
        hashed.update(content)
    size_bytes = file.tell()
    file.seek(0)
    return ViewsCopy(file, position, size_bytes, hashed.digest())


def take_over(
    folder: ViewsFolder,
    pieces: Iterable[CopyViewsResponse],
    log: LogReader,
    ledger_id: bytes,
    incarnation: int,
    progress: Progress,
) -> int:
    """Write the views that another node sends, check them, and use them from now on. Returns their position.

    Raises CopyRefusedError, StoreError, and what `pieces` raises; nothing is kept of the copy then.
    """
    file = folder.fresh()
    for left_over in folder.path.glob(f"{DRAFT_PREFIX}*"):
        left_over.unlink(missing_ok=True)
    draft = file.with_name(DRAFT_PREFIX + file.name)
    try:
        position = _received(draft, iter(pieces), ledger_id, incarnation, progress)
        _check(draft, position, log, ledger_id, progress)
        # Nobody has it open, and there is nothing beside it.
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)
    folder.switch(file)
    return position


def _received(draft: Path, pieces: Iterable[CopyViewsResponse], ledger_id: bytes, incarnation: int, progress: Progress) -> int:
    pieces = iter(pieces)
    first = next(pieces, CopyViewsResponse())
    if not first.HasField("described"):
        raise CopyRefusedError("The other node does not say what it sends.")
    described = first.described
    _check_description(described, ledger_id, incarnation)
    hashed, size_bytes = hashlib.sha256(), 0
    with draft.open("wb") as out:
        for piece in pieces:
            out.write(piece.content)
            hashed.update(piece.content)
            size_bytes += len(piece.content)
            progress("bytes received", size_bytes, described.size_bytes)
        out.flush()
        os.fsync(out.fileno())
    if (size_bytes, hashed.digest()) != (described.size_bytes, described.digest):
        raise CopyRefusedError(f"{size_bytes} bytes came of {described.size_bytes}, or others than were sent.")
    return described.position


def _check_description(described: CopiedViews, ledger_id: bytes, incarnation: int) -> None:
    if described.ledger_id != ledger_id:
        raise CopyRefusedError("The other node serves another ledger.")
    if described.incarnation != incarnation:
        raise CopyRefusedError(f"The other node serves incarnation {described.incarnation}, this one {incarnation}.")
    if described.view_version != VIEW_VERSION:
        raise CopyRefusedError(f"The other node has views of version {described.view_version}, this one {VIEW_VERSION}.")


def _check(draft: Path, position: int, log: LogReader, ledger_id: bytes, progress: Progress) -> None:
    """Compare the copy with the log: where it stands, and the digests of the log that it was made with."""
    try:
        with closing(sqlite3.connect(f"file:{draft}?mode=ro", uri=True)) as db:
            if db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise CopyRefusedError("The copy is damaged.")
            checkpoint = db.execute("SELECT position, leaf, ledger_id FROM checkpoint").fetchone()
            digests = dict(db.execute("SELECT position, digest FROM digest WHERE view = ?", (digest.LOG,)))
    except sqlite3.DatabaseError as error:
        raise CopyRefusedError(f"The copy cannot be read: {error}.") from error
    leaf, reached, chain = b"", 0, digest.Chain()
    compared = 0
    while reached < position:
        rows = log.read(reached, BATCH_EVENTS, position)
        if not rows:
            raise CopyRefusedError(f"The copy stands at {position}, and the log ends at {reached}.")
        for row in rows:
            chain.add(row.header)
            if row.position % digest.WINDOW == 0:
                if digests.get(row.position) != chain.close():
                    raise CopyRefusedError(f"The copy was made of another log: their digests differ at {row.position}.")
                compared += 1
        reached, leaf = rows[-1].position, leaf_hash(rows[-1].header)
        progress("events compared", reached, position)
    if checkpoint != (position, leaf, ledger_id) or compared != len(digests):
        raise CopyRefusedError(f"The copy does not stand at event {position} of this log.")
