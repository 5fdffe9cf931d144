"""`tellonce journeys`: how requests go through the departments, where they break, and the journey of one request or customer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import Output, numbers, show_one, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_duration, show_time
from clients.cli.words import topic_words, word
from ledger.api.v1.experience_pb2 import SatisfactionMeasure
from ledger.api.v1.journey_pb2 import (
    BreakChange,
    BreakKind,
    BreakPoint,
    Conformance,
    DepartmentPair,
    Journey,
    JourneyPeriod,
    Journeys,
    JourneyStay,
    JourneyStep,
    JourneyVariant,
    SatisfactionPoint,
    VariantOf,
)

EXAMPLES: Final = (
    "tellonce journeys --from 2026-01-01 --to 2026-04-01",
    "tellonce journeys --from 2026-04-01 --compare-from 2026-01-01 --compare-to 2026-04-01",
    "tellonce journeys --variants steps --reason delivery",
    "tellonce journeys --request r-1",
)


def journeys(
    request: Annotated[str | None, typer.Option("--request", metavar="REQUEST", help="The journey of this request.")] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="CUSTOMER", help=f"The journey of one customer. {options.CUSTOMER_HELP}")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Requests opened from then on.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Requests opened before then.")] = None,
    compare_from: Annotated[
        str | None, typer.Option("--compare-from", metavar="TIME", help="Beginning of another period to compare with.")
    ] = None,
    compare_to: Annotated[str | None, typer.Option("--compare-to", metavar="TIME", help="End of that period.")] = None,
    reason: Annotated[list[str] | None, typer.Option("--reason", metavar="CODE", help="Only requests with this reason.")] = None,
    variants: Annotated[
        str, typer.Option("--variants", metavar="OF", help="What a variant is a sequence of: departments, steps.")
    ] = "departments",
    stall: Annotated[
        str | None,
        typer.Option(
            "--stall", metavar="DURATION", help="A longer stay with one department is a stall. Default: the silence limit."
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, max=500, metavar="ROWS", help="Variants, pairs and breaks at most.")] = 20,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Show how requests go: variants, department pairs, where they break, and what customers say; or the journey of one."""
    output = Output(json, utc)
    asked = options.as_of(as_of, before, utc=utc)
    limit = options.duration("--stall", stall)
    whose = options.customer(customer, "--customer")
    if request is not None and whose is not None:
        raise options.usage("--customer", "Name a request or a customer, not both.")
    (variants_of,) = numbers("--variants", VariantOf.DESCRIPTOR, [variants])
    with connect(target) as client:
        if request is not None or whose is not None:
            show_one(client.journey(request, customer=whose, stall_limit=limit, as_of=asked), _journey, output)
            return
        found = client.journeys(
            from_time=options.moment("--from", from_, utc=utc),
            to_time=options.moment("--to", to, utc=utc),
            compare_from_time=options.moment("--compare-from", compare_from, utc=utc),
            compare_to_time=options.moment("--compare-to", compare_to, utc=utc),
            reasons=split(reason),
            variants_of=variants_of,
            top=top,
            stall_limit=limit,
            as_of=asked,
        )
        show_one(found, _journeys, output)


# Of a period


def _journeys(found: Journeys, utc: bool) -> RenderableType:
    parts: list[RenderableType] = list(_period(found.period, utc))
    if found.HasField("compared"):
        parts += ["", *_totals(found.compared, "Compared with", utc), "", _changes(found.changes)]
    parts += ["", Text(f"A stay of more than {show_duration(found.stall_limit)} is a stall. {found.definition}", style="dim")]
    return Group(*parts)


def _period(period: JourneyPeriod, utc: bool) -> Iterator[RenderableType]:
    yield from _totals(period, "Requests opened", utc)
    for made in (
        _variants(period.variants, period.variant_count),
        _pairs(period.pairs, period.pair_count),
        _breaks(period.break_points, period.break_point_count),
        _satisfactions(period.satisfaction_points),
        _conformances(period.conformances),
    ):
        if made.row_count:
            yield ""
            yield made


def _totals(period: JourneyPeriod, what: str, utc: bool) -> Iterator[RenderableType]:
    start = f" from {show_time(period.from_time, utc=utc)}" if period.HasField("from_time") else ""
    end = f" to {show_time(period.to_time, utc=utc)}" if period.HasField("to_time") else ""
    yield Text(
        f"{what}{start}{end}: {period.request_count:,} of {period.customer_count:,} customers; "
        f"{period.reopened_request_count:,} reopened, {period.reopening_count:,} times",
        style="bold",
    )


def _variants(rows: Iterable[JourneyVariant], count: int) -> Table:
    made = table(
        ("requests", NUMBER),
        ("share", NUMBER),
        ("customers", NUMBER),
        ("way", WIDE),
        ("such as", SHORT),
        title=f"{count:,} variants",
    )
    for row in rows:
        way = " → ".join(topic_words(one) for one in row.sequence) or "nobody answered for it"
        example = row.example_request_ids[0] if row.example_request_ids else ""
        made.add_row(f"{row.request_count:,}", f"{row.share:.1%}", f"{row.customer_count:,}", way, example)
    return made


