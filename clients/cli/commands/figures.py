"""`tellonce figures`: how the service does, each figure with its definition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import split
from clients.cli.output import NUMBER, console, print_json, print_read_at, table
from clients.cli.times import parse_duration, show_time
from clients.cli.words import number
from ledger.api.v1.figure_pb2 import (
    FIGURE_COUNT,
    FIGURE_PER_MEMBER,
    FIGURE_SCORE,
    FIGURE_SECONDS,
    FIGURE_SHARE,
    Figure,
    FigureDefinition,
    FigureDefinitions,
    FigureRow,
    Figures,
    FigureSlice,
    FigureUnit,
)

SLICES: Final = tuple(name.removeprefix("FIGURE_BY_").lower() for name in FigureSlice.keys()[1:])
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EXAMPLES: Final = (
    "tellonce figures --from 2026-01-01 --to 2027-01-01",
    "tellonce figures first_response promise_kept_rate --by channel,department",
    "tellonce figures --set staffing --by weekday,hour --zone Europe/Paris",
    "tellonce figures --set departments --by department,receiver",
    "tellonce figures --set process --by reason",
    "tellonce figures promise_kept_rate --as-of 2026-03-01 --evidence 20",
    "tellonce figures --definitions",
)


def figures(
    names: Annotated[list[str] | None, typer.Argument(metavar="[FIGURE]...", help="Figures. Default: those of a set.")] = None,
    set: Annotated[str | None, typer.Option("--set", metavar="SET", help="A set of figures. Default: baseline.")] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Beginning of the period, local, inclusive. Default: the first event."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="End of the period, local, exclusive. Default: the last event.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="IANA zone that cuts days and hours. Default: the ledger's.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", metavar="SLICE", help=f"Cut by {', '.join(SLICES)}.")] = None,
    channel: Annotated[list[str] | None, typer.Option("--channel", metavar="CODE", help="Only these channels.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only these departments.")
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", metavar="DURATION", help="Window of first-contact resolution and repeats, such as 7d.")
    ] = None,
    within: Annotated[
        str | None, typer.Option("--within", metavar="DURATION", help="Time within which an answer counts for the service level.")
    ] = None,
    exact: Annotated[bool, options.flag("--exact", help="Percentiles without the error of the buckets: slower.")] = False,
    evidence: Annotated[
        int | None, typer.Option("--evidence", min=1, max=500, metavar="ROWS", help="Name so many members of each figure.")
    ] = None,
    definitions: Annotated[bool, options.flag("--definitions", help="What each figure means; with figures: only these.")] = False,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Show figures of a period, each by its definition."""
    wanted = split(names)
    slices = [_slice(name) for name in split(by)]
    asked = options.as_of(as_of, before, utc=utc)
    with connect(target) as client:
        if definitions:
            described = client.figure_definitions()
            if json:
                print_json(described)
            else:
                show_definitions(described.result, wanted)
            return
        answer = client.figures(
            wanted,
            set=set,
            from_local=from_,
            to_local=to,
            zone=zone,
            by=slices,
            channels=split(channel),
            departments=split(department),
            exact=exact,
            evidence_limit=evidence,
            window=_duration("--window", window),
            answered_within=_duration("--within", within),
            as_of=asked,
        )
        if json:
            print_json(answer)
            return
        titles = {one.name: one for one in client.figure_definitions().result.definitions}
        console().print(Text(period_line(answer.result, utc), style="dim"))
        for figure in answer.result.figures:
            console().print()
            console().print(Text(title(figure, titles[figure.name]), style="bold"))
            if figure.rows:
                console().print(figure_table(figure, titles[figure.name]))
            for one in figure.evidence:
                console().print(f"  {one.outcome.replace('_', ' ')}  {one.event_id}  stands so by {one.last_event_id}")
            if figure.evidence:
                console().print(Text(f"  {len(figure.evidence):,} of {figure.evidence_total:,} members", style="dim"))
        print_read_at(answer.read_at, utc=utc)


def figure_table(figure: Figure, definition: FigureDefinition) -> Table:
    """Return a figure as a table: one row a group, the value, and those of its parts that say something here."""
    telling = {part.name for row in figure.rows for part in row.parts if part.value and part.value != row.value}
    parts = [part.name for part in definition.parts if part.name in telling]
    slices = [FigureSlice.Name(one).removeprefix("FIGURE_BY_").lower() for one in figure.slices]
    # Words below one another: there are many columns.
    headings = [name.removesuffix("_seconds").replace("_", "\n") for name in parts]
    targets = ["target"] if any(row.HasField("assessment") for row in figure.rows) else []
    made = table(*slices, ("value", NUMBER), *targets, ("n", NUMBER), *((heading, NUMBER) for heading in headings))
    for row in figure.rows:
        values = {one.name: one.value for one in row.parts}
        made.add_row(
            *_groups(figure.slices, row),
            written(row.value if row.HasField("value") else None, figure.unit),
            *([_target(row, figure.unit)] if targets else []),
            f"{row.member_count:,}",
            *(_part(name, values.get(name), figure.currency) for name in parts),
        )
    return made


