"""`python -m benchmarks`: measure the figures and print them with their limits."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks import table
from benchmarks.figure import Bench, Figure, Result, SkippedError, skipped
from benchmarks.figures import append_many, append_one, append_store, freshness, one_year, projector, queries, sustained
from benchmarks.process import ProcessFailedError

FIGURES: Final[tuple[Figure, ...]] = (
    append_one.FIGURE,
    append_many.FIGURE,
    append_store.FIGURE,
    projector.FIGURE,
    sustained.FIGURE,
    freshness.FIGURE,
    queries.PRESENT,
    queries.PAST,
    one_year.FIGURE,
)
"""In the order they run: P3c is compared with P5. A new figure is a line here."""

BUILD: Final = Path("build")
WIDTH: Final = 160
"""Of the table where there is no terminal that has one."""
EVENTS: Final = 200_000
EVENTS_QUICK: Final = 50_000

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.command(
    epilog="Examples:\n\n"
    "`python -m benchmarks`\n\n"
    "`python -m benchmarks --only P1,P4`\n\n"
    "`python -m benchmarks --quick`\n\n"
    "`python -m benchmarks --only P7,P9 --events 1000000`"
)
def main(
    only: Annotated[str, typer.Option(help="Figures to measure, separated by commas. Default: all.", metavar="IDS")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Three short rounds each: to see whether it runs, not how fast.")] = False,
    events: Annotated[
        int | None,
        typer.Option(
            help=f"Size of the ledger that is asked (P7, P9, P10). Default: {EVENTS:,}, with --quick {EVENTS_QUICK:,}.", min=1_000
        ),
    ] = None,
    build: Annotated[Path, typer.Option(help="Where results go, and large ledgers are kept for the next run.")] = BUILD,
) -> None:
    """Measure the ledger's speed, each figure against its limit in the same run.

    Leaves *build/bench.json*. Close other programs first: what they take, the figures lack.
    """
    figures = _chosen(only)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    # On the disk that is measured, not in a temporary folder that may be memory.
    build.mkdir(parents=True, exist_ok=True)
    work_dir = Path(tempfile.mkdtemp(prefix="bench-", dir=build.absolute()))
    begin = time.monotonic()
    earlier: list[Result] = []
    failed = False
    try:
        for figure in figures:

            def say(text: str, figure: Figure = figure) -> None:
                console.print(f"[dim]{time.monotonic() - begin:5.0f} s[/]  {figure.id:4}{text}", highlight=False)

            bench = Bench(
                work_dir=work_dir,
                cache_dir=build.absolute() / "bench",
                events=events or (EVENTS_QUICK if quick else EVENTS),
                quick=quick,
                say=say,
                earlier=earlier,
            )
            say(figure.name)
            try:
                earlier += figure.run(bench)
            except (SkippedError, ProcessFailedError) as error:
                failed |= isinstance(error, ProcessFailedError)
                earlier.append(skipped(figure, str(error)))
    finally:
        shutil.rmtree(work_dir)
    path = table.save(build, earlier)
    table.show(console, earlier, time.monotonic() - begin)
    console.print(f"Written to {path}")
    if failed:
        raise typer.Exit(1)


def _chosen(only: str) -> list[Figure]:
    wanted = {name.strip().lower() for name in only.split(",") if name.strip()}
    known = {figure.id.lower() for figure in FIGURES}
    if wanted - known:
        names = ", ".join(figure.id for figure in FIGURES)
        raise typer.BadParameter(f"no such figure: {', '.join(sorted(wanted - known))}. There are: {names}.", param_hint="--only")
    return [figure for figure in FIGURES if not wanted or figure.id.lower() in wanted]


if __name__ == "__main__":
    app()
