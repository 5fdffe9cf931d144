"""AnswerService: answers, contradictions, and official statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ledger.api.v1.answer_service_pb2 import (
    AnswerCount,
    AnswerList,
    ContradictionList,
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
    StatementCount,
    StatementList,
    WatchStatementsRequest,
    WatchStatementsResponse,
)
from ledger.api.v1.answer_service_pb2_grpc import AnswerServiceServicer
from ledger.api.v1.errors_pb2 import NOT_RECORDED
from ledger.errors import LedgerError
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import far, recorded
from projections import answers, contradictions, statements
from projections.view import Read


class AnswerServicer(AnswerServiceServicer):
    """Answers AnswerService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def ListAnswers(self, request: ListAnswersRequest, context: Context) -> ListAnswersResponse:
        """Return a page of answers."""
        return await self._reading.page(request, context, ListAnswersResponse, self._answers)

    async def CountAnswers(self, request: CountAnswersRequest, context: Context) -> CountAnswersResponse:
        """Return counts of answers."""
        return await self._reading.answer(request, context, CountAnswersResponse, self._count_answers)

    async def ListContradictions(self, request: ListContradictionsRequest, context: Context) -> ListContradictionsResponse:
        """Return a page of contradictions."""
        return await self._reading.page(request, context, ListContradictionsResponse, self._contradictions)

    async def GetStatement(self, request: GetStatementRequest, context: Context) -> GetStatementResponse:
        """Return one statement."""
        return await self._reading.answer(request, context, GetStatementResponse, self._statement)

    async def GetOfficialAnswer(self, request: GetOfficialAnswerRequest, context: Context) -> GetOfficialAnswerResponse:
        """Return the statement in force."""
        return await self._reading.answer(request, context, GetOfficialAnswerResponse, self._official)

    async def ListStatements(self, request: ListStatementsRequest, context: Context) -> ListStatementsResponse:
        """Return a page of statements."""
        return await self._reading.page(request, context, ListStatementsResponse, self._statements)

    async def CountStatements(self, request: CountStatementsRequest, context: Context) -> CountStatementsResponse:
        """Return counts of statements."""
        return await self._reading.answer(request, context, CountStatementsResponse, self._count_statements)

    def WatchStatements(self, request: WatchStatementsRequest, context: Context) -> AsyncIterator[WatchStatementsResponse]:
        """Stream statements as they change."""
        return self._reading.watch(request, WatchStatementsResponse, self._changed)

    def _answers(self, read: Read, request: ListAnswersRequest, limit: int, after: After) -> tuple[AnswerList, After]:
        found, following = answers.page(read, request.filter, limit, after, self._customers.asked(read, request.filter))
        return AnswerList(answers=found), following

    def _count_answers(self, read: Read, request: CountAnswersRequest) -> AnswerCount:
        return answers.count(read, request.filter, request.group_by, self._customers.asked(read, request.filter))

    def _contradictions(
        self, read: Read, request: ListContradictionsRequest, limit: int, after: After
    ) -> tuple[ContradictionList, After]:
        return contradictions.page(read, request.filter, limit, after)

    def _statement(self, read: Read, request: GetStatementRequest) -> Statement:
        return recorded(answers.statement(read, request.statement_id), "statement", request.statement_id)

    def _official(self, read: Read, request: GetOfficialAnswerRequest) -> Statement:
        row = statements.official(read, request.question_key, request.object_key, request.department, request.channel)
        if row is None:
            raise LedgerError(
                NOT_RECORDED,
                f"There is no statement in force on {request.question_key} for whom it was asked, at the time asked: leave the "
                "department or channel out, ask about another time, or publish one.",
                kind="official-answer",
                id=request.question_key,
            )
        return statements.shown(read, [row])[0]

    def _statements(self, read: Read, request: ListStatementsRequest, limit: int, after: After) -> tuple[StatementList, After]:
        found, following = statements.page(read, request.filter, limit, after)
        return StatementList(statements=found), following

    def _count_statements(self, read: Read, request: CountStatementsRequest) -> StatementCount:
        return statements.count(read, request.filter, request.group_by)

    def _changed(
        self, read: Read, request: WatchStatementsRequest, after: int
    ) -> tuple[Sequence[tuple[int, WatchStatementsResponse]], int]:
        found = statements.changed(read, after, request.filter)
        return far(read, [(position, WatchStatementsResponse(position=position, statement=one)) for position, one in found])
