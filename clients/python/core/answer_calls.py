"""Questions about answers and official statements. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from clients.python.core.following import Feed
from clients.python.core.watching import watch
from ledger.api.v1.answer_service_pb2 import (
    Answer,
    AnswerFilter,
    Contradiction,
    ContradictionFilter,
    CountAnswersRequest,
    CountAnswersResponse,
    CountStatementsRequest,
    CountStatementsResponse,
    GetOfficialAnswerRequest,
    GetOfficialAnswerResponse,
    GetStatementRequest,
    GetStatementResponse,
    ListAnswersRequest,
    ListAnswersResponse,
    ListContradictionsRequest,
    ListContradictionsResponse,
    ListStatementsRequest,
    ListStatementsResponse,
    Statement,
    StatementFilter,
    WatchStatementsRequest,
    WatchStatementsResponse,
)

SERVICE: Final = "AnswerService"
LIST: Final = Rpc(SERVICE, "ListAnswers", ListAnswersRequest, ListAnswersResponse)
COUNT: Final = Rpc(SERVICE, "CountAnswers", CountAnswersRequest, CountAnswersResponse)
CONTRADICTIONS: Final = Rpc(SERVICE, "ListContradictions", ListContradictionsRequest, ListContradictionsResponse)
GET_STATEMENT: Final = Rpc(SERVICE, "GetStatement", GetStatementRequest, GetStatementResponse)
OFFICIAL: Final = Rpc(SERVICE, "GetOfficialAnswer", GetOfficialAnswerRequest, GetOfficialAnswerResponse)
LIST_STATEMENTS: Final = Rpc(SERVICE, "ListStatements", ListStatementsRequest, ListStatementsResponse)
COUNT_STATEMENTS: Final = Rpc(SERVICE, "CountStatements", CountStatementsRequest, CountStatementsResponse)
WATCH_STATEMENTS: Final = Rpc(SERVICE, "WatchStatements", WatchStatementsRequest, WatchStatementsResponse)


class _Which(TypedDict, total=False):
    question_keys: Names | None
    answer_keys: Names | None
    customer: CustomerLike | None
    departments: Names | None
    channels: Names | None
    request_id: str | None
    object_key: str | None
    valid: bool | None
    stances: EnumsLike | None
    obstacles: EnumsLike | None
    unanswered: bool | None
    verdicts: EnumsLike | None
    statement_id: str | None
    knowable: bool | None
    from_time: datetime | None
    until_time: datetime | None


class AnswerOptions(ReadOptions, _Which, total=False):
    """Which answers, and the read options. `valid`: at the evaluated time; `verdicts` as `"contradicted"`, …."""


class AnswerListOptions(ListOptions, _Which, total=False):
    """Which answers, and the list options."""


class ContradictionOptions(ListOptions, total=False):
    """Which contradictions, and the list options. `standing`: both answers claim validity at the evaluated time."""

    question_keys: Names | None
    departments: Names | None
    channels: Names | None
    object_key: str | None
    request_id: str | None
    standing: bool | None
    from_time: datetime | None
    until_time: datetime | None


class _WhichStatements(TypedDict, total=False):
    question_keys: Names | None
    object_key: str | None
    departments: Names | None
    channels: Names | None
    states: EnumsLike | None
    in_force: bool | None
    unacknowledged_by: str | None


class StatementOptions(ReadOptions, _WhichStatements, total=False):
    """Which statements, and the read options. `departments` and `channels`: those it binds; one that names none binds all."""


class StatementListOptions(ListOptions, _WhichStatements, total=False):
    """Which statements, and the list options."""


class StatementWatchOptions(_WhichStatements, total=False):
    """Which statements."""


def answers(**which: Unpack[AnswerListOptions]) -> Listing[ListAnswersResponse, Answer]:
    """List answers, newest first, each with its validity and how it stands against the official statement of its time.

    Example:
        >>> for answer in client.answers(question_keys="train_runs", verdicts="contradicted"):
        ...     print(answer.channel, answer.answer_key, answer.knowable)
    """
    return Listing(ask(LIST, which, filter_type=AnswerFilter), lambda page: page.result.answers)


def count_answers(group_by: EnumsLike = (), **which: Unpack[AnswerOptions]) -> Call[CountAnswersResponse, CountAnswersResponse]:
    """Count answers, in groups: `"question"`, `"answer"`, `"department"`, `"channel"`, `"verdict"`, `"knowable"`, ….

    Example:
        >>> [(row.values, row.count) for row in client.count_answers(["channel", "verdict"], statement_id="s-1").result.rows]
        [(['counter', 'STATEMENT_CONTRADICTED'], 14), (['sms', 'STATEMENT_CONFIRMED'], 3)]
    """
    return ask(COUNT, which, filter_type=AnswerFilter, group_by=group_by)


def contradictions(**which: Unpack[ContradictionOptions]) -> Listing[ListContradictionsResponse, Contradiction]:
    """List pairs of answers that differ while both claim validity. The shares by question stand in `first.result.questions`.

    Example:
        >>> for one in client.contradictions(question_keys="delivery_date", standing=True):
        ...     print(one.earlier.department, one.earlier.answer_key, "but", one.later.department, one.later.answer_key)
    """
    return Listing(ask(CONTRADICTIONS, which, filter_type=ContradictionFilter), lambda page: page.result.contradictions)


def statement(statement_id: str, **read: Unpack[ReadOptions]) -> Call[GetStatementResponse, GetStatementResponse]:
    """Return one official statement, in `result`: who has read it, who has not, and what was answered while it was in force.

    Example:
        >>> client.statement("s-1").result.missing_departments
        ['counter']
    """
    return ask(GET_STATEMENT, read, statement_id=statement_id)


def official_answer(
    question_key: str,
    *,
    object_key: str | None = None,
    department: str | None = None,
    channel: str | None = None,
    **read: Unpack[ReadOptions],
) -> Call[GetOfficialAnswerResponse, GetOfficialAnswerResponse]:
    """Return the statement in force on a question, in `result`; NotRecordedError where there is none.

    Example:
        >>> client.official_answer("train_runs", department="counter", channel="counter").result.answer_key
        'no_train_before_8_pm'
    """
    return ask(OFFICIAL, read, question_key=question_key, object_key=object_key, department=department, channel=channel)


def statements(**which: Unpack[StatementListOptions]) -> Listing[ListStatementsResponse, Statement]:
    """List official statements, latest validity first.

    Example:
        >>> for statement in client.statements(in_force=True, unacknowledged_by="counter"):
        ...     print(statement.statement_id, statement.text)
    """
    return Listing(ask(LIST_STATEMENTS, which, filter_type=StatementFilter), lambda page: page.result.statements)


def count_statements(
    group_by: EnumsLike = (), **which: Unpack[StatementOptions]
) -> Call[CountStatementsResponse, CountStatementsResponse]:
    """Count official statements, in groups: `"state"`, `"question"`, `"answer"`.

    Example:
        >>> client.count_statements(in_force=True).result.total
        3
    """
    return ask(COUNT_STATEMENTS, which, filter_type=StatementFilter, group_by=group_by)


def watch_statements(
    after_position: int | None = None, *, timeout_seconds: float | None = None, **which: Unpack[StatementWatchOptions]
) -> Feed[WatchStatementsResponse, Statement]:
    """Follow official statements: each whenever it changes, after a position or from now on; resumes by itself like `subscribe`.

    One that leaves the filter is given once more, as it is then.

    Example:
        >>> for statement in client.watch_statements(departments="counter"):
        ...     print(statement.question_key, statement.answer_key, statement.in_force)
    """
    return watch(
        WATCH_STATEMENTS, "statement", lambda one: one.statement_id, after_position, timeout_seconds, StatementFilter, which
    )
