"""How far a run came, kept beside the reject file, so that a resumed run skips what is done.

A convenience only: without it, or with an old one, a resumed run sends events again whose ids the ledger knows.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from clients.connectors.tally import Tally


class Checkpoint(NamedTuple):
    """Every row before `rows_done` has been acknowledged or rejected."""

    run_id: str
    rows_done: int
    """In the order in which the run takes them, which the same file and mapping always give."""
    reject_bytes: int
    tally: Tally


def checkpoint_path(reject_path: Path) -> Path:
    """Return where the checkpoint of a run stands."""
    return reject_path.with_name(f"{reject_path.name}.checkpoint")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint, durably and as a whole."""
    content = json.dumps({**checkpoint._asdict(), "tally": checkpoint.tally.as_json()})
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_checkpoint(path: Path, run_id: str) -> Checkpoint | None:
    """Return the checkpoint of a run; None when there is none that can be used."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        checkpoint = Checkpoint(found["run_id"], int(found["rows_done"]), int(found["reject_bytes"]), Tally(**found["tally"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return checkpoint if checkpoint.run_id == run_id else None
