"""`tellonce answers`: who answered which question how, and where departments contradict each other or the official answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.listing import Output, choices, enum_words, groups, numbers, show_counts, show_rows, split
from clients.cli.output import NUMBER, SHORT, WIDE, console, table
from clients.cli.times import show_time
from clients.cli.words import plain, word
from ledger.api.v1.answer_pb2 import AnswerObstacle, AnswerStance
from ledger.api.v1.answer_service_pb2 import (
    ANSWER_BY_ANSWER,
    ANSWER_BY_CHANNEL,
    ANSWER_BY_DEPARTMENT,
    ANSWER_BY_KNOWABLE,
    ANSWER_BY_OBSTACLE,
    ANSWER_BY_QUESTION,
    ANSWER_BY_SOURCE,
    ANSWER_BY_STANCE,
    ANSWER_BY_VERDICT,
    Answer,
    Contradiction,
    QuestionContradictions,
    StatementVerdict,
)

VERDICTS: Final = StatementVerdict.DESCRIPTOR
OBSTACLES: Final = AnswerObstacle.DESCRIPTOR
STANCES: Final = AnswerStance.DESCRIPTOR
GROUPS: Final = {
    "question": ANSWER_BY_QUESTION,
    "answer": ANSWER_BY_ANSWER,
    "department": ANSWER_BY_DEPARTMENT,
    "channel": ANSWER_BY_CHANNEL,
    "stance": ANSWER_BY_STANCE,
    "obstacle": ANSWER_BY_OBSTACLE,
    "verdict": ANSWER_BY_VERDICT,
    "knowable": ANSWER_BY_KNOWABLE,
    "source": ANSWER_BY_SOURCE,
}
EXAMPLES: Final = (
    "tellonce answers --question train_runs --valid",
    "tellonce answers --contradictions --standing",
    "tellonce answers --statement s-1 --verdict contradicted --knowable",
    "tellonce answers --statement s-1 --count channel,verdict",
    "tellonce answers --unanswered --count obstacle,department --before 2026-04-01",
)


def answers(
    question: Annotated[
        list[str] | None, typer.Option("--question", "-q", metavar="CODE", help="Only answers to this question.")
    ] = None,
    answer: Annotated[list[str] | None, typer.Option("--answer", metavar="CODE", help="Only those that answer this.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="CUSTOMER", help=options.CUSTOMER_HELP)] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those of this department.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", "-c", metavar="CODE", help="Only those on this channel.")
    ] = None,
    request: Annotated[str | None, typer.Option("--request", metavar="REQUEST", help="Only those that name this request.")] = None,
    about: Annotated[str | None, typer.Option("--about", metavar="CODE", help="Only those about this object.")] = None,
    valid: Annotated[bool, options.flag("--valid", help="Only those that are valid now, or before the time of --before.")] = False,
    unanswered: Annotated[bool, options.flag("--unanswered", help="Only questions that could not be answered.")] = False,
    obstacle: Annotated[
        list[str] | None, typer.Option("--obstacle", metavar="WHY", help=f"Could not be answered for: {choices(OBSTACLES)}.")
    ] = None,
    statement: Annotated[
        str | None, typer.Option("--statement", metavar="STATEMENT", help="Only those given while this was the official answer.")
    ] = None,
    verdict: Annotated[
        list[str] | None, typer.Option("--verdict", metavar="HOW", help=f"Against the official answer: {choices(VERDICTS)}.")
    ] = None,
    knowable: Annotated[
        bool, options.flag("--knowable", help="Only those given when the official answer was already recorded.")
    ] = False,
    contradictions: Annotated[
        bool, options.flag("--contradictions", help="List pairs of answers that differ while both claim validity.")
    ] = False,
    standing: Annotated[bool, options.flag("--standing", help="With --contradictions: only those that still stand.")] = False,
    count: Annotated[list[str] | None, typer.Option("--count", metavar="GROUP", help=f"Count by {', '.join(GROUPS)}.")] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List answers to questions, newest first, each against the official answer of its time."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    both: dict[str, Any] = {
        "question_keys": split(question),
        "departments": split(department),
        "channels": split(channel),
        "request_id": request,
        "object_key": about,
    }
    single: dict[str, Any] = {
        "answer_keys": split(answer),
        "customer": options.customer(customer, "--customer"),
        "valid": valid,
        "unanswered": unanswered,
        "obstacles": numbers("--obstacle", OBSTACLES, obstacle),
        "statement_id": statement,
        "verdicts": numbers("--verdict", VERDICTS, verdict),
        "knowable": knowable,
    }
    if contradictions and (count or any(single.values())):
        raise options.usage("--contradictions", "It goes with --question, --department, --channel, --request, --about, --standing.")
    if standing and not contradictions:
        raise options.usage("--standing", "It goes with --contradictions.")
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if contradictions:
            found = client.contradictions(standing=standing, as_of=asked, page_size=output.page_size, **both)
            if not json and found.first.result.questions:
                console().print(question_table(found.first.result.questions))
            show_rows(found, "contradictions", contradiction_table, "No contradictions.", output)
        elif group_by:
            response = client.count_answers(group_by, as_of=asked, **both, **single)
            known = {"verdict": enum_words(VERDICTS), "stance": enum_words(STANCES), "obstacle": enum_words(OBSTACLES)}
            show_counts(response, names, known, output)
        else:
            pages = client.answers(as_of=asked, page_size=output.page_size, **both, **single)
            show_rows(pages, "answers", answer_table, "No answers.", output)


def answer_table(rows: Iterable[Answer], utc: bool) -> Table:
    """Return answers as a table."""
    made = table(
        ("when", SHORT),
        ("question", SHORT),
        ("answer", SHORT),
        ("department", SHORT),
        ("channel", SHORT),
        ("valid until", SHORT),
        ("official answer", SHORT),
        ("remarks", WIDE),
    )
    for row in rows:
        made.add_row(
            show_time(row.occur_time, utc=utc, seconds=False),
            row.question_key.replace("_", " "),
            row.answer_key.replace("_", " ") or Text("none", style="yellow"),
            row.department or "-",
            row.channel or "-",
            show_time(row.valid_until, utc=utc, seconds=False) if row.HasField("valid_until") else "open" if row.valid else "-",
            verdict_text(row),
            ", ".join(_remarks(row)),
        )
    return made


def verdict_text(row: Answer) -> Text:
    """Return how an answer stands against the official one, in colour where it does not say the same."""
    if not row.statement_id:
        return Text("-")
    style = {"contradicted": "red", "not confirmed": "yellow"}.get(word(VERDICTS, row.verdict), "")
    known = "" if row.knowable or word(VERDICTS, row.verdict) == "confirmed" else " (not recorded yet)"
    return Text(f"{row.statement_id} {word(VERDICTS, row.verdict)}{known}", style=style)


def _remarks(row: Answer) -> list[str]:
    remarks = []
    if row.stance and word(STANCES, row.stance) != "stated":
        remarks.append(word(STANCES, row.stance))
    if row.obstacle:
        remarks.append(f"no {word(OBSTACLES, row.obstacle)}")
    about = row.object_key or (
        f"{row.object.type} {plain(row.object.value)}".rstrip() if row.HasField("object") else row.request_id
    )
    if about:
        remarks.append(f"about {about}")
    if row.text:
        remarks.append(f"“{plain(row.text)}”")
    return remarks


def question_table(rows: Iterable[QuestionContradictions]) -> Table:
    """Return the share of contradicted answers of each question."""
    made = table("question", ("answers", NUMBER), ("in a contradiction", NUMBER), ("share", NUMBER), ("contradictions", NUMBER))
    for row in rows:
        made.add_row(
            row.question_key.replace("_", " "),
            f"{row.stated_count:,}",
            f"{row.contradicted_count:,}",
            f"{row.share:.1%}",
            f"{row.contradiction_count:,}",
        )
    return made


def contradiction_table(rows: Iterable[Contradiction], utc: bool) -> Table:
    """Return contradictions as a table."""
    made = table(
        ("question", SHORT),
        ("about", SHORT),
        ("first said", WIDE),
        ("then said", WIDE),
        ("both valid from", SHORT),
        ("until", SHORT),
    )
    for row in rows:
        made.add_row(
            row.question_key.replace("_", " "),
            row.object_key or row.request_id or ("one customer's object" if row.subject else "in general"),
            _side(row.earlier.answer_key, row.earlier.department, row.earlier.channel),
            _side(row.later.answer_key, row.later.department, row.later.channel),
            show_time(row.from_time, utc=utc, seconds=False),
            show_time(row.until_time, utc=utc, seconds=False) if row.HasField("until_time") else Text("open", style="red"),
        )
    return made


def _side(answer_key: str, department: str, channel: str) -> str:
    where = " ".join(part for part in (department, f"({channel})" if channel else "") if part)
    return f"{answer_key.replace('_', ' ')} · {where or 'nobody named'}"
