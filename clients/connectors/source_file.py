"""The file that is imported: its bytes, unpacked, its digest, and how far it has been read."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import IO, Final, cast

from clients.connectors.rows import ReadError

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"


class SourceFile:
    """A file, plain, gzipped or zipped: which, its first bytes say. `member` names the file inside a zip that holds several."""

    def __init__(self, path: Path, member: str = "") -> None:
        self.path = path
        self.size_bytes = path.stat().st_size
        self._member = member
        self._raw: IO[bytes] | None = None

    def digest(self) -> bytes:
        """Return the SHA-256 of the file as it stands, packed or not."""
        with self.path.open("rb") as raw:
            return file_digest(raw, "sha256").digest()

    @property
    def read_bytes(self) -> int:
        """How many of the file's bytes have been read."""
        return self._raw.tell() if self._raw is not None and not self._raw.closed else 0

    @contextmanager
    def open(self) -> Iterator[io.BufferedReader]:
        """Open the unpacked content. Raises ReadError where there is not exactly one."""
        with self.path.open("rb") as raw:
            self._raw = raw
            begin = raw.read(4)
            raw.seek(0)
            try:
                if begin != _ZIP:
                    yield _unpacked(raw)
                    return
                with zipfile.ZipFile(raw) as archive, archive.open(self._one_of(archive)) as inside:
                    yield _unpacked(io.BufferedReader(cast(io.RawIOBase, inside)))
            except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
                # Raised wherever the content is read: in the body of the caller's `with`.
                raise ReadError(f"{self.path.name} is packed, and damaged: {error}") from None

    def _one_of(self, archive: zipfile.ZipFile) -> str:
        names = [one.filename for one in archive.infolist() if not one.is_dir()]
        if self._member:
            if self._member in names:
                return self._member
            raise ReadError(f"{self.path.name} has no member {self._member!r}: it holds {', '.join(names[:10])}")
        if len(names) != 1:
            raise ReadError(f"{self.path.name} holds {len(names)} files: name one as `member` ({', '.join(names[:10])})")
        return names[0]


def _unpacked(stream: io.BufferedReader) -> io.BufferedReader:
    if stream.peek(2)[:2] != _GZIP:
        return stream
    return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=stream)))
