"""Ids that say the same thing for the same row, whenever and wherever it is imported. Pure."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

SEPARATOR: Final = "\x1f"
_MILLISECONDS_MAX: Final = 2**48 - 1


def derived_id(occur_micros: int, *names: str) -> str:
    """Return the UUID of these names, shaped like a version 7: its first 48 bits are the milliseconds of the fact's own time.

    `names` are source, row key and rule. Times before 1970 count as 1970: they only order the ids.
    """
    digest = sha256(SEPARATOR.join(names).encode()).digest()
    milliseconds = min(max(occur_micros // 1000, 0), _MILLISECONDS_MAX)
    number = milliseconds << 80 | int.from_bytes(digest[:10])
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived_run_id(source: str, file_digest: bytes, mapping_digest: bytes) -> str:
    """Return the id of the import run of a file by a mapping: the same file by the same mapping is the same run."""
    return f"{source[:40]}-{sha256(file_digest + mapping_digest).hexdigest()[:24]}"
