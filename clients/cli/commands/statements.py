"""`tellonce statements`: the official answers, who has read them, and what was said at the desks meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.details import detail_table
from clients.cli.listing import (
    FOLLOW_PATIENCE_SECONDS,
    Output,
    choices,
    enum_words,
    follow,
    groups,
    numbers,
    show_counts,
    show_one,
    show_rows,
    split,
)
from clients.cli.output import NUMBER, SHORT, WIDE, table
from clients.cli.times import show_time
from clients.cli.words import plain, word
from ledger.api.v1.answer_service_pb2 import (
    STATEMENT_BY_ANSWER,
    STATEMENT_BY_QUESTION,
    STATEMENT_BY_STATE,
    Statement,
    StatementAnswers,
    StatementState,
    WatchStatementsResponse,
)

STATES: Final = StatementState.DESCRIPTOR
GROUPS: Final = {"state": STATEMENT_BY_STATE, "question": STATEMENT_BY_QUESTION, "answer": STATEMENT_BY_ANSWER}
EXAMPLES: Final = (
    "tellonce statements --official --question train_runs --department station --channel counter",
    "tellonce statements --in-force --unread-by counter",
    "tellonce statements --id s-1",
    "tellonce statements --count state --before 2026-08-01",
    "tellonce statements --follow --department counter",
)


def statements(
    id: Annotated[
        str | None, typer.Option("--id", metavar="STATEMENT", help="Only this one, with all that follows from it.")
    ] = None,
    official: Annotated[
        bool, options.flag("--official", help="The one official answer in force to the --question, for a department and channel.")
    ] = False,
    question: Annotated[list[str] | None, typer.Option("--question", "-q", metavar="CODE", help="Only on this question.")] = None,
    about: Annotated[str | None, typer.Option("--about", metavar="CODE", help="Only those about this object.")] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", "-d", metavar="CODE", help="Only those that bind this department.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", "-c", metavar="CODE", help="Only those that hold on this channel.")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these states: {choices(STATES)}.")
    ] = None,
    in_force: Annotated[bool, options.flag("--in-force", help="Only those in force.")] = False,
    unread_by: Annotated[
        str | None,
        typer.Option("--unread-by", metavar="CODE", help="Only those that bind this department and that it has not acknowledged."),
    ] = None,
    count: Annotated[list[str] | None, typer.Option("--count", metavar="GROUP", help=f"Count by {', '.join(GROUPS)}.")] = None,
    following: options.FollowOption = False,
    after: options.AfterOption = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """List official statements, latest validity first."""
    output = Output(json, utc, limit, all)
    options.present_only(following, as_of, before)
    asked = options.as_of(as_of, before, utc=utc)
    questions, departments, channels = split(question), split(department), split(channel)
    if official and (len(questions) != 1 or len(departments) > 1 or len(channels) > 1):
        raise options.usage("--official", "Give one --question, and at most one --department and one --channel.")
    which: dict[str, Any] = {
        "question_keys": questions,
        "object_key": about,
        "departments": departments,
        "channels": channels,
        "states": numbers("--state", STATES, state),
        "in_force": in_force,
        "unacknowledged_by": unread_by,
    }
    names, group_by = groups(count, GROUPS)
    with connect(target) as client:
        if id is not None:
            show_one(client.statement(id, as_of=asked), statement_details, output)
        elif official:
            response = client.official_answer(
                questions[0],
                object_key=about,
                department=next(iter(departments), None),
                channel=next(iter(channels), None),
                as_of=asked,
            )
            show_one(response, statement_details, output)
        elif following:
            changes = client.watch_statements(after, timeout_seconds=FOLLOW_PATIENCE_SECONDS, **which)
            follow(changes, _watched, statement_line, output, "statements that change")
        elif group_by:
            show_counts(client.count_statements(group_by, as_of=asked, **which), names, {"state": enum_words(STATES)}, output)
        else:
            pages = client.statements(as_of=asked, page_size=output.page_size, **which)
            show_rows(pages, "statements", statement_table, "No statements.", output)


def statement_table(rows: Iterable[Statement], utc: bool) -> Table:
    """Return statements as a table."""
    made = table(
        ("statement", SHORT),
        "state",
        ("question", SHORT),
        ("official answer", SHORT),
        ("for", WIDE),
        ("valid from", SHORT),
        ("until", SHORT),
        ("read by", NUMBER),
        ("not yet by", WIDE),
    )
    for row in rows:
        made.add_row(
            row.statement_id,
            state_text(row),
            row.question_key.replace("_", " "),
            row.answer_key.replace("_", " "),
            _for(row),
            show_time(row.valid_from, utc=utc, seconds=False),
            show_time(row.valid_until, utc=utc, seconds=False) if row.HasField("valid_until") else "-",
            f"{len(row.acknowledgements):,}",
            " ".join(row.missing_departments) or "-",
        )
    return made


def statement_line(row: Statement, utc: bool) -> Text:
    """Return a change of a statement as one line."""
    return Text.assemble(
        (show_time(row.published_time, utc=utc), "dim"),
        f"  {row.statement_id}  ",
        state_text(row),
        f"  {row.question_key.replace('_', ' ')}: {row.answer_key.replace('_', ' ')}  for {_for(row)}",
    )


def statement_details(row: Statement, utc: bool) -> Table:
    """Return one statement with all its fields, and what was answered while it was the official answer."""
    replaced = {
        "acknowledgements": ", ".join(
            f"{one.department} at {show_time(one.occur_time, utc=utc, seconds=False)}" for one in row.acknowledgements
        ),
        "announcements": ", ".join(
            f"{one.channel or 'unnamed channel'} at {show_time(one.occur_time, utc=utc, seconds=False)}"
            + (f" to {one.recipient_count:,}" if one.recipient_count else "")
            for one in row.announcements
        ),
    }
    made = detail_table(row, utc=utc, replaced=replaced, hidden=("answers",), title=f"Statement {row.statement_id}")
    if row.answers:
        made.add_row("answers", channel_table(row.answers))
    return made


def channel_table(rows: Iterable[StatementAnswers]) -> Table:
    """Return what was answered while a statement was the official answer, by channel."""
    made = table(
        "channel", ("confirmed", NUMBER), ("not confirmed", NUMBER), ("contradicted", NUMBER), ("could have known", NUMBER)
    )
    for row in rows:
        counts = (row.confirmed_count, row.not_confirmed_count, row.contradicted_count, row.knowable_count)
        made.add_row(row.channel or "-", *(f"{number:,}" for number in counts))
    return made


def state_text(row: Statement) -> Text:
    """Return the state as a word, in colour while it is in force."""
    if row.in_force:
        return Text("in force", style="green")
    return Text("to come" if word(STATES, row.state) == "published" else word(STATES, row.state))


def _for(row: Statement) -> str:
    departments = " ".join(row.departments) or "all departments"
    channels = f" on {' '.join(row.channels)}" if row.channels else ""
    about = f", about {plain(row.object_key)}" if row.object_key else ""
    return f"{departments}{channels}{about}"


def _watched(position: int, row: Statement) -> WatchStatementsResponse:
    return WatchStatementsResponse(position=position, statement=row)
