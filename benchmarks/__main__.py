"""`python -m benchmarks`: measure the figures and print them with their limits."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks import table
from benchmarks.big_ledger import big_ledger
from benchmarks.figure import Bench, Figure, Result, SkippedError, skipped
from benchmarks.figures import FIGURES, LARGE
from benchmarks.process import ProcessFailedError

BUILD: Final = Path("build")
WIDTH: Final = 160
"""Of the table where there is no terminal that has one."""
EVENTS: Final = 200_000
EVENTS_QUICK: Final = 50_000
EVENTS_LARGE: Final = 10_000_000
SMALL: Final = 100_000
"""Large enough for full work lists; a smaller one would be asked smaller questions."""
SMALL_QUICK: Final = 20_000

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.command(
    epilog="Examples:\n\n"
    "`python -m benchmarks`\n\n"
    "`python -m benchmarks --only P1,P4`\n\n"
    "`python -m benchmarks --quick`\n\n"
    "`python -m benchmarks --only P7,P9 --events 1000000`\n\n"
    "`python -m benchmarks --large --events 1000000`"
)
def main(
    only: Annotated[str, typer.Option(help="Figures to measure, separated by commas. Default: all.", metavar="IDS")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Three short rounds each: to see whether it runs, not how fast.")] = False,
    large: Annotated[
        bool, typer.Option("--large", help="What could grow with the ledger (P8 to P13), of a large one against a small one.")
    ] = False,
    events: Annotated[
        int | None,
        typer.Option(
            help=f"Size of the ledger that is asked. Default: {EVENTS:,}; --quick {EVENTS_QUICK:,}; --large {EVENTS_LARGE:,}.",
            min=1_000,
        ),
    ] = None,
    small: Annotated[
        int | None,
        typer.Option(help=f"Size of the ledger it is compared with. Default: {SMALL:,}; --quick {SMALL_QUICK:,}.", min=1_000),
    ] = None,
    build: Annotated[Path, typer.Option(help="Where results go, and large ledgers are kept for the next run.")] = BUILD,
) -> None:
    """Measure the ledger's speed, each figure against its limit in the same run.

    Leaves *build/bench.json* and *build/bench.md*, with --large *build/bench-large.json* and *build/bench-large.md*. Close other
    programs first: what they take, the figures lack. A large ledger is built once, and a run that was broken off goes on with it.
    """
    figures = _chosen(only, LARGE if large else FIGURES)
    # A run that is ended from outside ends its servers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    # On the disk that is measured, not in a temporary folder that may be memory.
    build.mkdir(parents=True, exist_ok=True)
    work_dir = Path(tempfile.mkdtemp(prefix="bench-", dir=build.absolute()))
    begin = time.monotonic()
    earlier: list[Result] = []
    failed = False
    about: dict[str, object] = {}
    try:
        for figure in figures:

            def say(text: str, figure: Figure = figure) -> None:
                console.print(f"[dim]{time.monotonic() - begin:5.0f} s[/]  {figure.id:4}{text}", highlight=False)

            bench = Bench(
                work_dir=work_dir,
                cache_dir=build.absolute() / "bench",
                events=events or (EVENTS_LARGE if large else EVENTS_QUICK if quick else EVENTS),
                small_events=small or (SMALL_QUICK if quick and not large else SMALL),
                large=large,
                quick=quick,
                say=say,
                earlier=earlier,
            )
            say(figure.name)
            try:
                if large and not about:
                    about = _built(bench)
                earlier += figure.run(bench)
            except (SkippedError, ProcessFailedError) as error:
                failed |= isinstance(error, ProcessFailedError)
                earlier.append(skipped(figure, str(error)))
            # After each figure, so that a run that is broken off leaves what it has measured.
            path = table.save(build, earlier, about if large else None)
    finally:
        shutil.rmtree(work_dir)
    table.show(console, earlier, time.monotonic() - begin)
    console.print(f"Written to {path}")
    if failed:
        raise typer.Exit(1)


def _built(bench: Bench) -> dict[str, object]:
    """Build the ledgers of a large run, unless they are there, and return what its report tells of them."""
    sizes = {"built_small": bench.small_events, "built": bench.events}
    return {name: big_ledger(bench, event_count).built for name, event_count in sizes.items()}


def _chosen(only: str, figures: Sequence[Figure]) -> list[Figure]:
    wanted = {name.strip().lower() for name in only.split(",") if name.strip()}
    known = {figure.id.lower() for figure in figures}
    if wanted - known:
        names = ", ".join(figure.id for figure in figures)
        raise typer.BadParameter(f"no such figure: {', '.join(sorted(wanted - known))}. There are: {names}.", param_hint="--only")
    return [figure for figure in figures if not wanted or figure.id.lower() in wanted]


if __name__ == "__main__":
    app()
