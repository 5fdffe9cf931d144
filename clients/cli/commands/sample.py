"""`tellonce sample`: a file of invented interactions, to try an import with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from clients.cli import options
from clients.cli.commands.progress import progress_bar
from clients.cli.output import remark
from clients.connectors.sample_rows import write_rows

SIZE: Final = 3_000
SEED: Final = 1
EXAMPLES: Final = (
    "tellonce sample sample.jsonl",
    "tellonce sample big.jsonl --size 100000 --seed 7 --until 2026-03-01",
    "tellonce import sample.jsonl --mapping sample",
)

SizeOption = Annotated[int, typer.Option("--size", min=1, metavar="EVENTS", help="About so many events.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed, size and end give the same events.")]


def sample(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it: JSON Lines, one row an event.", dir_okay=False)],
    size: SizeOption = SIZE,
    seed: SeedOption = SEED,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="End of the 90 days it covers. Default: now, to the minute.")
    ] = None,
    utc: options.UtcOption = False,
) -> None:
    """Write a sample of invented interactions: contacts, requests, handoffs, promises, complaints, answers."""
    end = options.moment("--until", until, utc=utc) or datetime.now(UTC).replace(second=0, microsecond=0)
    count = write_sample(file, size, seed, end)
    remark(f"{count:,} events written to {file}. Next: tellonce import {file} --mapping sample")


def write_sample(file: Path, size: int, seed: int, until: datetime) -> int:
    """Write a sample, with progress. Returns the number of events."""
    count = 0
    try:
        with file.open("w", encoding="utf-8") as lines, progress_bar("Writing the sample", size, "events") as update:
            for count in write_rows(lines, size, seed, until):
                update(count)
    except OSError as error:
        raise options.usage("FILE", f"{file} cannot be written: {error.strerror}.") from None
    return count