def _target(row: FigureRow, unit: int) -> str:
    """Return what a value is held against, and whether it is met."""
    if not row.HasField("assessment"):
        return "-"
    target = row.assessment.target
    bounds = [
        f"{words} {written(getattr(target, name), unit)}"
        for name, words in (("at_least", "at least"), ("at_most", "at most"))
        if target.HasField(name)  # type: ignore[arg-type]
    ]
    met = ("met" if row.assessment.met else "missed") if row.assessment.HasField("met") else ""
    return ", ".join(filter(None, (*bounds, met)))


def title(figure: Figure, definition: FigureDefinition) -> str:
    """Return what stands above a figure: its name and version, and how it was counted."""
    remarks = [f"{definition.title} ({figure.name} v{figure.version}, by time {definition.member_time})"]
    if figure.bundled:
        remarks.append("belongs to the bundle")
    if figure.policies:
        versions = ", ".join(f"{one.policy_id} version {one.policy_version}" for one in figure.policies)
        remarks.append(f"amounts by policy {versions}")
    if figure.relative_error:
        remarks.append(f"percentiles within {figure.relative_error:.0%}")
    if not figure.rows:
        remarks.append("no members")
    return "; ".join(remarks)


def _groups(slices: Sequence[int], row: FigureRow) -> list[str]:
    return [
        WEEKDAYS[int(value) - 1] if one == FigureSlice.FIGURE_BY_WEEKDAY else value or "-"
        for one, value in zip(slices, row.values, strict=True)
    ]


def written(value: float | None, unit: int) -> str:
    """Return a value as people read it; a dash where there is none."""
    if value is None:
        return "-"
    if unit == FIGURE_SHARE:
        return f"{value:.1%}"
    if unit == FIGURE_SECONDS:
        return duration(value)
    if unit == FIGURE_COUNT:
        return f"{value:,.0f}"
    return f"{value:.1f}" if unit == FIGURE_SCORE else f"{value:.2f}"


def _part(name: str, value: float | None, currency: str) -> str:
    if name.endswith("_amount"):
        return "-" if value is None else f"{value:,.2f} {currency}"
    if name.endswith("_seconds"):
        return written(value, FIGURE_SECONDS)
    if "_each_" in name:
        return written(value, FIGURE_PER_MEMBER)
    shares = ("share", "rate", "of_", "gross", "net")
    return written(value, FIGURE_SHARE if name.startswith(shares) or name.endswith("_rate") else FIGURE_COUNT)


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds % 1 else f"{seconds:.0f}s"
    whole = round(seconds)
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    found: list[str] = []
    for name, size in units:
        amount, whole = divmod(whole, size)
        if amount or found:
            found.append(f"{amount}{name}")
    return " ".join(found[:2])


def period_line(answer: Figures, utc: bool) -> str:
    """Return over which period the figures are, and by which windows."""
    start = show_time(answer.from_time, utc=utc) if answer.HasField("from_time") else "the first event"
    end = show_time(answer.to_time, utc=utc) if answer.HasField("to_time") else "the last event"
    windows = [duration(one.ToSeconds()) for one in (answer.first_contact_window, answer.repeat_window)]
    return f"from {start} to {end}, days of {answer.zone}; window of first contact {windows[0]}, of repeats {windows[1]}"


def show_definitions(described: FigureDefinitions, names: Iterable[str]) -> None:
    """Print what figures mean."""
    chosen = list(names)
    for one in described.definitions:
        if chosen and one.name not in chosen:
            continue
        unit = FigureUnit.Name(one.unit).removeprefix("FIGURE_").lower().replace("_", " ")
        slices = ", ".join(FigureSlice.Name(part).removeprefix("FIGURE_BY_").lower() for part in one.slices) or "nothing"
        console().print(Text(f"{one.name} v{one.version}: {one.title}", style="bold"))
        console().print(one.text)
        console().print(
            Text(f"Unit: {unit}. Members by time: {one.member_time}. Cut by: {slices}. Source: {one.source}.", style="dim")
        )
        for part in one.parts:
            console().print(f"  {part.name}: {part.text}")
        if one.bundle:
            console().print(f"  Always served with {', '.join(one.bundle)}.")
        console().print()
    if not chosen:
        for found in described.sets:
            console().print(Text(f"--set {found.name}", style="bold"), found.text)
            console().print(f"  {', '.join(found.figures)}")


def _slice(text: str) -> int:
    try:
        return number(FigureSlice.DESCRIPTOR, text)
    except ValueError:
        raise options.usage("--by", f"{text!r} is not one of {', '.join(SLICES)}.") from None


def _duration(option: str, text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise options.usage(option, str(error)) from None
