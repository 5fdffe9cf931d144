"""`tellonce import`: bring in what another system recorded, by a mapping."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich import box
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from clients.cli import options
from clients.cli.failure import REFUSED, UNAVAILABLE, USAGE, CommandError, exit_code, explain
from clients.cli.output import NUMBER, console, remark, side_console, table
from clients.cli.times import show_seconds
from clients.connectors.delivery import ImportInterruptedError
from clients.connectors.importer import run_import, shipped_mappings
from clients.connectors.mapping_text import MappingError
from clients.connectors.rows import ReadError
from clients.connectors.tally import Progress as ImportProgress
from clients.connectors.tally import ProgressCallback, Summary
from clients.python import TellonceError

EXAMPLES: Final = (
    "tellonce import contacts.csv --mapping crm.yaml --dry-run",
    "tellonce import contacts.csv.gz --mapping crm.yaml",
    "tellonce import contacts.csv.gz --mapping crm.yaml --resume",
    "tellonce import contacts.csv.gz --mapping crm.yaml --correct",
    "tellonce import sample.jsonl --mapping sample",
)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON Lines or XES; gzip and zip are opened.")],
    mapping: Annotated[
        str,
        typer.Option(
            "--mapping", "-m", metavar="MAPPING", help="A YAML file that says how rows become events, or the name of a shipped one."
        ),
    ],
    dry_run: Annotated[bool, options.flag("--dry-run", help="Map and check every row, send nothing.")] = False,
    resume: Annotated[bool, options.flag("--resume", help="Go on where an import of the same file stopped.")] = False,
    correct: Annotated[
        bool, options.flag("--correct", help="Correct what was imported with other content: for a mended mapping or source.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", metavar="FILE", help="Where rejected rows go. Default: FILE.rejects.jsonl, here.")
    ] = None,
    json: options.JsonOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Import a file. Importing it again, or going on after it was stopped, records nothing twice."""
    summary = import_file(file, mapping_path(mapping), target, dry_run=dry_run, resume=resume, correct=correct, rejects=rejects)
    if json:
        print(json_text.dumps(summary_json(summary), sort_keys=True, ensure_ascii=False, indent=2))
    else:
        print_summary(summary)
    if summary.tally.rows_rejected:
        raise CommandError(f"{summary.tally.rows_rejected:,} rows were rejected: {summary.reject_path} says why.", REFUSED)


def mapping_path(named: str) -> Path:
    """Return the mapping a person means: a file, or the name of one that is shipped."""
    path = Path(named)
    shipped = shipped_mappings()
    if path.suffix in {".yaml", ".yml"} or path.exists():
        return path
    if named in shipped:
        return shipped[named]
    raise options.usage(
        "--mapping", f"There is no file {named}, and no shipped mapping of that name; shipped are {', '.join(shipped)}."
    )


def import_file(
    file: Path,
    mapping: Path,
    target: str,
    *,
    dry_run: bool = False,
    resume: bool = False,
    correct: bool = False,
    rejects: Path | None = None,
) -> Summary:
    """Import a file with progress on standard error; what goes wrong becomes a CommandError."""
    with _import_progress() as progress:
        try:
            return run_import(
                file,
                mapping,
                target=target,
                dry_run=dry_run,
                resume=resume,
                correct=correct,
                progress=_reporter(progress),
                reject_path=rejects,
            )
        except MappingError as error:
            raise CommandError(f"The mapping has mistakes; nothing was imported.\n{error}", USAGE) from error
        except (ReadError, ImportInterruptedError) as error:
            code = UNAVAILABLE if isinstance(error, ImportInterruptedError) else USAGE
            raise CommandError(str(error), code) from error
        except TellonceError as error:
            raise CommandError(explain(error, target), exit_code(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or file}: {error.strerror}.", USAGE) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Go on with the same command and --resume.", REFUSED) from None


def _import_progress() -> Progress:
    side = side_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
        console=side,
        transient=True,
        disable=not side.is_terminal,
    )


def _reporter(progress: Progress) -> ProgressCallback:
    task = progress.add_task("Reading", total=None, counts="")

    def report(now: ImportProgress) -> None:
        tally = now.tally
        counts = f"{tally.events_appended:,} events recorded"
        if tally.events_duplicate:
            counts += f", {tally.events_duplicate:,} known"
        if tally.events_corrected:
            counts += f", {tally.events_corrected:,} corrected"
        if tally.rows_rejected:
            counts += f", {tally.rows_rejected:,} rows rejected"
        title = "Reading" if now.stage == "reading" else "Importing"
        progress.update(task, description=title, completed=now.done, total=now.total, counts=counts)

    return report


def print_summary(summary: Summary) -> None:
    """Print how an import ended."""
    tally = summary.tally
    made = Table(box=box.SIMPLE, show_edge=False, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(justify="right")
    rows = [
        ("rows read", tally.rows_read),
        ("rows left out, as the mapping says", tally.rows_skipped),
        ("rows rejected", tally.rows_rejected),
        ("events that would be recorded" if summary.dry_run else "events recorded", _recorded(summary)),
        ("events recorded before", tally.events_duplicate),
        ("events corrected", tally.events_corrected),
        ("events that do not apply where they stand", tally.events_irregular),
        ("local times that existed twice, first taken", tally.ambiguous_times),
        ("local times that did not exist, moved forward", tally.moved_times),
    ]
    for name, count in rows:
        if count or name.startswith(("rows read", "rows rejected", "events recorded")):
            made.add_row(name, f"{count:,}")
    out = console()
    out.print(made)
    topics = table("event", ("events", NUMBER))
    for topic, count in sorted(tally.topics.items(), key=lambda one: (-one[1], one[0])):
        topics.add_row(topic.replace("-", " "), f"{count:,}")
    if topics.row_count:
        out.print(topics)
    how = "Checked" if summary.dry_run else "Imported"
    before = " It was imported before." if summary.imported_before else ""
    remark(f"{how} as run {summary.run_id} in {show_seconds(round(summary.seconds, 1))}.{before}")


def _recorded(summary: Summary) -> int:
    return summary.events if summary.dry_run else summary.tally.events_appended


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return how an import ended, for programs."""
    return {
        "run_id": summary.run_id,
        "source": summary.source,
        "dry_run": summary.dry_run,
        "resumed_rows": summary.resumed_rows,
        "imported_before": summary.imported_before,
        "reject_path": str(summary.reject_path) if summary.reject_path else None,
        "seconds": round(summary.seconds, 3),
        **summary.tally.as_json(),
    }
