"""`tellonce experience`: how satisfied people are, what annoys them, and whom customers were sent on to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import Output, choices, enum_words, groups, numbers, show_counts, show_one, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_time
from clients.cli.words import plain, word
from ledger.api.v1.experience_pb2 import Respondent, SatisfactionMeasure
from ledger.api.v1.experience_service_pb2 import (
    IRRITANT_BY_ABOUT,
    IRRITANT_BY_CAUSE,
    IRRITANT_BY_CHANNEL,
    IRRITANT_BY_RESPONDENT,
    IRRITANT_BY_STEP,
    SATISFACTION_BY_CHANNEL,
    SATISFACTION_BY_DEPARTMENT,
    SATISFACTION_BY_MEASURE,
    SATISFACTION_BY_RESPONDENT,
    SATISFACTION_BY_SURVEY,
    Irritant,
    Referral,
    SatisfactionCount,
    SatisfactionScore,
)

MEASURES: Final = SatisfactionMeasure.DESCRIPTOR
RESPONDENTS: Final = Respondent.DESCRIPTOR
GROUPS: Final = {
    "measure": SATISFACTION_BY_MEASURE,
    "department": SATISFACTION_BY_DEPARTMENT,
    "channel": SATISFACTION_BY_CHANNEL,
    "respondent": SATISFACTION_BY_RESPONDENT,
    "survey": SATISFACTION_BY_SURVEY,
}
IRRITANT_GROUPS: Final = {
    "cause": IRRITANT_BY_CAUSE,
    "step": IRRITANT_BY_STEP,
    "about": IRRITANT_BY_ABOUT,
    "respondent": IRRITANT_BY_RESPONDENT,
    "channel": IRRITANT_BY_CHANNEL,
}
EXAMPLES: Final = (
    "tellonce experience --customer email:a@example.org",
    "tellonce experience --count measure",
    "tellonce experience --irritants --count cause",
    "tellonce experience --referrals",
)


def experience(
    irritants: Annotated[bool, options.flag("--irritants", help="What annoyed people instead.")] = False,
    referrals: Annotated[bool, options.flag("--referrals", help="Whom customers were sent on to instead.")] = False,
    measure: Annotated[
        list[str] | None, typer.Option("--measure", metavar="MEASURE", help=f"Only these measures: {choices(MEASURES)}.")
    ] = None,
    cause: Annotated[list[str] | None, typer.Option("--cause", metavar="CODE", help="With --irritants: only this cause.")] = None,
    step: Annotated[list[str] | None, typer.Option("--step", metavar="CODE", help="With --irritants: only at this step.")] = None,
    department: Annotated[
        list[str] | None,
        typer.Option(
            "--department", "-d", metavar="CODE", help="Only of this department: that recorded it, whose process it is, or sent to."
        ),
    ] = None,
    respondent: Annotated[
        str | None, typer.Option("--respondent", metavar="WHO", help=f"Only those of: {choices(RESPONDENTS)}.")
    ] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="CUSTOMER", help=options.CUSTOMER_HELP)] = None,
    request: Annotated[str | None, typer.Option("--request", metavar="REQUEST", help="Only those about this request.")] = None,
    occurred_from: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only from this time on.")] = None,
    occurred_until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only before this time.")] = None,
    count: Annotated[
        list[str] | None,
        typer.Option("--count", metavar="GROUP", help=f"Count by {', '.join(GROUPS)}; irritants by {', '.join(IRRITANT_GROUPS)}."),
    ] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List satisfaction, irritants or referrals, newest first."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    if irritants and referrals:
        raise options.usage("--referrals", "Not together with --irritants: ask for one of them.")
    which: dict[str, Any] = {
        "departments": split(department),
        "respondent": next(iter(numbers("--respondent", RESPONDENTS, [respondent] if respondent else None)), None),
        "customer": options.customer(customer, "--customer"),
        "request_id": request,
        "occurred_from": options.moment("--from", occurred_from, utc=utc),
        "occurred_until": options.moment("--until", occurred_until, utc=utc),
    }
    names, group_by = groups(count, IRRITANT_GROUPS if irritants else GROUPS)
    words = {"measure": enum_words(MEASURES), "respondent": enum_words(RESPONDENTS)}
    with connect(target) as client:
        if referrals:
            sent = client.referrals(as_of=asked, page_size=output.page_size, **which)
            show_rows(sent, "referrals", referral_table, "No referrals.", output)
        elif irritants:
            which |= {"causes": split(cause), "steps": split(step)}
            if group_by:
                show_counts(client.count_irritants(group_by, as_of=asked, **which), names, words, output)
            else:
                annoyed = client.irritants(as_of=asked, page_size=output.page_size, **which)
                show_rows(annoyed, "irritants", irritant_table, "No irritants.", output)
        else:
            which["measures"] = numbers("--measure", MEASURES, measure)
            if group_by:
                counted = client.count_satisfaction(group_by, as_of=asked, **which)
                show_one(counted, lambda result, _: count_table(names, words, result), output)
            else:
                said = client.satisfaction(as_of=asked, page_size=output.page_size, **which)
                show_rows(said, "scores", score_table, "Nobody was satisfied or dissatisfied.", output)


def score_table(rows: Iterable[SatisfactionScore], utc: bool) -> Table:
    """Return scores as a table."""
    made = table(
        ("when", SHORT),
        "measure",
        ("score", NUMBER),
        "of",
        ("department", SHORT),
        ("contact", SHORT),
        ("request", SHORT),
        ("comment", WIDE),
    )
    for row in rows:
        made.add_row(
            show_time(row.time, utc=utc, seconds=False),
            word(MEASURES, row.measure).upper(),
            f"{row.score} of {row.scale_max}",
            word(RESPONDENTS, row.respondent),
            row.department or "-",
            row.contact_id or "-",
            row.request_id or "-",
            plain(row.comment),
        )
    return made


def count_table(names: list[str], words: dict[str, dict[str, str]], result: SatisfactionCount) -> Table:
    """Return satisfaction by group as a table."""
    made = table(*(name.replace("-", " ") for name in names), ("asked", NUMBER), ("n", NUMBER), ("mean", NUMBER))
    for row in (*result.rows, result.total):
        values = [words.get(name, {}).get(value, value) or "-" for name, value in zip(names, row.values, strict=False)]
        if not row.values:
            made.add_section()
            values = (["all"] + [""] * len(names))[: len(names)]
        mean = f"{row.mean_permille / 10:.1f}%" if row.HasField("mean_permille") else "-"
        made.add_row(*values, f"{row.asked_count:,}", f"{row.recorded_count:,}", mean)
    return made


def irritant_table(rows: Iterable[Irritant], utc: bool) -> Table:
    """Return irritants as a table."""
    made = table(("when", SHORT), "causes", "by", "step", ("about", SHORT), ("request", SHORT), ("text", WIDE))
    for row in rows:
        made.add_row(
            show_time(row.time, utc=utc, seconds=False),
            ", ".join(cause.replace("_", " ") for cause in row.causes),
            word(RESPONDENTS, row.respondent),
            row.step.replace("_", " ") or "-",
            row.about_department or "-",
            row.request_id or "-",
            plain(row.text),
        )
    return made


def referral_table(rows: Iterable[Referral], utc: bool) -> Table:
    """Return referrals as a table."""
    made = table(
        ("referral", SHORT), ("when", SHORT), ("from", SHORT), ("to", SHORT), "reason", ("chain", NUMBER), ("followed by", WIDE)
    )
    for row in rows:
        made.add_row(
            row.referral_id,
            show_time(row.time, utc=utc, seconds=False),
            row.from_department or "-",
            row.to_department or row.to_organisation or "-",
            row.reason.replace("_", " ") or "-",
            str(row.chain_length),
            " ".join(row.following_contact_ids) or "nobody yet",
        )
    return made
