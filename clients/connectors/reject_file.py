"""The file of rows that were not imported: one JSON object a line, in the order in which the rows were imported.

It holds rows of the source as they are, so perhaps personal data: readable by its owner only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO


class RejectFile:
    """Written as it is needed: without a rejected row there is no file. `size_bytes` is what a checkpoint notes."""

    def __init__(self, path: Path, keep_bytes: int = 0) -> None:
        """Begin anew, or after the first `keep_bytes` of what is there: the rest belongs to rows that are done again."""
        self.path = path
        self.size_bytes = 0
        self._file: IO[bytes] | None = None
        if keep_bytes and path.exists():
            os.truncate(path, min(keep_bytes, path.stat().st_size))
            self.size_bytes = path.stat().st_size
        else:
            path.unlink(missing_ok=True)

    def add(
        self, line: int, key: str, reason: str, row: Mapping[str, str], *, rule: str = "", place: str = "", code: str = ""
    ) -> None:
        """Write a rejected row: where it is, why, and what it says. `code` is the ledger's reason, where the ledger refused it."""
        entry = {"line": line, "key": key, "reason": reason, "code": code, "rule": rule, "place": place, "row": dict(row)}
        content = json.dumps({name: value for name, value in entry.items() if value != ""}, ensure_ascii=False) + "\n"
        if self._file is None:
            self._file = open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")  # noqa: SIM115 - closed by close()
        self.size_bytes += self._file.write(content.encode("utf-8", "backslashreplace"))

    def sync(self) -> None:
        """Bring what was written to the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
