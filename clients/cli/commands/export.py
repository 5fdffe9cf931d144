"""`tellonce export`: the log for process-mining tools, with clear fields and pseudonyms only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer

from clients.cli import options
from clients.cli.commands.progress import progress_bar
from clients.cli.connection import connect
from clients.cli.failure import REFUSED, CommandError
from clients.cli.output import remark
from clients.connectors.export_event import ExportedEvent, exported
from clients.connectors.export_forms import write_ocel_json, write_xes
from clients.connectors.export_store import BATCH, ExportStore

OCEL_JSON: Final = "ocel-json"
OCEL_SQLITE: Final = "ocel-sqlite"
XES: Final = "xes"
FORMATS: Final = (OCEL_JSON, OCEL_SQLITE, XES)
EXAMPLES: Final = (
    "tellonce export --format ocel-json log.json",
    "tellonce export --format ocel-sqlite --from 2026-01-01 --to 2026-04-01 log.sqlite",
    "tellonce export --format xes --as-of 4711 log.xes",
)


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; a file that is there is replaced.")],
    format_: Annotated[str, typer.Option("--format", metavar="FORM", help=f"Form: {', '.join(FORMATS)}.")] = OCEL_JSON,
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only what occurred from then on.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only what occurred before then.")] = None,
    as_of: options.AsOfOption = None,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Export the log as OCEL 2.0 (JSON or SQLite) or XES, for process-mining tools. Holds no sealed content."""
    if format_ not in FORMATS:
        raise options.usage("--format", f"{format_!r} is not one of {', '.join(FORMATS)}.")
    start, end = options.moment("--from", from_, utc=utc), options.moment("--to", to, utc=utc)
    known = options.as_of(as_of, None, utc=utc)
    with connect(target) as client:
        until = client.head().position
        if known is not None and known.known is not None:
            until = known.known if isinstance(known.known, int) else client.position_at(known.known)
        with _folder(file) as folder, progress_bar("Exporting", until, "events") as tick:

            def events() -> Iterator[ExportedEvent]:
                if not until:
                    return
                for recorded in client.read_events(until_position=until):
                    tick(recorded.position)
                    occurred = recorded.envelope.occur_time.ToDatetime(UTC)
                    if (start is not None and occurred < start) or (end is not None and occurred >= end):
                        continue
                    event = exported(recorded)
                    # An object-centric log has no place for what concerns no object: the birth of the ledger, policies, imports.
                    if event.objects:
                        yield event

            said = _write(events(), format_, Path(folder))
            (Path(folder) / "made").replace(file)
    remark(f"{said} up to position {until:,} in {file}.")


def _folder(file: Path) -> TemporaryDirectory[str]:
    """Return a folder beside the file, so that the file appears there whole or not at all."""
    try:
        return TemporaryDirectory(prefix=f".{file.name}.", dir=file.absolute().parent)
    except OSError as error:
        raise CommandError(f"{file} cannot be written ({error.strerror}): name another place.", REFUSED) from None


def _write(events: Iterator[ExportedEvent], format_: str, folder: Path) -> str:
    """Write events as `made` in a folder, and return how much there is."""
    made = folder / "made"
    with ExportStore(made if format_ == OCEL_SQLITE else folder / "store") as store:
        while batch := list(islice(events, BATCH)):
            store.add(batch)
        counts = store.counts()
        said = f"{counts.events:,} events, {counts.objects:,} objects"
        if format_ == OCEL_JSON:
            write_ocel_json(store, made)
        elif format_ == XES:
            said = f"{write_xes(store, made):,} traces"
    return said
