"""What an import has done so far, and what it did in the end. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(slots=True)
class Tally:
    """Counts of a run. A checkpoint holds them, so that a resumed run ends with the counts of the whole file."""

    rows_read: int = 0
    rows_skipped: int = 0
    """Left out, as the mapping's `skip` says."""
    rows_rejected: int = 0
    events_appended: int = 0
    events_duplicate: int = 0
    """Recorded before: by an earlier import, or by an attempt of this one."""
    events_corrected: int = 0
    """Recorded before with other content, and corrected now: `--correct`."""
    events_irregular: int = 0
    """Recorded although the move does not apply where it stands: imports are taken at their word, and shown so."""
    ambiguous_times: int = 0
    """Events whose local time existed twice that night: the first one was taken."""
    moved_times: int = 0
    """Events whose local time that night skipped: moved forward by the gap."""
    topics: dict[str, int] = field(default_factory=dict)
    """Events by topic: recorded, or, in a dry run, to be recorded."""

    def as_json(self) -> dict[str, Any]:
        """Return the counts as they stand in a checkpoint."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: `done` of `total` bytes of the file, or rows. `reading` comes first where rows have to be ordered."""

    stage: Literal["reading", "importing"]
    done: int
    total: int
    unit: Literal["bytes", "rows"]
    tally: Tally


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """How an import ended."""

    run_id: str
    source: str
    tally: Tally
    dry_run: bool
    resumed_rows: int
    """Rows that a checkpoint said were done already."""
    imported_before: bool
    """This file was imported by this mapping before, to the end: nothing was added."""
    reject_path: Path | None
    """Where the rejected rows are; None when there are none."""
    seconds: float

    @property
    def events(self) -> int:
        """Events of the rows that were taken: recorded now or before, or, in a dry run, to be recorded."""
        return sum(self.tally.topics.values())
