"""How the parts are: written by the supervisor, who answers nobody, and read by the processes that do."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from google.protobuf.message import DecodeError

from ledger.api.v1.admin_service_pb2 import GetStatusResponse, Part


class PartsFile:
    """The file that says so. It is always whole, and never outlives the parts for long: nothing is synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = b""

    def write(self, parts: Iterable[Part]) -> None:
        """Say how the parts are, if that has changed."""
        content = GetStatusResponse(parts=parts).SerializeToString()
        if content == self._written:
            return
        # A full disk must not end the supervisor: it is said again with the next change.
        with suppress(OSError):
            new = self._path.with_suffix(".new")
            new.write_bytes(content)
            os.replace(new, self._path)
            self._written = content

    def read(self) -> list[Part]:
        """Return how the parts are; empty where no supervisor says so."""
        try:
            return list(GetStatusResponse.FromString(self._path.read_bytes()).parts)
        except (OSError, DecodeError):
            return []

    def remove(self) -> None:
        """Say nothing any more."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
