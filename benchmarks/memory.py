"""What memory the processes of a served ledger take, by the name of the part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_STARTED: Final = re.compile(r"([\w-]+) started, process (\d+)$", re.MULTILINE)


class Memory(NamedTuple):
    """Memory of one process, in MB (10^6 bytes)."""

    own: float
    """What it has allocated, and the kernel cannot drop."""
    resident: float
    """All of its pages in memory: files that it has mapped, too, which the kernel drops when somebody else needs the room."""


def parts_in(log: str) -> dict[str, int]:
    """Return the process of each part, as the log of the supervisor names them; of one started again the last."""
    return {name: int(pid) for name, pid in _STARTED.findall(log)}


def memory_of(status: str) -> Memory:
    """Return what a process's status file says."""
    kilobytes = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE)}
    return Memory((kilobytes["RssAnon"] + kilobytes["RssShmem"]) * 1.024e-3, kilobytes["VmRSS"] * 1.024e-3)


def memory_by_part(log_file: Path) -> dict[str, Memory]:
    """Return the memory of each part of a ledger that is being served now, by the log of its supervisor."""
    return {name: memory_of((PROC / str(pid) / "status").read_text()) for name, pid in parts_in(log_file.read_text()).items()}
