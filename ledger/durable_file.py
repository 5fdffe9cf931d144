"""Files that survive a power cut: written whole, fsynced, and their folder fsynced too."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


class ServerSettingError(Exception):
    """A database server is set so that commits could be lost, or its tables are newer than this program. It is not used."""


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable: a file that was fsynced can still lose its name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make a folder, and those above it that are missing, durably. An existing one is left as it is."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)


def write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file that must not exist yet, durably. Nobody ever sees a part of it, whatever is killed or cut.

    Raises FileExistsError when it exists, also when another process was faster.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link refuses an existing name, which a rename would overwrite.
        os.link(draft, path)
    finally:
        draft.unlink()
    sync_folder(path.parent)