def _pairs(rows: Iterable[DepartmentPair], count: int) -> Table:
    made = table(
        ("from → to", WIDE),
        ("handoffs", NUMBER),
        ("accepted", NUMBER),
        ("median", NUMBER),
        ("p90", NUMBER),
        ("returned", NUMBER),
        ("lost facts", NUMBER),
        ("customers", NUMBER),
        title=f"{count:,} department pairs",
    )
    for row in rows:
        known = row.HasField("acceptance_median")
        made.add_row(
            f"{row.from_department} → {row.to_department}",
            f"{row.handoff_count:,}",
            f"{row.accepted_count:,}",
            show_duration(row.acceptance_median) if known else "-",
            show_duration(row.acceptance_p90) if known else "-",
            f"{row.return_rate:.1%}",
            f"{row.fact_loss_rate:.1%}",
            f"{row.customer_count:,}",
        )
    return made


def _breaks(rows: Iterable[BreakPoint], count: int) -> Table:
    made = table(
        ("break", SHORT),
        ("where", WIDE),
        ("customers", NUMBER),
        ("requests", NUMBER),
        ("share", NUMBER),
        ("times", NUMBER),
        title=f"{count:,} points of rupture, by customers hit",
    )
    for row in rows:
        made.add_row(
            word(BreakKind.DESCRIPTOR, row.kind),
            _where(row),
            f"{row.customer_count:,}",
            f"{row.request_count:,}",
            f"{row.request_share:.1%}",
            f"{row.count:,}",
        )
    return made


def _where(row: BreakPoint) -> str:
    return f"{row.department} → {row.to_department}" if row.to_department else row.department or "nobody"


def _changes(rows: Iterable[BreakChange]) -> Table:
    made = table(
        ("break", SHORT),
        ("where", WIDE),
        ("compared", NUMBER),
        ("now", NUMBER),
        ("change", NUMBER),
        title="What changed, share of requests",
    )
    for row in rows:
        made.add_row(
            word(BreakKind.DESCRIPTOR, row.point.kind),
            _where(row.point),
            f"{row.compared.request_share:.1%}",
            f"{row.point.request_share:.1%}",
            f"{row.share_change:+.1%}",
        )
    return made


def _satisfactions(rows: Iterable[SatisfactionPoint]) -> Table:
    made = table(
        ("department", WIDE),
        ("measure", SHORT),
        ("answers", NUMBER),
        ("good", NUMBER),
        ("bad", NUMBER),
        ("mean", NUMBER),
        title="Points of satisfaction",
    )
    for row in rows:
        made.add_row(
            row.department or "nobody",
            word(SatisfactionMeasure.DESCRIPTOR, row.measure),
            f"{row.count:,}",
            f"{row.good_count:,}",
            f"{row.bad_count:,}",
            f"{row.mean:.0%}",
        )
    return made


def _conformances(rows: Iterable[Conformance]) -> Table:
    made = table(
        ("reason", SHORT),
        ("requests", NUMBER),
        ("as expected", NUMBER),
        ("out of order", NUMBER),
        ("missing", WIDE),
        ("not expected", WIDE),
        title="Expected paths",
    )
    for row in rows:
        made.add_row(
            row.reason,
            f"{row.request_count:,}",
            f"{row.as_expected_count:,}",
            f"{row.out_of_order_count:,}",
            ", ".join(f"{one.values[0]} {one.count:,}" for one in row.missing) or "-",
            ", ".join(f"{one.values[0]} {one.count:,}" for one in row.extra) or "-",
        )
    return made


# Of one


def _journey(found: Journey, utc: bool) -> RenderableType:
    parts: list[RenderableType] = [_steps(found.steps, utc)]
    if found.truncated:
        parts.append(Text("There are more steps.", style="dim"))
    if found.stays:
        parts += ["", _stays(found.stays, utc)]
    if found.break_points:
        parts += ["", _breaks(found.break_points, len(found.break_points))]
    if found.HasField("path_check"):
        parts += ["", _path(found.path_check)]
    return Group(*parts)


def _steps(rows: Iterable[JourneyStep], utc: bool) -> Table:
    made = table(("time", SHORT), "step", ("by", SHORT), ("answers for it", SHORT), ("channel", SHORT), ("of", WIDE))
    for row in rows:
        of = " ".join(one for one in (row.request_id, row.contact_id, row.handoff_id) if one)
        step = f"{topic_words(row.topic)}: {row.step}" if row.step else topic_words(row.topic)
        made.add_row(
            show_time(row.occur_time, utc=utc), step, row.department or "-", row.owner_department or "-", row.channel or "-", of
        )
    return made


def _stays(rows: Iterable[JourneyStay], utc: bool) -> Table:
    made = table(("department", WIDE), ("from", SHORT), ("to", SHORT), ("active", NUMBER), "", title="In whose hands")
    for row in rows:
        made.add_row(
            row.department,
            show_time(row.from_time, utc=utc),
            show_time(row.to_time, utc=utc) if row.HasField("to_time") else "still",
            show_duration(row.active),
            Text("stalled", style="red") if row.stalled else "",
        )
    return made


def _path(check: Any) -> Table:
    made = table(("path", SHORT), ("steps", WIDE), title=f"Against policy {check.policy_id} {check.policy_version}")
    made.add_row("expected", " → ".join(check.expected))
    made.add_row("recorded", " → ".join(check.recorded) or "-")
    made.add_row("missing", ", ".join(check.missing) or "-")
    made.add_row("not expected", ", ".join(check.extra) or "-")
    if check.out_of_order:
        made.add_row("order", Text("not as expected", style="yellow"))
    return made
